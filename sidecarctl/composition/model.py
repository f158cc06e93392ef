"""A composition: which rules ask for which sidecars, in one environment. Knows files and names, no workload.

Layers, from the bottom: what is included, in its order; the file itself; the environment in each of them.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from functools import reduce
from pathlib import Path
from typing import Any

from sidecarctl.composition.layers import (
    CompositionFile,
    Layer,
    RawRule,
    SidecarEntry,
    read_document,
    read_file,
    resolve_includes,
)
from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.findings import PathTuple, Place
from sidecarctl.kube import versions
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.kube.workload import Workload, as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.stream import Document

FILE_NAME = "sidecarctl.yaml"
# The group of Pods, which Kubernetes writes as an empty text.
CORE = "core"
_GLOB = re.compile(r"[*?\[]")
_CONSTRAINT = re.compile(r"(>=|<=|>|<|==|=|!=)?\s*v?1\.(\d+)")


@dataclass(frozen=True)
class Expression:
    """A condition on a label, as in a Kubernetes label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selector:
    """Which workloads a rule means: every condition holds. Names are globs; an empty tuple asks nothing."""

    kinds: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    expressions: tuple[Expression, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    containers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """Workloads and the sidecars they get. `label` names it for people: `rule "front"`, `rule 2`."""

    label: str
    place: Place
    selector: Selector
    wishes: tuple[SidecarEntry, ...]
    when: str = ""


@dataclass(frozen=True)
class Composition:
    """A composition with its includes and one environment merged.

    kube_version  "1.34", empty where it says none
    files         every file it was read from
    """

    name: str
    file: str
    rules: tuple[Rule, ...] = ()
    defaults: Mapping[str, SidecarEntry] = field(default_factory=dict)
    kube_version: str = ""
    libraries: tuple[Path, ...] = ()
    kinds: Kinds = DEFAULT_KINDS
    exclude_namespaces: tuple[str, ...] = ()
    environment: str = ""
    files: tuple[str, ...] = ()


def find_composition_file(start: Path) -> Path | None:
    """Return the nearest sidecarctl.yaml in `start` or a folder above it, by a path from `start` where it is not above."""
    for folder in (start, *start.resolve().parents):
        if (folder / FILE_NAME).is_file():
            return Path(os.path.relpath(folder / FILE_NAME, start)) if start == Path() else folder / FILE_NAME
    return None


def load_composition(path: Path, environment: str = "") -> Composition:
    """Return the composition in a file. Raises InputError or UsageError with file and line."""
    return _merged(read_file(path), path, environment)


def load_from_document(document: Document, at: PathTuple, folder: Path, environment: str = "") -> Composition:
    """Return the composition at a path of a document (a functionConfig); paths in it run from `folder`."""
    return _merged(read_document(document, at, folder), None, environment)


def _merged(first: CompositionFile, path: Path | None, environment: str) -> Composition:
    stated = list(resolve_includes(first, path))
    layers = [one.layer for one in stated]
    if environment:
        layers += _environment(first, stated, environment)
    layer = reduce(Layer.under, layers)
    kinds = DEFAULT_KINDS.with_custom(layer.kinds)
    return Composition(
        first.name,
        first.file,
        tuple(_rule(raw, number, kinds) for number, raw in enumerate(layer.rules, 1) if raw.data.get("enabled", True)),
        layer.defaults,
        _kube_version(layer),
        tuple(_library(path, place) for path, place in layer.libraries),
        kinds,
        layer.exclude_namespaces,
        environment,
        tuple(one.file for one in stated),
    )


def _environment(first: CompositionFile, stated: Iterable[CompositionFile], name: str) -> list[Layer]:
    stated = list(stated)
    found = [one.environments[name] for one in stated if name in one.environments]
    if not found:
        known = sorted({each for one in stated for each in one.environments})
        there = f"environments there are: {', '.join(known)}" if known else "spec.environments says none"
        raise UsageError(
            f'the composition {first.name} has no environment "{name}"',
            where=str(first.place),
            hint=did_you_mean(name, known) or there,
        )
    return found


def _kube_version(layer: Layer) -> str:
    if not layer.kube_version:
        return ""
    try:
        return versions.parse(layer.kube_version)
    except UsageError as error:
        error.where = str(layer.kube_version_place)
        raise


def _library(path: Path, place: Place) -> Path:
    if not path.is_dir():
        raise UsageError(
            f"the library {path} is not a folder",
            where=str(place),
            hint="a library is a folder that holds one folder per sidecar; the path runs from the composition's file",
        )
    return path


def _rule(raw: RawRule, number: int, kinds: Kinds) -> Rule:
    label = f'rule "{raw.name}"' if raw.name else f"rule {number}"
    for key, there in (("select", "select" in raw.data), ("sidecars", bool(raw.wishes))):
        if not there:
            raise UsageError(
                f"{label} has no `{key}`",
                where=str(raw.place),
                hint="a rule needs `select` and `sidecars`; only a rule whose name an earlier one has may leave them out",
            )
    when = str(raw.data.get("when", {}).get("kubeVersion", ""))
    return Rule(label, raw.place, _selector(raw, label, kinds), tuple(raw.wishes.values()), when)


def _selector(raw: RawRule, label: str, kinds: Kinds) -> Selector:
    data: Mapping[str, Any] = raw.data["select"]
    where = str(raw.selects)
    asked = {key: value for key, value in data.items() if key != "all" and value}
    if "all" in data and asked:
        raise UsageError(
            f"{label} selects all, and only some: {', '.join(asked)}",
            where=where,
            hint="drop `all: true` or the others",
        )
    if not asked and "all" not in data:
        raise UsageError(
            f"the selector of {label} is empty", where=where, hint="say `all: true` if every workload is meant"
        )
    _known(asked.get("kinds", ()), kinds.names(), "kind", where)
    _known(asked.get("groups", ()), {group or CORE for group, _ in kinds.templates}, "group", where)
    return Selector(
        tuple(asked.get("kinds", ())),
        tuple(asked.get("groups", ())),
        tuple(asked.get("names", ())),
        tuple(asked.get("namespaces", ())),
        asked.get("labels", {}),
        tuple(
            Expression(each["key"], each["operator"], tuple(each.get("values", ())))
            for each in asked.get("matchExpressions", ())
        ),
        asked.get("annotations", {}),
        tuple(asked.get("containers", ())),
    )


def _known(globs: Iterable[str], known: Iterable[str], noun: str, where: str) -> None:
    known = sorted(known)
    for glob in globs:
        if not any(fnmatch.fnmatchcase(each, glob) for each in known):
            hint = did_you_mean(glob, known) if not _GLOB.search(glob) else ""
            listed = "a custom kind is declared in spec.kinds" if noun == "kind" else f"known: {', '.join(known)}"
            raise UsageError(f'no workload has the {noun} "{glob}"', where=where, hint=hint or listed)


def version_matches(when: str, kube_version: str) -> bool:
    """True where a version constraint (">=1.29 <1.33"; "" for any) holds for a version as `versions.parse` gives it."""
    minor = versions.minor(kube_version)
    return all(_holds(operator, int(number), minor) for operator, number in _CONSTRAINT.findall(when))


def _holds(operator: str, wanted: int, minor: int) -> bool:
    return {
        ">=": minor >= wanted,
        "<=": minor <= wanted,
        ">": minor > wanted,
        "<": minor < wanted,
        "!=": minor != wanted,
    }.get(operator, minor == wanted)


def selector_matches(selector: Selector, workload: Workload) -> bool:
    """True where every condition of a selector holds for a workload."""
    return (
        _any(workload.kind, selector.kinds)
        and _any(workload.group or CORE, selector.groups)
        and _any(workload.name, selector.names)
        and _any(workload.namespace, selector.namespaces)
        and _labelled(selector, workload)
        and (
            not selector.annotations
            or _valued(selector.annotations, {**get_own_metadata(workload, "annotations"), **workload.annotations})
        )
        and all(
            any(c.role == "app" and fnmatchcase(c.name, glob) for c in workload.containers)
            for glob in selector.containers
        )
    )


def _any(name: str, globs: tuple[str, ...]) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


def get_own_metadata(workload: Workload, field_: str) -> dict[str, Any]:
    """Return labels or annotations of the workload itself, not of its pods."""
    return as_mapping(as_mapping(workload.value.get("metadata")).get(field_))


def _labelled(selector: Selector, workload: Workload) -> bool:
    if not selector.labels and not selector.expressions:
        return True
    labels = {**get_own_metadata(workload, "labels"), **as_mapping(workload.metadata.get("labels"))}
    return all(labels.get(key) == value for key, value in selector.labels.items()) and all(
        _expressed(each, labels) for each in selector.expressions
    )


def _expressed(expression: Expression, labels: Mapping[str, Any]) -> bool:
    """As a Kubernetes label selector reads it: NotIn holds where the label is not there."""
    there = expression.key in labels
    among = there and labels[expression.key] in expression.values
    return {"In": among, "NotIn": not among, "Exists": there, "DoesNotExist": not there}[expression.operator]


def _valued(wanted: Mapping[str, str], there: Mapping[str, Any]) -> bool:
    return all(key in there and fnmatchcase(str(there[key]), glob) for key, glob in wanted.items())
