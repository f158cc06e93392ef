"""The files of a composition as layers: read, checked, followed through their includes, merged key by key.

Knows what may stand in a file and where it stands; what a rule means for a workload it refuses to know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from sidecarctl import limits
from sidecarctl.catalog.assignments import merge
from sidecarctl.catalog.json_schema import find_problems
from sidecarctl.catalog.sidecar import load_schema
from sidecarctl.errors import InputError, UsageError, did_you_mean
from sidecarctl.files.sources import decode
from sidecarctl.findings import PathTuple, Place
from sidecarctl.kube.kinds import GroupKind, Steps
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.yamltext.stream import Document, split

MAX_BYTES = limits.FILE.value
_SHOWN = 5


@dataclass(frozen=True)
class Wish:
    """A sidecar that a rule asks for. `data` is what the file says, `place` where, `keys` where each parameter stands."""

    data: Mapping[str, Any]
    place: Place
    keys: Mapping[str, Place] = field(default_factory=dict)

    @property
    def instance(self) -> str:
        """The instance name it asks for."""
        return str(self.data.get("as") or str(self.data["name"]).partition("@")[0])

    def under(self, over: Wish) -> Wish:
        """Return the wish with another on top, key by key."""
        return Wish(merge(self.data, over.data), over.place, {**self.keys, **over.keys})


@dataclass(frozen=True)
class RawRule:
    """A rule as a file states it; what a file leaves out another may say."""

    name: str
    place: Place
    data: Mapping[str, Any]
    wishes: Mapping[str, Wish] = field(default_factory=dict)
    selects: Place | None = None

    def under(self, over: RawRule) -> RawRule:
        """Return the rule with another on top: sidecars by instance name, everything else whole."""
        wishes = dict(self.wishes)
        for instance, wish in over.wishes.items():
            wishes[instance] = wishes[instance].under(wish) if instance in wishes else wish
        return RawRule(self.name, over.place, {**self.data, **over.data}, wishes, over.selects or self.selects)


@dataclass(frozen=True)
class Layer:
    """What a file, or an environment in it, says."""

    kube_version: str = ""
    kube_version_place: Place | None = None
    libraries: tuple[tuple[Path, Place], ...] = ()
    kinds: Mapping[GroupKind, Steps] = field(default_factory=dict)
    exclude_namespaces: tuple[str, ...] = ()
    defaults: Mapping[str, Wish] = field(default_factory=dict)
    rules: tuple[RawRule, ...] = ()

    def under(self, over: Layer) -> Layer:
        """Return the layer with another on top, key by key; excluded namespaces add up, its libraries come first."""
        defaults = dict(self.defaults)
        for name, wish in over.defaults.items():
            defaults[name] = defaults[name].under(wish) if name in defaults else wish
        rules = list(self.rules)
        for rule in over.rules:
            at = next((i for i, one in enumerate(rules) if rule.name and one.name == rule.name), None)
            if at is None:
                rules.append(rule)
            else:
                rules[at] = rules[at].under(rule)
        return replace(
            self,
            kube_version=over.kube_version or self.kube_version,
            kube_version_place=over.kube_version_place or self.kube_version_place,
            libraries=tuple(dict((*over.libraries, *self.libraries)).items()),
            kinds={**self.kinds, **over.kinds},
            exclude_namespaces=tuple(dict.fromkeys((*self.exclude_namespaces, *over.exclude_namespaces))),
            defaults=defaults,
            rules=tuple(rules),
        )


@dataclass(frozen=True)
class Stated:
    """One composition file, checked: its own layer, those of its environments, and the files that it includes."""

    name: str
    file: str
    value: Mapping[str, Any]
    layer: Layer
    environments: Mapping[str, Layer]
    includes: tuple[tuple[Path, Place], ...]
    place: Place


def read_file(path: Path) -> Stated:
    """Return the composition in a file. Raises InputError where it can't be read or is no YAML, UsageError for the rest."""
    name = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        raise InputError(
            f"the composition {name} can't be read: {problem.strerror or problem}", hint="check the path"
        ) from None
    if len(data) > MAX_BYTES:
        raise InputError(f"the composition {name} is larger than {MAX_BYTES >> 10} KiB", hint=limits.FILE.way_out)
    documents = [d for d in split(decode(data, name).removeprefix("\ufeff"), name) if d.value is not None]
    if len(documents) != 1:
        found = "is empty" if not documents else f"holds {len(documents)} documents"
        raise UsageError(
            f"the composition {found}",
            where=f"{name}:{documents[1].line + 1 if documents else 1}",
            hint="a file holds one composition; others are named in spec.include",
        )
    return read_document(documents[0], (), path.parent)


