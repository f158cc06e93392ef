"""Run the test cases and lint checks of library entries, and render the results."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sidecarctl import watchdog
from sidecarctl.authoring.expected_output import update_roots
from sidecarctl.authoring.lint import lint
from sidecarctl.authoring.test_cases import CaseResult, find_cases, run_case, run_example
from sidecarctl.catalog.catalog import Catalog, Entry
from sidecarctl.errors import LibraryError, UsageError, did_you_mean
from sidecarctl.findings import Finding, Severity
from sidecarctl.report import diff, text
from sidecarctl.report.terminal import paint, visible
from sidecarctl.results import plural

_STYLES = {"ok": "added", "written": "changed", "failed": "error", "missing": "error"}
_PASSED = ("ok", "written")


@dataclass(frozen=True)
class SidecarResult:
    """The results of one sidecar; `error` instead for an invalid entry."""

    entry: Entry
    results: tuple[CaseResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    error: LibraryError | None = None

    @property
    def failed(self) -> bool:
        """True if a test case, a lint check, or the entry itself has an error."""
        bad = any(result.state not in _PASSED for result in self.results)
        return bad or self.error is not None or any(f.severity is Severity.ERROR for f in self.findings)


def render_results(
    tested: SidecarResult, *, color: bool, width: int, quiet: bool = False, verbose: bool = False
) -> str:
    """Return the results of one sidecar as text. `quiet` shows problems only; `verbose` shows what an update wrote."""
    out: list[str] = []
    for result in tested.results:
        if not (quiet and result.state in _PASSED):
            out += _case(result, color, width, verbose)
    shown = [f for f in tested.findings if not quiet or f.severity is Severity.ERROR]
    findings = text.render_findings(shown, color=color, width=width)
    if tested.error is not None:
        findings += text.render_error(tested.error, color=color, width=width) + "\n"
    if quiet and not out and not findings:
        return ""
    name = str(tested.entry.sidecar) if tested.entry.sidecar else tested.entry.name
    return "".join([paint(visible(name), "bold", color) + "\n", *out, "\n" * bool(findings and out), findings])


def _case(result: CaseResult, color: bool, width: int, verbose: bool) -> list[str]:
    state = paint(f"{result.state:<7}", _STYLES[result.state], color)
    suffix = {"missing": f": no {result.case.expected_file.name}; to create it, use --update", "failed": ": "}.get(
        result.state, ""
    )
    lines = [f"  {state} {visible(result.case.name)}{suffix}{result.problem}".rstrip(": ") + "\n"]
    if result.state == "failed" and result.actual:
        lines[0] = lines[0].rstrip("\n") + f": output differs from {result.case.expected_file.name}\n"
    if result.state == "failed" or verbose:
        names = f"{result.case.expected_file}"
        lines.append(
            diff.unified_diff(result.expected, result.actual, names, color=color, terminal=sys.stdout.isatty())
        )
    outcome = result.outcome
    if result.state == "failed" and outcome and outcome.result and not result.actual:
        lines.append(text.render_findings(outcome.result.findings, color=color, width=width))
    if result.error is not None:
        lines.append(text.render_error(result.error, color=color, width=width))
    return lines


def render_summary(sidecars: Sequence[SidecarResult], *, color: bool = False) -> str:
    """Return the last line: `8 sidecars in ./sidecars: 40 cases, 39 passed, 1 failed; 2 warnings`."""
    states = [result.state for one in sidecars for result in one.results]
    counted = []
    for style, word, number in (
        ("added", "passed", states.count("ok")),
        ("changed", "written", states.count("written")),
        ("error", "failed", states.count("failed")),
        ("error", "without expected output", states.count("missing")),
    ):
        if number or word == "passed":
            counted.append(paint(f"{number} {word}", style, color) if number else f"{number} {word}")
    libraries = ", ".join(dict.fromkeys(visible(one.entry.library) for one in sidecars))
    line = f"{plural(len(sidecars), 'sidecar')} in {libraries}: {plural(len(states), 'case')}, {', '.join(counted)}"
    for severity in Severity:
        number = sum(f.severity is severity for one in sidecars for f in one.findings)
        if severity is Severity.ERROR:
            number += sum(one.error is not None for one in sidecars)
        if number:
            word = f"{number} info" if severity is Severity.INFO else plural(number, severity.value)
            line += "; " + paint(word, severity.value, color)
    return line + "\n"


def run_tests(catalog: Catalog, names: Sequence[str], *, update: bool = False) -> Iterator[SidecarResult]:
    """Yield the results of each entry. Raise UsageError for an unknown name, and if there is no sidecar."""
    entries = _select_entries(catalog, names)
    roots = update_roots(entry.folder for entry in entries) if update else None
    for entry in entries:
        watchdog.begin(entry.name)
        if entry.sidecar is None:
            yield SidecarResult(entry, error=entry.error)
            continue
        sidecar = entry.sidecar
        results = tuple(run_case(sidecar, case, roots) for case in find_cases(sidecar))
        outcomes = [run_example(sidecar), *(result.outcome for result in results if result.outcome is not None)]
        yield SidecarResult(entry, results, tuple(lint(sidecar, outcomes)))


def _select_entries(catalog: Catalog, names: Sequence[str]) -> list[Entry]:
    entries = catalog.entries()
    libraries = ", ".join(label for label, _ in catalog.folders)
    if not entries:
        raise UsageError(f"no sidecars in {libraries}", hint="a library is a directory with one directory per sidecar")
    for name in names:
        if not any(_matches(name, entry) for entry in entries):
            known = sorted({entry.name for entry in entries})
            hint = did_you_mean(name.partition("@")[0], known) or f"available sidecars: {', '.join(known)}"
            raise UsageError(f'unknown sidecar "{name}" in {libraries}', hint=hint)
    return [entry for entry in entries if not names or any(_matches(name, entry) for name in names)]


def _matches(name: str, entry: Entry) -> bool:
    wanted, _, version = name.partition("@")
    return entry.name == wanted and (not version or (entry.sidecar is not None and entry.sidecar.version == version))
