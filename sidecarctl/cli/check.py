"""Manifests in, a verdict out: reads every source, prints the report on standard output, and says how the run ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from sidecarctl import __version__
from sidecarctl.errors import EXIT_FINDINGS, EXIT_INPUT, EXIT_OK, InputError
from sidecarctl.files import sources
from sidecarctl.files.sources import Read, Source, input_paths
from sidecarctl.findings import Finding, Severity
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.results import Report, RuleCard, in_order
from sidecarctl.validate.check_files import SourceText, Verdict, validate_texts
from sidecarctl.validate.fix.fixers import FixValues
from sidecarctl.validate.rule_selection import RuleSelection

_UNKNOWN_KIND = "unknown-kind"
_SHOWN = 5


@dataclass(frozen=True)
class Judging:
    """What the options of input and output ask for; `fail_on` None is the format's own default."""

    files: Sequence[str]
    stdin_name: str = "-"
    format: str = "text"
    fail_on: str | None = None
    quiet: bool = False
    verbose: bool = False

    @property
    def severity(self) -> Severity | None:
        """The mildest severity that fails the run. SARIF is taken to be uploaded, which a failed step would prevent."""
        word = self.fail_on or ("never" if self.format == "sarif" else "error")
        return None if word == "never" else Severity(word)


@dataclass(frozen=True)
class Given:
    """What was read: each source with its text, and what can't be read."""

    sources: tuple[tuple[Source, Read], ...]
    unreadable: tuple[InputError, ...] = ()

    @property
    def texts(self) -> tuple[SourceText, ...]:
        """The texts, by the names that messages use."""
        return tuple(SourceText(read.text, source.name) for source, read in self.sources)


def run_checks(judging: Judging, chosen: RuleSelection, amounts: FixValues) -> int:
    """Judge every source, print, and return the exit code; what can't be read is told, and the rest judged."""
    given = read_all(judging)
    texts = given.texts
    verdict = validate_texts(texts, chosen)
    if verdict.findings:
        from sidecarctl.validate.fix.apply import describe_fixes

        verdict = describe_fixes(texts, verdict, chosen, amounts)
    return tell(judging, chosen, given, verdict)


def tell(
    judging: Judging,
    chosen: RuleSelection,
    given: Given,
    verdict: Verdict,
    fixed: int | None = None,
    stream: TextIO | None = None,
) -> int:
    """Print the report, and what can't be read, and return the exit code; `fixed` is how many findings were fixed."""
    report = Report(
        __version__,
        tuple(in_order(verdict.findings)),
        verdict.ignored,
        (),
        tuple(source.name for source, _ in given.sources),
        cards(verdict.findings),
        chosen.context.kube_version,
        str(Path.cwd()),
        judging.severity,
        fixed,
    )
    say_unreadable(given)
    if judging.format != "text":
        from sidecarctl.cli.console import out
        from sidecarctl.report import machine

        out(machine.render(report, judging.format), stream)
    elif given.sources:
        _print(report, judging, stream)
    if given.unreadable:
        return EXIT_INPUT
    if not any(report.fails(finding) for finding in report.findings):
        return EXIT_OK
    return EXIT_INPUT if verdict.unparsed else EXIT_FINDINGS


def say_unreadable(given: Given) -> None:
    """Say what can't be read."""
    for error in given.unreadable:
        from sidecarctl.cli import console

        console.say_error(error)


def cards(findings: Sequence[Finding]) -> tuple[RuleCard, ...]:
    """Return what reports say about the rules that findings name."""
    from sidecarctl.validate.registry import rules

    input_paths = (rules()[name] for name in sorted({finding.rule for finding in findings}))
    return tuple(RuleCard(one.name, one.severity, one.what, one.layer, one.reason, one.fix) for one in input_paths)


def read_all(judging: Judging) -> Given:
    """Read every source that can be read."""
    unreadable: list[InputError] = []
    return Given(tuple(_read(judging, unreadable)), tuple(unreadable))


def _read(judging: Judging, unreadable: list[InputError]) -> Iterator[tuple[Source, Read]]:
    for path in input_paths(judging.files):
        try:
            for source in sources.find([path], judging.stdin_name):
                try:
                    yield source, sources.read(source)
                except InputError as error:
                    unreadable.append(error)
        except InputError as error:
            unreadable.append(error)


def _print(report: Report, judging: Judging, stream: TextIO | None) -> None:
    from sidecarctl.cli.console import looks, out
    from sidecarctl.report.text import closing_line, render_findings

    look = looks(stream)
    found = report.findings
    custom = [one for one in found if one.rule == _UNKNOWN_KIND and one.severity is Severity.INFO]
    shown = [one for one in found if judging.verbose or one not in custom]
    if judging.quiet:
        shown = [one for one in shown if one.severity is Severity.ERROR]
    out(render_findings(shown, color=look.color, width=look.width), stream)
    if judging.quiet:
        return
    if custom and not judging.verbose:
        out(_note(custom) + "\n", stream)
    counted = [one for one in found if judging.verbose or one not in custom]
    files, ignored = len(report.files), len(report.ignored)
    out(closing_line(counted, files, ignored, fixed=report.fixed, color=look.color), stream)


def _note(custom: Sequence[Finding]) -> str:
    """One line for all objects of custom kinds: there may be many, and there is nothing to do about them."""
    from sidecarctl.validate.schema.check_object import custom_kind

    kinds = list(dict.fromkeys(map(custom_kind, custom)))
    more = ", ..." if len(kinds) > _SHOWN else ""
    objects = "1 object of a custom kind was" if len(custom) == 1 else f"{len(custom)} objects of custom kinds were"
    return f"note: {objects} not checked: {', '.join(kinds[:_SHOWN])}{more}"
