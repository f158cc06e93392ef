"""Whole texts fixed: judged, fixed, judged again, until nothing is left that has a fix. What is left is marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sidecarctl.errors import BugError, InputError
from sidecarctl.findings import Finding, Remedy
from sidecarctl.validate.choice import Choice
from sidecarctl.validate.fix.fixes import Amounts, Fix, Given
from sidecarctl.validate.fix.table import FIXABLE, Refusal
from sidecarctl.validate.fix.trial import Fixed, fixed
from sidecarctl.validate.texts import Judged, Text, Verdict, uncollected, validate
from sidecarctl.yamltext.stream import Document, join, split

_MOST_ROUNDS = 20
_NOT_CUT = "the file can't be cut into its documents"


@dataclass(frozen=True)
class Outcome:
    """Texts after their fixes, what is left to say of them, and what was fixed."""

    texts: tuple[Text, ...]
    verdict: Verdict
    done: tuple[Fix, ...] = ()


def marked(texts: Sequence[Text], verdict: Verdict, chosen: Choice, amounts: Amounts) -> Verdict:
    """Return a verdict whose findings say what `--fix` would do. Changes nothing."""
    with uncollected():
        return _with_remedies(verdict, list(_round(texts, verdict, chosen, amounts, cautious=True)))


def fix(texts: Sequence[Text], chosen: Choice, amounts: Amounts) -> Outcome:
    """Fix texts. Raises BugError where a result is not what its edits mean."""
    now = tuple(texts)
    done: list[Fix] = []
    for _ in range(_MOST_ROUNDS):
        verdict = validate(now, chosen)
        with uncollected():
            results = list(_round(now, verdict, chosen, amounts))
        made = [each for _, one in results for each in one.done]
        if not made:
            break
        done += made
        before, now = now, _rewritten(now, results)
        if now == before:
            raise BugError("a fix changes nothing")
    else:
        raise BugError("fixes bring up new fixes without end")
    return Outcome(now, _with_remedies(verdict, results), tuple(done))


def _round(
    texts: Sequence[Text], verdict: Verdict, chosen: Choice, amounts: Amounts, *, cautious: bool = False
) -> Iterator[tuple[Judged, Fixed]]:
    """Yield the documents that have something to fix, with what becomes of them; `cautious` passes over bugs."""
    given = Given(chosen.context.kube_version, amounts)
    whole: dict[int, bool] = {}
    for judged in verdict.judged:
        own = [one for one in judged.findings if one.rule in FIXABLE]
        if not own:
            continue
        try:
            result = fixed(judged.document, own, given, chosen)
        except BugError:
            if not cautious:
                raise
            continue
        if judged.text not in whole:
            whole[judged.text] = _is_cut(texts[judged.text])
        if whole[judged.text]:
            yield judged, result
        else:
            refusals = (Refusal(each.finding, _NOT_CUT) for each in result.done)
            yield judged, Fixed(judged.document, (), (*refusals, *result.refused))


def _is_cut(text: Text) -> bool:
    """True where the whole text can be cut into documents, and so be put together again."""
    try:
        for _ in split(text.text, text.file):
            pass
    except InputError:
        return False
    return True


def _rewritten(texts: Sequence[Text], results: Sequence[tuple[Judged, Fixed]]) -> tuple[Text, ...]:
    changed: dict[int, dict[int, Document]] = {}
    for judged, result in results:
        if result.done:
            changed.setdefault(judged.text, {})[judged.document.index] = result.document
    new = list(texts)
    for number, documents in changed.items():
        parts = split(texts[number].text, texts[number].file)
        new[number] = replace(texts[number], text=join(documents.get(one.index, one) for one in parts))
    return tuple(new)


def _with_remedies(verdict: Verdict, results: Sequence[tuple[Judged, Fixed]]) -> Verdict:
    remedies: dict[int, Remedy] = {}
    for _, one in results:
        remedies.update((id(each.finding), Remedy(each.says)) for each in one.done)
        remedies.update((id(each.finding), Remedy(refused=each.why)) for each in one.refused)

    def told(finding: Finding) -> Finding:
        remedy = remedies.get(id(finding))
        if remedy is None:
            return finding
        return replace(finding, remedy=remedy, help=remedy.says or finding.help)

    return replace(verdict, findings=tuple(map(told, verdict.findings)))
