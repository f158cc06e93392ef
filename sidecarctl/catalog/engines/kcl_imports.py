"""Reject imports that give a KCL template more than the files of its sidecar and harmless modules.

KCL itself resolves an import: a path that ends up as the name of one of its modules is that module, even if the sidecar has
such a file. So imports are checked twice: in each file before KCL opens the next one, and as KCL resolves the whole program.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sidecarctl.catalog.engines.kcl_tree import TemplateError, parse, place_of, walk

# KCL modules without access to the system and with deterministic results.
ALLOWED = ("base64", "collection", "json", "math", "regex", "units", "yaml")
# Other modules of KCL 0.13. A module that is not listed is rejected too, because it has no files.
SYSTEM = ("base32", "crypto", "datetime", "file", "kcl_plugin", "manifests", "net", "runtime", "template")


def load_checked(api: Any, template: Path, folder: Path, modules: dict[str, Path]) -> dict[Path, Any]:
    """Return the syntax trees of a template and of all files that it imports. Raises TemplateError for an unsafe import."""
    waiting, trees = [template], dict[Path, Any]()
    while waiting:
        file = waiting.pop()
        if file in trees:
            continue
        trees[file] = parse(api, file)
        for node in _find_imports(trees[file]):
            waiting += _find_files(node, file, folder, modules)
    _check_resolved(api, template, modules, {os.path.realpath(file) for file in trees})
    return trees


def stamp(folder: Path, files: Iterable[Path]) -> tuple[object, ...]:
    """Return a value that changes if a file does, or if KCL could find another file for an import."""
    inside = {parent for file in files for parent in file.parents if parent.is_relative_to(folder)}
    states = [path.stat() for path in sorted({*files, *inside})]
    roots = [(parent / "kcl.mod").exists() for parent in folder.parents]
    return (*((state.st_mtime_ns, state.st_ctime_ns, state.st_size) for state in states), *roots)


def _find_imports(tree: Any) -> list[dict[str, Any]]:
    """Return the imports of a file by position, also those in a block, which KCL parses and ignores."""
    found = [node for node in walk(tree) if node.get("type") == "Import"]
    return sorted(found, key=lambda node: (node["path"]["line"], node["path"]["column"]))


def _find_files(node: dict[str, Any], file: Path, folder: Path, modules: dict[str, Path]) -> list[Path]:
    """Return the files that an import can lead to; none for a module of KCL that is allowed."""
    raw = node["rawpath"]
    dots = len(raw) - len(raw.lstrip("."))
    first, *rest = raw.lstrip(".").split(".")
    if not dots and first not in modules:
        if raw in ALLOWED:
            return []
        allowed = f"files of the sidecar (.name), modules of spec.modules, and {', '.join(ALLOWED)}"
        raise _refusal(node, file, f"allowed: {allowed}", mark=";")
    if system := _find_system_name(first, *rest):
        raise _refusal(node, file, _describe(system, raw))
    base = modules[first] if not dots else file.parent
    for _ in range(dots - 1):
        base = base.parent
    target = base.joinpath(*(rest if not dots else [first, *rest]))
    found = [target.with_name(f"{target.name}.k")] if target.with_name(f"{target.name}.k").is_file() else []
    found += sorted(target.glob("*.k")) if target.is_dir() else []
    inside = folder.resolve()
    if not target.resolve().is_relative_to(inside) or any(not each.resolve().is_relative_to(inside) for each in found):
        raise _refusal(node, file, "it is outside the sidecar directory")
    if not found:
        raise _refusal(node, file, "the sidecar has no such file")
    return found


def _check_resolved(api: Any, template: Path, modules: dict[str, Path], checked: set[str]) -> None:
    """Reject a program in which KCL resolves an import to anything but checked files and allowed modules."""
    packages = [api.ExternalPkg(pkg_name=name, pkg_path=str(path)) for name, path in modules.items()]
    result = api.API().parse_program(api.ParseProgramArgs(paths=[str(template)], external_pkgs=packages))
    program = json.loads(result.ast_json)["pkgs"]
    loaded = [file for files in program.values() for file in files]
    for tree in loaded:
        file = Path(tree["filename"])
        if os.path.realpath(file) not in checked:
            raise TemplateError(f'import of "{file.name}" is not allowed: KCL finds another file', str(file), "refused")
        for node in _find_imports(tree):
            if node["rawpath"] in ALLOWED and node["rawpath"] not in modules:
                continue
            resolved = node["path"]["node"]
            system = _find_system_name(*resolved.split("."))
            if system or not program.get(resolved):
                raise _refusal(node, file, _describe(system or resolved, node["rawpath"]))


def _find_system_name(*names: str) -> str:
    """Return the first or last name of a path if KCL has a module of that name, or "".

    The last one, because the path can start in another directory than expected: where a kcl.mod is.
    """
    return next((name for name in (names[0], names[-1]) if name in ALLOWED or name in SYSTEM), "")


def _describe(system: str, raw: str) -> str:
    return "it is a module of KCL" if system == raw else f'"{system}" is a module of KCL'


def _refusal(node: dict[str, Any], file: Path, reason: str, mark: str = ":") -> TemplateError:
    return TemplateError(
        f'import of "{node["rawpath"]}" is not allowed{mark} {reason}', place_of(file, node), "refused"
    )
