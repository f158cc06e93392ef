"""A sidecar's cases: manifests with parameters and what must come of them. Knows folders and texts; says nothing itself.

tests/<case>/input.yaml        a manifest
             parameters.yaml   parameters, optional
             case.yaml         how it is added, optional: kubeVersion, mode, as, containers
             expected.yaml     the result, byte for byte
             refused.txt       instead of expected.yaml: why it must be refused
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecarctl.authoring.trial import Outcome, Trial, attempt
from sidecarctl.catalog.entry_files import read_text, read_yaml
from sidecarctl.catalog.json_schema import lookup
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.composition.request import MODES
from sidecarctl.errors import LibraryError, SidecarctlError, did_you_mean
from sidecarctl.files.write import Write, write_all
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options
from sidecarctl.kube import versions

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
    options = Options(versions.parse_version(trial.kube_version))
    back = pipeline.remove(text, [trial.instance or trial.sidecar.name], options, trial.file)
    if back.text != trial.text:
        return "removing it again does not give back the input"
    again = attempt(Trial(**{**vars(trial), "text": text}))
    return "" if again.text == text else "adding it again changes the result"


def stale(sidecar: Sidecar) -> Iterator[Case]:
    """Yield the cases that say nothing of what must come of them."""
    yield from (case for case in cases_of(sidecar) if not case.goal.exists())


MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0
        ports:
        - name: http
          containerPort: 8080
"""


def shown(sidecar: Sidecar) -> Outcome:
    """Return the sidecar on a small Deployment, with the fewest parameters that it takes; the last refusal if none do."""
    outcomes = []
    for trial in _trials(sidecar):
        outcomes.append(attempt(trial))
        if outcomes[-1].text is not None:
            return outcomes[-1]
    # A library's fault says more than a parameter that nobody could guess.
    return next((one for one in outcomes if isinstance(one.error, LibraryError)), outcomes[0])


def _trials(sidecar: Sidecar) -> Iterator[Trial]:
    """What to try, the simplest first: no parameters, what the schema offers, then the cases on the manifest and on their own."""
    yield Trial(sidecar, MANIFEST)
    offered = required_values(sidecar.parameters, sidecar.parameters)
    if offered:
        yield Trial(sidecar, MANIFEST, offered)
    try:
        known = sorted((trial_of(sidecar, case) for case in cases_of(sidecar)), key=_size)
    except SidecarctlError:
        return
    plain = [trial for trial in known if not trial.mode]
    yield from (Trial(sidecar, MANIFEST, trial.given) for trial in plain)
    yield from known


def _size(trial: Trial) -> tuple[int, str]:
    return len(str(trial.given)), trial.file


def required_values(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value for each required parameter for which the schema names one."""
    properties = schema.get("properties", {})
    values: dict[str, Any] = {}
    for name in schema.get("required", ()):
        part = properties.get(name, {})
        part = {**(lookup(root, part["$ref"]) or {}), **part} if "$ref" in part else part
        if "default" in part:
            continue
        if part.get("examples"):
            values[name] = part["examples"][0]
        elif part.get("enum"):
            values[name] = part["enum"][0]
        elif "properties" in part:
            values[name] = required_values(part, root)
    return values
