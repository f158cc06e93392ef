"""Recognize values that look like secrets, by the name of the field or by their form, and mask them.

A false alarm costs a parameter, a missed secret a leak, so doubtful values count as secret.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sidecarctl.findings import PathTuple

MASK = "REPLACE_ME"
_ENCODED_MASK = base64.b64encode(MASK.encode()).decode()  # the API server rejects binaryData that is not base64
PLACEHOLDERS = (MASK, _ENCODED_MASK)

# Maps with keys of the user's choice, so a key says what its value is. In other maps, `key` and `secret` are fields.
_FREE_MAPS = frozenset({"annotations", "binaryData", "data", "options", "volumeAttributes"})
# Fields that hold the name of an object, a volume, or a driver. A placeholder would be invalid or refer to nothing.
_NAME_FIELDS = frozenset({"name", "namespace", "secretName", "claimName", "driver"})
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
# Kubernetes and sidecarctl check these annotations, and no secret is in them: another value could be invalid.
_CHECKED_ANNOTATION = re.compile(r"(?:[\w-]+\.)*(?:kubernetes\.io|k8s\.io|sidecarctl\.dev)/")
# Names of files, whose text is searched for secrets: `auth.yaml`.
_FILE_NAME = re.compile(r"\.(?:ya?ml|json|conf|config|cfg|ini|toml|xml|properties|rules|sh|lua|js|css|html|sql|tpl)\Z")
# Tools keep the whole object in these annotations, with its variables, as JSON or compressed.
_OBJECT_COPY = re.compile(
    r".*/(?:last-applied|last-handled)(?:-[a-z-]+)?|kapp\.k14s\.io/original|objectset\.rio\.cattle\.io/applied"
)
# The name of every value of a Secret, whatever its key is.
_SECRET_DATA: Mapping[object, str] = {"data": "Secret.data", "stringData": "Secret.stringData"}

_SECRET_PART = re.compile(
    r"passw(?:or)?d|passphrase|token|secret|credential|private|api_?key|access_?key", re.IGNORECASE
)
_SECRET_WORDS = {"key", "keys", "pass", "pwd", "pat", "auth", "authorization", "dsn", "cookie", "bearer"}
# Names with these last words are about a secret and do not hold it: DB_PASSWORD_FILE, TOKEN_TTL.
_HARMLESS_WORDS = frozenset(
    (
        *("file", "path", "dir", "directory", "name", "names", "ttl", "header", "type", "mode", "length", "size"),
        *("count", "prefix", "suffix", "policy", "ref", "field", "fields", "column", "version", "expiry", "expiration"),
        *("timeout", "interval", "enabled", "disabled", "required", "url", "uri", "endpoint", "host", "port", "format"),
        *("algorithm", "space", "store", "provider", "issuer", "audience", "namespace", "class", "usages", "encoding"),
    )
)
_CHECKSUM_WORDS = {"rev", "ref", "revision", "commit", "sha", "sha1", "sha256", "digest", "checksum", "hash", "image"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

# A value that is set elsewhere: $(NAME), ${NAME}, $NAME, <NAME>. A password can contain `$` and a letter.
_REFERENCE = re.compile(
    r"\$\([A-Za-z_]|\$\{[A-Za-z_]|\A\$[A-Za-z_]\w*\Z|\A<.*>\Z|\A(?:" + "|".join(PLACEHOLDERS) + r")\Z"
)
# A path has several steps, or is a word: /var/run/token, ./token. A password can start with a slash.
_PATH = r"(?:~|\.{1,2})?/[\w.-]+/[\w./-]*|(?:~|\.{1,2})?/(?-i:[a-z.-]*)"
_HARMLESS_VALUE = re.compile(rf"\A(?:true|false|yes|no|on|off|none|null|\[\]|\{{\}}|{_PATH})?\Z", re.IGNORECASE)
_FLAG = re.compile(r"(--?[A-Za-z][\w.-]*)(=)(.*)", re.DOTALL)
_BARE_FLAG = re.compile(r"--?[A-Za-z][\w.-]*")
_KEY = r"(?:password|passwd|pwd|secret|token|accountkey|sharedaccesskey|api_?key)"
_ASSIGNED = rf"(?i)(?:\b|_){_KEY}[\"']?[ \t]*[=:][ \t]*"


def _lines_below(dash: str, column: str) -> re.Pattern[str]:
    """Return the pattern for a block scalar, a list, or a text of several lines below a key in YAML, without its own keys."""
    return re.compile(
        rf"(?im)^([ \t]*){dash}[\w.\"'-]{{0,60}}?{_KEY}[\"']?:[ \t]*"
        rf"([|>][^\n]*(?:\n(?:\1{column}[ \t]+[^\n]*|[ \t]*(?=\n)))+"
        rf"|(?:\n\1{column}(?:[ \t]*- |[ \t]+)(?![ \t]|[\w.\"'-]{{1,60}}:(?:\s|\Z))[^\n]+)+)"
    )


# The last group of each pattern is the part to mask. Their time is linear: repetitions before what decides have a limit.
_FORMS = (
    re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))", re.DOTALL),
    re.compile(r"(?<![\w-])(eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"),
    re.compile(
        r"\b((?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[a-z]-[\w-]{10,})"
    ),
    re.compile(r"\b([sr]k_(?:live|test)_\w{16,}|AIza[\w-]{30,}|hvs\.[\w-]{20,}|dckr_pat_[\w-]{16,}|npm_\w{30,})"),
    re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s/:@]*:([^\s/@]+)@"),
    re.compile(
        r"(?i)(?<!-)--?[\w-]{0,60}(?:password|passwd|token|secret|api-?key)(?:[ =]|[\"'],\s?)[\"']?([^\s\"';&|-][^\s\"';&|]*)"
    ),
    re.compile(
        r"(?i)\bname[\"']?:\s?[\"']?[\w-]{0,60}(?:password|passwd|token|secret|api[_-]?key)[\"']?,\s?"
        r"[\"']?value[\"']?:\s?[\"']?([^\s\"',}]+)"
    ),
    re.compile(r"(?i)\b(?:bearer|basic)\s+([\w+/.~-]{8,}=*)"),
    _lines_below("", ""),
    _lines_below("- +", "  "),
    re.compile(rf'{_ASSIGNED}"([^"]+)"'),
    re.compile(rf"{_ASSIGNED}'([^']+)'"),
    re.compile(rf"{_ASSIGNED}(\{{[^{{}}\n]+\}}|\[[^\[\]\n]+\])"),
    re.compile(rf"{_ASSIGNED}[\"']?(?![|>][-+1-9]*\s)([^\s;&,\"']+)"),
)
_HEX = re.compile(r"(?<![\w:/.-])([0-9a-fA-F]{32,})(?![\w/.-])")
_BASE64 = re.compile(r"(?<![\w:/.+-])([A-Za-z0-9+/_-]{32,}={0,2})(?![\w/.+-])")


def is_secret_name(name: str) -> bool:
    """Return True if a variable or flag of this name probably holds a secret, such as DB_PASSWORD or --api-key."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _HARMLESS_WORDS:
        return False
    return bool(_SECRET_PART.search(name.replace("-", "_"))) or not _SECRET_WORDS.isdisjoint(words)


