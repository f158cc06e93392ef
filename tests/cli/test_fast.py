"""The quick reader of command lines leaves to typer what it can't accept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecarctl.cli import parser
from sidecarctl.cli.options import Argument, Command, Option
from tests.command import run


def options_with_choices() -> Iterator[tuple[str, str]]:
    for entry in parser.TABLE:
        for _, spec, _ in parser.described(entry.load()).values():
            if isinstance(spec, Option) and spec.choices:
                yield entry.name, max(spec.flags, key=len)


CHOICES = list(options_with_choices())


def words(command: Command) -> list[str]:
    """Return a word for each required argument."""
    found = parser.described(command).values()
    return ["word" for _, spec, _ in found if isinstance(spec, Argument) and spec.required]


@pytest.mark.parametrize(("name", "flag"), CHOICES)
def test_a_value_that_is_not_a_choice_is_left_to_typer(name: str, flag: str) -> None:
    command = parser.BY_NAME[name].load()
    (spec,) = (s for _, s, _ in parser.described(command).values() if isinstance(s, Option) and flag in s.flags)
    arguments = words(command)
    for choice in spec.choices:
        assert parser.read(command, [*arguments, flag, choice], {}) is not None
    for value in ("no-such-choice", spec.choices[0].upper(), spec.choices[0][:-1]):
        assert parser.read(command, [*arguments, flag, value], {}) is None
        assert parser.read(command, [*arguments, f"{flag}={value}"], {}) is None
        if spec.env:
            assert parser.read(command, arguments, {spec.env: value}) is None


@pytest.mark.parametrize(("name", "flag"), CHOICES)
def test_a_value_that_is_not_a_choice_is_wrong_use(name: str, flag: str, tmp_path: Path) -> None:
    arguments = words(parser.BY_NAME[name].load())
    done = run(["sidecarctl", name, *arguments, flag, "no-such-choice"], tmp_path)
    assert (done.code, done.stdout) == (2, "")
    assert "no-such-choice" in done.stderr
