"""Kustomization files: which files they name as patches, values, generators, or configuration instead of resources."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Set
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sidecarctl.errors import InputError
from sidecarctl.files.patterns import absolute
from sidecarctl.files.sources import Stamp, decode, read_setting, stamp_of
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.skipped import KUSTOMIZATION, PATCH
from sidecarctl.yamltext.parse import SyntaxProblem, parse
from sidecarctl.yamltext.stream import Document, split

if TYPE_CHECKING:
    from sidecarctl.files.real_paths import RealPath

_Result = TypeVar("_Result")

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# Keys are compared without case, as kustomize does. The items of these are paths, or mappings with a path, of files that are
# not manifests.
_PATCHES = ("patches", "patchesstrategicmerge", "patchesjson6902")
_PLUGINS = ("transformers", "generators", "validators")
_SETTINGS = ("configurations", "crds", *_PLUGINS, "replacements")
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

    def resolve(self, real: RealPath) -> NamedFiles:
        """Return the files with their real paths."""
        return NamedFiles(*(frozenset(map(real, paths)) for paths in (self.resources, self.patches, self.others)))

    def describe(self, real: str) -> str:
        """Return PATCH, KUSTOMIZATION, or an empty string for the real path of a resource or of a file that is not named."""
        if real in self.resources:
            return ""
        if real in self.patches:
            return PATCH
        return KUSTOMIZATION if self.others and not self.others.isdisjoint(with_parents(real)) else ""


@dataclass(frozen=True)
class _Kustomization:
    """What a kustomization names, its path, and the files or directories with the configuration of its plugins."""

    named: NamedFiles = field(default_factory=NamedFiles)
    adds_selectors: bool = False
    plugins: frozenset[str] = frozenset()
    path: Path = field(default_factory=Path)


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
    labeled: set[str] = set()
    for each in read:
        if each.adds_selectors:
            labeled |= _find_included(each.named.resources, labeled, real)
    named = [each.named for each in read]
    named += (found for each in read if each.plugins for found in _read_plugins(each, real, is_left_out))
    return NamedFiles(
        frozenset[str]().union(*(each.resources for each in named)),
        frozenset[str]().union(*(each.patches for each in named)),
        frozenset[str]().union(*(each.others for each in named)),
        frozenset(labeled),
    )


def _read_plugins(
    kustomization: _Kustomization, real: RealPath, is_left_out: Callable[[Path], bool]
) -> Iterator[NamedFiles]:
    """Yield what the configuration files of plugins name. Raises InputError as `read_named_files` does."""
    for path in map(Path, _find_included(kustomization.plugins, set(), real)):
        try:
            if _is_there(path):
                yield _parse_now(path, _parse_plugins, kustomization.path.parent).resolve(real)
        except InputError:
            if not (is_left_out(path) or is_left_out(kustomization.path)):
                raise


def _find_included(resources: frozenset[str], known: Set[str], real: RealPath) -> set[str]:
    """Return resources that are not known, with those of the kustomizations that they include as directories."""
    found, read = set(resources - known), set[str]()
    pending = list(found)
    while pending and len(found) < _MOST_RESOURCES:
        path = pending.pop()
        # `os.path.isdir` is False, not an error, for a NUL and for a name that is too long.
        if path not in read and os.path.isdir(path):  # noqa: PTH112
            read.add(path)
            new = _read(Path(path), real, lambda _: True).named.resources - found - known
            found |= new
            pending += new
    return found


def _read(directory: Path, real: RealPath, is_left_out: Callable[[Path], bool]) -> _Kustomization:
    """Return the kustomization of a directory, an empty one without a file."""
    own = Path(real(str(absolute(directory))))  # kustomize takes relative paths from the real directory
    for name in FILE_NAMES:
        path = own / name
        if not _is_there(path):
            continue
        try:
            found = _parse_now(path, _parse, own)
            return replace(found, named=found.named.resolve(real), plugins=frozenset(map(real, found.plugins)))
        except InputError:
            if not is_left_out(directory / name):
                raise
    return _Kustomization()


def _parse_now(path: Path, parse_file: Callable[[Path, Stamp, Path], _Result], root: Path) -> _Result:
    """Return what a file names at this moment, relative to `root`. Raises InputError if it cannot be read."""
    try:
        return parse_file(path, stamp_of(path.stat()), root)
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
    except ValueError:  # a NUL
        return False
    except OSError as problem:
        return problem.errno != errno.ENAMETOOLONG


@lru_cache(maxsize=4096)
def _parse(path: Path, stamp: Stamp, root: Path) -> _Kustomization:
    """Return what a kustomization file names, before links are resolved. Kustomizations include each other.

    Raises OSError, InputError if it is too large or cannot be parsed.
    """
    value = _fold_keys(next(_documents(read_setting(path, _WAY_OUT), str(path)), {}))
    plugins = list(_items(value, _PLUGINS))
    inline = [_named_by_plugins(each.encode(), f"{path} (inline)", root) for each in plugins if _is_inline(each)]
    named = NamedFiles(
        _absolute(root, _items(value, ("resources", "bases", "components"))),
        _absolute(root, _items(value, _PATCHES)).union(*(each.patches for each in inline)),
        _absolute(root, _other_paths(value)).union(*(each.others for each in inline)),
    )
    return _Kustomization(named, _adds_selectors(value), _absolute(root, plugins), path)


@lru_cache(maxsize=4096)
def _parse_plugins(path: Path, stamp: Stamp, root: Path) -> NamedFiles:
    """Return what a file with the configuration of plugins names, before links are resolved. Raises as `_parse` does."""
    return _named_by_plugins(read_setting(path, _WAY_OUT), str(path), root)


def _named_by_plugins(data: bytes, name: str, root: Path) -> NamedFiles:
    """Return the files that plugins of kustomize name. kustomize takes them from the directory of the kustomization."""
    plugins = [_fold_keys(each) for each in _documents(data, name) if each.get("apiVersion") == "builtin"]
    patches = [
        name for each in plugins for name in (each.get("path"), *_list(each.get("paths"))) if isinstance(name, str)
    ]
    others = [
        name for each in plugins for name in (*_generated(each), *_values_files(each), *_items(each, ("replacements",)))
    ]
    return NamedFiles(patches=_absolute(root, patches), others=_absolute(root, others))


def _documents(data: bytes, name: str) -> Iterator[dict[str, Any]]:
    """Yield the documents of a text that are mappings. Raises InputError for a text that cannot be parsed."""
    try:
        values = [_value(document) for document in split(decode(data, name), name)]
    except InputError as problem:
        problem.message = f"cannot read kustomization, so its patches are unknown: {problem.message}"
        problem.hint = "; ".join(filter(None, (problem.hint, _WAY_OUT)))
        raise
    return (value for value in values if isinstance(value, dict))


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
    return bool(text) and "://" not in text and not _is_inline(text)


def _is_inline(text: str) -> bool:
    return "\n" in text or text.startswith(("{", "["))


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
