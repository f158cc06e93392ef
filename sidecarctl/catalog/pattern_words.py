"""Regular expressions of schemas in words, for messages and tables."""

from __future__ import annotations

from sidecarctl.kube.names import REGISTRY
from sidecarctl.lazy_pattern import lazy_pattern

_UNITS = ("ms", "s", "m", "h", "d")
# Patterns that libraries share, in words. Any other pattern is printed.
_PATTERN_WORDS: dict[str, str] = {
    r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$": "a name of lowercase letters, digits, hyphens, and dots",
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "a name of lowercase letters, digits, and hyphens",
    r"^[a-z]([-a-z0-9]*[a-z0-9])?$": "a name of lowercase letters, digits, and hyphens that starts with a letter",
    REGISTRY: "a registry without https://, such as mirror.example.com/hub",
    r"^[a-z0-9-]+$": "a name of lowercase letters, digits, and hyphens",
    r"^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$": "a name of letters, digits, hyphens, and dots",
    r"^[-._a-zA-Z0-9]+$": "a key of letters, digits, hyphens, underscores, and dots",
    r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$": "a file name of letters, digits, hyphens, underscores, and dots",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "a variable name of letters, digits, and underscores",
    r"^[a-zA-Z_][a-zA-Z0-9_]*$": "a variable name of letters, digits, and underscores",
    r"^[^\n]*$": "a single line",
    r"^[^\r\n]*$": "a single line",
    r"^/": "an absolute path",
    r"^/[^\s]*$": "an absolute path without spaces",
    r"^/[^,:\s]*[^,:/\s]$": "an absolute path without commas, colons, spaces, and a final slash",
    r"^(/[^/:\s]+)+$": "an absolute path without colons, spaces, and a final slash",
    r'^(/[^/:\s"$]+)+$': "an absolute path without colons, spaces, quotes, dollar signs, and a final slash",
    r"^#/\$defs/[^/%~]+$": 'a reference of the form "#/$defs/<name>"',
    r"^https?://": "a URL that starts with http:// or https://",
    r"^https?://[^\s@]+$": "a URL that starts with http:// or https://, without spaces and credentials",
    r"^0[0-7]{3}$": 'permissions as four octal digits, for example "0644"',
    r"^[0-9]{1,5}(-[0-9]{1,5})?$": "a port, or a range of ports such as 8000-8010",
}
_DURATION = lazy_pattern(
    r"\^\(?(?:\[1-9\])?\[0-9\][+*](?:\(\\\.\[0-9\]\+\)\?)?"
    r"(?P<units>\([a-z|]+\)|[a-z]|\[[a-z]+\])\)?\+?\$"
)


def describe_pattern(pattern: str) -> str:
    """Return what a regular expression accepts in words, an empty string for an uncommon one."""
    duration = _DURATION.fullmatch(pattern)
    if duration is None:
        return _PATTERN_WORDS.get(pattern, "")
    text = duration["units"].strip("()")
    units = list(text.strip("[]")) if text.startswith("[") else text.split("|")
    if not all(unit in _UNITS for unit in units):
        return ""
    listed = " or ".join((", ".join(units[:-1]), units[-1])) if len(units) > 1 else units[-1]
    return f"a duration in {listed}, for example 10{units[-1]}"
