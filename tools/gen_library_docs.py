"""Generate docs/library/ and the index of the shipped library from the metadata of its sidecars."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from sidecarctl.authoring import pod_parts, test_cases
from sidecarctl.authoring import sidecar_page as sidecar_page_module
from sidecarctl.authoring.parameter_table import ParameterRow, list_common_parameters, list_parameters
from sidecarctl.authoring.trial import find_injected_parts
from sidecarctl.catalog.catalog import open_catalog, shipped_library
from sidecarctl.catalog.entry_files import INDEX_FILE, KNOWN_METADATA_FILE, checksum, read_yaml
from sidecarctl.catalog.sidecar import Sidecar

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "library"
GENERATED = "<!-- Written by tools/gen_library_docs.py from {source}; edit that, then run `make docs`. -->\n"
WIDTH = 96


def texts() -> dict[Path, str]:
    """Return the generated files by path."""
    entries = open_catalog([], {}).entries()
    sidecars = [entry.sidecar for entry in entries if entry.sidecar and not entry.newer]
    pages = {"README.md": index(sidecars), **{f"{one.name}.md": sidecar_page(one) for one in sidecars}}
    listed = shipped_library() / INDEX_FILE
    return {
        shipped_library() / KNOWN_METADATA_FILE: metadata([entry.sidecar for entry in entries if entry.sidecar]),
        listed: known([entry.sidecar for entry in entries if entry.sidecar]),
        **{FOLDER / name: text for name, text in pages.items()},
    }


def known(sidecars: list[Sidecar]) -> str:
    """Return the index of the shipped library. Fail if a sidecar cannot be rendered."""
    for one in sidecars:
        outcome = test_cases.run_example(one)
        assert outcome.text is not None, f"{one}: {outcome.errors}"
    found = {
        one.folder.name: {
            "checksum": checksum(one.folder),
            "version": one.version,
            "summary": one.summary,
            "keywords": list(one.keywords),
        }
        for one in sidecars
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def metadata(sidecars: list[Sidecar]) -> str:
    """Return the content of every sidecar.yaml, one a line, so that `add` does not parse YAML, and only one line."""
    found = {
        one.folder.name: {"checksum": checksum(one.folder), "content": read_yaml(one.file, one.folder).value}
        for one in sidecars
    }
    lines = [f'"{name}":{json.dumps(one, ensure_ascii=False, separators=(",", ":"))}' for name, one in found.items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    assert json.loads(text) == found
    return text


def index(sidecars: list[Sidecar]) -> str:
    """Return the page with the table of all sidecars and the common parameters."""
    lines = [
        GENERATED.format(source="the library"),
        "# The library",
        "",
        "| sidecar | version | what it does |",
        "|---|---|---|",
        *(f"| [{one.name}]({one.name}.md) | {one.version} | {cell(one.summary)} |" for one in sidecars),
        "",
        "How to write your own: [writing sidecars](../writing-sidecars.md).",
        "",
        "## Parameters of every sidecar",
        "",
        *table(list_common_parameters()),
    ]
    return "\n".join(lines) + "\n"


def sidecar_page(sidecar: Sidecar) -> str:
    """Return the page of a sidecar."""
    outcome = test_cases.run_example(sidecar)
    lines = [
        GENERATED.format(source=f"library/{sidecar.name}/sidecar.yaml"),
        f"# {sidecar.name}",
        "",
        sidecar.summary,
        "",
    ]
    if sidecar.description:
        lines += [sidecar.description, ""]
    lines += [
        "| | |",
        "|---|---|",
        *(f"| {key} | {cell(text)} |" for key, text in sidecar_page_module.facts(sidecar)),
        *([f"| keywords | {cell(', '.join(sidecar.keywords))} |"] if sidecar.keywords else []),
        "",
        "## What it adds",
        "",
    ]
    for own in find_injected_parts(outcome.text or "", sidecar.name):
        given = f" with `{sidecar_page_module.format_settings(outcome.trial.given)}`" if outcome.trial.given else ""
        picture = pod_parts.draw(pod_parts.build_boxes(own), color=False, width=WIDTH)
        lines += [f"To a {own.workload.kind} called {own.workload.name}{given}:", "", "```text", *picture, "```", ""]
    lines += [
        "## Use",
        "",
        "```sh",
        *sidecar_page_module.example_command(sidecar, outcome),
        "```",
        "",
        "## Parameters",
        "",
    ]
    lines += [*table(list_parameters(sidecar.parameters)), ""]
    lines.append("Besides these it takes the [parameters of every sidecar](README.md#parameters-of-every-sidecar).")
    if sidecar.does_not:
        lines += ["", "## What it does not do", "", *(f"- {' '.join(each.split())}" for each in sidecar.does_not)]
    return "\n".join(lines) + "\n"


def table(found: list[ParameterRow]) -> list[str]:
    """Return a Markdown table of parameters."""
    if not found:
        return ["It has none of its own."]
    body = []
    for row in found:
        name = ".".join(row.path).replace(".[]", "[]")
        default = "**required**" if row.required else f"`{row.default}`" if row.default else ""
        kind = f"{row.type}, secret" if row.secret else row.type
        body.append(f"| `{name}` | {cell(kind)} | {cell(default)} | {cell(row.description)} |")
    return ["| parameter | type | default | |", "|---|---|---|---|", *body]


def cell(text: str) -> str:
    """Return text escaped for a table cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def main() -> int:
    """Write the pages, or check that they are current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is not current")
    check = parser.parse_args().check
    wanted = texts()
    present = {file: file.read_text(encoding="utf-8") for file in (*FOLDER.glob("*.md"), *wanted) if file.exists()}
    stale = sorted(file for file in {*wanted, *present} if wanted.get(file) != present.get(file))
    for file in stale:
        name = file.relative_to(ROOT)
        if check:
            print(f"{name} is not current: run `make docs`", file=sys.stderr)
            continue
        if file in wanted:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(wanted[file], encoding="utf-8")
        else:
            file.unlink()
        print(name)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
