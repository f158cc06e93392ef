"""Writes docs/rules.md, the page of every rule, from the rules themselves.

`--check` writes nothing and exits 1 where it is not current.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sidecarctl.cli.commands.rules import all_pages
from sidecarctl.report.rule_pages import render_rules_markdown

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "rules.md"
HEAD = """\
<!-- Written by tools/gen_rules_docs.py from the rules' docstrings and examples; edit those, then run `make docs`. -->
# Rules

What `sidecarctl validate` checks, what `add`, `remove` and `render` say, and what `sidecarctl test` says about a library.
`sidecarctl rules RULE` prints one of these pages. How the layers work, and what is not covered: [validation](validation.md).

"""


def text() -> str:
    """Return the file's text."""
    return HEAD + render_rules_markdown(all_pages())


def main() -> int:
    """Write the file, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where it is not current")
    check = parser.parse_args().check
    wanted = text()
    if FILE.exists() and FILE.read_text(encoding="utf-8") == wanted:
        return 0
    if check:
        print("docs/rules.md is not current: run `make docs`", file=sys.stderr)
        return 1
    FILE.write_text(wanted, encoding="utf-8")
    print(FILE.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
