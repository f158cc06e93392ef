"""Rewrite Markdown of this repository for the site: links, and what GitHub renders but Python-Markdown does not."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

REPOSITORY = "https://github.com/sidecarctl/sidecarctl"
_LINK = re.compile(r"(!?\[(?:[^\]\\]|\\.)*\]\()([^()\s]+)(\))")
_CODE = re.compile(r"(`+[^`]*`+)")
_FENCE = re.compile(r"( *`{3,}\w+) +\S.*")
_LIST = re.compile(r" {0,3}([-*]|\d+\.) ")
_HEADS = {2: ("property", "value"), 4: ("", "", "", "description")}


class BrokenLink(Exception):
    """A link to a file that does not exist."""


def convert(text: str, source: str, page: str, pages: Mapping[str, str], root: Path) -> str:
    """Return the text of a page.

    source  its file, relative to the repository
    page    its path in the site
    pages   the page of each source file; links to other files lead to the repository
    """

    def link(match: re.Match[str]) -> str:
        return match[1] + target(match[2], source, page, pages, root) + match[3]

    return map_prose(tidy(text), lambda line: _outside_code(line, lambda part: _LINK.sub(link, part)))


def target(link: str, source: str, page: str, pages: Mapping[str, str], root: Path) -> str:
    """Return a link of a file as a link of its page. Raises BrokenLink."""
    if re.match(r"[a-z]+:|#", link):
        return link
    name, mark, anchor = link.partition("#")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
    if f"{path}#{anchor}" in pages:
        path, mark, anchor = f"{path}#{anchor}", "", ""
    if path in pages:
        slash = "/" if pages[path].endswith("/") else ""
        return posixpath.relpath(pages[path], posixpath.dirname(page) or ".") + slash + mark + anchor
    if not (root / path).exists():
        raise BrokenLink(f"{source}: {link}")
    kind = "tree" if (root / path).is_dir() else "blob"
    return f"{REPOSITORY}/{kind}/main/{path}{mark}{anchor}"


def map_prose(text: str, change: Callable[[str], str]) -> str:
    """Change every line outside of fenced code."""
    return "".join(change(line) if is_prose else line for line, is_prose in _lines(text))


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = re.match(r" *(`{3,}|~{3,})", line)
        if mark and not fence:
            fence = mark[1]
            yield line, False
        elif fence:
            yield line, False
            if line.strip() == fence:
                fence = ""
        else:
            yield line, True


def _outside_code(line: str, change: Callable[[str], str]) -> str:
    """Change a line outside of its code spans. A link whose text has code is changed too."""
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match[0])
        return f"\0{len(held) - 1}\0"

    return re.sub(r"\0(\d+)\0", lambda match: held[int(match[1])], change(_CODE.sub(hold, line)))


def tidy(text: str) -> str:
    """Drop what GitHub hides, and separate lists from paragraphs.

    GitHub hides comments before the title, the names of columns that are empty, and attributes of fenced code, which the
    site's Markdown would not read as code.
    """
    text = re.sub(r"\A(\s*<!--.*?-->\s*)+", "", text, flags=re.DOTALL)
    kept: list[str] = []
    for line, is_prose in _lines(text):
        if is_prose and re.fullmatch(r"\|( *\|)+\n", line):
            cells = line.count("|") - 1
            line = f"| {' | '.join(_HEADS[cells])} |\n"
        elif is_prose and line.startswith("|") and line.endswith("| |\n") and _is_head(kept):
            line = line.removesuffix("| |\n") + "| description |\n"
        elif fence := _FENCE.match(line):
            line = f"{fence[1]}\n"
        before = kept[-1] if kept else "\n"
        starts_list = is_prose and _LIST.match(line) and before.strip() and not _LIST.match(before)
        if starts_list and not before.startswith((" ", "|", "#", "`", "~")):
            kept.append("\n")
        kept.append(line)
    return "".join(kept)


def _is_head(kept: list[str]) -> bool:
    return not kept or not kept[-1].startswith("|")


def section(text: str, title: str) -> str:
    """Return the content below a heading of level 2, without the heading. Raises ValueError if there is none."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f'no section "{title}"')
    return found[1].strip() + "\n"
