"""Where a library comes from: a Git URL with an optional ref, or a local OCI archive. Refuses what Git must not be given."""

from __future__ import annotations

import re
from pathlib import Path

from sidecarctl.errors import UsageError
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.report.terminal import visible

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SCP = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!//)[^:]")
# A URL with a user or a password whose protocol is missing or lacks a slash.
_LOST_PROTOCOL = re.compile(r"https?[:/]+[^/@]*@|[^/@:]+:[^/@]+@[^/@:]*\.[^/@:]*[/:]", re.IGNORECASE)
_HOST = re.compile(r"(?:\[[^\]]*\]|[^:]*)(?::\d*)?")
_REF = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._/+-]*[A-Za-z0-9_+-])?\Z")
_QUERY = re.compile("[?#]")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_SCHEMES = ("https", "ssh", "file")
_HINT = "use https://, ssh://, file://, the form git@host:path, or the path of a local repository"


@dataclass(frozen=True)
class Source:
    """A place to get a library from.

    url    what Git gets, or the path of an OCI archive
    ref    a branch, tag, or commit; "" for the default branch
    local  whether `url` is a path
    """

    url: str
    ref: str = ""
    local: bool = False


def parse_source(text: str, home: Path = Path()) -> Source:
    """Return the source that `URL[@REF]` names. Paths are relative to `home`.

    Raise UsageError for a form that Git could misread, and for credentials.
    """
    if any(not char.isprintable() or char.isspace() for char in text) or not text:
        raise UsageError(f"invalid library source {_quote(text)}: spaces and control characters are not allowed")
    if text.startswith("-"):
        raise UsageError(f"invalid library source {_quote(text)}: it starts with a hyphen", hint=_HINT)
    scheme = _SCHEME.match(text)
    if "::" in text.partition("/")[0]:
        raise UsageError(f"invalid library source {_quote(text)}: remote helpers are not allowed", hint=_HINT)
    if scheme:
        return _from_url(text, scheme[1].lower())
    exists = (home / text).exists()
    if not exists and _LOST_PROTOCOL.match(text):
        raise credentials_error()
    if not exists and _SCP.match(text) and not _DRIVE.match(text):
        host, _, path = text.partition(":")
        path, ref = _split_ref(path)
        return Source(f"{host}:{path}", check_ref(ref))
    path, ref = (text, "") if exists else _split_ref(text)
    return Source(path, check_ref(ref), local=True)


def _quote(text: str) -> str:
    """Return a source for a message; of a URL only what is before its host, because it can have credentials."""
    if _LOST_PROTOCOL.match(text):
        return '"..."'
    before, sign, _ = text.partition("://")
    return f'"{visible(before)}{sign}{"..." if sign else ""}"'


def has_credentials(url: str) -> bool:
    """Return True for a URL with a password, and for an HTTP URL with a user, which can be a token.

    What looks like a port, but has other characters than digits, is the first part of a password with a slash.
    """
    scheme, _, rest = url.partition("://")
    user, at, host = rest.partition("/")[0].rpartition("@")
    return not _HOST.fullmatch(host) or (bool(at) and (scheme.lower() in ("http", "https") or ":" in user))


def credentials_error(where: str = "") -> UsageError:
    """Return the error about a URL with credentials, which it does not show."""
    hint = "remove them from the URL: Git takes them from its credential helper (`git help credentials`)"
    return UsageError("the library URL contains credentials", where=where, hint=hint)


def _from_url(text: str, scheme: str) -> Source:
    if scheme not in _SCHEMES:
        raise UsageError(f'invalid library source: the protocol "{scheme}" is not allowed', hint=_HINT)
    authority, slash, path = text.partition("://")[2].partition("/")
    if has_credentials(text):
        raise credentials_error()
    if "?" in text or "#" in text:
        host = _QUERY.split(authority)[0]
        raise UsageError(f"invalid library URL {scheme}://{host}{slash}...: use a URL without ? and #", hint=_HINT)
    if not path.strip("/"):
        raise UsageError(
            f"invalid library URL {scheme}://{authority}: the path of the repository is missing", hint=_HINT
        )
    path, ref = _split_ref(path)
    return Source(f"{scheme}://{authority}/{path}", check_ref(ref))


def _split_ref(path: str) -> tuple[str, str]:
    """Return the path and the ref of `path@ref`. An @ at the start of a path segment belongs to the path."""
    at = path.rfind("@")
    if at <= 0 or path[at - 1] == "/":
        return path, ""
    if at == len(path) - 1:
        raise UsageError("the library source ends in @", hint="add a branch, tag, or commit after the @, or remove it")
    return path[:at], path[at + 1 :]


def check_ref(ref: str) -> str:
    """Return a ref that is safe to pass to Git, a commit in lowercase; "" for none. Raise UsageError for any other."""
    if ref and (not _REF.match(ref) or ".." in ref or "//" in ref or ref.endswith(".lock") or len(ref) > 250):
        raise UsageError(
            f'invalid branch, tag, or commit "{visible(ref)}"',
            hint="use letters, digits, and the characters . _ / + -, and start with a letter, digit, or underscore",
        )
    return ref.lower() if COMMIT.match(ref.lower()) else ref


def check_path(path: str) -> str:
    """Return the directory within a source as `a/b`; "" for the root. Raise UsageError for a path that leads out."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or "\\" in path or any(not char.isprintable() for char in path):
        raise UsageError(
            f'invalid --path "{visible(path)}": expected a directory within the repository',
            hint="use a relative path with forward slashes and without `..`",
        )
    return "/".join(parts)
