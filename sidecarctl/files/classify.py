"""Decides from its text whether a file is a manifest, and what it is if it is none.

A manifest has a document with `apiVersion` and `kind`, or with one of them beside `metadata` or `spec`: a manifest with a
mistake is read, so that the mistake is reported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from sidecarctl.errors import InputError
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.skipped import COMPOSITION, KUSTOMIZATION, OTHER, PARTIAL, PATCH, TEMPLATE
from sidecarctl.yamltext.stream import Document, split

# A byte order mark can precede the first key of a file, and of each of concatenated files.
_MARGIN = r"^\ufeff?[\"']?"
_KEY = _MARGIN + r"{}[\"']?[ \t]*:(?:[ \t]|\r?$)"
_API_VERSION = lazy_pattern(_KEY.format("apiVersion"), re.MULTILINE)
_KIND = lazy_pattern(_KEY.format("kind"), re.MULTILINE)
_BODY = lazy_pattern(_KEY.format("(?:metadata|spec)"), re.MULTILINE)
_ODD_BREAK = lazy_pattern("\r(?!\n)|[\x85\u2028\u2029]")  # other line breaks of YAML than those that `$` is before
# Without the rest of the line, which can be a document that a reader rejects or, in the first line of a file, reads.
_SEPARATOR = lazy_pattern(r"^---", re.MULTILINE)
# Nothing before the content: blank lines, comments, and separators are skipped line by line. One expression for them takes
# exponential time on a line of `#`.
_NO_CONTENT = lazy_pattern(r"[ \t]*(?:#.*|---.*)?\r?\n?")
_NO_MAPPING = lazy_pattern(r"- |-\r?\n|[\[{\"' \t]")
# At the margin: a key behind `?`, an anchor, or a tag, an alias, a merge key, and a key with an escaped character.
_ODD_KEY = lazy_pattern(r"^\ufeff?(?:[?&!*]|<<|\"[^\"\n]*\\[xuU])", re.MULTILINE)
_TYPE_META = [lazy_pattern(rf"(?:^|[\s{{,\"']){key}[\"']?[ \t]*:") for key in ("apiVersion", "kind")]
_ESCAPED_LETTER = lazy_pattern(r"\\(?:x|u00|U000000)[4-7][0-9a-fA-F]")
# One run of blanks between two marks: two that can share it take quadratic time.
_JSON_PATCH = lazy_pattern(r"(?:-[ \t]|\[)\s*(?:\{\s*)?[\"']?(?:op|path|value|from)[\"']?[ \t]*:")
_DIRECTIVE = lazy_pattern(r"[\"']?\$(?:patch|retainKeys|setElementOrder|deleteFromPrimitiveList)\b")
_MARKUP = lazy_pattern(r"\{\{|\{%|<%")
_YTT = lazy_pattern(r"^[ \t]*#@[ \t\w/()]|[ \t]#@[ \t]", re.MULTILINE)
_IMAGE = lazy_pattern(r"[\"']?image[\"']?[ \t]*:")
_SELECTED = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
_DEFINITION = "CustomResourceDefinition"
_WORKLOADS = (_DEFINITION, *_SELECTED, "Pod", "Job", "CronJob", "ReplicationController", "PodTemplate")
_KIND_VALUE = lazy_pattern(_MARGIN + r"kind[\"']?[ \t]*:[ \t]*[\"']?([A-Za-z]+)", re.MULTILINE)
_UNREADABLE = object()
# API groups of files that are not sent to the API server.
_SETTINGS_GROUPS = {
    "kustomize.config.k8s.io": KUSTOMIZATION,
    "builtin": KUSTOMIZATION,
    "sidecarctl.dev": COMPOSITION,
}
_SETTINGS = lazy_pattern(
    _MARGIN + rf"apiVersion[\"']?[ \t]*:[ \t]*[\"']?({'|'.join(map(re.escape, _SETTINGS_GROUPS))})\b", re.MULTILINE
)
# Files of client programs whose apiVersion looks like one of the API server.
_CLIENT_KINDS = frozenset({("v1", "Config")})


def classify(text: str, *, gets_selectors: bool = False) -> str:
    """Return an empty string for a manifest, else what the text is. `gets_selectors`: a kustomization adds them.

    Looks at the text first and parses only the rare text that this does not decide.
    """
    if _ODD_BREAK.search(text):
        text = _ODD_BREAK.sub("\n", text)
    if _DIRECTIVE.search(text) and _is_patch(text):
        return PATCH
    parts = [part for part in _SEPARATOR.split(text) if part.strip()]
    kinds = [_describe_part(part) for part in parts]
    if "" in kinds:
        if _YTT.search(text) and any(map(_YTT.search, _lines(text))):
            return TEMPLATE
        if _is_template(text):
            return TEMPLATE
        lacks = gets_selectors and "selector" not in text and any(_is_selected(part) for part in parts)
        return PARTIAL if lacks or _is_partial(text, parts) else ""
    return next((kind for kind in kinds if kind != OTHER), TEMPLATE if _is_template(text) else OTHER)


def _is_patch(text: str) -> bool:
    """Return True if a document has a directive of strategic merge patches, a text with an error if a line starts with one."""
    values = list(_values(text))
    if any(value is _UNREADABLE for value in values):
        return any(_DIRECTIVE.match(line.strip().removeprefix("- ")) for line in _lines(text))
    return any(map(_has_directive, values))


def _has_directive(value: Any) -> bool:
    """Return whether a value has a directive; one below a key such as `patchStrategicMerge` belongs to a policy."""
    if isinstance(value, list):
        return any(map(_has_directive, value))
    if not isinstance(value, dict):
        return False
    own = (key for key in value if isinstance(key, str))
    return any(_DIRECTIVE.match(key) or ("patch" not in key.lower() and _has_directive(value[key])) for key in own)


def _describe_part(part: str) -> str:
    """Describe one document by its text if its keys are at the margin, else by its value."""
    api_version, kind = _API_VERSION.search(part), _KIND.search(part)
    if api_version and kind:
        settings = _SETTINGS.search(part)
        if settings:
            return _SETTINGS_GROUPS[settings.group(1)]
        name = _KIND_VALUE.search(part)
        value = part[api_version.end() :].split("\n", 1)[0].split("#")[0].strip().strip("\"'")
        return OTHER if name and (value, name.group(1)) in _CLIENT_KINDS else ""
    return "" if (api_version or kind) and _BODY.search(part) else _describe_odd_part(part)


def _describe_odd_part(part: str) -> str:
    """Describe a document without these keys at the margin: JSON, flow style, indented as a whole, or no manifest."""
    start = _content_start(part)
    if _JSON_PATCH.match(part, start):
        return PATCH
    named = ("apiVersion" in part and "kind" in part) or _ESCAPED_LETTER.search(part)
    if not named or not (_NO_MAPPING.match(part, start) or _ODD_KEY.search(part)):
        return OTHER
    is_list = part[start] in "-["
    unreadable = "" if not is_list and _TYPE_META[0].search(part) and _TYPE_META[1].search(part) else OTHER
    kinds = [unreadable if value is _UNREADABLE else _describe_value(value) for value in _values(part)]
    return "" if "" in kinds else next((kind for kind in kinds if kind != OTHER), OTHER)


def _describe_value(value: Any) -> str:
    """Describe the value of one document as `_describe_part` describes its text."""
    if not _is_object(value):
        return OTHER
    api_version, kind = value.get("apiVersion"), value.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        return ""
    if (api_version, kind) in _CLIENT_KINDS:
        return OTHER
    return _SETTINGS_GROUPS.get(api_version.partition("/")[0], "")


def _content_start(text: str) -> int:
    """Return where the first line with content begins."""
    start = 1 if text.startswith("\ufeff") else 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        if _NO_CONTENT.fullmatch(text, start, end) is None:
            return start
        start = end
    return start


def _values(text: str) -> Iterator[Any]:
    """Yield the values of the documents of a text, _UNREADABLE for one that cannot be parsed."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            yield json.loads(text)
            return
        except (ValueError, RecursionError):
            pass
    try:
        for document in split(text):
            yield _value(document)
    except InputError:
        yield _UNREADABLE


