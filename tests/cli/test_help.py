"""Help lists every option with its choices and default, and its examples are valid command lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecarctl.cli.command_table import BY_NAME, COMMANDS
from sidecarctl.cli.help import render_command, render_program
from sidecarctl.cli.options import Option
from sidecarctl.cli.parser import describe
from tests.command import run

NAMES = sorted(BY_NAME)


@pytest.mark.parametrize("name", NAMES)
def test_help_lists_options_choices_and_defaults(name: str) -> None:
    text = render_command(BY_NAME[name], color=False, width=0)
    for one in describe(BY_NAME[name].load()).values():
        if isinstance(one.spec, Option):
            assert all(flag in text for flag in one.spec.flags)
            assert not one.spec.choices or f"[{', '.join(one.spec.choices)}]" in text
            assert not isinstance(one.default, str) or f"[default: {one.default}]" in text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [60, 80])
def test_help_fits_the_terminal(name: str, width: int) -> None:
    options, _, _ = render_command(BY_NAME[name], color=False, width=width).partition("Examples:")
    assert max(map(len, options.splitlines())) <= width


@pytest.mark.parametrize("name", NAMES)
def test_help_has_labeled_examples(name: str) -> None:
    assert len(BY_NAME[name].examples) >= 2
    text = render_command(BY_NAME[name], color=False, width=80)
    for label, command in BY_NAME[name].examples:
        assert f"  {label}:\n    {command}\n" in text


def test_program_help_lists_every_command() -> None:
    text = render_program(color=False, width=80)
    assert all(f"  {info.name} " in text for info in COMMANDS)


@pytest.mark.parametrize("arguments", [["add", "--help"], ["add", "-h"], ["help", "add"], ["help", "add", "-h"]])
def test_all_forms_of_help_print_the_same_text(arguments: list[str], tmp_path: Path) -> None:
    done = run(["sidecarctl", *arguments], tmp_path)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout == render_command(BY_NAME["add"], color=False, width=100)


def test_version_is_a_command_and_an_option(tmp_path: Path) -> None:
    assert run("sidecarctl version", tmp_path).stdout == run("sidecarctl --version", tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "Usage:"),
        (["bogus"], 'unknown command "bogus"'),
        (["addd"], 'did you mean "add"?'),
        (["help", "addd"], 'did you mean "add"?'),
        (["--bogus"], 'unknown option "--bogus"'),
        (["add", "logger", "--bogus"], "--bogus"),
        (["add"], "SIDECAR"),
    ],
)
def test_usage_errors_go_to_stderr(arguments: list[str], expected: str, tmp_path: Path) -> None:
    done = run(["sidecarctl", *arguments], tmp_path)
    assert (done.code, done.stdout) == (2, "")
    assert expected in done.stderr