def mask_text(text: str, name: str = "") -> str:
    """Return a text with the parts that look like secrets replaced by a placeholder. `name` is the field that has it."""
    if name and is_secret_name(name) and not _is_harmless(text):
        return MASK
    flag = _FLAG.fullmatch(text)
    if flag and is_secret_name(flag[1]) and not _is_harmless(flag[3]):
        return f"{flag[1]}={MASK}"
    words = {word.lower() for word in _WORD.findall(flag[1] if flag else name)}
    forms = _FORMS if words & _CHECKSUM_WORDS else (*_FORMS, _HEX, _BASE64)
    for form in forms:
        text = form.sub(_mask_group, text)
    return text


def _is_harmless(text: str) -> bool:
    return bool(_HARMLESS_VALUE.fullmatch(text) or _REFERENCE.search(text))


def _mask_group(found: re.Match[str]) -> str:
    group = found.lastindex or 0
    value = found[group]
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    if _is_harmless(value) or (found.re is _BASE64 and not (mixed and value.lower() != value)):
        return found[0]
    start, end = found.start(group) - found.start(), found.end(group) - found.start()
    blank = " " if value.startswith("\n") else ""  # a list below its key
    return found[0][:start] + blank + MASK + found[0][end:]


def mask_values(value: Any, name: str = "") -> tuple[Any, tuple[PathTuple, ...]]:
    """Return a copy of plain data with its secrets masked, and their paths. `name` is the field that has the value.

    A number counts as a secret by its name only: a password of digits whose quotes were forgotten.
    """
    paths: list[PathTuple] = []
    return _masked(value, name, (), paths), tuple(paths)


