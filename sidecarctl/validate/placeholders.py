"""Placeholders that another tool substitutes: their values are unknown, so nothing about them is an error.

${VAR} ${VAR:-x} $VAR    envsubst, Flux
$(VAR)                   kustomize vars, Tekton, Kubernetes itself in env
{{ x }}                  Helm, Jinja, in a quoted value
<NAME>, REPLACE_ME       documentation
ko://github.com/x/y      ko
image: auto              Istio's gateway injection
image: " "               OpenShift's image change trigger
(join('-', [$a, 'b']))   chainsaw
ENC[AES256_GCM,...]      SOPS, which also adds the field `sops` to the document
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sidecarctl.findings import Finding, PathTuple, Severity, quote
from sidecarctl.lazy_dataclass import replace
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.results import sort_findings

_PLACEHOLDER = lazy_pattern(
    r"\$\{[A-Za-z_][^{}]*\}"
    r"|\$\([A-Za-z_][A-Za-z0-9_.-]*\)"
    r"|\$[A-Z_][A-Z0-9_]*\b"
    r"|\{\{.*?\}\}"
    r"|<[A-Za-z][A-Za-z0-9 _./:-]*>"
    r"|\b(?:REPLACE|CHANGE|INSERT|FILL|YOUR)[-_][A-Z0-9]+(?:[-_][A-Z0-9]+)*\b|\b(?:CHANGEME|REPLACEME|TODO|FIXME|PLACEHOLDER)\b"
    r"|%%?[A-Z][A-Z0-9_]*%%?|@@?[A-Z][A-Z0-9_]*@@?|\b__[A-Z][A-Z0-9_]*__\b|\$\$\w+\$\$"
    r"|\b[A-Z][A-Z0-9]*_(?:NAME|NAMESPACE|IMAGE|TAG|VERSION|ID|HOST|DOMAIN|PROJECT|REGION)\b"
    r"|^\{[A-Z][A-Z0-9_]*\}$|^ko://|^\.\.\.$|^_+$|\(\$[A-Za-z_]\w*\)|^\([a-z_]+\(.*\)\)$"
)
_IMAGE_OF_ANOTHER_TOOL = ("auto", " ")

PLACEHOLDER = "placeholder"
_MAX_LENGTH = 1000  # a longer text is a configuration or a script
_SHOWN = 3


def is_placeholder(value: object) -> bool:
    """Return True for a text that contains a placeholder."""
    if not isinstance(value, str):
        return False
    return value.startswith("ENC[") or (len(value) <= _MAX_LENGTH and _PLACEHOLDER.search(value) is not None)


def is_encrypted(value: object) -> bool:
    """Return True for a document that SOPS encrypted: it has the checksum of all values."""
    sops = value.get("sops") if isinstance(value, dict) else None
    return isinstance(sops, dict) and "mac" in sops


def find_placeholder(value: Any, path: PathTuple) -> str:
    """Return the placeholder that a path leads to: in a key, or in the value at its end; an empty string without one."""
    if path[:1] == ("sops",) and is_encrypted(value):
        return "sops"
    found = value
    for step in path:
        if isinstance(step, str) and is_placeholder(step):
            return step
        if isinstance(step, int):
            found = found[step] if isinstance(found, list) and step < len(found) else None
        else:
            found = found.get(step) if isinstance(found, dict) else found
    if path and path[-1] == "subPathExpr":
        return ""  # $(VAR) is its syntax
    if is_placeholder(found):
        return str(found)
    is_image = bool(path) and path[-1] == "image" and found in _IMAGE_OF_ANOTHER_TOOL
    return f"image: {found}" if is_image else ""


def without_placeholders(value: object, findings: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Return the findings that are not about a placeholder, and a note for each placeholder of the others."""
    kept, notes = [], []
    for finding in findings:
        word = find_placeholder(value, finding.path)
        if word:
            notes.append(_note(finding, word))
        else:
            kept.append(finding)
    return kept, notes


def _note(finding: Finding, word: str) -> Finding:
    return replace(
        finding,
        rule=PLACEHOLDER,
        message=_message((word,)),
        severity=Severity.INFO,
        why="",
        help="",
        related=(),
        expected=(word,),
        autofix=None,
    )


def _message(words: Sequence[str]) -> str:
    if len(words) == 1:
        return f"placeholder {quote(words[0])} is not validated"
    shown = ", ".join(map(quote, words[:_SHOWN])) + (", ..." if len(words) > _SHOWN else "")
    return f"{len(words)} placeholders are not validated: {shown}"


def merge_notes(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings with one note for each file instead of one for each placeholder, at the place of the first."""
    findings = list(findings)
    words: dict[str, dict[str, None]] = {}
    for one in sort_findings(findings):
        if one.rule == PLACEHOLDER:
            words.setdefault(_file(one), {}).update(dict.fromkeys(one.expected))
    for one in findings:
        if one.rule != PLACEHOLDER:
            yield one
        elif own := tuple(words.pop(_file(one), ())):
            several = len(own) > 1
            yield replace(
                one,
                message=_message(own),
                expected=own,
                workload="" if several else one.workload,
                container="" if several else one.container,
            )


def _file(finding: Finding) -> str:
    return finding.place.file if finding.place else ""
