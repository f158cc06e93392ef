"""Mask the texts of secret parameters in messages."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from sidecarctl.findings import ELLIPSIS, MAX_QUOTE_LENGTH
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.yamltext.emit import json_text

MASK = "..."
_SHORT = 4  # characters; shorter texts are masked as whole words only


def mentions(text: str, secrets: Iterable[str]) -> bool:
    """Return True if a text has the text of a secret, in any case."""
    return mask(text, secrets) != text


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return a text with the texts of secrets masked, in any case, also if they are quoted as in messages, JSON, or Python,
    or shortened in a quote.
    """
    return mask_forms(text, forms_of(secrets))


def forms_of(secrets: Iterable[str]) -> SecretForms:
    """Return the forms that secrets can have in a text. Many texts take less time with them than with the secrets."""
    return _forms(frozenset(secrets))


def part_forms_of(secrets: Iterable[str]) -> SecretForms:
    """Return the words of secrets, and the items of lists in them, as forms that texts can have as whole words.

    The shortest ones are left out: many texts have them.
    """
    return _part_forms(frozenset(secrets))


@lru_cache(maxsize=8)
def _part_forms(secrets: frozenset[str]) -> SecretForms:
    parts = {part for secret in secrets for part in _SEPARATORS.split(secret) if len(part) >= _SHORTEST_PART}
    return replace(_forms(frozenset(parts - secrets)), only_words=True, starts=frozenset())


_SEPARATORS = re.compile(r"[^\w.+-]+")
_SHORTEST_PART = 3


@dataclass(frozen=True, eq=False)
class SecretForms:
    """The forms that secrets can have in a text, folded and sorted, with what finds them without a search for each.

    outer    the longest other form that a form begins with, if there is one
    longest  the number of characters of the longest form
    heads    the first characters of the forms, and the lengths of those heads
    starts   the heads of forms that are not short
    only_words  True if each form must be a whole word, not only the short ones
    """

    all: Sequence[str]
    outer: Mapping[str, str]
    longest: int
    heads: frozenset[str]
    lengths: Sequence[int]
    starts: frozenset[str]
    only_words: bool = False


@lru_cache(maxsize=8)
def _forms(secrets: frozenset[str]) -> SecretForms:
    forms = sorted({_fold(form) for secret in secrets if secret for form in _quoted_forms(secret)})
    heads = frozenset(form[:_SHORT] for form in forms)
    starts = frozenset(form[:_SHORT] for form in forms if len(form) > _SHORT)
    longest = max(map(len, forms), default=0)
    return SecretForms(forms, _find_outer(forms), longest, heads, sorted(set(map(len, heads))), starts)


def _find_outer(forms: Sequence[str]) -> dict[str, str]:
    """Return the longest other form that each of the sorted forms begins with."""
    outer: dict[str, str] = {}
    around: list[str] = []
    for form in forms:
        while around and not form.startswith(around[-1]):
            around.pop()
        if around:
            outer[form] = around[-1]
        around.append(form)
    return outer


@lru_cache(maxsize=256)  # findings of one rule share most of their texts
def mask_forms(text: str, forms: SecretForms) -> str:
    """Return a text with these forms masked."""
    folded = _fold(text)
    parts, done = [], 0
    for start, end in sorted((*_find_whole(folded, forms), *_find_shortened(folded, forms))):
        if start >= done:
            parts += [text[done:start], MASK]
        done = max(done, end)
    return "".join((*parts, text[done:]))


def _quoted_forms(secret: str) -> Iterator[str]:
    yield from (secret, secret.replace("\n", "\\n"), repr(secret)[1:-1])
    yield from (secret.replace("'", "''"), json_text(secret)[1:-1])  # in YAML
    yield from (json.dumps(secret, ensure_ascii=only)[1:-1] for only in (True, False))


def _fold(text: str) -> str:
    """Return a text of the same length in which characters are equal that differ only in case."""
    return text.lower() if text.isascii() else "".join(map(_fold_character, text))


@lru_cache(maxsize=4096)
def _fold_character(one: str) -> str:
    """Return one character for all that a regular expression that ignores case treats as equal."""
    one = _ODD_CASES.get(one, one)
    return next((each for each in (one.casefold(), one.lower()) if len(each) == 1), one)


# Uppercase and lowercase letters that do not map one to one.
_ODD_CASES = {
    "\u0130": "i",
    "\u0131": "i",
    "\u1e9e": "\xdf",
    "\ufb06": "\ufb05",
    "\u1fd3": "\u0390",
    "\u1fe3": "\u03b0",
}


def _find_whole(text: str, forms: SecretForms) -> Iterator[tuple[int, int]]:
    """Yield where a folded text has a form, a short one as a whole word."""
    for form in find_forms(text, forms):
        is_word = forms.only_words or len(form) < _SHORT
        start = text.find(form)
        while start >= 0:
            end = start + len(form)
            if not is_word or not (_is_in_word(text[start - 1 : start]) or _is_in_word(text[end : end + 1])):
                yield start, end
            start = text.find(form, end)


def find_forms(text: str, forms: SecretForms) -> set[str]:
    """Return the forms that a folded text has. Most texts have no head of one, so thousands of secrets cost little."""
    found: set[str] = set()
    heads = {at for length in forms.lengths for at in range(len(text)) if text[at : at + length] in forms.heads}
    for at in heads:
        position = bisect_right(forms.all, text[at : at + forms.longest])
        form = forms.all[position - 1] if position else None
        while form is not None and form not in found:  # what a found form begins with is found too
            if text.startswith(form, at):
                found.add(form)
            form = forms.outer.get(form)
    return found


def _is_in_word(one: str) -> bool:
    return one.isalnum() or one == "_"


def _find_shortened(text: str, forms: SecretForms) -> Iterator[tuple[int, int]]:
    """Yield where a folded text has the beginning of a form before a mark: a message shows only the start of a long value.

    Messages about a schema end it with three dots.
    """
    marks = [(found.start(), found.end()) for found in _MARK.finditer(text)]
    begun = [at for at in range(len(text)) if text[at : at + _SHORT] in forms.starts] if marks else []
    for start, end in marks:
        first, last = (bisect_left(begun, start - length) for length in (2 * MAX_QUOTE_LENGTH, _SHORT - 1))
        for at in begun[first:last]:  # a line break takes two characters, so a quote can have twice as many
            if _begins_one(text[at:start], forms.all):
                yield at, end
                break


_MARK = re.compile(rf"{ELLIPSIS}|{re.escape(MASK)}")


def _begins_one(text: str, forms: Sequence[str]) -> bool:
    """Return whether one of the sorted forms begins with a text."""
    at = bisect_left(forms, text)
    return at < len(forms) and forms[at].startswith(text)
