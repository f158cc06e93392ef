"""Searches sidecars by words, for `sidecarctl list WORD`."""

from __future__ import annotations

from collections.abc import Sequence

from sidecarctl.authoring.parameter_table import list_parameters
from sidecarctl.catalog.catalog import Entry
from sidecarctl.errors import UsageError, did_you_mean

# Where a word is found, the best place first.
_NAME, _PART, _KEYWORD, _SUMMARY, _PARAMETER = 50, 20, 10, 5, 1


def search(entries: Sequence[Entry], words: Sequence[str]) -> list[Entry]:
    """Return the entries in which every word is found, the best match first. Raise UsageError if there is none."""
    wanted = [word.lower() for word in words]
    ranked = [(sum(scores), entry) for entry in entries if all(scores := [_score(entry, word) for word in wanted])]
    if not ranked:
        raise UsageError(f'no sidecar matches "{" ".join(words)}"', hint=_hint(entries, wanted))
    return [entry for _, entry in sorted(ranked, key=lambda pair: -pair[0])]


def _score(entry: Entry, word: str) -> int:
    """Return how well a word matches an entry, 0 if it does not."""
    listing = entry.listing
    keywords = [keyword.lower() for keyword in listing.keywords] if listing else []
    if word == entry.name:
        return _NAME
    if word in entry.name:
        return _PART
    if any(word == keyword for keyword in keywords):
        return _KEYWORD + 1
    if any(word in keyword for keyword in keywords):
        return _KEYWORD
    if listing and word in listing.summary.lower():
        return _SUMMARY
    return _PARAMETER if word in _parameter_names(entry) else 0


def _parameter_names(entry: Entry) -> str:
    sidecar = entry.sidecar
    return " ".join(".".join(row.path) for row in list_parameters(sidecar.parameters)).lower() if sidecar else ""


def _hint(entries: Sequence[Entry], words: Sequence[str]) -> str:
    known = {entry.name for entry in entries} | {key for one in entries if one.listing for key in one.listing.keywords}
    near = [hint for word in words if (hint := did_you_mean(word, sorted(known)))]
    return near[0] if near else "`sidecarctl list` lists all sidecars"