def read_document(document: Document, path: PathTuple, folder: Path) -> Stated:
    """Return the composition at a path of a document; paths in it run from `folder`. Raises UsageError with the place."""
    value: Any = document.value
    for step in path:
        value = value[step]
    _check(document, path, value)
    text = _Text(document, path, folder)
    spec: Mapping[str, Any] = value["spec"]
    return Stated(
        value["metadata"]["name"],
        document.file,
        value,
        text.layer(spec, ("spec",)),
        {name: text.layer(data, ("spec", "environments", name)) for name, data in spec.get("environments", {}).items()},
        tuple((folder / each, text.at("spec", "include", i)) for i, each in enumerate(spec.get("include", ()))),
        text.at("spec", "environments") if "environments" in spec else text.at("spec", on_key=True),
    )


def _check(document: Document, path: PathTuple, value: Any) -> None:
    if not isinstance(value, dict):
        # What else it is may be nobody's business: any file can be named.
        raise UsageError(
            "this is no composition: it is no mapping",
            where=str(document.locate(path)),
            hint="check the path of the file",
        )
    if value.get("kind") not in ("Composition", None):
        kind = value["kind"]
        raise UsageError(
            f"this is no composition: its kind is {kind}",
            where=str(document.locate((*path, "kind"))),
            hint=did_you_mean(str(kind), ["Composition"]) or "a composition has the kind Composition",
        )
    found = find_problems(load_schema("composition"), value)
    if found:
        lines = [_worded(str(problem), problem.path) for problem in found]
        more = f" (and {len(lines) - _SHOWN} more)" if len(lines) > _SHOWN else ""
        raise UsageError(
            "; ".join(lines[:_SHOWN]) + more,
            where=str(document.locate((*path, *found[0].path), on_key=found[0].on_key)),
            hint="`sidecarctl schema composition` prints what may stand in it",
        )


def _worded(text: str, path: Sequence[str | int]) -> str:
    """YAML reads 1.30 as the number 1.3: that deserves more than a type error."""
    return f"{text}; put it in quotes" if path and path[-1] == "kubeVersion" and "a number" in text else text


@dataclass(frozen=True)
class _Text:
    """A document with a composition at `path`; turns its parts into data that know their place."""

    document: Document
    path: PathTuple
    folder: Path

    def at(self, *steps: str | int, on_key: bool = False) -> Place:
        return self.document.locate((*self.path, *steps), on_key=on_key)

    def layer(self, data: Mapping[str, Any], at: PathTuple) -> Layer:
        version = data.get("kubeVersion", "")
        return Layer(
            version,
            self.at(*at, "kubeVersion") if version else None,
            tuple(
                (self.folder / each, self.at(*at, "libraries", i)) for i, each in enumerate(data.get("libraries", ()))
            ),
            {_group_kind(kind): tuple(path.split(".")) for kind, path in data.get("kinds", {}).items()},
            tuple(data.get("excludeNamespaces", ())),
            {
                name: self.wish({"name": name, **each}, (*at, "defaults", name), on_key=True)
                for name, each in data.get("defaults", {}).items()
            },
            tuple(self.rule(each, (*at, "rules", i)) for i, each in enumerate(data.get("rules", ()))),
        )

    def rule(self, data: Mapping[str, Any], at: PathTuple) -> RawRule:
        wishes: dict[str, Wish] = {}
        for index, each in enumerate(data.get("sidecars", ())):
            wish = self.wish({"name": each} if isinstance(each, str) else each, (*at, "sidecars", index))
            if wish.instance in wishes:
                raise UsageError(
                    f'the rule asks for the instance "{wish.instance}" twice',
                    where=str(wish.place),
                    hint="give one of them another name: `as: NAME`",
                )
            wishes[wish.instance] = wish
        rest = {key: value for key, value in data.items() if key not in ("name", "sidecars")}
        select = self.at(*at, "select", on_key=True) if "select" in data else None
        return RawRule(data.get("name", ""), self.at(*at), rest, wishes, select)

    def wish(self, data: Mapping[str, Any], at: PathTuple, *, on_key: bool = False) -> Wish:
        keys = {key: self.at(*at, "parameters", key, on_key=True) for key in data.get("parameters", {})}
        return Wish(data, self.at(*at, on_key=on_key), keys)


def _group_kind(text: str) -> GroupKind:
    group, _, kind = text.rpartition("/")
    return group, kind


def chain(first: Stated, path: Path | None) -> Iterator[Stated]:
    """Yield the files that a composition includes, each before who includes it and once, and then the composition itself.

    Raises UsageError for a circle, told as a chain, and for a file that is not there.
    """
    done: set[Path] = set()

    def follow(stated: Stated, above: tuple[Path, ...]) -> Iterator[Stated]:
        for target, place in stated.includes:
            real = target.resolve()
            if real in above:
                names = [_short(one) for one in (*above[above.index(real) :], real)]
                raise UsageError(
                    f"compositions include each other: {' -> '.join(names)}",
                    where=str(place),
                    hint="drop one of the includes",
                )
            if real in done:
                continue
            done.add(real)
            if not target.is_file():
                near = did_you_mean(target.name, _names(target.parent))
                raise UsageError(
                    f"there is no file {target}",
                    where=str(place),
                    hint=near or "includes run from the file they stand in",
                )
            yield from follow(read_file(target), (*above, real))
        yield stated

    yield from follow(first, (path.resolve(),) if path else ())


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
