"""The Kubernetes schema data: the kinds of each version and their fields.

tools/gen_schemas.py generates the data and documents the format. Lines are parsed on first use, so that validating a
Deployment does not parse the definition of a Node.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache, cached_property, lru_cache

from sidecarctl.files.sources import data_directory
from sidecarctl.kube.versions import NEWEST_MINOR, OLDEST_MINOR, minor
from sidecarctl.lazy_dataclass import dataclass, field


@dataclass(frozen=True)
class Definition:
    """A definition: types of the fields, required fields, and merge rules of lists."""

    name: str
    fields: dict[str, str]
    required: tuple[str, ...] = ()
    lists: dict[str, str] = field(default_factory=dict)

    def merge_key(self, key: str) -> str:
        """Return the key by which a strategic merge matches list items, "" if it replaces the list."""
        return self._list_rule(key).get("merge", "")

    def map_keys(self, key: str) -> tuple[str, ...]:
        """Return the keys whose values together are unique in a list, () for other lists."""
        return tuple(filter(None, self._list_rule(key).get("keys", "").split(",")))

    def _list_rule(self, key: str) -> dict[str, str]:
        parts = (part.partition("=") for part in self.lists.get(key, "").split())
        return {name: value for name, _, value in parts}


@dataclass(frozen=True)
class MinorRange:
    """A range of minor versions, both ends included."""

    first: int
    last: int


class Schemas:
    """The schema of one Kubernetes version. Use `schemas`, which caches it."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.minor = minor(version)
        self._definitions: dict[str, Definition | None] = {}

    @cached_property
    def kinds(self) -> dict[tuple[str, str], str]:
        """The names of the definitions in this version, by apiVersion and kind."""
        own = self.minor
        rows = (line.split(" ") for line in _text("kinds.txt").splitlines())
        return {(row[0], row[1]): row[4] for row in rows if int(row[2]) <= own <= int(row[3])}

    def definition(self, name: str) -> Definition | None:
        """Return a definition by name ("core.v1.Container"), None if this version does not have it."""
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
    """Return the cached schema of a Kubernetes version ("1.34")."""
    return Schemas(version)


@cache
def kind_spans() -> dict[tuple[str, str], MinorRange]:
    """Return the minor versions of every built-in kind, by apiVersion and kind."""
    rows = (line.split(" ") for line in _text("kinds.txt").splitlines())
    return {(row[0], row[1]): MinorRange(int(row[2]), int(row[3])) for row in rows}


def field_span(name: str, key: str) -> MinorRange | None:
    """Return the minor versions in which a definition has a field, None if in no version."""
    return _field_spans(name).get(key)


@lru_cache(maxsize=64)
def _field_spans(name: str) -> dict[str, MinorRange]:
    """Return the minor versions of each field that a definition has in any version. Slow: for errors only."""
    found: dict[str, MinorRange] = {}
    for file in ("workloads.txt", "others.txt"):
        for own, span, text in _spans(file):
            for key in json.loads(text)["fields"] if own == name else ():
                known = found.get(key, span)
                found[key] = MinorRange(min(known.first, span.first), max(known.last, span.last))
    return found


def describe_range(span: MinorRange) -> str:
    """Return a description of a version range, such as "requires Kubernetes 1.29"."""
    since = f"requires Kubernetes 1.{span.first}" if span.first > OLDEST_MINOR else ""
    until = f"was removed in Kubernetes 1.{span.last + 1}" if span.last < NEWEST_MINOR else ""
    return " and ".join(filter(None, (since, until)))


def _parsed(name: str, text: str) -> Definition:
    raw = json.loads(text)
    return Definition(name, raw["fields"], tuple(raw.get("required", ())), raw.get("lists", {}))


def _spans(file: str) -> Iterator[tuple[str, MinorRange, str]]:
    """Yield name, minor versions, and unparsed text of each line in a definitions file."""
    for line in _text(file).splitlines():
        name, first, last, text = line.split(" ", 3)
        yield name, MinorRange(int(first), int(last)), text


@cache
def _text(file: str) -> str:
    return (data_directory("schemas") / "kubernetes" / file).read_bytes().decode()
