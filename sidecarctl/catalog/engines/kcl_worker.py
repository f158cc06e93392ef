"""The process in which KCL runs: a request a line on stdin, an answer a line on stdout. Imports nothing of the program.

KCL's runtime can read and write files and can crash on endless recursion. So templates are looked through before they run,
and run in a process of their own, which has no environment, may write no file, and ends when a template takes too long.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAX_MEMORY = 2 << 30
# Modules of KCL's own that neither reach outside nor give another answer each time.
ALLOWED = ("base64", "collection", "json", "math", "regex", "units", "yaml")
_SPLIT_INPUTS = ("workload", "kube")
# Inputs that differ from workload to workload; one that a template only writes can be put in after rendering.
_WRITABLE = ("companion", "workload.name", "workload.namespace")
_Vetted = dict[tuple[str, int], "dict[str, list[str]] | None"]


class _Refused(Exception):
    """What a template may not do, or what is wrong with it: message, and `file:line:column`."""

    def __init__(self, message: str, where: str = "", kind: str = "error") -> None:
        super().__init__(message)
        self.where = where
        self.kind = kind


def main() -> None:
    """Answer requests until stdin ends. The arguments are two limits: seconds for an answer, characters that it has."""
    seconds, longest = int(sys.argv[1]), int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    import kcl_lib.api as api

    _limit()
    vetted: _Vetted = {}
    with open(os.devnull, "w") as nowhere:
        for line in sys.stdin:
            faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
            answer = _answer(api, json.loads(line), vetted, longest)
            faulthandler.cancel_dump_traceback_later()
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _limit() -> None:
    """Where the system knows limits: no file may be written, no core dumped, memory is bounded."""
    try:
        import resource
    except ImportError:
        return
    limits = ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_DATA, MAX_MEMORY))
    for what, value in limits:
        try:
            resource.setrlimit(what, (value, value))
        except (OSError, ValueError):
            pass


def _answer(api: Any, request: dict[str, Any], vetted: _Vetted, longest: int) -> dict[str, Any]:
    template, folder = Path(request["template"]), Path(request["folder"])
    modules = {name: Path(path) for name, path in request["modules"].items()}
    try:
        key = (str(template), template.stat().st_mtime_ns)
        if key not in vetted:
            vetted[key] = _vet(api, template, folder, modules)
        if "input" not in request:
            return {"uses": vetted[key]}
        text = _run(api, template, modules, request["input"])
        if len(text) > longest:
            return {"error": f"it renders more than {longest:,} characters", "where": "", "kind": "large"}
        return {"value": json.loads(text) if text.strip() else None}
    except _Refused as refused:
        return {"error": str(refused), "where": refused.where, "kind": refused.kind}
    except Exception as error:  # the runtime raises bare exceptions for what it can't compile
        message, where = _explained(str(error))
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
        raise _Refused(*_explained(result.err_message))
    return str(result.json_result)


# --- looking through a template before it runs -----------------------------------------------------------------------


def _vet(api: Any, template: Path, folder: Path, modules: dict[str, Path]) -> dict[str, list[str]] | None:
    """Refuse what no template may do; return the inputs it looks at and those it only writes, None where that can't be told."""
    waiting, seen, options = [template], set(), 0
    uses: dict[str, list[str]] | None = None
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        tree = _parsed(api, file)
        nodes = list(_walk(tree))
        for node in nodes:
            kind = node.get("type")
            if kind == "Import":
                waiting += _imported(node, file, folder, modules)
            elif kind in ("Identifier", "Selector") and any("to_file" in name for name in _names(node)):
                raise _Refused("it may write no file", _place(file, node), "refused")
        calls = sum(1 for node in nodes if node.get("type") == "Identifier" and _names(node) == ["option"])
        options += calls
        if file == template:
            uses = _uses(tree, nodes)
    return uses if options == 1 else None


