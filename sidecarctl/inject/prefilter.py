"""Which documents surely hold no workload, told by a scan of their text: most of an install manifest need not be parsed."""

from __future__ import annotations

import re

from sidecarctl.kube.kinds import Kinds

# A document without this text and without an escape holds no pod spec, if it names a kind that has none.
_HINT = "ontainers"
_KIND = re.compile(r"^kind:[ \t]+([A-Za-z0-9]+)[ \t\r]*(?:#.*)?$", re.MULTILINE)
_API_VERSION = re.compile(r"^apiVersion:[ \t]", re.MULTILINE)

# A document that begins with apiVersion and kind, each on a line, and goes on with another key: nothing before them could
# make them part of a scalar, and no scalar goes on at the margin. So they are the object's own.
_REST_OF_LINE = r"[ \t]*(?:[ \t]#[^\n\r\x85\u2028\u2029]*)?\r?\n"
_LEADING = r"(?:[ \t]*(?:#[^\n\r\x85\u2028\u2029]*)?\r?\n)*"
_HEAD = re.compile(
    rf"{_LEADING}(?:apiVersion:[ \t]+[a-z][a-z0-9./-]*{_REST_OF_LINE})?"
    rf"kind:[ \t]+(?P<kind>[A-Z][A-Za-z0-9]*){_REST_OF_LINE}"
    rf"(?:apiVersion:[ \t]+[a-z][a-z0-9./-]*{_REST_OF_LINE})?(?=[A-Za-z])"
)


def has_no_workload(text: str, kinds: Kinds) -> bool:
    """True for a document that surely holds no workload, found without parsing it."""
    head = _HEAD.match(text)
    if head is not None and _has_none(head["kind"], kinds):
        # A merge key could bring another kind, and a second document could begin behind dots.
        # Short words are found several times as fast from the end.
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
