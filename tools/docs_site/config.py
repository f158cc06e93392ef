"""The configuration of the site generator: site/mkdocs.yml and the navigation."""

from __future__ import annotations

import json
import re
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


def navigation(texts: dict[str, str]) -> Nav:
    """Return the navigation: titles and pages by section."""

    def page(path: str, title: str = "") -> dict[str, str]:
        return {title or title_of(texts[path]): path}

    library = sorted(path for path in texts if path.startswith("library/") and path != "library/index.md")
    integrations = sorted(
        path for path in texts if path.startswith("integrations/") and path != "integrations/index.md"
    )
    commands = [
        {group: [page(f"reference/commands/{info.name}.md") for info in COMMANDS if info.group == group]}
        for group in GROUPS
    ]
    guides = (
        "compositions",
        "upgrades",
        "common-parameters",
        "surroundings",
        "adopting",
        "writing-sidecars",
        "validation",
        "graph",
    )
    project = ("security", "contributing", "architecture", "changelog")
    return [
        {"Start": [page("index.md", "Home"), page("install.md"), page("getting-started.md"), page("examples.md")]},
        {
            "Guides": [
                *(page(f"{name}.md") for name in guides),
                {"Integrations": ["integrations/index.md", *map(page, integrations)]},
            ]
        },
        {"Library": ["library/index.md", *map(page, library)]},
        {"Rules": ["rules/index.md"]},
        {
            "Reference": [
                "reference/index.md",
                page("commands.md", "Command line"),
                {"Commands": commands},
                {"Files": [*(page(f"reference/{name}.md") for name in SCHEMAS), page("reference/record.md")]},
                page("reference/exit-codes.md"),
                page("reference/environment.md"),
                page("python-api.md"),
                {
                    "Project": [
                        page("performance.md"),
                        page("dependencies.md"),
                        *(page(f"project/{name}.md") for name in project),
                    ]
                },
            ]
        },
        {"Playground": ["playground.md"]},
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
