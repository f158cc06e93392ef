"""The inject annotations of the Namespaces of a run, as they apply to the workloads of one of its files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sidecarctl.composition.annotations import INJECT, list_namespaces
from sidecarctl.composition.select import Selection
from sidecarctl.files.patterns import absolute
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.yamltext.stream import split_readable


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
    return INJECT in text and "Namespace" in text


class NamespaceSelections:
    """A composition for each file of a run, with the inject annotations of the Namespaces nearest to the file."""

    def __init__(self, chosen: Selection, texts: Sequence[tuple[str, str]]) -> None:
        """Read the Namespaces of all files of the run, given by name and text."""
        self._chosen = chosen
        self._found = find_namespaces(texts)
        self._files = {one.file for one in self._found}
        self._selections: dict[Path, Selection] = {}

    def select(self, file: str) -> Selection:
        """Return the composition as it applies to a file."""
        if not self._found:
            return self._chosen
        # The files of a directory have the same nearest Namespaces, except for those in the file itself.
        key = absolute(Path(file)) if file in self._files else absolute(Path(file)).parent
        if key not in self._selections:
            self._selections[key] = self._make(file)
        return self._selections[key]

    def _make(self, file: str) -> Selection:
        values: dict[str, str] = {}
        conflicts: dict[str, str] = {}
        for name in dict.fromkeys(one.name for one in self._found):
            nearest = _find_nearest(file, [one for one in self._found if one.name == name])
            annotated = {one.inject: one.file for one in nearest if one.inject is not None}
            if len(annotated) > 1:
                conflicts[name] = " and ".join(sorted(set(annotated.values())))
            elif annotated:
                (values[name],) = annotated
        return replace(self._chosen, namespaces=values, namespace_conflicts=conflicts)


def _find_nearest(file: str, namespaces: Iterable[FoundNamespace]) -> list[FoundNamespace]:
    """Return the Namespaces in a file itself, else those whose directories are nearest to it."""
    by_distance: dict[tuple[int, ...], list[FoundNamespace]] = {}
    for one in namespaces:
        by_distance.setdefault(_distance(file, one.file), []).append(one)
    return by_distance[min(by_distance)]


def _distance(file: str, other: str) -> tuple[int, ...]:
    """Return how far another file is: by the directories that both share, then by those below the shared ones.

    A directory above `file` is as near as one beside the next lower directory, and wins.
    """
    if file == other:
        return ()  # less than any other
    own, parts = (absolute(Path(each)).parent.parts for each in (file, other))
    shared = next((at for at, (one, two) in enumerate(zip(own, parts)) if one != two), min(len(own), len(parts)))
    below = len(parts) - shared
    return (1 if below else 0) - shared, below
