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
import time
from pathlib import Path
from typing import Any

# This file runs as a program, outside of its package.
sys.path.append(str(Path(__file__).resolve().parents[3]))

from sidecarctl.catalog.engines.kcl_confine import confine
from sidecarctl.catalog.engines.kcl_imports import load_checked, stamp
from sidecarctl.catalog.engines.kcl_tree import TemplateError, names_of, place_of, walk
from sidecarctl.catalog.engines.kcl_uses import find_uses
from sidecarctl.findings import omit_long

# What a template uses, with the files and the stamp for which it was checked, by template, directory, and modules.
_Checked = dict[tuple[object, ...], tuple[list[Path], object, "dict[str, list[str]] | None"]]


def main() -> None:
    """Answer requests until stdin ends. Arguments: the limits of seconds and characters per answer, and of MiB."""
    seconds, max_characters, max_memory = map(int, sys.argv[1:4])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    import kcl_lib.api as api

    checked: _Checked = {}
    with open(os.devnull, "w") as nowhere:
        confine(max_memory << 20)
        for line in sys.stdin:
            faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
            began = time.process_time()
            answer = _answer(api, json.loads(line), checked, max_characters)
            faulthandler.cancel_dump_traceback_later()
            print(json.dumps({**answer, "seconds": time.process_time() - began}), file=answers, flush=True)


def _answer(api: Any, request: dict[str, Any], checked: _Checked, max_characters: int) -> dict[str, Any]:
    template, folder = Path(request["template"]), Path(request["folder"])
    modules = {name: Path(path) for name, path in request["modules"].items()}
    try:
        uses = _check_template(api, template, folder, modules, checked)
        if "input" not in request:
            return {"uses": uses}
        text = _run(api, template, modules, request["input"])
        if len(text) > max_characters:
            return {"error": f"output too large (limit: {max_characters:,} characters)", "where": "", "kind": "large"}
        return {"value": json.loads(text) if text.strip() else None}
    except TemplateError as refused:
        return {"error": omit_long(str(refused), max_characters), "where": refused.where, "kind": refused.kind}
    except MemoryError:
        raise
    except Exception as error:  # the runtime raises bare exceptions for compile errors
        message, where = _parse_report(str(error))
        return {"error": omit_long(message, max_characters), "where": where, "kind": "error"}


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
        raise TemplateError(*_parse_report(result.err_message))
    return str(result.json_result)


def _check_template(
    api: Any, template: Path, folder: Path, modules: dict[str, Path], checked: _Checked
) -> dict[str, list[str]] | None:
    """Reject unsafe templates. Return the inputs that the template inspects or only prints, or None if unknown."""
    key = (template, folder, *modules.items())
    if key in checked:
        files, before, uses = checked[key]
        if stamp(folder, files) == before:
            return uses
        del checked[key]
    trees = load_checked(api, template, folder, modules)
    nodes = {file: list(walk(tree)) for file, tree in trees.items()}
    options = 0
    for file, found in nodes.items():
        for node in found:
            if node.get("type") in ("Identifier", "Selector") and any("to_file" in name for name in names_of(node)):
                raise TemplateError("writing files is not allowed", place_of(file, node), "refused")
            options += node.get("type") == "Identifier" and names_of(node) == ["option"]
    uses = find_uses(trees[template], nodes[template]) if options == 1 else None
    checked[key] = (list(trees), stamp(folder, trees), uses)
    return uses


_C = r"\x1b\[[0-9;]*m"  # a color, or the end of one
_COLOR = re.compile(_C)
_LOCATION = re.compile(r"^\s*-->\s*(.+?:\d+(?::\d+)?)\s*$", re.MULTILINE)
_MESSAGE = re.compile(r"^\s*\|[ ^]*([^\s|^].*)$", re.MULTILINE)
# The message of an assertion, as it is: what masks secrets in it needs all of its characters.
_ASSERTION = re.compile(
    rf"\A[^\x1b]*{_C}-->{_C} [^\x1b]*{_C} +\|{_C}\n"  # where
    rf"{_C}\d+ \|{_C} .*\n"  # the line of the template
    rf"{_C} +\|{_C}{_C} {_C} {_C}(?P<message>(?s:.*)){_C}\n{_C} +\|{_C}\s*\Z"
)


def _parse_report(text: str) -> tuple[str, str]:
    """Return the message and location of a report with colors, arrows, and excerpts."""
    plain = _COLOR.sub("", text).strip()
    at, says = _LOCATION.search(plain), _MESSAGE.search(plain)
    if failed := _ASSERTION.match(text):
        message = failed["message"]
    else:
        message = says[1].strip() if says else plain.splitlines()[0] if plain else "unknown error"
    return message, at[1] if at else ""


if __name__ == "__main__":
    main()