def object_copies(value: Any, path: PathTuple = ()) -> Iterator[PathTuple]:
    """Yield the paths of annotations in which a tool keeps a copy of the object; of all annotations if no other is left."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            keys = inner if key == "annotations" and isinstance(inner, Mapping) else ()
            copies = [each for each in keys if _OBJECT_COPY.fullmatch(str(each))]
            if copies and len(copies) == len(inner):
                yield (*path, key)
            elif copies:
                yield from ((*path, key, copy) for copy in copies)
            else:
                yield from object_copies(inner, (*path, key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for number, inner in enumerate(value):
            yield from object_copies(inner, (*path, number))


def _masked(value: Any, name: str, path: PathTuple, paths: list[PathTuple]) -> Any:
    if isinstance(value, str) or (_is_number(value) and is_secret_name(name)):
        text = mask_text(str(value), name)
        if text == str(value):
            return text
        paths.append(path)
        return _ENCODED_MASK if name == _SECRET_DATA["data"] or path[-2:-1] == ("binaryData",) else text
    if isinstance(value, Mapping):
        field = path[-1] if path else ""
        names = _names(value, name, field)
        return {
            key: inner
            if _is_name(key, inner, field) and names[key] not in _SECRET_DATA.values()
            else _masked(inner, names[key], (*path, key), paths)
            for key, inner in value.items()
        }
    if isinstance(value, Sequence):
        return [_masked(inner, flag, (*path, number), paths) for number, inner, flag in _after_flags(value)]
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_name(key: object, value: object, field: object) -> bool:
    fixed = key in _NAME_FIELDS and field not in _FREE_MAPS
    return fixed and isinstance(value, str) and _NAME.fullmatch(value) is not None


def _names(value: Mapping[Any, Any], name: str, field: object) -> dict[object, str]:
    """Return for each key of a mapping the name that says what its value is, or "". `field` is the field that has it."""
    if name in _SECRET_DATA.values():
        return dict.fromkeys(value, name)
    names = {key: _name_in_free_map(str(key), field) if field in _FREE_MAPS else "" for key in value}
    if value.get("kind") == "Secret":
        names |= {key: each for key, each in _SECRET_DATA.items() if key in value}
    if value.get("name") and (isinstance(value.get("value"), str) or _is_number(value.get("value"))):
        names["value"] = str(value["name"])
    return names | ({"image": "image"} if "image" in value else {})


def _name_in_free_map(key: str, field: object) -> str:
    """Return a key without its domain if it is the name of a secret, else ""."""
    name = key.rpartition("/")[2]
    checked = field == "annotations" and _CHECKED_ANNOTATION.match(key)
    return name if is_secret_name(name) and not checked and not _FILE_NAME.search(name) else ""


def _after_flags(items: Sequence[Any]) -> Iterator[tuple[int, Any, str]]:
    """Yield each item with its number and the flag before it, if the item can be the value of the flag."""
    before = ""
    for number, item in enumerate(items):
        text = str(item) if isinstance(item, str) or _is_number(item) else ""
        yield number, item, before if text and not text.startswith("-") else ""
        before = text if _BARE_FLAG.fullmatch(text) else ""
