"""Searches sidecars by words, for `sidecarctl list WORD`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sidecarctl.authoring.word_stems import contains, related, stems
from sidecarctl.catalog.catalog import Entry
from sidecarctl.errors import UsageError, did_you_mean

# Where a word is found, the best place first.
_NAME, _PART, _KEYWORD, _RELATED, _SUMMARY, _PARAMETER, _TEXT = 50, 20, 10, 6, 5, 2, 1
_SHORTEST_PREFIX = 3

_Score = Callable[[Entry, str], int]


def search(entries: Sequence[Entry], words: Sequence[str]) -> list[Entry]:
    """Return the entries in which every word is found, the best match first. Raise UsageError if there is none.

    Words are compared without their endings. Descriptions, parameters, and beginnings of words count only if no entry has
    all words in its name, keywords, and summary.
    """
    wanted = list(dict.fromkeys(word.lower() for word in words))
    for score in (_score, _score_in_text, _score_of_prefix):
        ranked = [(sum(scores), entry) for entry in entries if all(scores := [score(entry, word) for word in wanted])]
        if ranked:
            return [entry for _, entry in sorted(ranked, key=lambda pair: -pair[0])]
    raise UsageError(f'no sidecar matches "{" ".join(words)}"', hint=_hint(entries, wanted))


def _score(entry: Entry, word: str) -> int:
    """Return how well a word matches the name, keywords, and summary of an entry, 0 if it does not."""
    listing = entry.listing
    if word == entry.name:
        return _NAME
    instead = related(word)
    names = set(stems(entry.name))
    keywords = {found for keyword in listing.keywords for found in stems(keyword)} if listing else set[str]()
    if contains(names, word):
        return _PART
    if contains(keywords, word):
        return _KEYWORD
    if any(each in names or each in keywords for each in instead):
        return _RELATED + any(each in names for each in instead)
    summary = set(stems(listing.summary)) if listing else set[str]()
    if contains(summary, word):
        return _SUMMARY
    return _SUMMARY - 1 if any(each in summary for each in instead) else 0


def _score_in_text(entry: Entry, word: str) -> int:
    """Return the score of `_score`, else a low one if a parameter or the description has the word."""
    from sidecarctl.authoring.parameter_table import list_parameters

    found, sidecar = _score(entry, word), entry.sidecar
    if found or sidecar is None:
        return found
    if any(
        contains(set(stems(".".join(row.path))), word) for row in list_parameters(sidecar.parameters, str(sidecar.file))
    ):
        return _PARAMETER
    return _TEXT if contains(set(stems(sidecar.description)), word) else 0


def _score_of_prefix(entry: Entry, word: str) -> int:
    """Return the score of `_score`, else one if a word of name, keywords, or summary starts with the word."""
    listing = entry.listing
    text = f"{entry.name} {' '.join(listing.keywords)} {listing.summary}" if listing else entry.name
    starts = len(word) >= _SHORTEST_PREFIX and any(one.startswith(word) for one in stems(text))
    return _score(entry, word) or (_TEXT if starts else 0)


def _hint(entries: Sequence[Entry], words: Sequence[str]) -> str:
    known = {entry.name for entry in entries} | {key for one in entries if one.listing for key in one.listing.keywords}
    near = [hint for word in words if (hint := did_you_mean(word, sorted(known)))]
    return near[0] if near else "`sidecarctl list` lists all sidecars"
