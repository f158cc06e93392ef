"""The page of `sidecarctl show`."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidecarctl.catalog.catalog import SHIPPED
from sidecarctl.catalog.masking import mask
from sidecarctl.catalog.secret_parameters import hide_secrets, secret_texts
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.report.json_text import to_json
from sidecarctl.report.terminal import paint, visible, wrap

if TYPE_CHECKING:
    from sidecarctl.authoring.parameter_table import ParameterRow
    from sidecarctl.authoring.trial import TrialResult

_MODES = {
    "auto": "native on Kubernetes 1.29 or later, else classic",
    "native": "native: an init container with restartPolicy Always",
    "classic": "classic: a regular container next to the app",
    "init": "init: runs to completion before the app starts",
}
_STARTS = {"before-init": "before init containers of the app", "after-init": "after init containers of the app"}
_MAX_FLAGS = 4


def render_page(sidecar: Sidecar, libraries: Sequence[str] = (), *, color: bool, width: int, lines: bool = True) -> str:
    """Return the page: summary, added objects, example, parameters, and limitations."""
    from sidecarctl.authoring.parameter_table import list_common_parameters, list_parameters
    from sidecarctl.authoring.test_cases import run_example

    outcome = run_example(sidecar)
    out = [
        *_head(sidecar, color, width),
        *_section("What it adds", color),
        *_render_added(sidecar, outcome, color, width, lines),
        *_section("Use", color),
        *(f"  {line}" for line in example_command(sidecar, outcome, libraries)),
        *_section("Parameters", color),
        *_parameters(list_parameters(sidecar.parameters, str(sidecar.file)), color, width),
        *_section("Parameters of every sidecar", color),
        *_parameters(list_common_parameters(), color, width),
        *_limitations(sidecar, color, width),
    ]
    return "".join(f"{line}\n" for line in out)


def _section(title: str, color: bool) -> list[str]:
    return ["", paint(title, "bold", color), ""]


def _head(sidecar: Sidecar, color: bool, width: int) -> Iterator[str]:
    origin = "" if sidecar.library == SHIPPED else paint(f"  from {visible(sidecar.library)}", "dim", color)
    yield f"{paint(visible(sidecar.name), 'bold', color)} {visible(sidecar.version)}{origin}"
    yield from wrap(visible(sidecar.summary), width)
    if sidecar.description:
        yield ""
        yield from wrap(visible(unwrap(sidecar.description), keep="\n"), width, "  ", "  ")
    yield ""
    for key, text in facts(sidecar):
        first, *rest = wrap(visible(text), width, f"  {key:<12}", " " * 14)
        yield "  " + paint(key, "dim", color) + first[2 + len(key) :]
        yield from rest


def facts(sidecar: Sidecar) -> list[tuple[str, str]]:
    """Return labels and short texts: how the sidecar runs, and what it is allowed to do."""
    found = [("runs", _MODES[sidecar.mode])]
    if sidecar.mode in ("auto", "native"):
        found.append(("starts", _STARTS[sidecar.start]))
    if sidecar.starts_after:
        found.append(("after", ", ".join(sidecar.starts_after)))
    found.append(("shares with", "all app containers" if sidecar.targets == "all" else "the default app container"))
    security = sidecar.pod_security
    found.append(("PodSecurity", security.level + (f": {security.reason}" if security.reason else "")))
    if sidecar.homepage:
        found.append(("upstream", sidecar.homepage))
    return found


def unwrap(text: str) -> str:
    """Return text with line breaks inside paragraphs removed; list items keep their own line."""
    paragraphs = re.split(r"\n[ \t]*\n", text.strip())
    return "\n\n".join(re.sub(r"\n(?![ \t]*(?:[-*] |\d+\. ))[ \t]*", " ", paragraph) for paragraph in paragraphs)


def _render_added(sidecar: Sidecar, outcome: TrialResult, color: bool, width: int, lines: bool) -> Iterator[str]:
    from sidecarctl.authoring import pod_parts
    from sidecarctl.authoring.trial import find_injected_parts

    if outcome.text is None:
        yield from wrap(f"no example available: {visible(outcome.errors, keep=chr(10))}", width, "  ", "  ")
        if outcome.error is not None and outcome.error.where:
            yield f"  at {visible(outcome.error.where)}"
        return
    settings, secrets = format_settings(_shown_parameters(outcome)), _secrets(outcome)
    given = f" with {settings}" if outcome.trial.given else ""
    for own in find_injected_parts(outcome.text, sidecar.name):
        kind = own.workload.kind
        yield from wrap(visible(f"To a {kind} called {own.workload.name}{given}:"), width, "  ", "  ")
        parts = [pod_parts.mask_box(box, secrets) for box in pod_parts.build_boxes(own)]
        yield from (
            f"  {line}" for line in pod_parts.draw(parts, color=color, width=width - 2 if width else 0, lines=lines)
        )


def _shown_parameters(outcome: TrialResult) -> dict[str, Any]:
    """Return the parameters of the example with `...` in place of secret ones: a test case can have a real one."""
    hidden = hide_secrets(dict(outcome.trial.given), outcome.trial.sidecar.parameters)
    return hidden if isinstance(hidden, dict) else {}


def _secrets(outcome: TrialResult) -> frozenset[str]:
    return secret_texts(dict(outcome.trial.given), outcome.trial.sidecar.parameters)


def format_settings(given: Mapping[str, object]) -> str:
    """Return parameters on one line: `exporter=nginx, tls.secretName=shop-tls`."""
    return ", ".join(f"{key}={value}" for key, value in flatten(given))


def flatten(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield keys and values in the syntax of `--set`."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            step = re.sub(r"([.\[\\=])", r"\\\1", str(name))
            yield from flatten(inner, f"{key}.{step}" if key else step)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from flatten(inner, f"{key}[{number}]")
    elif key:
        yield key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def example_command(sidecar: Sidecar, outcome: TrialResult, libraries: Sequence[str] = ()) -> list[str]:
    """Return an example command, one line per parameter. `libraries` are those of the command line.

    Parameters that a terminal cannot show as they are would be wrong as flags, so they are in a file.
    """
    named = sidecar.library in (str(Path(each)) for each in libraries)
    library = f" --library {visible(shlex.quote(sidecar.library))}" if named else ""
    command = f"sidecarctl add {sidecar.name}{library} -f deployment.yaml"
    given = list(flatten(_shown_parameters(outcome))) if outcome.text is not None else []
    flags = [f"--set {shlex.quote(f'{key}={value}')}" for key, value in given]
    if len(flags) > _MAX_FLAGS or any(visible(flag, keep="\n") != flag for flag in flags):
        return [f"{command} --values values.yaml"]
    return [" \\\n    ".join([command, *flags])] if flags else [command]


def _parameters(parameters: Iterable[ParameterRow], color: bool, width: int) -> Iterator[str]:
    listed = list(parameters)
    if not listed:
        yield "  none"
    for number, row in enumerate(listed):
        if number and not row.depth and listed[number - 1].depth:
            yield ""
        lead = "  " + "  " * row.depth
        name = visible(row.name)
        first, *rest = wrap(visible(row.note), width, f"{lead}{name}  ", f"{lead}      ")
        yield lead + paint(name, "bold", color) + paint(first[len(lead) + len(name) :], "dim", color)
        yield from (paint(line, "dim", color) for line in rest)
        if row.description:
            yield from wrap(visible(row.description), width, f"{lead}    ", f"{lead}    ")


def _limitations(sidecar: Sidecar, color: bool, width: int) -> Iterator[str]:
    if sidecar.does_not:
        yield from _section("What it does not do", color)
        for sentence in sidecar.does_not:
            yield from wrap(visible(" ".join(sentence.split())), width, "  - ", "    ")


def page_data(sidecar: Sidecar) -> str:
    """Return the page as JSON."""
    from sidecarctl.authoring.test_cases import run_example

    outcome = run_example(sidecar)
    found: dict[str, Any] = {
        "name": sidecar.name,
        "version": sidecar.version,
        "summary": sidecar.summary,
        "description": sidecar.description,
        "homepage": sidecar.homepage,
        "keywords": list(sidecar.keywords),
        "library": sidecar.library,
        "folder": str(sidecar.folder),
        "engine": sidecar.engine,
        "mode": sidecar.mode,
        "start": sidecar.start,
        "startsAfter": list(sidecar.starts_after),
        "targets": sidecar.targets,
        "podSecurity": {"level": sidecar.pod_security.level, "reason": sidecar.pod_security.reason},
        "doesNot": list(sidecar.does_not),
        "parameters": dict(sidecar.parameters),
        "example": {
            "parameters": _shown_parameters(outcome),
            "result": None if outcome.text is None else mask(outcome.text, _secrets(outcome)),
            "refused": outcome.errors,
        },
    }
    return to_json(found)
