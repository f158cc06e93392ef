"""Kustomization files: which files they name as patches, values, generators, or configuration instead of resources."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Set
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidecarctl.errors import InputError
from sidecarctl.files.patterns import absolute
from sidecarctl.files.sources import Stamp, decode, read_setting, stamp_of
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.skipped import KUSTOMIZATION, PATCH
from sidecarctl.yamltext.parse import SyntaxProblem, parse
from sidecarctl.yamltext.stream import Document, split

if TYPE_CHECKING:
    from sidecarctl.files.real_paths import RealPath

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# Keys are compared without case, as kustomize does. The items of these are paths, or mappings with a path, of files that are
# not manifests.
_PATCHES = ("patches", "patchesstrategicmerge", "patchesjson6902")
_SETTINGS = ("configurations", "crds", "transformers", "generators", "validators", "replacements")
_GENERATORS = ("configmapgenerator", "secretgenerator")
_MOST_RESOURCES = 10_000  # of one kustomization with all that it includes
_WAY_OUT = "to leave out its directory instead, use --exclude"
_CHARTS = ("helmcharts", "helmchartinflationgenerator")


@dataclass(frozen=True)
class NamedFiles:
    """The real paths that kustomizations name, by what they are: resources, patches, and other files.

    `labeled` are the resources of kustomizations that add labels to selectors.
    """

    resources: frozenset[str] = frozenset()
    patches: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    labeled: frozenset[str] = frozenset()

    def describe(self, real: str) -> str:
        """Return PATCH, KUSTOMIZATION, or an empty string for the real path of a resource or of a file that is not named."""
        if real in self.resources:
            return ""
        if real in self.patches:
            return PATCH
        return KUSTOMIZATION if self.others and not self.others.isdisjoint(with_parents(real)) else ""


def with_parents(path: str) -> Iterator[str]:
    """Yield an absolute path and those of the directories above it."""
    yield path
    yield from map(str, Path(path).parents)


def read_named_files(directories: Iterable[Path], real: RealPath, is_left_out: Callable[[Path], bool]) -> NamedFiles:
    """Return the files that the kustomizations of directories name; a directory without one names none.

    Raises InputError for a kustomization that cannot be read, unless it is left out: files that must not be edited would be
    taken for manifests.
    """
    read = [_read(each, real, is_left_out) for each in directories]
    named = [each for each, _ in read]
    labeled: set[str] = set()
    for each, adds_selectors in read:
        if adds_selectors:
            labeled |= _find_included(each.resources, labeled, real)
    return NamedFiles(
        frozenset[str]().union(*(each.resources for each in named)),
        frozenset[str]().union(*(each.patches for each in named)),
        frozenset[str]().union(*(each.others for each in named)),
        frozenset(labeled),
    )


def _find_included(resources: frozenset[str], known: Set[str], real: RealPath) -> set[str]:
    """Return resources that are not known, with those of the kustomizations that they include as directories."""
    found, read = set(resources - known), set[str]()
    pending = list(found)
    while pending and len(found) < _MOST_RESOURCES:
        path = pending.pop()
        # `os.path.isdir` is False, not an error, for a NUL and for a name that is too long.
        if path not in read and os.path.isdir(path):  # noqa: PTH112
            read.add(path)
            new = _read(Path(path), real, lambda _: True)[0].resources - found - known
            found |= new
            pending += new
    return found


def _read(directory: Path, real: RealPath, is_left_out: Callable[[Path], bool]) -> tuple[NamedFiles, bool]:
    """Return what the kustomization of a directory names, and whether it adds labels to selectors."""
    own = Path(real(str(absolute(directory))))  # kustomize takes relative paths from the real directory
    for name in FILE_NAMES:
        path = own / name
        if not _is_there(path):
            continue
        try:
            named, adds_selectors = _parse_now(path)
        except InputError:
            if is_left_out(directory / name):
                continue
            raise
        sets = (named.resources, named.patches, named.others)
        return NamedFiles(*(frozenset(map(real, paths)) for paths in sets)), adds_selectors
    return NamedFiles(), False


def _parse_now(path: Path) -> tuple[NamedFiles, bool]:
    """Return what a kustomization file names at this moment. Raises InputError if it cannot be read."""
    try:
        return _parse(path, stamp_of(path.stat()))
    except OSError as problem:
        raise InputError(
            f"cannot read {path}: {problem.strerror or problem}", hint="check its permissions; " + _WAY_OUT
        ) from None


def _is_there(path: Path) -> bool:
    """Return True for a file, and if that is unknown; False for a directory, pipe, or device, and if nothing is there."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return path.is_symlink()
    except OSError:
        return True


