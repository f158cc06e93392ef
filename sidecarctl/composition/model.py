"""The composition: rules and defaults of one environment, merged from its files.

Layers, from the lowest to the highest: the included files in their order, the file itself, the environment of each.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import reduce
from pathlib import Path
from typing import Any

from sidecarctl.composition.composition_file import CompositionFile, read_document, read_file
from sidecarctl.composition.layers import Layer, RawRule, SidecarEntry
from sidecarctl.composition.workload_filter import namespace_matches
from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.files.patterns import Exclude
from sidecarctl.findings import PathTuple, Place
from sidecarctl.kube import versions
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.kube.workload import Workload, as_mapping, get_own_metadata
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.stream import Document

# The API group that Kubernetes writes as an empty string.
CORE = "core"
_GLOB = lazy_pattern(r"[*?\[]")
_CONSTRAINT = lazy_pattern(r"(>=|<=|>|<|==|=|!=)?\s*v?1\.(\d+)")


@dataclass(frozen=True)
class Expression:
    """A condition on a label, as in a Kubernetes label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selector:
    """Selects the workloads for which every condition holds. Names are globs; an empty condition always holds."""

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
    """Adds sidecars to the selected workloads. `label` is its name in messages: `rule "front"`, `rule 2`."""

    label: str
    place: Place
    selector: Selector
    sidecars: tuple[SidecarEntry, ...]
    when: str = ""


@dataclass(frozen=True)
class Composition:
    """A composition, merged with its includes and one environment.

    kube_version  "1.34", empty if not set
    manifests     paths to read if the command line names none
    exclude       patterns of paths to leave out of directories
    files         all files that it was read from
    severities    `spec.validate.rules` of each file that sets some, by file
    on_conflict   fail, keep, overwrite, or enforce: what to do with edited fields that an upgrade changes too
    retarget      change ports in objects around the pods that bypass a sidecar in front of the app
    """

    name: str
    file: str
    rules: tuple[Rule, ...] = ()
    defaults: Mapping[str, SidecarEntry] = field(default_factory=dict)
    kube_version: str = ""
    libraries: tuple[Path, ...] = ()
    kinds: Kinds = DEFAULT_KINDS
    exclude_namespaces: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()
    exclude: tuple[Exclude, ...] = ()
    environment: str = ""
    files: tuple[str, ...] = ()
    severities: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    on_conflict: str = "fail"
    retarget: bool = False


def load_composition(path: Path, environment: str = "") -> Composition:
    """Load the composition of a file. Raises InputError or UsageError with file and line."""
    return _merged(read_file(path), path, environment)


def load_from_document(document: Document, at: PathTuple, directory: Path, environment: str = "") -> Composition:
    """Load the composition at a path of a document (a functionConfig). Paths in it are relative to `directory`."""
    return _merged(read_document(document, at, directory), None, environment)


def _merged(first: CompositionFile, path: Path | None, environment: str) -> Composition:
    from sidecarctl.composition.includes import resolve_includes

    files = list(resolve_includes(first, path))
    layers = [one.layer for one in files]
    if environment:
        layers += _environment(first, files, environment)
    layer = reduce(Layer.overlay, layers)
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
        layer.manifests or (),
        layer.exclude,
        environment,
        tuple(one.file for one in files),
        {one.file: one.severities for one in files if one.severities},
        on_conflict="enforce" if layer.enforce else layer.on_conflict or "fail",
        retarget=layer.retarget or False,
    )


def _environment(first: CompositionFile, files: Iterable[CompositionFile], name: str) -> list[Layer]:
    files = list(files)
    found = [one.environments[name] for one in files if name in one.environments]
    if not found:
        known = sorted({each for one in files for each in one.environments})
        listed = f"known environments: {', '.join(known)}" if known else "spec.environments is empty"
        raise UsageError(
            f'composition {first.name} has no environment "{name}"',
            where=str(first.place),
            hint=did_you_mean(name, known) or listed,
        )
    return found


def _kube_version(layer: Layer) -> str:
    if not layer.kube_version:
        return ""
    try:
        return versions.parse_version(layer.kube_version)
    except UsageError as error:
        error.where = str(layer.kube_version_place)
        raise


