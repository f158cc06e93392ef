"""Read a file with a composition: validate it, and convert it to layers with the places of its parts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sidecarctl import limits
from sidecarctl.catalog.sidecar import find_format_problems
from sidecarctl.composition.layers import Layer, RawRule, SidecarEntry
from sidecarctl.errors import InputError, UsageError, did_you_mean
from sidecarctl.files.patterns import Exclude
from sidecarctl.files.sources import decode
from sidecarctl.findings import PathTuple, Place
from sidecarctl.kube.kinds import GroupKind, Templates
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.stream import Document, split

_SHOWN = 5
_NO_COMPOSITION = "check the path: a composition contains `apiVersion: sidecarctl.dev/v1alpha1` and `kind: Composition`"
_COMPOSITION = lazy_pattern("^(?:[^#\n]*[{,])? *[\"']?kind[\"']?: *[\"']?Composition\\b", re.MULTILINE)
_KIND = lazy_pattern(r"[A-Za-z]{1,63}")
_API_VERSION = lazy_pattern("\\bapiVersion[\"']?: *[\"']?([^\\s\"',}]*)")


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
        if _looks_like_composition(text):
            raise
        # Another file: the message must not quote it.
        message = "the file is neither a composition nor valid YAML"
        raise InputError(message, where=problem.where, hint=_NO_COMPOSITION) from None
    return read_document(document, (), path.parent)


def _looks_like_composition(text: str) -> bool:
    """Return whether a text that cannot be parsed seems to be a composition. Crossplane has a kind of this name too."""
    version = _API_VERSION.search(text)
    return _COMPOSITION.search(text) is not None and version is not None and "sidecarctl" in version[1]


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
    kind, api_version = value.get("kind"), str(value.get("apiVersion", "sidecarctl"))
    if not api_version.startswith("sidecarctl.dev/") and not (kind == "Composition" and "sidecarctl" in api_version):
        raise UsageError("the file is not a composition", where=str(document.locate(path)), hint=_NO_COMPOSITION)
    if kind != "Composition":
        shown = f' "{kind}"' if isinstance(kind, str) and _KIND.fullmatch(kind) else ""
        raise UsageError(
            f"invalid kind{shown}: expected Composition" if "kind" in value else "missing kind: expected Composition",
            where=str(document.locate((*path, "kind") if "kind" in value else path)),
            hint=did_you_mean(str(kind), ["Composition"]) or "set `kind: Composition`, or check the path of the file",
        )
    problems = find_format_problems("composition", value)
    if problems:
        lines = [_format_problem(str(problem), problem.path) for problem in problems]
        more = f" (and {len(lines) - _SHOWN} more)" if len(lines) > _SHOWN else ""
        raise UsageError(
            "; ".join(lines[:_SHOWN]) + more,
            where=str(document.locate((*path, *problems[0].path), on_key=problems[0].on_key)),
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
