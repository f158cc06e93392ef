"""Checks of the built site: every link leads to a page and an anchor that exist, and nothing is loaded from another host."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

_BASE = "http://site/"
_LOADED = {"src", "srcset", "data", "poster"}  # attributes whose address a browser loads
_LOADING = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "manifest", "modulepreload", "prefetch"}


class _Page(HTMLParser):
    """Links, loaded addresses, and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fences = 0
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.loaded += [given[name] for name in _LOADED & set(given)]
        if tag == "link":
            if _LOADING & set(given.get("rel", "").split()):
                self.loaded.append(given.get("href", ""))
        elif "href" in given:
            self.links.append(given["href"])

    def handle_data(self, data: str) -> None:
        self.fences += data.count("```")


def find_problems(site: Path) -> Iterator[str]:
    """Yield a line for each broken link, address of another host that a browser would load, and page with unread Markdown."""
    pages = {file: _Page(file.read_text(encoding="utf-8")) for file in sorted(site.rglob("*.html"))}
    assert pages, "no pages"
    for file, page in pages.items():
        name = file.relative_to(site).as_posix()
        base = urljoin(_BASE, name.removesuffix("index.html"))
        if page.fences:
            yield f"{name}: fenced code that is not rendered"
        for address in page.loaded:
            if urlsplit(urljoin(base, address)).netloc not in ("site", "") and not address.startswith("data:"):
                yield f"{name}: loads {address}"
        for link in (*page.links, *page.loaded):
            if problem := _check(link, base, site, pages):
                yield f"{name}: {problem}"


def _check(link: str, base: str, site: Path, pages: dict[Path, _Page]) -> str:
    parts = urlsplit(urljoin(base, link))
    if parts.netloc != "site" or parts.scheme not in ("http", "https"):
        return ""
    file = site / unquote(parts.path).lstrip("/")
    if parts.path.endswith("/"):
        file = file / "index.html"
    if not file.is_file():
        return f"broken link {link}"
    anchor = unquote(parts.fragment)
    if anchor and file in pages and anchor not in pages[file].anchors and not anchor.startswith("s="):
        return f"no anchor for {link}"
    return ""
