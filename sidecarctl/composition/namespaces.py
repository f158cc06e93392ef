"""The inject annotations of the Namespaces of a run, as they apply to the workloads of one of its files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from sidecarctl.composition.annotations import INJECT, list_namespaces
from sidecarctl.composition.select import NamespaceConflict, Selection
from sidecarctl.files.patterns import absolute
from sidecarctl.kube.workload import may_hold
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.yamltext.stream import split_readable

Value = TypeVar("Value")
_SWITCHES = frozenset(("true", "false"))  # values that request no sidecar


@dataclass(frozen=True)
class FoundNamespace:
    """A Namespace of a run: its name, its inject annotation (None without one), and its file."""

    name: str
    inject: str | None
    file: str


def find_namespaces(texts: Sequence[tuple[str, str]]) -> tuple[FoundNamespace, ...]:
    """Return the Namespaces of files, given by name and text, whose name has an inject annotation in one of them."""
    if not any(_may_have_annotation(text) for _, text in texts):
        return ()
    found = [
        FoundNamespace(name, inject, file)
        for file, text in texts
        if "Namespace" in text
        for name, inject in list_namespaces(split_readable(text, file, []))
    ]
    annotated = {one.name for one in found if one.inject is not None}
    return tuple(one for one in found if one.name in annotated)


def _may_have_annotation(text: str) -> bool:
    return may_hold(text, INJECT) and "Namespace" in text


class NamespaceSelections:
    """A composition for each file of a run, with the inject annotations of the Namespaces nearest to the file."""

    def __init__(self, chosen: Selection, texts: Sequence[tuple[str, str]]) -> None:
        """Read the Namespaces of all files of the run, given by name and text."""
        self._chosen = chosen
        found = find_namespaces(texts)
        self._files = {one.file for one in found}
        by_name: dict[str, list[FoundNamespace]] = {}
        for one in found:
            by_name.setdefault(one.name, []).append(one)
        self._everywhere = {name: ones[0].inject for name, ones in by_name.items() if len(ones) == 1}
        self._places = {name: _Places.of(ones) for name, ones in by_name.items() if len(ones) > 1}
        self._names = frozenset(by_name)
        self._selections: dict[Path, Selection] = {}

    def select(self, file: str) -> Selection:
        """Return the composition as it applies to a file."""
        if not self._files:
            return self._chosen
        key = Path()
        if self._places:  # files of a directory have the same nearest Namespaces, except for those in the file itself
            key = absolute(Path(file)) if file in self._files else absolute(Path(file)).parent
        if key not in self._selections:
            self._selections[key] = self._make(file)
        return self._selections[key]

    def _make(self, file: str) -> Selection:
        def find_value(name: str) -> str | None:
            annotated = self._places[name].find_annotated(file) if name in self._places else {}
            return next(iter(annotated)) if len(annotated) == 1 else self._everywhere.get(name)

        def find_conflict(name: str) -> NamespaceConflict | None:
            annotated = self._places[name].find_annotated(file)
            if len(annotated) < 2:
                return None
            requests = not _SWITCHES.issuperset(annotated)
            return NamespaceConflict(tuple(sorted(set(annotated.values()))), requests=requests)

        return replace(
            self._chosen,
            namespaces=_FoundOnAccess(self._names, find_value),
            namespace_conflicts=_FoundOnAccess(self._places, find_conflict),
        )


class _FoundOnAccess(Mapping[str, Value]):
    """A mapping that finds its values on access: a file needs those of few Namespaces. `find` returns None for a missing one.

    True unless no name can have a value.
    """

    def __init__(self, names: Collection[str], find: Callable[[str], Value | None]) -> None:
        self._names = names
        self._find = find

    def __getitem__(self, name: str) -> Value:
        value = self._find(name) if name in self._names else None
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._names if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return bool(self._names)


@dataclass(frozen=True)
class _Places:
    """Where the Namespaces of one name are, by file, by directory, and by each directory above: the nearest ones there.

    A directory is the parts of its absolute path.
    """

    files: Mapping[str, list[FoundNamespace]]
    directories: Mapping[tuple[str, ...], list[FoundNamespace]]
    below: Mapping[tuple[str, ...], tuple[int, list[FoundNamespace]]]

    @staticmethod
    def of(namespaces: Iterable[FoundNamespace]) -> _Places:
        """Return the places of Namespaces of one name."""
        files: dict[str, list[FoundNamespace]] = {}
        directories: dict[tuple[str, ...], list[FoundNamespace]] = {}
        below: dict[tuple[str, ...], tuple[int, list[FoundNamespace]]] = {}
        for one in namespaces:
            parts = _directory(one.file)
            files.setdefault(one.file, []).append(one)
            directories.setdefault(parts, []).append(one)
            for depth in range(len(parts)):
                distance = len(parts) - depth
                least = below.get(parts[:depth], (distance + 1, []))[0]
                if distance < least:
                    below[parts[:depth]] = (distance, [one])
                elif distance == least:
                    below[parts[:depth]][1].append(one)
        return _Places(files, directories, below)

    def find_annotated(self, file: str) -> dict[str, str]:
        """Return the inject annotations of the nearest Namespaces of a file, each with a file that has it."""
        return {one.inject: one.file for one in self.find_nearest(file) if one.inject is not None}

    def find_nearest(self, file: str) -> list[FoundNamespace]:
        """Return the Namespaces in a file itself, else those whose directories share most with it and are least deep.

        A directory above is as near as one beside the next lower directory, and wins.
        """
        if file in self.files:
            return self.files[file]
        parts = _directory(file)
        for depth in range(len(parts), -1, -1):
            if parts[:depth] in self.directories:
                return self.directories[parts[:depth]]
            if parts[: depth + 1] in self.below and depth < len(parts):
                return self.below[parts[: depth + 1]][1]
        return self.below[()][1]


def _directory(file: str) -> tuple[str, ...]:
    return absolute(Path(file)).parent.parts
