"""Validates every source, prints the report to stdout, and returns the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from sidecarctl import __version__
from sidecarctl.cli import console
from sidecarctl.cli.inputs import InputOptions, Inputs, read_inputs
from sidecarctl.errors import EXIT_FINDINGS, EXIT_INPUT, EXIT_OK, EXIT_USAGE, UsageError
from sidecarctl.findings import Finding, Severity
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.results import Report, RuleCard, plural, sort_findings
from sidecarctl.validate.check_files import SYNTAX, SourceText, Verdict, validate_texts
from sidecarctl.validate.fix.fixers import Fix, FixValues
from sidecarctl.validate.placeholders import merge_notes
from sidecarctl.validate.rule_selection import RuleSelection

if TYPE_CHECKING:
    from sidecarctl.validate.fix import apply

_UNKNOWN_KIND = "unknown-kind"
_SHOWN = 5


@dataclass(frozen=True)
class CheckRequest:
    """The input and output options of `validate`; `fail_on` None is the default of the format."""

    inputs: InputOptions
    format: str = "text"
    fail_on: str | None = None
    quiet: bool = False
    verbose: bool = False

    @property
    def severity(self) -> Severity | None:
        """The minimum severity that fails the run. SARIF is uploaded by a later step, which must not be skipped."""
        word = self.fail_on or ("never" if self.format == "sarif" else "error")
        return None if word == "never" else Severity(word)


def texts_of(inputs: Inputs) -> tuple[SourceText, ...]:
    """Return the texts, by the file names that messages show."""
    return tuple(
        SourceText(read.text, source.name, source.named or source.path is None, source.kustomized)
        for source, read in inputs.sources
    )


def run_checks(request: CheckRequest, chosen: RuleSelection, amounts: FixValues) -> int:
    """Validate every source, print the report, and return the exit code. An unreadable source does not stop the others."""
    inputs = read_inputs(request.inputs)
    texts = texts_of(inputs)
    verdict = validate_texts(texts, chosen)
    if verdict.findings:
        from sidecarctl.validate.fix.apply import describe_fixes

        verdict = describe_fixes(texts, verdict, chosen, amounts)
    return print_verdict(request, chosen, inputs, verdict)


def print_verdict(
    request: CheckRequest,
    chosen: RuleSelection,
    inputs: Inputs,
    verdict: Verdict,
    fixed: int | None = None,
    stream: TextIO | None = None,
) -> int:
    """Print the report and return the exit code; `fixed` is the number of fixed findings."""
    report = Report(
        __version__,
        tuple(sort_findings(merge_notes(verdict.findings))),
        verdict.ignored,
        (),
        tuple(source.name for source, _ in inputs.sources),
        rule_cards(verdict.findings),
        chosen.context.kube_version,
        str(Path.cwd()),
        request.severity,
        fixed,
    )
    report_unreadable(inputs)
    if inputs.sources and not verdict.objects and not verdict.findings:
        console.report_error(_nothing_error(inputs))
        return EXIT_USAGE
    if request.format != "text":
        from sidecarctl.cli.console import write_text
        from sidecarctl.report import machine

        write_text(machine.render_report(report, request.format), stream)
        if not request.quiet:
            console.report_skipped(inputs.skipped, verbose=request.verbose)
    elif inputs.sources:
        _print(report, request, inputs, verdict.partial, stream)
    if inputs.errors:
        return max(error.exit_code for error in inputs.errors)
    if not any(report.fails(finding) for finding in report.findings):
        return EXIT_OK
    return EXIT_INPUT if verdict.unparsed else EXIT_FINDINGS


def report_unreadable(inputs: Inputs) -> None:
    """Report the sources that cannot be read."""
    for error in inputs.errors:
        from sidecarctl.cli import console

        console.report_error(error)


def rule_cards(findings: Sequence[Finding]) -> tuple[RuleCard, ...]:
    """Return the rules that findings name, for reports."""
    from sidecarctl.validate.registry import rules

    named = (rules()[name] for name in sorted({finding.rule for finding in findings}))
    return tuple(RuleCard(one.name, one.severity, one.what, one.layer, one.reason, one.fix) for one in named)


def _nothing_error(inputs: Inputs) -> UsageError:
    """Return the error for input without an object: a check of nothing is not a success."""
    names = ["stdin" if source.path is None else source.name for source, _ in inputs.sources]
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return UsageError(f"nothing to validate: no object in {shown}", hint="check that the file has a manifest")


def _print(report: Report, request: CheckRequest, inputs: Inputs, partial: int, stream: TextIO | None) -> None:
    from sidecarctl.cli.console import stream_style, write_text
    from sidecarctl.report.notes import render_notes, render_skipped, split_notes
    from sidecarctl.report.text import closing_line, render_findings

    style = stream_style(stream)
    found = report.findings
    custom = [one for one in found if one.rule == _UNKNOWN_KIND and one.severity is Severity.INFO]
    shown, notes = ([*found], []) if request.verbose else split_notes(found)
    folded = {id(one) for one in custom} if not request.verbose else set()
    shown = [one for one in shown if id(one) not in folded]
    if request.quiet:
        shown = [one for one in shown if one.severity is Severity.ERROR]
    write_text(render_findings(shown, color=style.color, width=style.width, group=not request.verbose), stream)
    if request.quiet:
        return
    for line in render_notes(notes):
        write_text(f"{line}\n", stream)
    if custom and not request.verbose:
        write_text(_note(custom) + "\n", stream)
    if partial:
        write_text(f"skipped {plural(partial, 'partial object')}, such as kustomize patches\n", stream)
    for line in render_skipped(inputs.skipped, verbose=request.verbose):
        write_text(f"{line}\n", stream)
    folded.update(map(id, notes))
    counted = [one for one in found if id(one) not in folded]
    files, ignored = len(report.files), len(report.ignored)
    write_text(closing_line(counted, files, ignored, fixed=report.fixed, color=style.color), stream)


def _note(custom: Sequence[Finding]) -> str:
    """Return one line for all objects of custom kinds, because no action is needed."""
    from sidecarctl.report.terminal import visible
    from sidecarctl.validate.schema.api_versions import custom_kind

    kinds = list(dict.fromkeys(map(custom_kind, custom)))
    more = ", ..." if len(kinds) > _SHOWN else ""
    objects = "1 object of a custom kind was" if len(custom) == 1 else f"{len(custom)} objects of custom kinds were"
    return f"note: {objects} not checked: {visible(', '.join(kinds[:_SHOWN]))}{more}"


def run_fixes(request: CheckRequest, chosen: RuleSelection, amounts: FixValues, *, diff: bool) -> int:
    """Fix every source, or print the diff; report the findings that are left and return the exit code.

    Writes nothing if a source cannot be read.
    """
    from sidecarctl.files.write import Write, write_all
    from sidecarctl.validate.fix import apply

    inputs = read_inputs(request.inputs)
    outcome = apply.fix_texts(texts_of(inputs), chosen, amounts)
    if diff:
        return _print_fixes(request, inputs, outcome)
    if inputs.errors:
        report_unreadable(inputs)
        console.report(f"no files written: {plural(len(inputs.errors), 'error')}")
        return max(error.exit_code for error in inputs.errors)
    console.report_lost(
        write_all(
            Write(source.path, after.text, read.stamp)
            for (source, read), after in zip(inputs.sources, outcome.texts)
            if source.path and after.text != read.text
        )
    )
    piped = [after.text for (source, _), after in zip(inputs.sources, outcome.texts) if source.path is None]
    console.write_stdout(piped)
    if request.verbose and request.format == "text":
        _list_fixes(outcome.done)
    stream = sys.stderr if piped else None
    return print_verdict(request, chosen, inputs, outcome.verdict, len(outcome.done), stream)


def _print_fixes(request: CheckRequest, inputs: Inputs, outcome: apply.FixResult) -> int:
    """Print the diff. Findings without a fix are not reported, except text that cannot be parsed."""
    from sidecarctl.report.diff import unified_diff
    from sidecarctl.report.terminal import use_color

    before = texts_of(inputs)
    color, terminal = use_color(sys.stdout, os.environ), sys.stdout.isatty()
    console.write_stdout(
        unified_diff(old.text, new.text, old.file, color=color, terminal=terminal)
        for old, new in zip(before, outcome.texts)
    )
    report_unreadable(inputs)
    console.report_findings([one for one in outcome.verdict.findings if one.rule == SYNTAX])
    if not request.quiet and request.format == "text":
        console.report(_fix_summary(outcome.done, before, outcome.texts))
    if inputs.errors:
        return max(error.exit_code for error in inputs.errors)
    if outcome.verdict.unparsed:
        return EXIT_INPUT
    return EXIT_FINDINGS if outcome.done and request.severity is not None else EXIT_OK


def _fix_summary(done: Sequence[Fix], before: Sequence[SourceText], after: Sequence[SourceText]) -> str:
    if not done:
        return "no fixes to apply"
    changed = sum(old.text != new.text for old, new in zip(before, after))
    return f"would fix {plural(len(done), 'finding')} in {plural(changed, 'file')}"


def _list_fixes(done: Sequence[Fix]) -> None:
    for one in done:
        console.report_line(f"fixed {one.finding.rule} at {one.finding.place}: {one.description}")
