"""Build the documentation site in build/site: `python -m tools.docs_site`.

Pages are written to build/site-src, then converted by Zensical. The playground and the schemas are copied beside them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from tools.docs_site import config, pages, playground
from tools.docs_site.checks import find_problems

ROOT = pages.ROOT
BUILD = ROOT / "build"
SITE = BUILD / "site"


def main() -> int:
    """Build and check the site, and return the exit code."""
    began = time.monotonic()
    for folder in (BUILD / "site-src", SITE):
        shutil.rmtree(folder, ignore_errors=True)
    texts = pages.write(BUILD / "site-src")
    shutil.copytree(ROOT / "site" / "assets", BUILD / "site-src" / "assets")
    file = config.write(BUILD, texts)
    code = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", file.name], cwd=BUILD
    ).returncode
    if code:
        return code
    explain_missing_page(SITE / "404.html")
    playground.build(SITE / "playground" / "app")
    publish_schemas(SITE / "schemas")
    problems = list(find_problems(SITE))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(
        f"{len(texts)} pages in {SITE.relative_to(ROOT)} ({time.monotonic() - began:.0f} s): {len(problems)} problems"
    )
    return 1 if problems else 0


MISSING_PAGE = "404 - Not found</h1>"
WAY_OUT = (
    '<p>There is no page at this address. Use the search, or go to the <a href="/">home page</a>, the '
    '<a href="/library/">sidecars</a>, the <a href="/rules/">rules</a>, or the <a href="/reference/commands/add/">commands</a>.</p>'
)


def explain_missing_page(file: Path) -> None:
    """Add to the theme's page for unknown addresses where to go. It is served at any path, so its links are absolute."""
    text = file.read_text(encoding="utf-8")
    assert text.count(MISSING_PAGE) == 1, file
    file.write_text(text.replace(MISSING_PAGE, MISSING_PAGE + WAY_OUT), encoding="utf-8", newline="\n")


def publish_schemas(out: Path) -> None:
    """Copy the JSON Schemas to the addresses that their `$id` names, and to `<name>.schema.json`."""
    out.mkdir(parents=True, exist_ok=True)
    for file in sorted((ROOT / "schemas").glob("*.schema.json")):
        shutil.copyfile(file, out / file.name)
        identity = json.loads(file.read_text(encoding="utf-8"))["$id"]
        place = out.parent / urlsplit(identity).path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


if __name__ == "__main__":
    sys.exit(main())
