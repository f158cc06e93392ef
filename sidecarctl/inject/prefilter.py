"""Skip documents without workloads by scanning their text: most of an install manifest does not have to be parsed."""

from __future__ import annotations

import re

from sidecarctl.kube.kinds import Kinds

# A document without this text and without an escape has no pod spec, if its kind has none.
_HINT = "ontainers"
_KIND = re.compile(r"^kind:[ \t]+([A-Za-z0-9]+)[ \t\r]*(?:#.*)?$", re.MULTILINE)
_API_VERSION = re.compile(r"^apiVersion:[ \t]", re.MULTILINE)

# A document that begins with apiVersion and kind, each on one line, followed by another key at the margin: these lines
# cannot be part of a scalar, so they are the object's own fields.
_REST_OF_LINE = r"[ \t]*(?:[ \t]#[^\n\r\x85\u2028\u2029]*)?\r?\n"
_LEADING = r"(?:[ \t]*(?:#[^\n\r\x85\u2028\u2029]*)?\r?\n)*"
_HEAD = re.compile(
    rf"{_LEADING}(?:apiVersion:[ \t]+[a-z][a-z0-9./-]*{_REST_OF_LINE})?"
    rf"kind:[ \t]+(?P<kind>[A-Z][A-Za-z0-9]*){_REST_OF_LINE}"
    rf"(?:apiVersion:[ \t]+[a-z][a-z0-9./-]*{_REST_OF_LINE})?(?=[A-Za-z])"
)


def has_no_workload(text: str, kinds: Kinds) -> bool:
    """Return True if a document cannot contain a workload. Does not parse it; False means that it may contain one."""
    head = _HEAD.match(text)
    if head is not None and _has_none(head["kind"], kinds):
        # A merge key could set another kind, and `...` could end the document. rfind is several times as fast as find here.
        if text.rfind("<<") < 0 and text.rfind("\n...") < 0:
            return True
    if _HINT in text or "\\" in text:
        return False
    kind = _KIND.search(text)
    if kind is None or not _API_VERSION.search(text):
        return not text.strip()
    return _has_none(kind.group(1), kinds)


def _has_none(kind: str, kinds: Kinds) -> bool:
    return kind not in kinds.names() and not kind.endswith("List")
