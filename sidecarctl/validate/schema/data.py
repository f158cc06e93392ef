"""The Kubernetes schema data: which kinds exist in which version, and what fields they have. Judges nothing.

The data are made by tools/gen_schemas.py, whose docstring explains the format; types stay the words that
stand there. Lines are parsed when they are asked for, so a Deployment does not pay for what a Node looks
like.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import field
from functools import cache, cached_property, lru_cache
from typing import NamedTuple

from sidecarctl.files.sources import data_directory
from sidecarctl.kube.versions import NEWEST_MINOR, OLDEST_MINOR, minor
from sidecarctl.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Definition:
    """The fields of an object with their types, which are required, and the merge rules of those that are
    lists.
    """

    name: str
    fields: dict[str, str]
    required: tuple[str, ...] = ()
    lists: dict[str, str] = field(default_factory=dict)

    def merge_key(self, key: str) -> str:
        """Return the key by which a strategic merge matches the items of a list, "" where it replaces the
        list.
        """
        return self._list_rule(key).get("merge", "")

    def map_keys(self, key: str) -> tuple[str, ...]:
        """Return the keys that together must be unique in a list, () for lists that are no maps."""
        return tuple(filter(None, self._list_rule(key).get("keys", "").split(",")))

    def _list_rule(self, key: str) -> dict[str, str]:
        parts = (part.partition("=") for part in self.lists.get(key, "").split())
        return {name: value for name, _, value in parts}


class Span(NamedTuple):
    """The minor versions in which something exists, both ends included."""

    first: int
    last: int


class Schemas:
    """The schema of one Kubernetes version. Get it from `schemas`, which keeps it."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.minor = minor(version)
        self._definitions: dict[str, Definition | None] = {}

    @cached_property
    def kinds(self) -> dict[tuple[str, str], str]:
        """apiVersion and kind to the name of the definition, for what exists in this version."""
        own = self.minor
        rows = (line.split(" ") for line in _text("kinds.txt").splitlines())
        return {(row[0], row[1]): row[4] for row in rows if int(row[2]) <= own <= int(row[3])}

    def definition(self, name: str) -> Definition | None:
        """Return a definition by its name ("core.v1.Container"), None where this version has none of that
        name.
        """
        try:
            return self._definitions[name]
        except KeyError:
            text = self._workload_lines.get(name) or self._other_lines.get(name)
            found = _parsed(name, text) if text else None
            self._definitions[name] = found
            return found

    @cached_property
    def _workload_lines(self) -> dict[str, str]:
        return self._lines("workloads.txt")

    @cached_property
    def _other_lines(self) -> dict[str, str]:
        return self._lines("others.txt")

    def _lines(self, file: str) -> dict[str, str]:
        own = self.minor
        rows = (line.split(" ", 3) for line in _text(file).splitlines())
        return {row[0]: row[3] for row in rows if int(row[1]) <= own <= int(row[2])}


@cache
def schemas(version: str) -> Schemas:
    """Return the schema of a version ("1.34"), loaded once."""
    return Schemas(version)


@cache
def kind_spans() -> dict[tuple[str, str], Span]:
    """Return apiVersion and kind of everything built in, with the versions it exists in."""
    rows = (line.split(" ") for line in _text("kinds.txt").splitlines())
    return {(row[0], row[1]): Span(int(row[2]), int(row[3])) for row in rows}


@lru_cache(maxsize=256)
def field_span(name: str, key: str) -> Span | None:
    """Return in which known versions a definition has a field; None where none has. Read when something is
    wrong.
    """
    found = [
        span
        for file in ("workloads.txt", "others.txt")
        for own, span, text in _spans(file)
        if own == name and key in json.loads(text)["fields"]
    ]
    return Span(min(span.first for span in found), max(span.last for span in found)) if found else None


def since_text(span: Span) -> str:
    """Say in words since when and until when something exists, as far as the known versions tell."""
    since = f"exists since Kubernetes 1.{span.first}" if span.first > OLDEST_MINOR else ""
    until = f"is gone since Kubernetes 1.{span.last + 1}" if span.last < NEWEST_MINOR else ""
    return " and ".join(filter(None, (since, until)))


def _parsed(name: str, text: str) -> Definition:
    raw = json.loads(text)
    return Definition(name, raw["fields"], tuple(raw.get("required", ())), raw.get("lists", {}))


def _spans(file: str) -> Iterator[tuple[str, Span, str]]:
    """Yield name, versions and text of each line of a definitions file; the text is not parsed."""
    for line in _text(file).splitlines():
        name, first, last, text = line.split(" ", 3)
        yield name, Span(int(first), int(last)), text


@cache
def _text(file: str) -> str:
    return (data_directory("schemas") / "kubernetes" / file).read_bytes().decode()
