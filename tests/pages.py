"""Runs the commands of documentation pages, and returns the pages with the real output.

A page has one of two forms: `console` blocks with `$ command` and its output, or `sh` blocks, each optionally followed by a
block with the output. Blocks that run other programs are left to the end-to-end tests.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.command import ROOT

# Programs that only end-to-end tests run.
PROGRAMS = frozenset({"kustomize", "helm", "kpt", "kyverno", "pre-commit"})


def own(others: bool) -> bool:
    """Select blocks that run only sidecarctl."""
    return not others


def every(others: bool) -> bool:
    """Choose all blocks."""
    return True


_EXAMPLES = ROOT / "examples" / "integrations"
_EXAMPLE = re.compile(r"\(\.\./\.\./examples/integrations/([\w-]+)/")
_BLOCK = re.compile(r"```console\n(.*?)```\n", re.DOTALL)
# A `file=NAME` block, or a `sh` block (`exit=N` if it fails), optionally followed by a block with its output.
_FILE_OR_SHELL = re.compile(
    r"^```\w+ file=(?P<file>\S+)\n(?P<body>.*?)^```$"
    r"|^```sh(?: exit=(?P<code>\d+))?\n(?P<script>.*?)^```$(?P<open>\n\n```(?:text|diff)\n)?(?P<output>(?(open).*?(?=^```$)|))",
    re.MULTILINE | re.DOTALL,
)
_WORD = re.compile(r"(?:^|[|&;]\s*)(?:[A-Z_]+=\S* )*([\w-]+)")


def replayed(text: str, folder: Path, env: Mapping[str, str], which: Callable[[bool], bool]) -> str:
    """Return a page with the real output of its `console` blocks, run in order in one directory.

    The output shows the path of the directory as FOLDER. `which` selects the blocks to run, by whether they run other programs.
    Other blocks are unchanged.
    """

    def answered(block: re.Match[str]) -> str:
        found = list(_commands(block[1]))
        assert found, block[0]
        if not which(any(programs(command) for command in found)):
            return block[0]
        return "```console\n" + "".join(f"$ {each}\n{_output(each, folder, env)}" for each in found) + "```\n"

    return _BLOCK.sub(answered, text)


def followed(text: str, folder: Path, env: Mapping[str, str], elsewhere: tuple[str, ...] = ()) -> str:
    """Return a page with the real output of its `sh` blocks, run in order in one directory.

    A `sh` block is not run if every command in it starts with one of `elsewhere`.
    """

    def answered(block: re.Match[str]) -> str:
        if block["file"]:
            (folder / block["file"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / block["file"]).write_text(block["body"], encoding="utf-8")
            return block[0]
        if all(line.startswith(elsewhere) for line in block["script"].splitlines()):
            return block[0]
        done = _bash(f"set -e\n{block['script']}", folder, env)
        assert done.returncode == int(block["code"] or 0), f"{block['script']}{done.stdout}"
        if not block["open"]:
            return block[0]
        return block[0][: len(block[0]) - len(block["output"])] + done.stdout.replace(str(folder.resolve()), "FOLDER")

    return _FILE_OR_SHELL.sub(answered, text)


def example_of(page: Path, folder: Path) -> Path:
    """Copy all examples to a directory. Return the first example that a page links to, where its commands run."""
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
    """Yield the commands of a block. A backslash at the end of a line continues the command."""
    for found in re.finditer(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)$", block, re.MULTILINE):
        yield found[1]


def _output(command: str, folder: Path, env: Mapping[str, str]) -> str:
    return _bash(command, folder, env).stdout.replace(str(folder.resolve()), "FOLDER")


def _bash(script: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["bash", "-c", script],
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
    return done
