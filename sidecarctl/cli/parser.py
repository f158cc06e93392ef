"""The commands: name, where its function is, and what help says of it. Loads a command's module only when it is used."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints

from sidecarctl.cli.options import Argument, Command, Option
from sidecarctl.lazy_dataclass import dataclass

_SIDECARS = "Sidecars in manifests"
_LIBRARY = "The library"
_PLUGINS = "Inside other programs"
_CHECKING = "Checking and looking"


@dataclass(frozen=True)
class Entry:
    """One command. Its function is `cli.commands.<name>.<name>`, with underscores for hyphens."""

    name: str
    help: str
    panel: str
    example: str = ""

    def load(self) -> Command:
        """Return the function."""
        function = self.name.replace("-", "_")
        module = importlib.import_module(f"sidecarctl.cli.commands.{function}")
        command: Command = getattr(module, function)
        return command


TABLE: tuple[Entry, ...] = (
    Entry(
        "add",
        "Add sidecars to workloads; what is there already is upgraded.",
        _SIDECARS,
        "sidecarctl add logger -f web.yaml --set logDir=/var/log/nginx",
    ),
    Entry(
        "remove",
        "Remove sidecars; the manifest is what it was before.",
        _SIDECARS,
        "sidecarctl remove logger -f k8s/ -i",
    ),
    Entry(
        "render",
        "Apply a composition: sidecars are added, upgraded and removed.",
        _SIDECARS,
        "sidecarctl render -f k8s/ --env prod -o rendered/prod --prune",
    ),
    Entry(
        "status",
        "Show which sidecars stand in manifests, hand edits, and upgrades.",
        _SIDECARS,
        "sidecarctl status -f k8s/",
    ),
    Entry(
        "krm",
        "Be a KRM function: a ResourceList on standard input and output (kustomize, kpt).",
        _PLUGINS,
        "kustomize build --enable-alpha-plugins --enable-exec overlays/prod",
    ),
    Entry(
        "export",
        "Write a composition as a policy of an engine in the cluster, or as patches.",
        _PLUGINS,
        "sidecarctl export --to kyverno -c sidecarctl.yaml > policy.yaml",
    ),
    Entry(
        "post-render",
        "Be a Helm post-renderer: manifests on standard input and output.",
        _PLUGINS,
        "helm template web ./chart --post-renderer sidecarctl --post-renderer-args -c --post-renderer-args sidecarctl.yaml",
    ),
    Entry(
        "validate",
        "Check manifests as the API server would, and what breaks or costs later.",
        _CHECKING,
        "sidecarctl validate -f k8s/ --kube-version 1.34 --pod-security baseline",
    ),
    Entry(
        "rules",
        "What each rule checks and why, with examples.",
        _CHECKING,
        "sidecarctl rules port-conflict",
    ),
    Entry(
        "graph",
        "Draw pods: containers in order, volumes, and what was added.",
        _CHECKING,
        "sidecarctl graph -f web.yaml --format svg -o web.svg",
    ),
    Entry(
        "init",
        "Find sidecars pasted by hand; write composition and library.",
        _SIDECARS,
        "sidecarctl init k8s/",
    ),
    Entry("list", "List the sidecars of the library.", _LIBRARY, "sidecarctl list"),
    Entry("show", "Show a sidecar: its parameters and what it adds.", _LIBRARY, "sidecarctl show logger"),
    Entry(
        "new",
        "Start a sidecar of your own, with a case that passes.",
        _LIBRARY,
        "sidecarctl new my-agent --from-manifest deployment.yaml --container agent",
    ),
    Entry(
        "test",
        "Run the cases of a library, and lint it.",
        _LIBRARY,
        "sidecarctl test --library ./sidecars my-agent --update",
    ),
    Entry("schema", "Print a JSON Schema, for editors.", _LIBRARY, "sidecarctl schema sidecar > sidecar.schema.json"),
)
BY_NAME = {entry.name: entry for entry in TABLE}


_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")


def read(command: Command, argv: Sequence[str], env: Mapping[str, str] = os.environ) -> dict[str, Any] | None:
    """Return the keyword arguments that a command line means, None where typer should read it."""
    parameters = described(command)
    values: dict[str, Any] = {
        name: list(d) if isinstance(d, (list, tuple)) else d for name, (_, _, d) in parameters.items()
    }
    flags = {flag: name for name, (_, spec, _) in parameters.items() if isinstance(spec, Option) for flag in spec.flags}
    given: set[str] = set()
    positional: list[str] = []
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            positional += rest
            break
        if not word.startswith("-") or word == "-":
            positional.append(word)
            continue
        flag, equals, value = word.partition("=") if word.startswith("--") else (word[:2], word[2:], word[2:])
        name = flags.get(flag)
        if name is None:
            return None
        kind, spec, _ = parameters[name]
        if kind is bool:
            if equals:
                return None
            values[name] = True
        else:
            if not equals:
                if not rest:
                    return None
                value = rest.pop(0)
            assert isinstance(spec, Option)
            if not _store(values, name, kind, spec, value, name not in given):
                return None
        given.add(name)
    for name, (kind, spec, _) in parameters.items():
        if isinstance(spec, Argument):
            if (spec.required and not positional) or (kind is not list and len(positional) > 1):
                return None
            values[name] = positional if kind is list else (positional[0] if positional else values[name])
            positional = []
        elif name not in given and not _from_env(values, name, kind, spec, env):
            return None
    return None if positional else values


def _store(values: dict[str, Any], name: str, kind: type, spec: Option, value: str, first: bool) -> bool:
    if spec.choices and value not in spec.choices:
        return False
    if kind is list:
        values[name] = [value] if first else [*values[name], value]
    elif kind is int:
        if not value.isdigit():
            return False
        values[name] = int(value)
    else:
        values[name] = value
    return True


def _from_env(values: dict[str, Any], name: str, kind: type, spec: Option, env: Mapping[str, str]) -> bool:
    text = env.get(spec.env) if spec.env else None
    if not text:
        return True
    if kind is bool:
        if text.lower() not in _TRUE + _FALSE:
            return False
        values[name] = text.lower() in _TRUE
        return True
    if kind is list:
        # typer splits the environment's lists at blanks.
        values[name] = text.split()
        return True
    return _store(values, name, kind, spec, text, True)


def described(command: Command) -> dict[str, tuple[type, Option | Argument, Any]]:
    """Return, by parameter: bool, int, str or list; its Option or Argument; its default."""
    out: dict[str, tuple[type, Option | Argument, Any]] = {}
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        hint = hints[name]
        while not hasattr(hint, "__metadata__"):
            # Python 3.10 wraps what has None for its default.
            hint = get_args(hint)[0]
        base = hint.__origin__
        spec = next(extra for extra in hint.__metadata__ if isinstance(extra, (Option, Argument)))
        kind = list if get_origin(base) is list else next((t for t in (bool, int) if base is t), str)
        default = None if parameter.default is inspect.Parameter.empty else parameter.default
        out[name] = (kind, spec, default)
    return out
