"""The command-line parser returns the same values as typer, and leaves errors to typer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import typer.main
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecarctl.cli.app import build
from sidecarctl.cli.command_table import BY_NAME, COMMANDS
from sidecarctl.cli.options import Argument, Command, Option
from sidecarctl.cli.parser import Parameter, describe, parse, split_words
from tests.command import run

NAMES = sorted(BY_NAME)


@cache
def parameters_of(name: str) -> dict[str, Parameter]:
    return describe(BY_NAME[name].load())


@cache
def typer_commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(build())
    return dict(group.commands)


def typer_values(name: str, argv: list[str], env: dict[str, str]) -> dict[str, Any] | None:
    """Return the values that typer parses, or None if it reports an error or prints help."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SIDECARCTL_")}
    with mock.patch.dict(os.environ, {**clean, **env}, clear=True):
        try:
            context = typer_commands()[name].make_context(name, list(argv))
        except (SystemExit, Exception):
            return None
    values = {key: value.value if isinstance(value, Enum) else value for key, value in context.params.items()}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def words_for(name: str) -> st.SearchStrategy[list[str]]:
    """Generate command lines: options in every spelling, valid and invalid values, and arguments."""
    specs = [one.spec for one in parameters_of(name).values()]
    flags = [flag for spec in specs if isinstance(spec, Option) for flag in spec.flags]
    choices = [choice for spec in specs if isinstance(spec, Option) for choice in spec.choices]
    value = st.sampled_from([*choices, "a", "1", "0", "-1", "²", "", "a b", "-", "a=b", "--", "é"])
    pieces = st.one_of(
        st.sampled_from(flags).map(lambda flag: [flag]),
        st.tuples(st.sampled_from(flags), value).map(list),
        st.tuples(st.sampled_from(flags), value).map(lambda pair: [f"{pair[0]}={pair[1]}"]),
        st.tuples(st.sampled_from(flags), value).map(lambda pair: [f"{pair[0]}{pair[1]}"]),
        value.map(lambda word: [word]),
        st.sampled_from([["--unknown"], ["-z"], ["--"]]),
    )
    return st.lists(pieces, max_size=5).map(lambda found: [word for words in found for word in words])


def env_for(name: str) -> st.SearchStrategy[dict[str, str]]:
    """Generate environments that set some of the command's variables."""
    specs = [one.spec for one in parameters_of(name).values()]
    variables = [spec.env for spec in specs if isinstance(spec, Option) and spec.env]
    choices = [choice for spec in specs if isinstance(spec, Option) for choice in spec.choices]
    value = st.sampled_from([*choices, "", "1", "0", "true", "FALSE", "yes", "off", "t", "N", "²", "a b", "7"])
    return st.dictionaries(st.sampled_from(variables), value, max_size=3) if variables else st.just({})


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_accepted_command_lines_have_the_values_of_typer(name: str, data: st.DataObject) -> None:
    argv, env = data.draw(words_for(name)), data.draw(env_for(name))
    values = parse(parameters_of(name), argv, env)
    if values is not None:
        assert values == typer_values(name, argv, env)


@pytest.mark.parametrize("name", NAMES)
def test_example_command_lines_do_not_need_typer(name: str) -> None:
    for _, command in BY_NAME[name].examples:
        words = command.partition(" | ")[0].partition(" > ")[0].partition(" < ")[0].split()
        if words[:2] == ["sidecarctl", name]:
            assert parse(parameters_of(name), words[2:], {}) is not None, command


def test_jobs_must_be_ascii_digits(tmp_path: Path) -> None:
    done = run(["sidecarctl", "add", "logger", "-f", ".", "--jobs", "²"], tmp_path)
    assert done.code == 2
    assert "--jobs" in done.stderr


def test_help_overrides_other_valid_options() -> None:
    words = split_words(parameters_of("add"), ["logger", "-i", "--help", "--unknown"])
    assert words is not None
    assert words.help
    assert split_words(parameters_of("add"), ["--unknown", "--help"]) is None


def options_with_choices() -> Iterator[tuple[str, str]]:
    for info in COMMANDS:
        for one in describe(info.load()).values():
            if isinstance(one.spec, Option) and one.spec.choices:
                yield info.name, max(one.spec.flags, key=len)


CHOICES = list(options_with_choices())


def required_words(command: Command) -> list[str]:
    found = describe(command).values()
    return ["word" for one in found if isinstance(one.spec, Argument) and one.spec.required]


@pytest.mark.parametrize(("name", "flag"), CHOICES)
def test_unknown_choices_are_left_to_typer(name: str, flag: str) -> None:
    parameters = parameters_of(name)
    (spec,) = (one.spec for one in parameters.values() if isinstance(one.spec, Option) and flag in one.spec.flags)
    arguments = required_words(BY_NAME[name].load())
    for choice in spec.choices:
        assert parse(parameters, [*arguments, flag, choice], {}) is not None
    for value in ("no-such-choice", spec.choices[0].upper(), spec.choices[0][:-1]):
        assert parse(parameters, [*arguments, flag, value], {}) is None
        assert parse(parameters, [*arguments, f"{flag}={value}"], {}) is None
        if spec.env:
            assert parse(parameters, arguments, {spec.env: value}) is None


@pytest.mark.parametrize(("name", "flag"), CHOICES)
def test_unknown_choices_are_usage_errors(name: str, flag: str, tmp_path: Path) -> None:
    arguments = required_words(BY_NAME[name].load())
    done = run(["sidecarctl", name, *arguments, flag, "no-such-choice"], tmp_path)
    assert (done.code, done.stdout) == (2, "")
    assert "no-such-choice" in done.stderr


@pytest.mark.parametrize(
    ("command", "message", "help_line"),
    [
        ("add", "missing argument: SIDECAR", "`sidecarctl help add` lists the arguments and options"),
        ("add logger --mdoe auto", 'unknown option "--mdoe"', 'did you mean "--mode"?'),
        (
            "add logger --mode natve",
            'invalid value "natve" for --mode: use auto, native, classic, or init',
            'did you mean "native"?',
        ),
        (
            "add logger --jobs ²",
            'invalid value "²" for --jobs: use a whole number, 0 or more',
            "`sidecarctl help add` lists the arguments and options",
        ),
        ("add logger --set", "--set requires a value", "`sidecarctl help add` lists the arguments and options"),
        ("new a b", "unexpected argument: b", "`sidecarctl help new` lists the arguments and options"),
    ],
)
def test_usage_errors_name_the_value_and_the_choices(
    command: str, message: str, help_line: str, tmp_path: Path
) -> None:
    done = run(f"sidecarctl {command}", tmp_path)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr == f"error: {message}\nhelp: {help_line}\n"


@pytest.mark.parametrize(
    "words",
    ["new abc --from", "add logger --image-pull-secret", "add logger --registry", "add logger --as", "remove logger --kind",
     "render --env", "validate --select", "add logger --kube-version", "status --namespace", "status --selector"],
)  # fmt: skip
def test_bytes_in_a_text_are_an_error_and_nothing_is_written(words: str, tmp_path: Path) -> None:
    outcome = run(["sidecarctl", *words.split(), "a\udc80"], tmp_path)
    assert outcome.code == 2
    assert f"value of {words.split()[-1]} is not valid UTF-8" in outcome.stderr
    assert list(tmp_path.iterdir()) == []
