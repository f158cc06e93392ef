"""Runs the test cases and the lint of library entries, and renders the results for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sidecarctl.authoring.lint import lint
from sidecarctl.authoring.test_cases import Verdict, cases_of, check, shown
from sidecarctl.catalog.catalog import SHIPPED, Catalog, Entry
from sidecarctl.errors import LibraryError, UsageError, did_you_mean
from sidecarctl.findings import Finding, Severity
from sidecarctl.report import diff, text
from sidecarctl.report.terminal import paint, visible
from sidecarctl.results import plural

_STYLES = {"ok": "added", "written": "changed", "failed": "error", "missing": "error"}
_GOOD = ("ok", "written")


@dataclass(frozen=True)
class Tested:
    """A sidecar after its cases and its lint; `error` instead for an entry that can't be used."""

    entry: Entry
    verdicts: tuple[Verdict, ...] = ()
    findings: tuple[Finding, ...] = ()
    error: LibraryError | None = None

    @property
    def failed(self) -> bool:
        """True where something must be put right."""
        bad = any(verdict.state not in _GOOD for verdict in self.verdicts)
        return bad or self.error is not None or any(f.severity is Severity.ERROR for f in self.findings)


def render_results(tested: Tested, *, color: bool, width: int, quiet: bool = False, verbose: bool = False) -> str:
    """Return what is to say about one sidecar; `quiet` leaves out what is fine, `verbose` shows what an update wrote."""
    out: list[str] = []
    for verdict in tested.verdicts:
        if not (quiet and verdict.state in _GOOD):
            out += _case(verdict, color, width, verbose)
    shown = [f for f in tested.findings if not quiet or f.severity is Severity.ERROR]
    findings = text.render_findings(shown, color=color, width=width)
    if tested.error is not None:
        findings += text.render_error(tested.error, color=color, width=width) + "\n"
    if quiet and not out and not findings:
        return ""
    name = str(tested.entry.sidecar) if tested.entry.sidecar else tested.entry.name
    return "".join([paint(visible(name), "bold", color) + "\n", *out, "\n" * bool(findings and out), findings])


def _case(verdict: Verdict, color: bool, width: int, verbose: bool) -> list[str]:
    state = paint(f"{verdict.state:<7}", _STYLES[verdict.state], color)
    told = {"missing": f": there is no {verdict.case.goal.name}; --update writes it", "failed": ": "}.get(
        verdict.state, ""
    )
    lines = [f"  {state} {visible(verdict.case.name)}{told}{verdict.problem}".rstrip(": ") + "\n"]
    if verdict.state == "failed" and verdict.actual:
        lines[0] = lines[0].rstrip("\n") + f": the result is not {verdict.case.goal.name}\n"
    if verdict.state == "failed" or verbose:
        names = f"{verdict.case.goal}"
        lines.append(diff.unified_diff(verdict.expected, verdict.actual, names, color=color, terminal=color))
    outcome = verdict.outcome
    if verdict.state == "failed" and outcome and outcome.result and not verdict.actual:
        lines.append(text.render_findings(outcome.result.findings, color=color, width=width))
    if verdict.error is not None:
        lines.append(text.render_error(verdict.error, color=color, width=width))
    return lines


def closing(tested: Sequence[Tested], *, color: bool = False) -> str:
    """Return the last line: `8 sidecars: 40 cases passed, 1 failed; 2 warnings`."""
    states = [verdict.state for one in tested for verdict in one.verdicts]
    counted = []
    for style, word, number in (
        ("added", "passed", states.count("ok")),
        ("changed", "written", states.count("written")),
        ("error", "failed", states.count("failed")),
        ("error", "without a result", states.count("missing")),
    ):
        if number or word == "passed":
            counted.append(paint(f"{number} {word}", style, color) if number else f"{number} {word}")
    line = f"{plural(len(tested), 'sidecar')}: {plural(len(states), 'case')}, {', '.join(counted)}"
    for severity in Severity:
        number = sum(f.severity is severity for one in tested for f in one.findings)
        if severity is Severity.ERROR:
            number += sum(one.error is not None for one in tested)
        if number:
            word = f"{number} info" if severity is Severity.INFO else plural(number, severity.value)
            line += "; " + paint(word, severity.value, color)
    return line + "\n"


def run(catalog: Catalog, names: Sequence[str], *, update: bool = False) -> Iterator[Tested]:
    """Yield each entry after its test: those of the libraries that were named, of the shipped one only where none was.

    Raises UsageError for an unknown name.
    """
    for entry in _chosen(catalog, names):
        if entry.sidecar is None:
            yield Tested(entry, error=entry.error)
            continue
        sidecar = entry.sidecar
        verdicts = tuple(check(sidecar, case, update) for case in cases_of(sidecar))
        outcomes = [shown(sidecar), *(verdict.outcome for verdict in verdicts if verdict.outcome is not None)]
        yield Tested(entry, verdicts, tuple(lint(sidecar, outcomes)))


def _chosen(catalog: Catalog, names: Sequence[str]) -> list[Entry]:
    own = any(label != SHIPPED for label, _ in catalog.folders)
    entries = [entry for entry in catalog.entries() if not (own and entry.library == SHIPPED)]
    for name in names:
        if not any(_means(name, entry) for entry in entries):
            known = sorted({entry.name for entry in entries})
            hint = did_you_mean(name.partition("@")[0], known) or f"sidecars there are: {', '.join(known) or 'none'}"
            raise UsageError(f"unknown sidecar {name!r}", hint=hint)
    return [entry for entry in entries if not names or any(_means(name, entry) for name in names)]


def _means(name: str, entry: Entry) -> bool:
    wanted, _, version = name.partition("@")
    return entry.name == wanted and (not version or (entry.sidecar is not None and entry.sidecar.version == version))