def _library(path: Path, place: Place) -> Path:
    if not path.is_dir():
        raise UsageError(
            f"library {path} is not a directory",
            where=str(place),
            hint="a library is a directory with one directory per sidecar; the path is relative to the composition's file",
        )
    return path


def _rule(raw: RawRule, number: int, kinds: Kinds) -> Rule:
    label = raw.label(number)
    for key, present in (("select", "select" in raw.data), ("sidecars", bool(raw.entries))):
        if not present:
            raise UsageError(
                f"{label} has no `{key}`",
                where=str(raw.place),
                hint="add `select` and `sidecars`; only a rule with the name of an earlier rule may omit them",
            )
    when = str(raw.data.get("when", {}).get("kubeVersion", ""))
    return Rule(label, raw.place, _selector(raw, label, kinds), tuple(raw.entries.values()), when)


def _selector(raw: RawRule, label: str, kinds: Kinds) -> Selector:
    data: Mapping[str, Any] = raw.data["select"]
    where = str(raw.selector_place)
    conditions = {key: value for key, value in data.items() if key != "all" and value}
    if "all" in data and conditions:
        raise UsageError(
            f"{label} combines `all: true` with other conditions: {', '.join(conditions)}",
            where=where,
            hint="remove `all: true` or the other conditions",
        )
    if not conditions and "all" not in data:
        raise UsageError(
            f"the selector of {label} is empty", where=where, hint="to select every workload, write `all: true`"
        )
    _require_known(conditions.get("kinds", ()), kinds.names(), "kind", where)
    _require_known(conditions.get("groups", ()), {group or CORE for group, _ in kinds.templates}, "group", where)
    return Selector(
        tuple(conditions.get("kinds", ())),
        tuple(conditions.get("groups", ())),
        tuple(conditions.get("names", ())),
        tuple(conditions.get("namespaces", ())),
        conditions.get("labels", {}),
        tuple(
            Expression(each["key"], each["operator"], tuple(each.get("values", ())))
            for each in conditions.get("matchExpressions", ())
        ),
        conditions.get("annotations", {}),
        tuple(conditions.get("containers", ())),
    )


def _require_known(globs: Iterable[str], known: Iterable[str], noun: str, where: str) -> None:
    known = sorted(known)
    for glob in globs:
        if not any(fnmatch.fnmatchcase(each, glob) for each in known):
            hint = did_you_mean(glob, known) if not _GLOB.search(glob) else ""
            listed = "declare custom kinds in spec.kinds" if noun == "kind" else f"known: {', '.join(known)}"
            raise UsageError(f'unknown {noun} "{glob}"', where=where, hint=hint or listed)


def version_matches(when: str, kube_version: str) -> bool:
    """Return True if a version satisfies a constraint such as ">=1.29 <1.33"; "" is satisfied by all."""
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
    """Return True if every condition of a selector holds for a workload."""
    return (
        _matches_any(workload.kind, selector.kinds)
        and _matches_any(workload.group or CORE, selector.groups)
        and _matches_any(workload.name, selector.names)
        and (not selector.namespaces or namespace_matches(workload.namespace, selector.namespaces))
        and _labels_match(selector, workload)
        and (
            not selector.annotations
            or _values_match(
                selector.annotations, {**get_own_metadata(workload, "annotations"), **workload.annotations}
            )
        )
        and all(
            any(c.role == "app" and fnmatchcase(c.name, glob) for c in workload.containers)
            for glob in selector.containers
        )
    )


def _matches_any(name: str, globs: tuple[str, ...]) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


def _labels_match(selector: Selector, workload: Workload) -> bool:
    if not selector.labels and not selector.expressions:
        return True
    labels = {**get_own_metadata(workload, "labels"), **as_mapping(workload.metadata.get("labels"))}
    return all(labels.get(key) == value for key, value in selector.labels.items()) and all(
        _expression_holds(each, labels) for each in selector.expressions
    )


def _expression_holds(expression: Expression, labels: Mapping[str, Any]) -> bool:
    # As in a Kubernetes label selector, NotIn holds for an absent label.
    present = expression.key in labels
    among = present and labels[expression.key] in expression.values
    return {"In": among, "NotIn": not among, "Exists": present, "DoesNotExist": not present}[expression.operator]


def _values_match(globs: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    return all(key in values and fnmatchcase(str(values[key]), glob) for key, glob in globs.items())