def _parsed(api: Any, file: Path) -> Any:
    result = api.API().parse_file(api.ParseFileArgs(path=str(file)))
    for error in result.errors:
        if "Syntax" in error.code:
            message = error.messages[0]
            raise _Refused(message.msg, f"{message.pos.filename or file}:{message.pos.line}:{message.pos.column + 1}")
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


def _imported(node: dict[str, Any], file: Path, folder: Path, modules: dict[str, Path]) -> list[Path]:
    """The files that an import brings in; refuses an import of what is not the entry's own."""
    raw = node["rawpath"]
    dots = len(raw) - len(raw.lstrip("."))
    first, *rest = raw.lstrip(".").split(".")
    where = _place(file, node)
    if not dots and first not in modules:
        if raw in ALLOWED:
            return []
        raise _Refused(
            f"it may not import {raw!r}: files of the sidecar are imported with a dot before their name, vendored modules "
            f"are declared in spec.modules, and of KCL's own there are {', '.join(ALLOWED)}",
            where,
            "refused",
        )
    base = modules[first] if not dots else file.parent
    for _ in range(dots - 1):
        base = base.parent
    target = base.joinpath(*(rest if not dots else [first, *rest]))
    found = [target.with_name(f"{target.name}.k")] if target.with_name(f"{target.name}.k").is_file() else []
    found += sorted(target.glob("*.k")) if target.is_dir() else []
    inside = folder.resolve()
    if not target.resolve().is_relative_to(inside) or any(not each.resolve().is_relative_to(inside) for each in found):
        raise _Refused(f"it may not import {raw!r}, which is outside the folder of its sidecar", where, "refused")
    return found


def _uses(tree: dict[str, Any], nodes: list[dict[str, Any]]) -> dict[str, list[str]] | None:
    """The inputs that are read from the variable that `option("input")` is assigned to: looked at, or only written."""
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
    written = uses & set(_WRITABLE) - _Looks(tree, variables[0]).found
    return {"exact": sorted(uses - written), "written": sorted(written)}


class _Looks:
    """Finds which of the writable inputs a template may do more with than write them.

    One is only written where it is a value, or part of a string, in what is directly assigned to a variable of the result
    that nothing else refers to. Everything that this does not know counts as looking.
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
        keys = {id(node) for node in _keys(tree)}
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
        if kind is None:  # a wrapper with a place around the node itself
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
            fine = _WRITING.get(kind, ())
            for key, each in node.items():
                self._visit(each, writes and key in fine)


# Parts of a node in which a value is passed on as it is.
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
    """The variable that is assigned to; "" for several, or a part of one."""
    targets = [each["node"] for each in node["targets"]]
    return str(targets[0]["name"]["node"]) if len(targets) == 1 and not targets[0]["paths"] else ""


def _is_literal_key(key: Any) -> bool:
    return isinstance(key, dict) and key.get("node", {}).get("type") == "Identifier"


def _keys(tree: Any) -> Iterator[dict[str, Any]]:
    """The keys of mappings that are written as names: these refer to no variable."""
    for node in _walk(tree):
        if "operation" in node and _is_literal_key(node.get("key")):
            yield node["key"]["node"]


def _is_option(node: dict[str, Any]) -> bool:
    return node.get("type") == "Call" and _names(node["func"]["node"]) == ["option"]


# --- what the runtime says ------------------------------------------------------------------------------------------

_COLOUR = re.compile("\x1b\\[[0-9;]*m")
_AT = re.compile(r"^\s*-->\s*(.+?:\d+(?::\d+)?)\s*$", re.MULTILINE)
_SAYS = re.compile(r"^\s*\|[ ^]*([^\s|^].*)$", re.MULTILINE)


def _explained(text: str) -> tuple[str, str]:
    """The sentence and the place in a report with colours, arrows and excerpts."""
    plain = _COLOUR.sub("", text).strip()
    at, says = _AT.search(plain), _SAYS.search(plain)
    return (says[1].strip() if says else plain.splitlines()[0] if plain else "it fails without a reason"), at[
        1
    ] if at else ""


if __name__ == "__main__":
    main()
