"""Check CronJob schedules and time zones as the API server does (five fields, syntax of robfig/cron)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from sidecarctl.findings import quote
from sidecarctl.lazy_pattern import lazy_pattern

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Name, lowest, highest, names of values.
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_NAMED = frozenset(("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"))
_EVERY = "@every "
_DURATION = lazy_pattern(r"[-+]?(?:0|(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
# What Go takes for white space.
_WHITE = lazy_pattern(r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_ZONE = lazy_pattern(r"(?:CRON_)?TZ=")
_ZONE_PART = lazy_pattern(r"[A-Za-z._0-9+][A-Za-z._0-9+-]{0,13}")


def check_schedule(text: str) -> str | None:
    """Return why a text is not a schedule, None if it is. A leading time zone is skipped."""
    zone = _ZONE.match(text)
    if zone:
        _, space, text = text.partition(" ")
        if not space:
            return "no fields after the time zone"
        text = text.strip()
    if text.startswith("@"):
        if text in _NAMED or (text.startswith(_EVERY) and _DURATION.fullmatch(text[len(_EVERY) :])):
            return None
        return f"unknown name, expected one of {', '.join(sorted(_NAMED))}, or @every <duration>"
    fields = [field for field in _WHITE.split(text) if field]
    if len(fields) != len(_FIELDS):
        return f"expected 5 fields (minute, hour, day of the month, month, day of the week), got {len(fields)}"
    for field, (name, lowest, highest, words) in zip(fields, _FIELDS, strict=True):
        for part in field.split(","):
            if part and (fault := _part_fault(part, lowest, highest, words)):
                return f"invalid {name} {quote(part)} ({fault})"
    return None


def _part_fault(part: str, lowest: int, highest: int, words: dict[str, int]) -> str | None:
    """Check `*`, a value, or a range, each with an optional step after a slash."""
    span, *steps = part.split("/")
    first, *ends = span.split("-")
    if first in ("*", "?"):
        start: int | None = lowest
        end: int | None = highest
    else:
        start = _value(first, words)
        end = _value(ends[0], words) if ends else highest if steps else start
        if len(ends) > 1:
            return "too many hyphens"
    if start is None or end is None:
        return "not a number" + (" or name" if words else "")
    if len(steps) > 1:
        return "too many slashes"
    if steps and not _value(steps[0], {}):
        return "step must be 1 or more"
    if start < lowest:
        return f"minimum: {lowest}"
    if end > highest:
        return f"maximum: {highest}"
    return "start is after end" if start > end else None


def _value(text: str, words: dict[str, int]) -> int | None:
    if text.lower() in words:
        return words[text.lower()]
    digits = text[1:] if text.startswith("+") else text
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None


def check_time_zone(zone: str) -> str | None:
    """Return why a text is not the name of a time zone such as "Europe/Berlin", None if it is."""
    if not zone:
        return "must not be empty"
    for part in zone.split("/"):
        if part in (".", "..") or not _ZONE_PART.fullmatch(part):
            return "use a name such as Europe/Berlin or Etc/UTC"
    if zone.lower() == "local":
        return "depends on the node, use a name such as Etc/UTC"
    return None if zone in time_zones() else "not in the IANA time zone database"


@cache
def time_zones() -> frozenset[str]:
    """Return the names of the IANA time zones, such as "Europe/Berlin" and "UTC" (tools/gen_time_zones.py)."""
    return frozenset(Path(__file__).with_name("time_zones.txt").read_text("utf-8").split())
