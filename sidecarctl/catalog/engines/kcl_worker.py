"""Worker process for KCL: reads one request per line from stdin and writes one answer per line to stdout.

The KCL runtime can access files and crash, so templates are checked before they run, without environment variables, write
access, or unlimited time.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

# KCL modules without access to the system and with deterministic results.
ALLOWED = ("base64", "collection", "json", "math", "regex", "units", "yaml")
_PLUGINS = "kcl_plugin"
_LONGEST_MESSAGE = 2_000
_SPLIT_INPUTS = ("workload", "kube")
# Inputs that differ for each workload; if a template only prints them, they are inserted after rendering.
_WRITABLE = ("companion", "workload.name", "workload.namespace")
_Checked = dict[tuple[str, int], "dict[str, list[str]] | None"]


class _TemplateError(Exception):
    """An invalid or unsafe template: message, and `file:line:column`."""

    def __init__(self, message: str, where: str = "", kind: str = "error") -> None:
        super().__init__(message)
        self.where = where
        self.kind = kind


def main() -> None:
    """Answer requests until stdin ends. Arguments: the limits of seconds and characters per answer, and of MiB."""
    seconds, max_characters, max_memory = map(int, sys.argv[1:4])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    import kcl_lib.api as api

    _set_limits(max_memory << 20)
    checked: _Checked = {}
    with open(os.devnull, "w") as nowhere:
        for line in sys.stdin:
            faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
            answer = _answer(api, json.loads(line), checked, max_characters)
            faulthandler.cancel_dump_traceback_later()
            print(json.dumps(answer), file=answers, flush=True)


def _set_limits(max_memory: int) -> None:
    """Forbid writing files and core dumps, and limit memory, if the system supports it."""
    try:
        import resource
    except ImportError:
        return
    limits = ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_DATA, max_memory))
    for what, value in limits:
        with suppress(OSError, ValueError):
            resource.setrlimit(what, (value, value))


def _answer(api: Any, request: dict[str, Any], checked: _Checked, max_characters: int) -> dict[str, Any]:
    template, folder = Path(request["template"]), Path(request["folder"])
    modules = {name: Path(path) for name, path in request["modules"].items()}
    try:
        key = (str(template), template.stat().st_mtime_ns)
        if key not in checked:
            checked[key] = _check_template(api, template, folder, modules)
        if "input" not in request:
            return {"uses": checked[key]}
        text = _run(api, template, modules, request["input"])
        if len(text) > max_characters:
            return {"error": f"output too large (limit: {max_characters:,} characters)", "where": "", "kind": "large"}
        return {"value": json.loads(text) if text.strip() else None}
    except _TemplateError as refused:
        return {"error": str(refused), "where": refused.where, "kind": refused.kind}
    except Exception as error:  # the runtime raises bare exceptions for compile errors
        message, where = _parse_report(str(error))
        return {"error": message, "where": where, "kind": "error"}


def _run(api: Any, template: Path, modules: dict[str, Path], data: Any) -> str:
    result = api.API().exec_program(
        api.ExecProgramArgs(
            work_dir=str(template.parent),
            k_filename_list=[str(template)],
            args=[api.Argument(name="input", value=json.dumps(data))],
            external_pkgs=[api.ExternalPkg(pkg_name=name, pkg_path=str(path)) for name, path in modules.items()],
            disable_none=True,
            disable_yaml_result=True,
        )
    )
    if result.err_message:
        raise _TemplateError(*_parse_report(result.err_message))
    return str(result.json_result)


def _check_template(api: Any, template: Path, folder: Path, modules: dict[str, Path]) -> dict[str, list[str]] | None:
    """Reject unsafe templates. Return the inputs that the template inspects or only prints, or None if unknown."""
    waiting, seen, options = [template], set(), 0
    uses: dict[str, list[str]] | None = None
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        tree = _parse(api, file)
        nodes = list(_walk(tree))
        for node in nodes:
            kind = node.get("type")
            if kind == "Import":
                _refuse_system_module(api, node, file, modules)
                waiting += _resolve_import(node, file, folder, modules)
            elif kind in ("Identifier", "Selector") and any("to_file" in name for name in _names(node)):
                raise _TemplateError("writing files is not allowed", _place(file, node), "refused")
        options += sum(1 for node in nodes if node.get("type") == "Identifier" and _names(node) == ["option"])
        if file == template:
            uses = _find_uses(tree, nodes)
    return uses if options == 1 else None


def _parse(api: Any, file: Path) -> Any:
    result = api.API().parse_file(api.ParseFileArgs(path=str(file)))
    for error in result.errors:
        if "Syntax" in error.code:
            message = error.messages[0]
            raise _TemplateError(
                message.msg, f"{message.pos.filename or file}:{message.pos.line}:{message.pos.column + 1}"
            )
    return json.loads(result.ast_json)


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    stack = [node]
    while stack:
        here = stack.pop()
        if isinstance(here, dict):
            yield here
            stack.extend(here.values())
        elif isinstance(here, list):
            stack.extend(here)


def _names(node: dict[str, Any]) -> list[str]:
    found = node.get("names") or node.get("attr", {}).get("node", {}).get("names") or []
    return [each["node"] for each in found]


def _place(file: Path, node: dict[str, Any]) -> str:
    spot = node.get("path") or (node.get("names") or node.get("attr", {}).get("node", {}).get("names") or [{}])[0]
    return f"{file}:{spot.get('line', 1)}:{spot.get('column', 0) + 1}"


def _refuse_system_module(api: Any, node: dict[str, Any], file: Path, modules: dict[str, Path]) -> None:
    """Reject a module of spec.modules that has the name of a module of KCL: KCL would import its own, such as `file`."""
    name = node["rawpath"].split(".")[0]
    if name not in modules:
        return
    nowhere = str(Path(api.__file__).parent)  # has no KCL files
    args = api.ExecProgramArgs(work_dir=nowhere, k_filename_list=["x.k"], k_code_list=[f"import {name}\n"])
    try:
        found = not api.API().exec_program(args).err_message
    except Exception:  # the runtime raises bare exceptions for compile errors
        found = False
    if found or name == _PLUGINS:
        raise _TemplateError(f'import of "{name}" is not allowed: it is a module of KCL', _place(file, node), "refused")


def _resolve_import(node: dict[str, Any], file: Path, folder: Path, modules: dict[str, Path]) -> list[Path]:
    """Return the files of an import. Reject imports from outside the entry."""
    raw = node["rawpath"]
    dots = len(raw) - len(raw.lstrip("."))
    first, *rest = raw.lstrip(".").split(".")
    where = _place(file, node)
    if not dots and first not in modules:
        if raw in ALLOWED:
            return []
        allowed = f"files of the sidecar (.name), modules of spec.modules, and {', '.join(ALLOWED)}"
        raise _TemplateError(f'import of "{raw}" is not allowed; allowed: {allowed}', where, "refused")
    base = modules[first] if not dots else file.parent
    for _ in range(dots - 1):
        base = base.parent
    target = base.joinpath(*(rest if not dots else [first, *rest]))
    found = [target.with_name(f"{target.name}.k")] if target.with_name(f"{target.name}.k").is_file() else []
    found += sorted(target.glob("*.k")) if target.is_dir() else []
    inside = folder.resolve()
    if not target.resolve().is_relative_to(inside) or any(not each.resolve().is_relative_to(inside) for each in found):
        raise _TemplateError(f'import of "{raw}" is not allowed: it is outside the sidecar directory', where, "refused")
    return found


def _find_uses(tree: dict[str, Any], nodes: list[dict[str, Any]]) -> dict[str, list[str]] | None:
    """Return the fields that are read from the variable of `option("input")`: inspected, or only printed."""
    variables = [
        node["targets"][0]["node"]["name"]["node"]
        for node in nodes
        if node.get("type") == "Assign" and len(node.get("targets", ())) == 1 and _is_option(node["value"]["node"])
    ]
    if len(variables) != 1:
        return None
    uses = set()
    for node in nodes:
        names = _names(node) if node.get("type") == "Identifier" else []
        if names and names[0] == variables[0]:
            if len(names) == 1 or (names[1] in _SPLIT_INPUTS and len(names) == 2):
                return None
            uses.add(".".join(names[1:3]) if names[1] in _SPLIT_INPUTS else names[1])
    written = uses & set(_WRITABLE) - _InputUses(tree, variables[0]).found
    return {"exact": sorted(uses - written), "written": sorted(written)}


class _InputUses:
    """Finds the writable inputs that a template may inspect.

    An input is only printed if it is a value, or part of a string, that is directly assigned to a result variable that nothing
    else refers to. Everything unknown counts as inspection.
    """

    def __init__(self, tree: dict[str, Any], variable: str) -> None:
        self.found: set[str] = set()
        assigned = [n for n in (each["node"] for each in tree["body"]) if n.get("type") == "Assign"]
        targets = [_target(node) for node in assigned]
        self._names = {f"{variable}.{name}": name for name in _WRITABLE}
        aliases = []
        for node, target in zip(assigned, targets):
            value = ".".join(_names(node["value"]["node"])) if node["value"]["node"].get("type") == "Identifier" else ""
            if value in self._names and target.startswith("_") and targets.count(target) == 1:
                self._names[target] = self._names[value]
                aliases.append(node)
        keys = {id(node) for node in _literal_keys(tree)}
        identifiers = (n for n in _walk(tree) if n.get("type") == "Identifier" and id(n) not in keys)
        referred = {_names(node)[0] for node in identifiers if _names(node)}
        for node in (each["node"] for each in tree["body"]):
            if node in aliases:
                continue
            result = node.get("type") == "Assign" and not _target(node).startswith("_")
            self._visit(node["value"] if result else node, result and _target(node) not in referred)

    def _visit(self, node: Any, writes: bool) -> None:
        if isinstance(node, list):
            for each in node:
                self._visit(each, writes)
        if not isinstance(node, dict):
            return
        kind = node.get("type")
        if kind is None:  # a wrapper with the location of a node
            for key, each in node.items():
                if key == "key" and _is_literal_key(each):
                    continue
                self._visit(each, writes and key != "key")
        elif kind == "Identifier":
            steps = _names(node)
            for count in range(1, len(steps) + 1):
                name = self._names.get(".".join(steps[:count]))
                if name is not None and not (writes and count == len(steps)):
                    self.found.add(name)
        else:
            passing = _WRITING.get(kind, ())
            for key, each in node.items():
                self._visit(each, writes and key in passing)


# The parts of a node that pass a value on unchanged.
_WRITING: dict[str, tuple[str, ...]] = {
    "Config": ("items",),
    "ConfigIfEntry": ("items", "orelse"),
    "List": ("elts",),
    "ListIfItem": ("exprs", "orelse"),
    "If": ("body", "orelse"),
    "Paren": ("expr",),
    "JoinedString": ("values",),
    "FormattedValue": ("value",),
}


def _target(node: dict[str, Any]) -> str:
    """Return the assigned variable, or "" for several or for a part of one."""
    targets = [each["node"] for each in node["targets"]]
    return str(targets[0]["name"]["node"]) if len(targets) == 1 and not targets[0]["paths"] else ""


def _is_literal_key(key: Any) -> bool:
    return isinstance(key, dict) and key.get("node", {}).get("type") == "Identifier"


def _literal_keys(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield the mapping keys that are plain names and do not refer to variables."""
    for node in _walk(tree):
        if "operation" in node and _is_literal_key(node.get("key")):
            yield node["key"]["node"]


def _is_option(node: dict[str, Any]) -> bool:
    return node.get("type") == "Call" and _names(node["func"]["node"]) == ["option"]


_COLOR = re.compile("\x1b\\[[0-9;]*m")
_LOCATION = re.compile(r"^\s*-->\s*(.+?:\d+(?::\d+)?)\s*$", re.MULTILINE)
_MESSAGE = re.compile(r"^\s*\|[ ^]*([^\s|^].*)$", re.MULTILINE)


def _parse_report(text: str) -> tuple[str, str]:
    """Return the message and location of a report with colors, arrows, and excerpts."""
    plain = _COLOR.sub("", text).strip()
    at, says = _LOCATION.search(plain), _MESSAGE.search(plain)
    message = says[1].strip() if says else plain.splitlines()[0] if plain else "unknown error"
    return message[:_LONGEST_MESSAGE], at[1] if at else ""


if __name__ == "__main__":
    main()
