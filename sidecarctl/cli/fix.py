"""`validate --fix`: what has one right answer is put right where it stands, and what is left is reported."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from sidecarctl.cli import check, console
from sidecarctl.cli.check import Given, Judging
from sidecarctl.errors import EXIT_FINDINGS, EXIT_INPUT, EXIT_OK
from sidecarctl.files.write import Write, write_all
from sidecarctl.report.diff import unified
from sidecarctl.report.terminal import use_color
from sidecarctl.results import plural
from sidecarctl.validate.check_files import SYNTAX, SourceText
from sidecarctl.validate.fix import apply
from sidecarctl.validate.fix.fixers import Fix, FixValues
from sidecarctl.validate.rule_selection import RuleSelection


def run_fixes(asked: Judging, chosen: RuleSelection, amounts: FixValues, *, diff: bool) -> int:
    """Fix every source, or show what would be fixed, report what is left, and return the exit code.

    Where a source can't be read nothing is written at all.
    """
    given = check.read_all(asked)
    outcome = apply.fix_texts(given.texts, chosen, amounts)
    if diff:
        return _show(asked, given, outcome)
    if given.unreadable:
        check.say_unreadable(given)
        console.say("nothing was fixed, because of the errors above")
        return EXIT_INPUT
    write_all(
        Write(source.path, after.text, read.stamp)
        for (source, read), after in zip(given.sources, outcome.texts)
        if source.path and after.text != read.text
    )
    piped = [after.text for (source, _), after in zip(given.sources, outcome.texts) if source.path is None]
    console.write_stdout(piped)
    if asked.verbose and asked.format == "text":
        _list(outcome.done)
    stream = sys.stderr if piped else None
    return check.tell(asked, chosen, given, outcome.verdict, len(outcome.done), stream)


def _show(asked: Judging, given: Given, outcome: apply.FixResult) -> int:
    """Print the diff; of findings that have no fix only what can't be parsed is told, and counts."""
    before = given.texts
    color, terminal = use_color(sys.stdout, os.environ), sys.stdout.isatty()
    console.write_stdout(
        unified(old.text, new.text, old.file, color=color, terminal=terminal) for old, new in zip(before, outcome.texts)
    )
    check.say_unreadable(given)
    console.say_findings([one for one in outcome.verdict.findings if one.rule == SYNTAX])
    if not asked.quiet and asked.format == "text":
        console.say(_would(outcome.done, before, outcome.texts))
    if given.unreadable or outcome.verdict.unparsed:
        return EXIT_INPUT
    return EXIT_FINDINGS if outcome.done and asked.severity is not None else EXIT_OK


def _would(done: Sequence[Fix], before: Sequence[SourceText], after: Sequence[SourceText]) -> str:
    if not done:
        return "nothing would be fixed"
    changed = sum(old.text != new.text for old, new in zip(before, after))
    return f"would fix {plural(len(done), 'finding')} in {plural(changed, 'file')}"


def _list(done: Sequence[Fix]) -> None:
    for one in done:
        console.say(f"fixed {one.finding.rule} at {one.finding.place}: {one.description}")
