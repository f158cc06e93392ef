"""Test cases of sidecars: manifests with parameters and the expected output.

tests/<case>/input.yaml        a manifest
             parameters.yaml   parameters, optional
             case.yaml         how to add the sidecar, optional: kubeVersion, mode, as, containers
             expected.yaml     the expected output, byte for byte
             refused.txt       the expected error, instead of expected.yaml
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

from sidecarctl import limits
from sidecarctl.authoring.expected_output import prepare_update
from sidecarctl.authoring.trial import Trial, TrialResult, run_trial
from sidecarctl.catalog.entry_files import read_text, read_yaml
from sidecarctl.catalog.json_schema import resolve_ref
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.catalog.time_limit import library_time_limit
from sidecarctl.composition.request import MODES
from sidecarctl.errors import LibraryError, SidecarctlError, did_you_mean
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options
from sidecarctl.kube import versions
from sidecarctl.lazy_dataclass import replace

FOLDER = "tests"
INPUT, PARAMETERS, OPTIONS, EXPECTED, REFUSED = (
    "input.yaml",
    "parameters.yaml",
    "case.yaml",
    "expected.yaml",
    "refused.txt",
)


_OPTIONS = {"kubeVersion": "kube_version", "mode": "mode", "as": "instance", "containers": "containers"}


# Manifests of cases may be larger than other library files.
_LIMIT = replace(limits.FILE, default=16 << 20)


@dataclass(frozen=True)
class Case:
    """A test case: its name and its directory."""

    name: str
    folder: Path

    @property
    def refused(self) -> bool:
        """True if the test case expects an error."""
        return (self.folder / REFUSED).exists()

    @property
    def expected_file(self) -> Path:
        """The file with the expected output or error."""
        return self.folder / (REFUSED if self.refused else EXPECTED)


@dataclass(frozen=True)
class CaseResult:
    """The result of a test case.

    state     ok | failed | missing | written
    expected, actual   texts to compare, if they differ
    problem   why the case failed, if not by a difference
    """

    case: Case
    state: str
    outcome: TrialResult | None = None
    expected: str = ""
    actual: str = ""
    problem: str = ""
    error: SidecarctlError | None = None


def find_cases(sidecar: Sidecar) -> list[Case]:
    """Return the test cases of a sidecar, sorted by name."""
    folder = sidecar.folder / FOLDER
    try:
        found = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    except OSError:
        return []
    return [Case(each.name, each) for each in found]


def read_case(sidecar: Sidecar, case: Case) -> Trial:
    """Return the trial that a test case describes. Raise LibraryError with the location for an invalid case."""
    options = _options(case, sidecar)
    parameters = case.folder / PARAMETERS
    given: Any = {}
    if parameters.exists():
        given = read_yaml(parameters, sidecar.folder).value or {}
    if not isinstance(given, Mapping):
        raise LibraryError(
            "parameters.yaml: expected a mapping",
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
        raise LibraryError(
            f"{OPTIONS}: expected a mapping", where=f"{file}:1:1", hint=f"known fields: {', '.join(_OPTIONS)}"
        )
    for key in value:
        if key not in _OPTIONS:
            raise LibraryError(
                f'unknown field "{key}"',
                where=source.place((key,), True),
                hint=did_you_mean(str(key), _OPTIONS) or f"known fields: {', '.join(_OPTIONS)}",
            )
    mode = value.get("mode", "")
    if mode and mode not in MODES:
        raise LibraryError(f'invalid mode "{mode}"', where=source.place(("mode",)), hint=f"one of: {', '.join(MODES)}")
    found = {
        _OPTIONS[key]: part if key == "containers" else str(part) for key, part in value.items() if part is not None
    }
    if "containers" in found:
        names = found["containers"] or []
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            where = source.place(("containers",))
            raise LibraryError("containers: expected a list of names", where=where, hint="write `containers: [web]`")
        found["containers"] = tuple(names)
    return found


def run_case(sidecar: Sidecar, case: Case, roots: Mapping[Path, str] | None = None) -> CaseResult:
    """Run a test case. With `roots`, write the actual output if it differs from the expected one.

    The output is also verified: removing the sidecar must restore the input, and adding it again must change nothing.
    `roots` are the `update_roots` of the sidecar. Raise OutputError if a link leads out of one, or if the expected output
    changed since it was read.
    """
    save = None if roots is None else prepare_update(case.expected_file, sidecar.folder, roots)
    try:
        outcome = run_trial(read_case(sidecar, case))
        expected = read_text(case.expected_file, sidecar.folder, _LIMIT) if case.expected_file.exists() else None
    except SidecarctlError as error:
        return CaseResult(case, "failed", error=error)
    if case.refused:
        if outcome.text is not None:
            return CaseResult(
                case, "failed", outcome, problem=f"expected an error ({REFUSED}), but the sidecar was added"
            )
        return _compare(case, outcome, expected, outcome.errors + "\n", save)
    if outcome.text is None:
        return CaseResult(case, "failed", outcome, problem="unexpected error", error=outcome.error)
    broken = _find_broken_law(outcome)
    if broken:
        return CaseResult(case, "failed", outcome, problem=broken)
    return _compare(case, outcome, expected, outcome.text, save)


def _compare(
    case: Case, outcome: TrialResult, expected: str | None, actual: str, save: Callable[[str], object] | None
) -> CaseResult:
    if actual == expected:
        return CaseResult(case, "ok", outcome)
    if save is not None:
        save(actual)
        return CaseResult(case, "written", outcome, expected or "", actual)
    return CaseResult(case, "missing" if expected is None else "failed", outcome, expected or "", actual)


def _find_broken_law(outcome: TrialResult) -> str:
    trial, text = outcome.trial, outcome.text
    assert text is not None
    options = Options(versions.parse_version(trial.kube_version))
    back = pipeline.remove(text, [trial.instance or trial.sidecar.name], options, trial.file)
    if back.text != trial.text:
        return "removing the sidecar does not restore the input"
    again = run_trial(Trial(**{**vars(trial), "text": text}))
    return "" if again.text == text else "adding the sidecar again changes the output"


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


def run_example(sidecar: Sidecar) -> TrialResult:
    """Add the sidecar to a small Deployment with as few parameters as possible. Return the last error if that fails.

    All trials together have the time of one template, so that one that is stopped is not tried with every test case.
    """
    outcomes = []
    end = monotonic() + limits.SECONDS.value
    try:
        for trial in _example_trials(sidecar):
            outcomes.append(run_trial(trial))
            if outcomes[-1].text is not None:
                return outcomes[-1]
            if monotonic() >= end:
                break
    except LibraryError as error:
        outcomes.append(TrialResult(Trial(sidecar, MANIFEST), error=error))
    # An error of the library is more useful than a missing parameter that has no default.
    return next((one for one in outcomes if isinstance(one.error, LibraryError)), outcomes[0])


def _example_trials(sidecar: Sidecar) -> Iterator[Trial]:
    """Yield trials, simplest first: no parameters, example values of the schema, then test cases."""
    yield Trial(sidecar, MANIFEST)
    offered = required_values(sidecar.parameters, str(sidecar.file))
    if offered:
        yield Trial(sidecar, MANIFEST, offered)
    try:
        known = sorted((read_case(sidecar, case) for case in find_cases(sidecar)), key=_size)
    except SidecarctlError:
        return
    plain = [trial for trial in known if not trial.mode]
    yield from (Trial(sidecar, MANIFEST, trial.given) for trial in plain)
    yield from known


def _size(trial: Trial) -> tuple[int, str]:
    return len(str(trial.given)), trial.file


_MAX_DEPTH = 12
_MAX_REQUIRED = 1000


def _with_target(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema with the one that it refers to; an empty one for a boolean."""
    if not isinstance(schema, Mapping):
        return {}
    target = resolve_ref(root, schema["$ref"]) if "$ref" in schema else None
    return {**target, **schema} if isinstance(target, Mapping) else schema


def required_values(schema: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Return a value for each required parameter that has an example or enum in its schema, 1,000 at most.

    A schema can require itself, or branch without end. Raise LibraryError if finding them exceeds the limit of time.
    """
    values: dict[str, Any] = {}
    with library_time_limit("finding values for the required parameters of the schema", where):
        for path, value in islice(_required(schema, schema, ()), _MAX_REQUIRED):
            holder = values
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = value
    return values


def _required(
    schema: Mapping[str, Any], root: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and value of each required parameter, an empty object before those inside of it."""
    if len(path) > _MAX_DEPTH:
        return
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        part = _with_target(properties.get(name), root)
        if "default" in part:
            continue
        if part.get("examples"):
            yield (*path, name), part["examples"][0]
        elif part.get("enum"):
            yield (*path, name), part["enum"][0]
        elif "properties" in part:
            yield (*path, name), {}
            yield from _required(part, root, (*path, name))
