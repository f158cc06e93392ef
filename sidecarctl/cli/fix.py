"""`validate --fix`: applies safe fixes and reports the findings that are left."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from sidecarctl.cli import check, console
from sidecarctl.cli.check import CheckRequest, Inputs
from sidecarctl.errors import EXIT_FINDINGS, EXIT_INPUT, EXIT_OK
from sidecarctl.files.write import Write, write_all
from sidecarctl.report.diff import unified_diff
from sidecarctl.report.terminal import use_color
from sidecarctl.results import plural
from sidecarctl.validate.check_files import SYNTAX, SourceText
from sidecarctl.validate.fix import apply
from sidecarctl.validate.fix.fixers import Fix, FixValues
from sidecarctl.validate.rule_selection import RuleSelection


def run_fixes(request: CheckRequest, chosen: RuleSelection, amounts: FixValues, *, diff: bool) -> int:
    """Fix every source, or print the diff; report the findings that are left and return the exit code.

    Writes nothing if a source cannot be read.
    """
    inputs = check.read_all(request)
    outcome = apply.fix_texts(inputs.texts, chosen, amounts)
    if diff:
        return _show(request, inputs, outcome)
    if inputs.unreadable:
        check.report_unreadable(inputs)
        console.report(f"no files written: {plural(len(inputs.unreadable), 'error')}")
        return EXIT_INPUT
    write_all(
        Write(source.path, after.text, read.stamp)
        for (source, read), after in zip(inputs.sources, outcome.texts)
        if source.path and after.text != read.text
    )
    piped = [after.text for (source, _), after in zip(inputs.sources, outcome.texts) if source.path is None]
    console.write_stdout(piped)
    if request.verbose and request.format == "text":
        _list(outcome.done)
    stream = sys.stderr if piped else None
    return check.print_verdict(request, chosen, inputs, outcome.verdict, len(outcome.done), stream)


def _show(request: CheckRequest, inputs: Inputs, outcome: apply.FixResult) -> int:
    """Print the diff. Findings without a fix are not reported, except text that cannot be parsed."""
    before = inputs.texts
    color, terminal = use_color(sys.stdout, os.environ), sys.stdout.isatty()
    console.write_stdout(
        unified_diff(old.text, new.text, old.file, color=color, terminal=terminal)
        for old, new in zip(before, outcome.texts)
    )
    check.report_unreadable(inputs)
    console.report_findings([one for one in outcome.verdict.findings if one.rule == SYNTAX])
    if not request.quiet and request.format == "text":
        console.report(_would(outcome.done, before, outcome.texts))
    if inputs.unreadable or outcome.verdict.unparsed:
        return EXIT_INPUT
    return EXIT_FINDINGS if outcome.done and request.severity is not None else EXIT_OK


def _would(done: Sequence[Fix], before: Sequence[SourceText], after: Sequence[SourceText]) -> str:
    if not done:
        return "no fixes to apply"
    changed = sum(old.text != new.text for old, new in zip(before, after))
    return f"would fix {plural(len(done), 'finding')} in {plural(changed, 'file')}"


def _list(done: Sequence[Fix]) -> None:
    for one in done:
        console.report(f"fixed {one.finding.rule} at {one.finding.place}: {one.description}")
