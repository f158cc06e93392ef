"""The pages of the site, before they are converted: links, tables, navigation, and complete references."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sidecarctl.cli.command_table import COMMANDS
from sidecarctl.cli.commands.rules import all_pages
from tests.command import ROOT
from tools.docs_site import checks, config, links, pages, playground, reference
from tools.docs_site.__main__ import publish_schemas


@pytest.fixture(scope="module")
def texts(tmp_path_factory: Any) -> dict[str, str]:
    """Return the texts of all pages by path."""
    return pages.write(tmp_path_factory.mktemp("site"))


def test_every_document_has_a_page(texts: dict[str, str]) -> None:
    documents = {file.relative_to(ROOT / "docs").as_posix() for file in (ROOT / "docs").rglob("*.md")}
    expected = {name.replace("README.md", "index.md") for name in documents - {"rules.md"}}
    assert expected <= set(texts)


def test_every_page_begins_with_its_title(texts: dict[str, str]) -> None:
    assert [page for page, text in texts.items() if not text.startswith("# ")] == []


def test_no_table_has_an_empty_column_name(texts: dict[str, str]) -> None:
    heads = [
        (page, line)
        for page, text in texts.items()
        for line in re.findall(r"^(\|.*\|)\n\|[-|]+\|$", text, re.MULTILINE)
    ]
    assert len(heads) > 100
    assert [head for head in heads if re.search(r"\| *\|", head[1])] == []


def test_every_rule_has_a_page_outside_of_the_navigation(texts: dict[str, str]) -> None:
    rules = {f"rules/{page.name}.md" for page in all_pages()}
    assert rules <= set(texts)
    navigation = json.dumps(config.navigation(texts))
    assert [rule for rule in rules if f'"{rule}"' in navigation] == []
    assert all(f"({Path(rule).name})" in texts["rules/index.md"] for rule in rules)


def test_every_other_page_is_in_the_navigation(texts: dict[str, str]) -> None:
    navigation = json.dumps(config.navigation(texts))
    assert [page for page in texts if f'"{page}"' not in navigation and not page.startswith("rules/")] == []


def test_links_to_pages_are_relative_and_others_lead_to_the_repository(texts: dict[str, str]) -> None:
    assert "](../rules/lost-record.md)" not in texts["adopting.md"]
    assert "](rules/lost-record.md)" in texts["adopting.md"]
    assert "](project/security.md#limits)" in texts["writing-sidecars.md"]
    assert "](https://github.com/sidecarctl/sidecarctl/blob/main/action.yml)" in texts["integrations/github-action.md"]


def test_a_link_to_nothing_is_an_error() -> None:
    with pytest.raises(links.BrokenLink, match=r"docs/commands\.md: missing\.md"):
        links.convert("See [it](missing.md).", "docs/commands.md", "commands.md", pages.sources(), ROOT)


def test_code_is_not_changed() -> None:
    text = "`[a](b.md)`\n\n```md\n[a](b.md)\ntext\n- item\n| | |\n```\n"
    assert links.convert(text, "docs/a.md", "a.md", {}, ROOT) == text


def test_attributes_of_code_are_dropped(texts: dict[str, str]) -> None:
    assert links.tidy("```sh exit=1\nls\n```\n") == "```sh\nls\n```\n"
    assert [name for name, text in texts.items() if re.search(r"^ *```\w+ ", text, re.MULTILINE)] == []


def test_a_list_after_a_paragraph_is_a_list() -> None:
    assert links.tidy("Text:\n- one\n- two\n") == "Text:\n\n- one\n- two\n"
    assert links.tidy("- one\n  more\n- two\n") == "- one\n  more\n- two\n"


def test_every_command_and_option_is_in_the_reference(texts: dict[str, str]) -> None:
    for info in COMMANDS:
        page = texts[f"reference/commands/{info.name}.md"]
        assert info.summary in page
        for parameter in reference.describe(info.load()).values():
            flags = getattr(parameter.spec, "flags", ())
            assert all(f"`{flag}`" in page for flag in flags)


def test_every_environment_variable_of_the_code_is_in_the_reference(texts: dict[str, str]) -> None:
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "sidecarctl").rglob("*.py")]
    used = {name for text in sources for name in re.findall(r'"(SIDECARCTL_[A-Z]+(?:_[A-Z]+)*)"', text)}
    assert len(used) > 10
    assert [name for name in sorted(used) if f"`{name}`" not in texts["reference/environment.md"]] == []


def test_every_field_of_the_schemas_is_in_the_reference(texts: dict[str, str]) -> None:
    for name in reference.SCHEMAS:
        schema = json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
        names = set(re.findall(r'"(\w+)": \{"(?:type|\$ref|description)', json.dumps(schema.get("properties"))))
        names -= {"items", "properties", "additionalProperties"}
        assert names
        page = texts[f"reference/{name}.md"].replace("<wbr>", "")
        assert [one for one in names if not re.search(rf"<code>(.*\.)?{one}(\[\]|<|\.)", page)] == []


def test_schemas_are_published_at_their_ids(tmp_path: Path) -> None:
    publish_schemas(tmp_path / "schemas")
    for file in (ROOT / "schemas").glob("*.schema.json"):
        identity = json.loads(file.read_text(encoding="utf-8"))["$id"]
        assert identity.startswith(config.site_url())
        for place in (identity.removeprefix(config.site_url()), f"schemas/{file.name}"):
            assert (tmp_path / place).read_bytes() == file.read_bytes()


def test_the_entry_for_schemastore_names_published_schemas() -> None:
    schemas = {json.loads(file.read_text(encoding="utf-8"))["$id"] for file in (ROOT / "schemas").glob("*.schema.json")}
    entry = json.loads((ROOT / "site" / "schemastore.json").read_text(encoding="utf-8"))
    assert {one["url"] for one in entry["schemas"]} <= schemas


def test_a_broken_link_and_another_host_are_found_in_the_built_site(tmp_path: Path) -> None:
    html = '<img src="https://example.com/a.png"><a href="b/">b</a><a href="#c">c</a><a href="./">d</a>'
    (tmp_path / "index.html").write_text(html, encoding="utf-8")
    assert list(checks.find_problems(tmp_path)) == [
        "index.html: loads https://example.com/a.png",
        "index.html: broken link b/",
        "index.html: no anchor for #c",
    ]


def test_the_form_has_every_parameter_of_every_sidecar() -> None:
    catalog = playground.catalog()
    for folder in (ROOT / "library").glob("*/sidecar.yaml"):
        shown = catalog["sidecars"][folder.parent.name]
        assert set(shown["required"]) <= set(shown["properties"])
    assert {"image", "resources", "patch"} <= set(catalog["common"])
    assert catalog["sidecars"]["config-sync"]["properties"]["script"]["lines"]
    assert not catalog["sidecars"]["logger"]["properties"]["logDir"]["lines"]


def test_the_replacement_of_rpds_validates_like_the_original(tmp_path: Path) -> None:
    (tmp_path / "rpds.py").write_bytes((ROOT / "site" / "playground" / "rpds.py").read_bytes())
    script = """
import rpds, jsonschema, sys
assert rpds.__file__.startswith(sys.argv[1]), rpds.__file__
schema = {"$defs": {"a": {"type": "integer", "minimum": 3}}, "properties": {"x": {"$ref": "#/$defs/a"}}, "required": ["y"]}
found = jsonschema.Draft202012Validator(schema).iter_errors({"x": 1})
print(sorted(error.message for error in found))
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=False
    )
    assert done.stdout == "[\"'y' is a required property\", '1 is less than the minimum of 3']\n", done.stderr
