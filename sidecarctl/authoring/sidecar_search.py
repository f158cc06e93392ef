"""Searches sidecars by words, for `sidecarctl list WORD`."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from functools import cached_property

from sidecarctl.authoring.word_stems import contains, related, stems
from sidecarctl.catalog.catalog import Entry
from sidecarctl.errors import Suggester, UsageError
from sidecarctl.lazy_dataclass import dataclass

# Where a word is found, the best place first.
_NAME, _PART, _KEYWORD, _RELATED, _SUMMARY, _PARAMETER, _TEXT = 50, 20, 10, 6, 5, 2, 1
_SHORTEST_PREFIX = 3


@dataclass(frozen=True)
class _EntryStems:
    """The stems of the words of an entry, by where they are; each place is read once for all words of a search."""

    entry: Entry

    @cached_property
    def names(self) -> Set[str]:
        return set(stems(self.entry.name))

    @cached_property
    def keywords(self) -> Set[str]:
        listing = self.entry.listing
        return {found for keyword in listing.keywords for found in stems(keyword)} if listing else set[str]()

    @cached_property
    def summary(self) -> Set[str]:
        return set(stems(self.entry.listing.summary)) if self.entry.listing else set[str]()

    @cached_property
    def parameters(self) -> Sequence[Set[str]]:
        from sidecarctl.authoring.parameter_table import list_parameters

        sidecar = self.entry.sidecar
        rows = list_parameters(sidecar.parameters, str(sidecar.file)) if sidecar else []
        return [set(stems(".".join(row.path))) for row in rows]

    @cached_property
    def description(self) -> Set[str]:
        return set(stems(self.entry.sidecar.description)) if self.entry.sidecar else set[str]()


_Score = Callable[[_EntryStems, str], int]


def search(entries: Sequence[Entry], words: Sequence[str]) -> list[Entry]:
    """Return the entries in which every word is found, the best match first. Raise UsageError if there is none.

    Words are compared without their endings. Descriptions, parameters, and beginnings of words count only if no entry has
    all words in its name, keywords, and summary.
    """
    wanted = list(dict.fromkeys(word.lower() for word in words))
    indexed = [_EntryStems(entry) for entry in entries]
    for score in (_score, _score_in_text, _score_of_prefix):
        ranked = [(total, each.entry) for each in indexed if (total := _add_scores(score, each, wanted))]
        if ranked:
            return [entry for _, entry in sorted(ranked, key=lambda pair: -pair[0])]
    raise UsageError(f'no sidecar matches "{" ".join(words)}"', hint=_hint(entries, wanted))


def _add_scores(score: _Score, found: _EntryStems, words: Sequence[str]) -> int:
    """Return the sum of the scores of all words, 0 if one is not found."""
    total = 0
    for word in words:
        own = score(found, word)
        if not own:
            return 0
        total += own
    return total


def _score(found: _EntryStems, word: str) -> int:
    """Return how well a word matches the name, keywords, and summary of an entry, 0 if it does not."""
    if word == found.entry.name:
        return _NAME
    instead = related(word)
    if contains(found.names, word):
        return _PART
    if contains(found.keywords, word):
        return _KEYWORD
    if any(each in found.names or each in found.keywords for each in instead):
        return _RELATED + any(each in found.names for each in instead)
    if contains(found.summary, word):
        return _SUMMARY
    return _SUMMARY - 1 if any(each in found.summary for each in instead) else 0


def _score_in_text(found: _EntryStems, word: str) -> int:
    """Return the score of `_score`, else a low one if a parameter or the description has the word."""
    own = _score(found, word)
    if own:
        return own
    if any(contains(each, word) for each in found.parameters):
        return _PARAMETER
    return _TEXT if contains(found.description, word) else 0


def _score_of_prefix(found: _EntryStems, word: str) -> int:
    """Return the score of `_score`, else one if a word of name, keywords, or summary starts with the word."""
    known = (found.names, found.keywords, found.summary)
    starts = len(word) >= _SHORTEST_PREFIX and any(one.startswith(word) for each in known for one in each)
    return _score(found, word) or (_TEXT if starts else 0)


def _hint(entries: Sequence[Entry], words: Sequence[str]) -> str:
    known = {entry.name for entry in entries} | {key for one in entries if one.listing for key in one.listing.keywords}
    suggester, names = Suggester(), sorted(known)
    near = (suggester.did_you_mean(word, names) for word in words)
    return next(filter(None, near), "`sidecarctl list` lists all sidecars")
