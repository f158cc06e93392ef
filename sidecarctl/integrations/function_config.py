"""Read a functionConfig (a Composition, a SidecarInjection, or a ConfigMap with `data`) as a composition.

The short forms are converted to a composition, and errors are located at the fields of the original. Relative paths start at
the working directory of kustomize or kpt.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecarctl.catalog.assignments import RawText, assign, outer_key
from sidecarctl.composition.model import Composition, load_composition, load_from_document
from sidecarctl.errors import InputError, UsageError, did_you_mean
from sidecarctl.findings import PathTuple, Place
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.results import field_text
from sidecarctl.yamltext.stream import Document

API_VERSION = "sidecarctl.dev/v1alpha1"
INJECTION = "SidecarInjection"
_KINDS = ("Composition", INJECTION, "ConfigMap")

_RULE: PathTuple = ("spec", "rules", 0)
_WISH: PathTuple = (*_RULE, "sidecars", 0)
# Path of each SidecarInjection field in the converted composition.
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
# Keys of ConfigMap data that are not parameters, with the field that each sets.
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
    """A location in a functionConfig, given by field: the calling tools rewrite the text, so line numbers are useless."""

    def __str__(self) -> str:
        return self.file


@dataclass(eq=False)
class ConfigDocument(Document):
    """A functionConfig, or the composition converted from it. `origins` maps composition paths to functionConfig paths."""

    data: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[PathTuple, PathTuple] = field(default_factory=dict)

    @property
    def value(self) -> object:
        """The composition as plain data."""
        return self.data

    def locate(self, path: PathTuple, *, on_key: bool = False) -> Place:
        """Return the functionConfig field that a path of the composition comes from."""
        for mapped in sorted(self.origins, key=len, reverse=True):
            if path[: len(mapped)] == mapped:
                path = (*self.origins[mapped], *path[len(mapped) :])
                break
        return FieldPlace(f"{self.file}, {field_text(path)}" if path else self.file, 1, 1, 1, 1)


def read_composition(config: object, folder: Path, environment: str) -> Composition | None:
    """Return the composition of a functionConfig, or None if there is no functionConfig or its ConfigMap has no data.

    Raise UsageError, located at the field.
    """
    if config is None or config == {}:
        return None
    if not isinstance(config, dict):
        raise UsageError("functionConfig is not an object", hint=f"supported kinds: {', '.join(_KINDS)}")
    kind, name = config.get("kind"), _name(config)
    label = f"functionConfig {kind}/{name}" if name else f"functionConfig {kind}"
    if kind == "ConfigMap":
        return _from_config_map(config.get("data"), name or "sidecars", label, folder, environment)
    if kind not in _KINDS:
        raise UsageError(
            f'unsupported functionConfig kind "{kind}"',
            where=label,
            hint=did_you_mean(str(kind), _KINDS) or f"supported kinds: {', '.join(_KINDS)}",
        )
    if config.get("apiVersion") != API_VERSION:
        raise UsageError(
            f'unsupported apiVersion "{config.get("apiVersion")}" for {kind}',
            where=label,
            hint=f"set apiVersion to {API_VERSION}",
        )
    document = (
        ConfigDocument("", "", file=label, data=config) if kind == "Composition" else _from_injection(config, label)
    )
    return load_from_document(document, (), folder, environment)


def _name(config: Mapping[str, Any]) -> str:
    metadata = config.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _from_injection(config: Mapping[str, Any], label: str) -> ConfigDocument:
    spec = config.get("spec")
    if not isinstance(spec, dict):
        raise UsageError("missing required field: spec", where=label, hint="add `spec: {sidecar: <name>}`")
    unknown = [key for key in spec if key not in _FIELDS]
    if unknown:
        raise UsageError(
            f'unknown field "{unknown[0]}" in {INJECTION}',
            where=f"{label}, spec.{unknown[0]}",
            hint=did_you_mean(unknown[0], _FIELDS) or f"known fields: {', '.join(_FIELDS)}",
        )
    if "sidecar" not in spec:
        raise UsageError("missing required field: sidecar", where=f"{label}, spec", hint="add `sidecar: <name>`")
    wish: dict[str, Any] = {}
    rule: dict[str, Any] = {"select": {"all": True}, "sidecars": [wish]}
    whole: dict[str, Any] = {"rules": [rule]}
    for key, value in spec.items():
        *_, last = _FIELDS[key]
        holder = wish if _FIELDS[key][:-1] == _WISH else rule if _FIELDS[key][:-1] == _RULE else whole
        holder[str(last)] = value
    origins: dict[PathTuple, PathTuple] = {where: ("spec", key) for key, where in _FIELDS.items()}
    return _as_composition(config, whole, label, {**origins, _RULE: ("spec",), _WISH: ("spec",)})


def _as_composition(
    config: Mapping[str, Any], spec: Mapping[str, Any], label: str, origins: Mapping[PathTuple, PathTuple]
) -> ConfigDocument:
    metadata = config.get("metadata")
    data = {"apiVersion": API_VERSION, "kind": "Composition", "metadata": metadata or {}, "spec": spec}
    return ConfigDocument("", "", file=label, data=data, origins=origins)


def _from_config_map(data: object, name: str, label: str, folder: Path, environment: str) -> Composition | None:
    """Convert ConfigMap data, as written by `kpt fn eval ... -- sidecars=logger logger.logDir=/srv/log`."""
    if not data:
        return None
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise UsageError("data: expected string values", where=label, hint="quote the values")
    options: dict[str, str] = {}
    for key in data:
        if key in _KEYS and _KEYS[key] in options:
            raise UsageError(
                f"data has {key} and {next(each for each in data if _KEYS.get(each) == _KEYS[key])}",
                where=f"{label}, data.{key}",
                hint=f"use {_KEYS[key]} for all of them",
            )
        if key in _KEYS:
            options[_KEYS[key]] = data[key]
    parameters = {key: value for key, value in data.items() if key not in _KEYS}
    if "composition" in options:
        _reject_other_keys(data, label)
        return _load_file(folder / options["composition"], options.get("env", environment), label)
    sidecars = _split_words(options.get("sidecars", ""))
    if not sidecars:
        raise UsageError(
            f"no sidecar in data (keys: {', '.join(data)})",
            where=label,
            hint=did_you_mean(next(iter(data)), _KEYS) or "set sidecars=<name> or composition=<file>",
        )
    if "as" in options and len(sidecars) > 1:
        raise UsageError(f'"as" applies to one sidecar, got {len(sidecars)}', where=f"{label}, data.as")
    wishes: dict[str, dict[str, Any]] = {each: {"name": each} for each in sidecars}
    for wish in wishes.values():
        wish.update({key: options[key] for key in ("as", "mode") if key in options})
        if "containers" in options:
            wish["containers"] = _split_words(options["containers"])
    for key, value in parameters.items():
        wish, rest = _split_key(key, wishes, label)
        try:
            assign(wish.setdefault("parameters", {}), rest, RawText(value), outer_key)
        except UsageError as error:
            error.where = f"{label}, data.{_shown_key(key, rest)}"
            raise
    spec: dict[str, Any] = {"rules": [{"select": {"all": True}, "sidecars": list(wishes.values())}]}
    if "kubeVersion" in options:
        spec["kubeVersion"] = options["kubeVersion"]
    if "libraries" in options:
        spec["libraries"] = _split_words(options["libraries"])
    origins: dict[PathTuple, PathTuple] = {("spec",): ("data",)}
    for index, sidecar in enumerate(sidecars):
        at: PathTuple = (*_RULE, "sidecars", index)
        origins[at] = ("data", "sidecars")
        for key in parameters:
            wish, rest = _split_key(key, wishes, label)
            if wish is wishes[sidecar]:
                parameter: PathTuple = (*at, "parameters", rest.partition(".")[0])
                origins[parameter] = ("data", _shown_key(key, rest))
    return load_from_document(
        _as_composition({"metadata": {"name": name}}, spec, label, origins), (), folder, options.get("env", environment)
    )


def _split_key(key: str, wishes: Mapping[str, dict[str, Any]], label: str) -> tuple[dict[str, Any], str]:
    """Return the sidecar that a data key belongs to, and the parameter name."""
    first, dot, rest = key.partition(".")
    for name, wish in wishes.items():
        if dot and rest and first == name.partition("@")[0]:
            return wish, rest
    if len(wishes) == 1:
        return next(iter(wishes.values())), key
    raise UsageError(
        f'ambiguous parameter "{outer_key(key)}": it can belong to {len(wishes)} sidecars',
        where=f"{label}, data",
        hint=f"write <sidecar>.{outer_key(key)}, where <sidecar> is one of {', '.join(wishes)}",
    )


def _shown_key(key: str, parameter: str) -> str:
    """Return a data key up to the name of its parameter: the rest can be secret, and no sidecar is read yet that says so."""
    return f"{key.removesuffix(parameter)}{outer_key(parameter)}"


def _split_words(text: str) -> list[str]:
    return [word for word in text.replace(",", " ").split() if word]


def _reject_other_keys(data: Mapping[str, str], label: str) -> None:
    others = [key for key in data if key not in ("composition", "env")]
    if others:
        raise UsageError(
            f'"composition" cannot be combined with {", ".join(others)}',
            where=f"{label}, data",
            hint="move these settings to the composition",
        )


def _load_file(path: Path, environment: str, label: str) -> Composition:
    if "\0" in str(path):
        raise UsageError("invalid path: contains a NUL character", where=f"{label}, data.composition")
    try:
        return load_composition(path, environment)
    except InputError as error:
        raise UsageError(error.message, where=f"{label}, data.composition", hint=error.hint) from None
