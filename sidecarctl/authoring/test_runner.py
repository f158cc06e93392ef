"""A sidecar's cases: manifests with parameters and what must come of them. Knows folders and texts; says nothing itself.

tests/<case>/input.yaml        a manifest
             parameters.yaml   parameters, optional
             case.yaml         how it is added, optional: kubeVersion, mode, as, containers
             expected.yaml     the result, byte for byte
             refused.txt       instead of expected.yaml: why it must be refused
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecarctl.authoring.lint import lint
from sidecarctl.authoring.trial import Outcome, Trial, attempt, shown
from sidecarctl.catalog.catalog import SHIPPED, Catalog, Entry
from sidecarctl.catalog.entry_files import read_text, read_yaml
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.composition.request import MODES
from sidecarctl.errors import LibraryError, SidecarctlError, UsageError, did_you_mean
from sidecarctl.files.write import Write, write_all
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options
from sidecarctl.kube import versions
from sidecarctl.report import diff, text
from sidecarctl.report.terminal import paint, visible
from sidecarctl.results import plural

FOLDER = "tests"
INPUT, PARAMETERS, OPTIONS, EXPECTED, REFUSED = (
    "input.yaml",
    "parameters.yaml",
    "case.yaml",
    "expected.yaml",
    "refused.txt",
)
_OPTIONS = {"kubeVersion": "kube_version", "mode": "mode", "as": "instance", "containers": "containers"}
_LIMIT = 16 << 20


@dataclass(frozen=True)
class Case:
    """A folder with a case. `name` is the folder's."""

    name: str
    folder: Path

    @property
    def refused(self) -> bool:
        """True where the case says that the sidecar must be refused."""
        return (self.folder / REFUSED).exists()

    @property
    def goal(self) -> Path:
        """The file with what must come of it."""
        return self.folder / (REFUSED if self.refused else EXPECTED)


@dataclass(frozen=True)
class Verdict:
    """What a case came to.

    state     ok | failed | missing | written
    expected, actual   texts to compare, where they differ
    problem   why it failed, where that is no difference
    """

    case: Case
    state: str
    outcome: Outcome | None = None
    expected: str = ""
    actual: str = ""
    problem: str = ""
    error: SidecarctlError | None = None


def cases_of(sidecar: Sidecar) -> list[Case]:
    """Return a sidecar's cases, by name."""
    folder = sidecar.folder / FOLDER
    try:
        found = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    except OSError:
        return []
    return [Case(each.name, each) for each in found]


def trial_of(sidecar: Sidecar, case: Case) -> Trial:
    """Return what a case tries. Raises LibraryError, with the place, for a case that can't be read."""
    options = _options(case, sidecar)
    parameters = case.folder / PARAMETERS
    given: Any = {}
    if parameters.exists():
        given = read_yaml(parameters, sidecar.folder).value or {}
    if not isinstance(given, Mapping):
        raise LibraryError(
            "the parameters of the case are no mapping",
            where=f"{parameters}:1:1",
            hint="write them as `logDir: /srv/log`",
        )
    file = case.folder / INPUT
    return Trial(sidecar, read_text(file, sidecar.folder, _LIMIT), given, str(file), where=str(parameters), **options)


def _options(case: Case, sidecar: Sidecar) -> dict[str, Any]:
    file = case.folder / OPTIONS
    if not file.exists():
        return {}
    source = read_yaml(file, sidecar.folder)
    value = source.value or {}
    if not isinstance(value, Mapping):
        raise LibraryError(f"{OPTIONS} is no mapping", where=f"{file}:1:1", hint=f"it has: {', '.join(_OPTIONS)}")
    for key in value:
        if key not in _OPTIONS:
            raise LibraryError(
                f"unknown key {key!r}",
                where=source.place((key,), True),
                hint=did_you_mean(str(key), _OPTIONS) or f"known here: {', '.join(_OPTIONS)}",
            )
    mode = value.get("mode", "")
    if mode and mode not in MODES:
        raise LibraryError(f"there is no mode {mode!r}", where=source.place(("mode",)), hint=", ".join(MODES))
    found = {_OPTIONS[key]: part if key == "containers" else str(part) for key, part in value.items()}
    if "containers" in found:
        found["containers"] = tuple(found["containers"] or ())
    return found


def check(sidecar: Sidecar, case: Case, update: bool = False) -> Verdict:
    """Run a case, and return what it came to; `update` writes what came of it where that is not what was expected.

    A result must also be proved by the laws: removing gives back the input, adding again changes nothing.
    """
    try:
        outcome = attempt(trial_of(sidecar, case))
        expected = read_text(case.goal, sidecar.folder, _LIMIT) if case.goal.exists() else None
    except SidecarctlError as error:
        return Verdict(case, "failed", error=error)
    if case.refused:
        if outcome.text is not None:
            return Verdict(case, "failed", outcome, problem=f"it must be refused ({REFUSED}), and is not")
        return _compared(case, outcome, expected, outcome.refusal + "\n", update)
    if outcome.text is None:
        return Verdict(case, "failed", outcome, problem="it is refused", error=outcome.error)
    broken = _broken_law(outcome)
    if broken:
        return Verdict(case, "failed", outcome, problem=broken)
    return _compared(case, outcome, expected, outcome.text, update)


def _compared(case: Case, outcome: Outcome, expected: str | None, actual: str, update: bool) -> Verdict:
    if actual == expected:
        return Verdict(case, "ok", outcome)
    if update:
        write_all([Write(case.goal, actual)])
        return Verdict(case, "written", outcome, expected or "", actual)
    return Verdict(case, "missing" if expected is None else "failed", outcome, expected or "", actual)


def _broken_law(outcome: Outcome) -> str:
    trial, text = outcome.trial, outcome.text
    assert text is not None
    options = Options(versions.parse(trial.kube_version))
    back = pipeline.remove(text, [trial.instance or trial.sidecar.name], options, trial.file)
    if back.text != trial.text:
        return "removing it again does not give back the input"
    again = attempt(Trial(**{**vars(trial), "text": text}))
    return "" if again.text == text else "adding it again changes the result"


def stale(sidecar: Sidecar) -> Iterator[Case]:
    """Yield the cases that say nothing of what must come of them."""
    yield from (case for case in cases_of(sidecar) if not case.goal.exists())


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
        lines.append(diff.unified(verdict.expected, verdict.actual, names, color=color, terminal=color))
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
