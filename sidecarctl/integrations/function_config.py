"""A functionConfig as a composition: a Composition, a SidecarInjection, or a ConfigMap with `data`.

The short forms become the composition that they stand for, so that there is one reader; what is wrong with one is told by the
field that its author wrote. Relative paths run from the folder that kustomize or kpt works in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sidecarctl.catalog.assignments import Unread, assign
from sidecarctl.composition.model import Composition, load_composition, load_from_document
from sidecarctl.errors import InputError, UsageError, did_you_mean
from sidecarctl.findings import PathTuple, Place
from sidecarctl.results import field_text
from sidecarctl.yamltext.stream import Document

API_VERSION = "sidecarctl.dev/v1alpha1"
INJECTION = "SidecarInjection"
_KINDS = ("Composition", INJECTION, "ConfigMap")

_RULE: PathTuple = ("spec", "rules", 0)
_WISH: PathTuple = (*_RULE, "sidecars", 0)
# Where a field of a SidecarInjection's spec stands in the composition that it means.
_FIELDS: Mapping[str, PathTuple] = {
    "sidecar": (*_WISH, "name"),
    "as": (*_WISH, "as"),
    "mode": (*_WISH, "mode"),
    "containers": (*_WISH, "containers"),
    "parameters": (*_WISH, "parameters"),
    "select": (*_RULE, "select"),
    "when": (*_RULE, "when"),
    "kubeVersion": ("spec", "kubeVersion"),
    "libraries": ("spec", "libraries"),
    "kinds": ("spec", "kinds"),
    "excludeNamespaces": ("spec", "excludeNamespaces"),
}
# Keys of a ConfigMap's data that are no parameter, with what they may also be called.
_KEYS = {
    "sidecar": "sidecars",
    "sidecars": "sidecars",
    "as": "as",
    "mode": "mode",
    "container": "containers",
    "containers": "containers",
    "kubeVersion": "kubeVersion",
    "library": "libraries",
    "libraries": "libraries",
    "composition": "composition",
    "env": "env",
}


class FieldPlace(Place):
    """A place in a functionConfig: the tools rewrite its text, so it is told by its field."""

    def __str__(self) -> str:
        return self.file


@dataclass(eq=False)
class ConfigDocument(Document):
    """A functionConfig, or the composition that it means, as a document; `means` are its fields there."""

    data: Mapping[str, Any] = field(default_factory=dict)
    means: Mapping[PathTuple, PathTuple] = field(default_factory=dict)

    @property
    def value(self) -> object:
        """The composition as plain data."""
        return self.data

    def locate(self, path: PathTuple, *, on_key: bool = False) -> Place:
        """Return the field that a path of the composition stands for."""
        for meant in sorted(self.means, key=len, reverse=True):
            if path[: len(meant)] == meant:
                path = (*self.means[meant], *path[len(meant) :])
                break
        return FieldPlace(f"{self.file}, {field_text(path)}" if path else self.file, 1, 1, 1, 1)


def composition_of(config: object, folder: Path, environment: str) -> Composition | None:
    """Return what a functionConfig asks for, None where it says nothing: there is none, or a ConfigMap without data.

    Raises UsageError, which names the field.
    """
    if config is None or config == {}:
        return None
    if not isinstance(config, dict):
        raise UsageError("the functionConfig is no object", hint=f"give one of the kinds {', '.join(_KINDS)}")
    kind, name = config.get("kind"), _name(config)
    label = f"functionConfig {kind}/{name}" if name else f"functionConfig {kind}"
    if kind == "ConfigMap":
        return _by_data(config.get("data"), name or "sidecars", label, folder, environment)
    if kind not in _KINDS:
        raise UsageError(
            f"the functionConfig is of the kind {kind}",
            where=label,
            hint=did_you_mean(str(kind), _KINDS) or f"give one of {', '.join(_KINDS)}",
        )
    if config.get("apiVersion") != API_VERSION:
        raise UsageError(
            f"the functionConfig has the apiVersion {config.get('apiVersion')}",
            where=label,
            hint=f"a {kind} has {API_VERSION}",
        )
    document = ConfigDocument("", "", file=label, data=config) if kind == "Composition" else _injection(config, label)
    return load_from_document(document, (), folder, environment)


def _name(config: Mapping[str, Any]) -> str:
    metadata = config.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _injection(config: Mapping[str, Any], label: str) -> ConfigDocument:
    spec = config.get("spec")
    if not isinstance(spec, dict):
        raise UsageError(f"the {INJECTION} has no `spec`", where=label, hint="say `spec: {sidecar: NAME}`")
    unknown = [key for key in spec if key not in _FIELDS]
    if unknown:
        raise UsageError(
            f"a {INJECTION} has no field '{unknown[0]}'",
            where=f"{label}, spec.{unknown[0]}",
            hint=did_you_mean(unknown[0], _FIELDS) or f"it has {', '.join(_FIELDS)}",
        )
    if "sidecar" not in spec:
        raise UsageError(f"the {INJECTION} names no sidecar", where=f"{label}, spec", hint="say `sidecar: NAME`")
    wish: dict[str, Any] = {}
    rule: dict[str, Any] = {"select": {"all": True}, "sidecars": [wish]}
    whole: dict[str, Any] = {"rules": [rule]}
    for key, value in spec.items():
        *_, last = _FIELDS[key]
        holder = wish if _FIELDS[key][:-1] == _WISH else rule if _FIELDS[key][:-1] == _RULE else whole
        holder[str(last)] = value
    means: dict[PathTuple, PathTuple] = {where: ("spec", key) for key, where in _FIELDS.items()}
    return _document(config, whole, label, {**means, _RULE: ("spec",), _WISH: ("spec",)})


def _document(
    config: Mapping[str, Any], spec: Mapping[str, Any], label: str, means: Mapping[PathTuple, PathTuple]
) -> ConfigDocument:
    metadata = config.get("metadata")
    data = {"apiVersion": API_VERSION, "kind": "Composition", "metadata": metadata or {}, "spec": spec}
    return ConfigDocument("", "", file=label, data=data, means=means)


def _by_data(data: object, name: str, label: str, folder: Path, environment: str) -> Composition | None:
    """A ConfigMap: what `kpt fn eval ... -- sidecars=logger logger.logDir=/srv/log` makes of its words."""
    if not data:
        return None
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise UsageError("the values under `data` are not all strings", where=label, hint="put them in quotes")
    said = {_KEYS[key]: value for key, value in data.items() if key in _KEYS}
    parameters = {key: value for key, value in data.items() if key not in _KEYS}
    if "composition" in said:
        _alone(data, label)
        return _file(folder / said["composition"], said.get("env", environment), label)
    sidecars = _words(said.get("sidecars", ""))
    if not sidecars:
        raise UsageError(
            f"the data name no sidecar{': ' + ', '.join(data) if data else ''}",
            where=label,
            hint=did_you_mean(next(iter(data)), _KEYS) or "say sidecars=NAME, or composition=FILE",
        )
    if "as" in said and len(sidecars) > 1:
        raise UsageError("`as` names one instance, and several sidecars are asked for", where=f"{label}, data.as")
    wishes: dict[str, dict[str, Any]] = {each: {"name": each} for each in sidecars}
    for wish in wishes.values():
        wish.update({key: said[key] for key in ("as", "mode") if key in said})
        if "containers" in said:
            wish["containers"] = _words(said["containers"])
    for key, value in parameters.items():
        wish, rest = _addressee(key, wishes, label)
        try:
            assign(wish.setdefault("parameters", {}), rest, Unread(value))
        except UsageError as error:
            error.where = f"{label}, data.{key}"
            raise
    spec: dict[str, Any] = {"rules": [{"select": {"all": True}, "sidecars": list(wishes.values())}]}
    if "kubeVersion" in said:
        spec["kubeVersion"] = said["kubeVersion"]
    if "libraries" in said:
        spec["libraries"] = _words(said["libraries"])
    means: dict[PathTuple, PathTuple] = {("spec",): ("data",)}
    for index, sidecar in enumerate(sidecars):
        at: PathTuple = (*_RULE, "sidecars", index)
        means[at] = ("data", "sidecars")
        for key in parameters:
            wish, rest = _addressee(key, wishes, label)
            if wish is wishes[sidecar]:
                parameter: PathTuple = (*at, "parameters", rest.partition(".")[0])
                means[parameter] = ("data", key)
    return load_from_document(
        _document({"metadata": {"name": name}}, spec, label, means), (), folder, said.get("env", environment)
    )


def _addressee(key: str, wishes: Mapping[str, dict[str, Any]], label: str) -> tuple[dict[str, Any], str]:
    """Which sidecar a key is for, and the rest of the key."""
    first, dot, rest = key.partition(".")
    for name, wish in wishes.items():
        if dot and rest and first == name.partition("@")[0]:
            return wish, rest
    if len(wishes) == 1:
        return next(iter(wishes.values())), key
    raise UsageError(
        f"the data do not say which sidecar '{key}' is for",
        where=f"{label}, data",
        hint=f"write SIDECAR.{key}, one of {', '.join(wishes)}",
    )


def _words(text: str) -> list[str]:
    return [word for word in text.replace(",", " ").split() if word]


def _alone(data: Mapping[str, str], label: str) -> None:
    others = [key for key in data if key not in ("composition", "env")]
    if others:
        raise UsageError(
            f"the data name a composition, and besides it {', '.join(others)}",
            where=f"{label}, data",
            hint="put that into the composition",
        )


def _file(path: Path, environment: str, label: str) -> Composition:
    try:
        return load_composition(path, environment)
    except InputError as error:
        raise UsageError(error.message, where=f"{label}, data.composition", hint=error.hint) from None