@lru_cache(maxsize=4096)
def _parse(path: Path, stamp: Stamp) -> tuple[NamedFiles, bool]:
    """Return what a kustomization file names, before links are resolved. Kustomizations include each other.

    Raises OSError, InputError if it is too large or cannot be parsed.
    """
    data = read_setting(path, _WAY_OUT)
    try:
        values = [_value(document) for document in split(decode(data, str(path)), str(path))]
    except InputError as problem:
        problem.message = f"cannot read kustomization, so its patches are unknown: {problem.message}"
        problem.hint = "; ".join(filter(None, (problem.hint, _WAY_OUT)))
        raise
    value = _fold_keys(next((one for one in values if isinstance(one, dict)), {}))
    named = NamedFiles(
        _absolute(path.parent, _items(value, ("resources", "bases", "components"))),
        _absolute(path.parent, _items(value, _PATCHES)),
        _absolute(path.parent, _other_paths(value)),
    )
    return named, _adds_selectors(value)


def _value(document: Document) -> object:
    """Return the value of a document. Of duplicate keys, the last one counts, as for kustomize. Raises InputError."""
    try:
        root = parse(document.text, last_wins=True)
    except SyntaxProblem:
        return document.value  # raises the error with its place
    return None if root is None else root.value


def _adds_selectors(value: dict[str, Any]) -> bool:
    """Return True if a kustomization adds its labels to selectors."""
    return bool(value.get("commonlabels")) or any(one.get("includeselectors") for one in _mappings(value.get("labels")))


def _absolute(directory: Path, names: Iterable[str]) -> frozenset[str]:
    return frozenset(str(absolute(directory / name)) for name in names if _is_path(name))


def _is_path(text: str) -> bool:
    """Return True for a path, as opposed to an inline document or a URL."""
    return bool(text) and "\n" not in text and "://" not in text and not text.startswith(("{", "["))


def _items(value: dict[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        for item in _list(value.get(key)):
            path = _fold_keys(item).get("path") if isinstance(item, dict) else item
            if isinstance(path, str):
                yield path


def _other_paths(value: dict[str, Any]) -> Iterator[str]:
    yield from _items(value, _SETTINGS)
    openapi = value.get("openapi")
    path = _fold_keys(openapi).get("path") if isinstance(openapi, dict) else None
    if isinstance(path, str):
        yield path
    for key in _GENERATORS:
        for generator in _mappings(value.get(key)):
            yield from _generated(generator)
    for key in _CHARTS:
        for chart in _mappings(value.get(key)):
            yield from _values_files(chart)


def _generated(generator: dict[str, Any]) -> Iterator[str]:
    """Yield the files of a generator of ConfigMaps or Secrets."""
    for text in (*_list(generator.get("files")), *_list(generator.get("envs")), generator.get("env")):
        if isinstance(text, str):
            yield text.rpartition("=")[2]


def _values_files(chart: dict[str, Any]) -> Iterator[str]:
    """Yield the files with values of a Helm chart."""
    for text in (chart.get("valuesfile"), chart.get("values"), *_list(chart.get("additionalvaluesfiles"))):
        if isinstance(text, str):
            yield text


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mappings(value: object) -> Iterator[dict[str, Any]]:
    return (_fold_keys(item) for item in _list(value) if isinstance(item, dict))


def _fold_keys(value: dict[Any, Any]) -> dict[str, Any]:
    """Return a mapping with its keys without case. Of keys that differ in case, the last in alphabetical order counts, as in Go."""
    return {key.casefold(): value[key] for key in sorted(filter(lambda key: isinstance(key, str), value))}
