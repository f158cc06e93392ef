"""The files of a composition as layers: read, validated, resolved through their includes, and merged key by key."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from sidecarctl import limits
from sidecarctl.catalog.assignments import merge
from sidecarctl.catalog.sidecar import find_format_problems
from sidecarctl.errors import InputError, UsageError, did_you_mean
from sidecarctl.files.patterns import Exclude
from sidecarctl.files.sources import decode
from sidecarctl.findings import PathTuple, Place
from sidecarctl.kube.kinds import GroupKind, Templates
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.stream import Document, split

# The name in `defaults` that stands for all sidecars.
EVERY_SIDECAR = "*"
_SHOWN = 5
_MOST_MERGES = 10_000  # of rules of one name in two layers
_NO_COMPOSITION = "check the path: a composition contains `kind: Composition`"
_COMPOSITION = lazy_pattern("kind[\"']?: *[\"']?Composition")


@dataclass(frozen=True)
class SidecarEntry:
    """A sidecar in a rule or in the defaults: its data, its place, and the places of its parameters by name."""

    data: Mapping[str, Any]
    place: Place
    keys: Mapping[str, Place] = field(default_factory=dict)

    @property
    def instance(self) -> str:
        """The instance name."""
        return str(self.data.get("as") or str(self.data["name"]).partition("@")[0])

    def overlay(self, over: SidecarEntry) -> SidecarEntry:
        """Return the entry with another one merged over it, key by key."""
        data = merge(self.data, over.data)
        if "position" in over.data:
            data["position"] = over.data["position"]  # before and after exclude each other
        return SidecarEntry(data, over.place, {**self.keys, **over.keys})


@dataclass(frozen=True)
class RawRule:
    """A rule of one file. Another file may supply the missing fields."""

    name: str
    place: Place
    data: Mapping[str, Any]
    entries: Mapping[str, SidecarEntry] = field(default_factory=dict)
    selector_place: Place | None = None

    def overlay(self, over: RawRule) -> RawRule:
        """Return the rule with another one merged over it: sidecars by instance name, other fields replaced."""
        entries = dict(self.entries)
        for instance, entry in over.entries.items():
            entries[instance] = entries[instance].overlay(entry) if instance in entries else entry
        return RawRule(
            self.name, over.place, {**self.data, **over.data}, entries, over.selector_place or self.selector_place
        )


@dataclass(frozen=True)
class Layer:
    """The content of a file, or of an environment in it. None is not set: a later layer can set false or an empty list."""

    kube_version: str = ""
    kube_version_place: Place | None = None
    libraries: tuple[tuple[Path, Place], ...] = ()
    kinds: Mapping[GroupKind, Templates] = field(default_factory=dict)
    manifests: tuple[str, ...] | None = None
    exclude: tuple[Exclude, ...] = ()
    exclude_namespaces: tuple[str, ...] = ()
    defaults: Mapping[str, SidecarEntry] = field(default_factory=dict)
    rules: tuple[RawRule, ...] = ()
    on_conflict: str = ""
    enforce: bool | None = None
    retarget: bool | None = None

    def overlay(self, over: Layer) -> Layer:
        """Return the layer with another one merged over it, key by key.

        Excluded namespaces and paths are added, and the libraries of `over` come first.
        """
        defaults = dict(self.defaults)
        for name, entry in over.defaults.items():
            defaults[name] = defaults[name].overlay(entry) if name in defaults else entry
        return replace(
            self,
            kube_version=over.kube_version or self.kube_version,
            kube_version_place=over.kube_version_place or self.kube_version_place,
            libraries=tuple(dict((*over.libraries, *self.libraries)).items()),
            kinds={**self.kinds, **over.kinds},
            manifests=self.manifests if over.manifests is None else over.manifests,
            exclude=tuple(dict.fromkeys((*self.exclude, *over.exclude))),
            exclude_namespaces=tuple(dict.fromkeys((*self.exclude_namespaces, *over.exclude_namespaces))),
            defaults=defaults,
            rules=_overlay_rules(self.rules, over.rules),
            on_conflict=over.on_conflict or self.on_conflict,
            enforce=over._sets_enforce(self.enforce),
            retarget=self.retarget if over.retarget is None else over.retarget,
        )

    def _sets_enforce(self, before: bool | None) -> bool | None:
        """Return whether edits are overwritten after this layer: its own value, no if it chooses another policy, or as before."""
        if self.enforce is None and self.on_conflict:
            return False
        return before if self.enforce is None else self.enforce


def _overlay_rules(under: Sequence[RawRule], over: Sequence[RawRule]) -> tuple[RawRule, ...]:
    """Return the rules of a layer with those of another one merged over them by name; rules with a new name or none are added.

    Each rule of `under` gets all of `over` with its name, so raises UsageError if both have a name many times.
    """
    named: dict[str, list[RawRule]] = {rule.name: [] for rule in under if rule.name}
    for rule in over:
        if rule.name in named:
            named[rule.name].append(rule)
    merges: dict[str, int] = {}
    rules: list[RawRule] = []
    for rule in under:
        changes = named.get(rule.name, [])
        merges[rule.name] = merges.get(rule.name, 0) + len(changes)
        if merges[rule.name] > _MOST_MERGES:
            raise UsageError(
                f'the name "{rule.name}" is used by too many rules that are merged with each other',
                where=str(changes[0].place),
                hint="give the rules of a file different names",
            )
        rules.append(reduce(RawRule.overlay, changes, rule))
    return (*rules, *(rule for rule in over if rule.name not in named))


@dataclass(frozen=True)
class CompositionFile:
    """A valid composition file: its layer, the layers of its environments, and its includes."""

    name: str
    file: str
    value: Mapping[str, Any]
    layer: Layer
    environments: Mapping[str, Layer]
    includes: tuple[tuple[Path, Place], ...]
    place: Place

    @property
    def severities(self) -> Mapping[str, Any]:
        """The severities in `spec.validate.rules` by rule name, unchecked."""
        return (self.value["spec"].get("validate") or {}).get("rules") or {}


def read_file(path: Path) -> CompositionFile:
    """Read a composition file. Raises InputError for an unreadable file or invalid YAML, UsageError for any other error."""
    name, limit = str(path), limits.FILE.value
    try:
        with path.open("rb") as stream:
            data = limits.read_at_most(stream, limit + 1)
    except OSError as problem:
        raise InputError(
            f"cannot read composition {name}: {problem.strerror or problem}", hint="check the path"
        ) from None
    if len(data) > limit:
        raise InputError(f"composition {name} is larger than {limit >> 10} KiB", hint=limits.FILE.way_out)
    text = decode(data, name).removeprefix("\ufeff")
    try:
        document = choose_document(split(text, name), name)
    except InputError as problem:
        if _COMPOSITION.search(text):
            raise
        # Another file: the message must not quote it.
        message = "the file is neither a composition nor valid YAML"
        raise InputError(message, where=problem.where, hint=_NO_COMPOSITION) from None
    return read_document(document, (), path.parent)


def choose_document(documents: Iterable[Document], name: str) -> Document:
    """Return the only document of a file that has a value.

    Raises InputError for invalid YAML, UsageError with a place if none or several have a value.
    """
    found = [each for each in documents if each.value is not None]
    if len(found) != 1:
        raise UsageError(
            f"expected one composition, got {len(found)} documents" if found else "the composition is empty",
            where=f"{name}:{found[1].line + 1 if found else 1}",
            hint="write one composition per file, and list other files in `spec.include`",
        )
    return found[0]


def read_document(document: Document, path: PathTuple, directory: Path) -> CompositionFile:
    """Read the composition at a path of a document. Paths in it are relative to `directory`. Raises UsageError with a place."""
    value: Any = document.value
    for step in path:
        value = value[step]
    _validate(document, path, value)
    reader = _Reader(document, path, directory)
    spec: Mapping[str, Any] = value["spec"]
    return CompositionFile(
        value["metadata"]["name"],
        document.file,
        value,
        reader.layer(spec, ("spec",)),
        {
            name: reader.layer(data, ("spec", "environments", name))
            for name, data in spec.get("environments", {}).items()
        },
        tuple((directory / each, reader.at("spec", "include", i)) for i, each in enumerate(spec.get("include", ()))),
        reader.at("spec", "environments") if "environments" in spec else reader.at("spec", on_key=True),
    )


def _validate(document: Document, path: PathTuple, value: Any) -> None:
    if not isinstance(value, dict):
        # Do not print the content: the path may name any file, even a secret one.
        raise UsageError(
            "invalid composition: expected a mapping",
            where=str(document.locate(path)),
            hint="check the path of the file",
        )
    kind = value.get("kind")
    if kind != "Composition" and not str(value.get("apiVersion")).startswith("sidecarctl.dev/"):
        raise UsageError("the file is not a composition", where=str(document.locate(path)), hint=_NO_COMPOSITION)
    if kind not in ("Composition", None):
        raise UsageError(
            f'invalid kind "{kind}": expected Composition',
            where=str(document.locate((*path, "kind"))),
            hint=did_you_mean(str(kind), ["Composition"]) or "set `kind: Composition`, or check the path of the file",
        )
    found = find_format_problems("composition", value)
    if found:
        lines = [_format_problem(str(problem), problem.path) for problem in found]
        more = f" (and {len(lines) - _SHOWN} more)" if len(lines) > _SHOWN else ""
        raise UsageError(
            "; ".join(lines[:_SHOWN]) + more,
            where=str(document.locate((*path, *found[0].path), on_key=found[0].on_key)),
            hint="`sidecarctl schema composition` prints the schema",
        )


def _format_problem(text: str, path: Sequence[str | int]) -> str:
    # YAML reads an unquoted 1.30 as the number 1.3.
    return f"{text}; put it in quotes" if path and path[-1] == "kubeVersion" and "a number" in text else text


@dataclass(frozen=True)
class _Reader:
    """A document with a composition at `path`. Converts its parts to data with places."""

    document: Document
    path: PathTuple
    directory: Path

    def at(self, *steps: str | int, on_key: bool = False) -> Place:
        return self.document.locate((*self.path, *steps), on_key=on_key)

    def layer(self, data: Mapping[str, Any], at: PathTuple) -> Layer:
        version = data.get("kubeVersion", "")
        return Layer(
            version,
            self.at(*at, "kubeVersion") if version else None,
            tuple(
                (self.directory / each, self.at(*at, "libraries", i))
                for i, each in enumerate(data.get("libraries", ()))
            ),
            {_group_kind(kind): _template_paths(paths) for kind, paths in data.get("kinds", {}).items()},
            tuple(_relative(self.directory / each) for each in data["manifests"]) if "manifests" in data else None,
            tuple(Exclude(each, self.directory) for each in data.get("exclude", ())),
            tuple(data.get("excludeNamespaces", ())),
            {
                name: self.entry({"name": name, **each}, (*at, "defaults", name), on_key=True)
                for name, each in data.get("defaults", {}).items()
            },
            tuple(self.rule(each, (*at, "rules", i)) for i, each in enumerate(data.get("rules", ()))),
            on_conflict=data.get("onConflict", ""),
            enforce=data.get("enforce"),
            retarget=data.get("retarget"),
        )

    def rule(self, data: Mapping[str, Any], at: PathTuple) -> RawRule:
        entries: dict[str, SidecarEntry] = {}
        for index, each in enumerate(data.get("sidecars", ())):
            entry = self.entry({"name": each} if isinstance(each, str) else each, (*at, "sidecars", index))
            if entry.instance in entries:
                raise UsageError(
                    f'duplicate instance "{entry.instance}" in the rule',
                    where=str(entry.place),
                    hint="give one of them another name: `as: NAME`",
                )
            entries[entry.instance] = entry
        rest = {key: value for key, value in data.items() if key not in ("name", "sidecars")}
        select = self.at(*at, "select", on_key=True) if "select" in data else None
        return RawRule(data.get("name", ""), self.at(*at), rest, entries, select)

    def entry(self, data: Mapping[str, Any], at: PathTuple, *, on_key: bool = False) -> SidecarEntry:
        keys = {key: self.at(*at, "parameters", key, on_key=True) for key in data.get("parameters", {})}
        return SidecarEntry(data, self.at(*at, on_key=on_key), keys)


def _template_paths(paths: str | Sequence[str]) -> Templates:
    listed = [paths] if isinstance(paths, str) else paths
    return tuple(tuple(path.split(".")) for path in listed)


def _relative(path: Path) -> str:
    """Return a path relative to the working directory, as messages show it."""
    if path.is_absolute():
        return str(path)
    relative = os.path.relpath(path)
    return relative if relative != "-" else f".{os.sep}-"  # a file of this name, not stdin


def _group_kind(text: str) -> GroupKind:
    group, _, kind = text.rpartition("/")
    return group, kind
