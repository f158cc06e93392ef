"""Parameters and a manifest to show a sidecar with: the smallest that it takes. Invents nothing that a user must choose
but what the schema itself names: defaults, examples, the first of several words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sidecarctl.authoring.cases import cases_of, trial_of
from sidecarctl.authoring.trial import Outcome, Trial, attempt
from sidecarctl.errors import LibraryError, SidecarctlError
from sidecarctl.library.schemacheck import lookup
from sidecarctl.library.sidecar import Sidecar

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
