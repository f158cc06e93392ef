"""The configuration of the site generator: site/mkdocs.yml and the navigation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from sidecarctl.cli.command_table import COMMANDS, GROUPS
from tools.docs_site.pages import ROOT
from tools.docs_site.reference import SCHEMAS

Nav = list[Any]


def configuration(texts: dict[str, str]) -> str:
    """Return the configuration as JSON, which is YAML. Rules are left out of the navigation: it is part of every page."""
    base = yaml.safe_load((ROOT / "site" / "mkdocs.yml").read_text(encoding="utf-8"))
    return json.dumps({**base, "site_url": site_url(), "nav": navigation(texts)}, indent=2) + "\n"


def site_url() -> str:
    """Return the address of the site: the host of the schemas' `$id`, which the site publishes."""
    schema = json.loads((ROOT / "schemas" / "composition.schema.json").read_text(encoding="utf-8"))
    scheme, host, *_ = urlsplit(schema["$id"])
    return f"{scheme}://{host}/"


# Pages of docs/ with a place outside of the guides, and the order of guides; other pages of docs/ are guides too.
START = ("index", "install", "getting-started", "examples")
GUIDES = (
    *("compositions", "upgrades", "common-parameters", "surroundings", "adopting"),
    *("ci", "writing-sidecars", "sharing-libraries"),
)
REFERENCE = ("commands", "python-api")
PROJECT = (
    *("performance", "dependencies"),
    *("project/security", "project/contributing", "project/architecture", "project/changelog"),
)
PLAYGROUND = "playground"


def navigation(texts: dict[str, str]) -> Nav:
    """Return the navigation: titles and pages by section."""

    def pages_of(names: Iterable[str]) -> Nav:
        return [{title_of(texts[f"{name}.md"]): f"{name}.md"} for name in names]

    def pages_in(folder: str) -> Nav:
        found = sorted(page.removesuffix(".md") for page in texts if page.startswith(f"{folder}/"))
        return [f"{folder}/index.md", *pages_of(name for name in found if name != f"{folder}/index")]

    placed = {*START, *GUIDES, *REFERENCE, *PROJECT, PLAYGROUND}
    others = sorted(
        page.removesuffix(".md") for page in texts if "/" not in page and page.removesuffix(".md") not in placed
    )
    commands = [
        {group: pages_of(f"reference/commands/{info.name}" for info in COMMANDS if info.group == group)}
        for group in GROUPS
    ]
    files = [*SCHEMAS, "record"]
    return [
        {"Start": pages_of(START)},
        {"Guides": [*pages_of((*GUIDES, *others)), {"Integrations": pages_in("integrations")}]},
        {"Library": pages_in("library")},
        {"Rules": ["rules/index.md"]},
        {
            "Reference": [
                "reference/index.md",
                *pages_of(REFERENCE),
                *pages_of(("reference/exit-codes", "reference/environment")),
                {"Commands": commands},
                {"Files": pages_of(f"reference/{name}" for name in files)},
                {"Project": pages_of(PROJECT)},
            ]
        },
        {"Playground": [f"{PLAYGROUND}.md"]},
    ]


def title_of(text: str) -> str:
    """Return the title of a page."""
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    assert found, text[:200]
    return found[1].replace("`", "")


def write(out: Path, texts: dict[str, str]) -> Path:
    """Write the configuration to a directory and return its file."""
    file = out / "mkdocs.yml"
    file.write_text(configuration(texts), encoding="utf-8")
    return file
