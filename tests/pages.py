"""Pages whose commands are run: each `$ command` of a console block, and what it prints in the place of what stands there.

A block that runs another program than this one can be told from those that do not: end-to-end tests run it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.command import ROOT

# What end-to-end tests run, as they stand on a page.
PROGRAMS = frozenset({"kustomize", "helm", "kpt", "kyverno", "pre-commit"})


def own(others: bool) -> bool:
    """Choose the blocks that run nothing else."""
    return not others


def every(others: bool) -> bool:
    """Choose all blocks."""
    return True


_EXAMPLES = ROOT / "examples" / "integrations"
_EXAMPLE = re.compile(r"\(\.\./\.\./examples/integrations/([\w-]+)/")
_BLOCK = re.compile(r"```console\n(.*?)```\n", re.DOTALL)
_WORD = re.compile(r"(?:^|[|&;]\s*)(?:[A-Z_]+=\S* )*([\w-]+)")


def replayed(text: str, folder: Path, env: Mapping[str, str], which: Callable[[bool], bool]) -> str:
    """Return a page with what its commands print, run one after the other in a folder; the folder itself reads FOLDER.

    `which` says which blocks are run, by whether they run other programs; the others stay as they stand.
    """

    def answered(block: re.Match[str]) -> str:
        found = list(_commands(block[1]))
        assert found, block[0]
        if not which(any(programs(command) for command in found)):
            return block[0]
        return "```console\n" + "".join(f"$ {each}\n{_output(each, folder, env)}" for each in found) + "```\n"

    return _BLOCK.sub(answered, text)


def example_of(page: Path, folder: Path) -> Path:
    """Copy all examples into a folder, and return the one that a page links to first: there its commands run."""
    found = _EXAMPLE.search(page.read_text(encoding="utf-8"))
    assert found, f"{page} links to no example"
    shutil.copytree(_EXAMPLES, folder / "examples")
    return folder / "examples" / found[1]


def programs(command: str) -> set[str]:
    """Return the other programs that a command runs."""
    return PROGRAMS & set(_WORD.findall(command))


def needed(text: str) -> set[str]:
    """Return the other programs that a page runs."""
    return {name for block in _BLOCK.findall(text) for command in _commands(block) for name in programs(command)}


def _commands(block: str) -> Iterator[str]:
    """The commands of a block; a line that ends with a backslash goes on with the next one."""
    for found in re.finditer(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)$", block, re.MULTILINE):
        yield found[1]


def _output(command: str, folder: Path, env: Mapping[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**env, "COLUMNS": "88"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout.replace(str(folder.resolve()), "FOLDER")