def _value(document: Document) -> Any:
    try:
        return document.value
    except InputError:
        return _UNREADABLE


def _is_object(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    given = [isinstance(value.get(key), str) for key in ("apiVersion", "kind")]
    return all(given) or (any(given) and ("metadata" in value or "spec" in value))


def _lines(text: str) -> Iterator[str]:
    """Return the lines of a text without the content of block scalars, which can have a patch or a script."""
    from sidecarctl.files.block_scalars import outside_block_scalars  # most texts do without

    return outside_block_scalars(text)


def _is_template(text: str) -> bool:
    if not _MARKUP.search(text):
        return False
    from sidecarctl.files.templates import is_template  # most texts do without

    return is_template(text)


def _is_selected(part: str) -> bool:
    """Return True for a workload of a kind that requires a selector."""
    name = _KIND_VALUE.search(part)
    return name is not None and name.group(1) in _SELECTED


def _is_partial(text: str, parts: list[str]) -> bool:
    """Return True if every document is a workload that lacks what the API server requires, such as a kustomize patch."""
    for part in parts:
        name = _KIND_VALUE.search(part)
        if name is None or name.group(1) not in _WORKLOADS:
            return False
        if name.group(1) != _DEFINITION and _IMAGE.search(part) and "selector" in part:
            return False
    values = [value for value in _values(text) if value and value is not _UNREADABLE]
    return bool(values) and all(is_partial_object(value) for value in values)


def is_partial_object(value: object) -> bool:
    """Return True for an object with only some of its fields: a workload that lacks its selector and an image or the pod
    template, one of a kind without a selector that has no image at all, or a CustomResourceDefinition without names.
    """
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(value, dict) or kind not in _WORKLOADS:
        return False
    spec = value.get("spec")
    if kind == _DEFINITION:
        return not (isinstance(spec, dict) and spec.get("names"))
    if kind in _SELECTED and isinstance(spec, dict) and spec.get("selector"):
        return False
    containers = _containers(value)
    lacking = [one for one in containers if not (isinstance(one, dict) and "image" in one)]
    return bool(lacking) if kind in _SELECTED and containers else len(lacking) == len(containers)


def _containers(value: Any) -> list[Any]:
    """Return the containers of the pod spec in a workload, at any depth."""
    while isinstance(value, dict):
        if isinstance(value.get("containers"), list):
            return list(value["containers"])
        value = next(
            (value[key] for key in ("spec", "jobTemplate", "template") if isinstance(value.get(key), dict)), None
        )
    return []
