"""The pages of the rules about ignores; `validate.suppress` looks after them."""

from __future__ import annotations

from sidecarctl.findings import Severity
from sidecarctl.validate.registry import declare

declare(
    "unused-ignore",
    Severity.WARNING,
    layer="advice",
    what="An ignore hides nothing.",
    why="An ignore that has outlived its finding would silently hide the next one. It counts only for rules that ran.",
    fix="Delete the rule's name from the ignore, or the whole ignore.",
)
declare(
    "unknown-rule",
    Severity.ERROR,
    layer="advice",
    what="An ignore names a rule that does not exist.",
    why="A misspelt name hides nothing, and whoever wrote it believes otherwise.",
    fix="Use a name that `sidecarctl rules` lists.",
)
