"""Application of fixes: fixes that cannot be written, or that cause a new error, are refused."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from sidecarctl import watchdog
from sidecarctl.errors import BugError
from sidecarctl.findings import AutoFix, Finding, PathTuple, Severity
from sidecarctl.kube import field_order
from sidecarctl.validate.check_document import check_documents
from sidecarctl.validate.check_files import (
    CheckedDocument,
    SourceText,
    Verdict,
    check_schema,
    gc_disabled,
    validate_texts,
)
from sidecarctl.validate.fix.fixers import Fix, FixContext, FixValues
from sidecarctl.validate.fix.table import FIXABLE, RefusedFix, propose_fixes
from sidecarctl.validate.registry import Rule, rules
from sidecarctl.validate.rule_selection import OF_MANIFESTS, RuleSelection
from sidecarctl.yamltext.edits import Edit, EditRefused, Remove
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document, can_split, join, split

_INDEX = re.compile(r"\[\d+\]")
_MAX_FOLLOW_UPS = 3
_MOST_TRIALS = 200  # of the fixes of a document: each is a validation of the document


@dataclass(frozen=True)
class FixedDocument:
    """A document after fixing, with the applied and the refused fixes."""

    document: Document
    done: tuple[Fix, ...] = ()
    refused: tuple[RefusedFix, ...] = ()


def fix_document(
    document: Document, findings: Sequence[Finding], context: FixContext, selection: RuleSelection
) -> FixedDocument:
    """Apply the fixes of the findings of a document that can be applied together."""
    fixes, refused = propose_fixes(document, findings, context)
    if not fixes:
        return FixedDocument(document, refused=tuple(refused))
    trial = _Trial(document, context, selection)
    trial.accept(_without_conflicts(fixes))
    return FixedDocument(trial.after, tuple(trial.accepted), (*refused, *trial.refused))


class _Trial:
    """The state of fixing one document: accepted and refused fixes, and the resulting text."""

    def __init__(self, document: Document, context: FixContext, selection: RuleSelection) -> None:
        self.document = self.after = document
        self.context, self.selection = context, selection
        self.trials = 0
        self.accepted: list[Fix] = []
        self.refused: list[RefusedFix] = []
        self.errors = Counter(map(_identity, self._errors(document)))

    def accept(self, fixes: Sequence[Fix]) -> None:
        """Accept fixes. After a failure, refuse the fixes that cause it, or bisect if the cause is unclear."""
        while fixes:
            blamed = self._failing(fixes)
            if not blamed:
                return
            if None in blamed.values() and len(fixes) > 1:
                middle = len(fixes) // 2
                self.accept(fixes[:middle])
                self.accept(fixes[middle:])
                return
            for number, why in blamed.items():
                self.refused.append(RefusedFix(fixes[number].finding, why or ""))
            fixes = [fix for number, fix in enumerate(fixes) if number not in blamed]

    def _failing(self, fixes: Sequence[Fix]) -> dict[int, str | None]:
        """Try fixes with the accepted ones. Accept them, or return the failing ones by index with the reason.

        The reason is None if it is unclear which fix fails.
        """
        self.trials += 1
        if self.trials > _MOST_TRIALS:
            return dict.fromkeys(range(len(fixes)), "too many fixes of this document failed; fix some by hand")
        together = [*self.accepted, *fixes]
        try:
            after = _spliced(self.document, together)
        except EditRefused as refusal:
            reasons = {n: refusal.message for n, fix in enumerate(fixes) if _within(fix, refusal.path)}
            return _blame(fixes, reasons, refusal.message)
        new = self._new_errors(after)
        if not new or self._fixable_next(after, new):
            self.accepted, self.after = together, after
            return {}
        causes = {one.path: f"the fix causes a new error, {one.rule}: {one.message}" for one in new}
        reasons = {n: causes[edit.path] for n, fix in enumerate(fixes) for edit in fix.edits if edit.path in causes}
        return _blame(fixes, reasons, next(iter(causes.values())))

    def _new_errors(self, after: Document) -> list[Finding]:
        left = self.errors.copy()
        new = []
        for one in self._errors(after):
            left[_identity(one)] -= 1
            if left[_identity(one)] < 0:
                new.append(one)
        return new

    def _fixable_next(self, after: Document, new: Sequence[Finding]) -> bool:
        """Return True if the next fixes resolve the new errors, such as errors that an unknown kind had hidden."""
        for _ in range(_MAX_FOLLOW_UPS):
            fixes, _refused = propose_fixes(
                after, [one for one in new if one.rule in self.selection.names], self.context
            )
            if not fixes:
                return False
            try:
                after = _spliced(after, _without_conflicts(fixes))
            except EditRefused:
                return False
            new = self._new_errors(after)
            if not new:
                return True
        return False

    def _errors(self, document: Document) -> Iterator[Finding]:
        """Yield the errors of all rules for the single document, including rules that are not selected."""
        value = document.value
        of_rules = check_documents(
            [value], _rules_of_one_document(), self.selection.context, kinds=self.selection.kinds
        )
        for one in (*check_schema(value, self.selection), *(found for _, found in of_rules)):
            if one.severity is Severity.ERROR:
                yield one


def _blame(fixes: Sequence[Fix], reasons: dict[int, str], failure: str) -> dict[int, str | None]:
    """Return the known reasons by fix. Without any, the failure is the reason of a single fix, None of several."""
    return {**reasons} if reasons else dict.fromkeys(range(len(fixes)), failure if len(fixes) == 1 else None)


def _within(fix: Fix, path: PathTuple) -> bool:
    return any(edit.path[: len(path)] == path for edit in fix.edits)


def _identity(finding: Finding) -> tuple[str, str]:
    """Return a key that identifies a finding even if indices of list items have changed."""
    return finding.rule, _INDEX.sub("[]", finding.message)


@cache
def _rules_of_one_document() -> tuple[Rule, ...]:
    known = rules().values()
    return tuple(one for one in known if one.on and one.checks and one.scope != "stream" and one.layer in OF_MANIFESTS)


def _without_conflicts(fixes: Sequence[Fix]) -> list[Fix]:
    """Return fixes without those that conflict with others: inside a removed item, or other values for the same path.

    The next round tries the conflicting fixes again if they are still necessary.
    """
    taken: dict[PathTuple, Edit] = {}
    kept = []
    removals_first = sorted(
        fixes, key=lambda fix: min((not isinstance(one, Remove), len(one.path)) for one in fix.edits)
    )
    for fix in removals_first:
        if any(_conflicts(edit, taken) for edit in fix.edits):
            continue
        taken.update((edit.path, edit) for edit in fix.edits)
        kept.append(fix)
    return kept


def _conflicts(edit: Edit, taken: dict[PathTuple, Edit]) -> bool:
    same = taken.get(edit.path, edit)
    return same != edit or any(edit.path[:depth] in taken for depth in range(len(edit.path)))


def _spliced(document: Document, fixes: Sequence[Fix]) -> Document:
    edits = {edit.path: edit for fix in fixes for edit in fix.edits}
    assert document.root is not None
    done = splice(document.text, document.root, list(edits.values()), _place)
    return document.with_text(done.text, done.root)


def _place(path: PathTuple, keys: list[str], key: str) -> int:
    return field_order.insertion_index(keys, key, field_order.context_of(path))


_MAX_ROUNDS = 20
_NOT_SPLIT = "the file cannot be split into documents"


@dataclass(frozen=True)
class FixResult:
    """Texts after fixing, the remaining findings, and the applied fixes."""

    texts: tuple[SourceText, ...]
    verdict: Verdict
    done: tuple[Fix, ...] = ()


def describe_fixes(
    texts: Sequence[SourceText], verdict: Verdict, selection: RuleSelection, values: FixValues
) -> Verdict:
    """Return the verdict with the fix that `--fix` would apply in each finding."""
    with gc_disabled():
        return _with_autofixes(verdict, list(_round(texts, verdict, selection, values, cautious=True)))


def fix_texts(texts: Sequence[SourceText], selection: RuleSelection, values: FixValues) -> FixResult:
    """Fix texts. Raise BugError if a result differs from its edits."""
    now = tuple(texts)
    done: list[Fix] = []
    for _ in range(_MAX_ROUNDS):
        verdict = validate_texts(now, selection)
        with gc_disabled():
            results = list(_round(now, verdict, selection, values))
        made = [each for _, one in results for each in one.done]
        if not made:
            break
        done += made
        before, now = now, _rewritten(now, results)
        if now == before:
            raise BugError("a fix does not change the text")
    else:
        raise BugError("fixes do not converge")
    return FixResult(now, _with_autofixes(verdict, results), tuple(done))


def _round(
    texts: Sequence[SourceText],
    verdict: Verdict,
    selection: RuleSelection,
    values: FixValues,
    *,
    cautious: bool = False,
) -> Iterator[tuple[CheckedDocument, FixedDocument]]:
    """Yield the documents with fixable findings and their results; `cautious` skips documents with internal errors."""
    context = FixContext(selection.context.kube_version, values)
    whole: dict[int, bool] = {}
    for checked in verdict.checked:
        own = [one for one in checked.findings if one.rule in FIXABLE]
        if not own:
            continue
        watchdog.begin(checked.document.file)
        try:
            result = fix_document(checked.document, own, context, selection)
        except BugError:
            if not cautious:
                raise
            continue
        if checked.text not in whole:
            whole[checked.text] = can_split(texts[checked.text].text)
        if whole[checked.text]:
            yield checked, result
        else:
            refusals = (RefusedFix(each.finding, _NOT_SPLIT) for each in result.done)
            yield checked, FixedDocument(checked.document, (), (*refusals, *result.refused))


def _rewritten(
    texts: Sequence[SourceText], results: Sequence[tuple[CheckedDocument, FixedDocument]]
) -> tuple[SourceText, ...]:
    changed: dict[int, dict[int, Document]] = {}
    for checked, result in results:
        if result.done:
            changed.setdefault(checked.text, {})[checked.document.index] = result.document
    new = list(texts)
    for number, documents in changed.items():
        parts = split(texts[number].text, texts[number].file)
        new[number] = replace(texts[number], text=join(documents.get(one.index, one) for one in parts))
    return tuple(new)


def _with_autofixes(verdict: Verdict, results: Sequence[tuple[CheckedDocument, FixedDocument]]) -> Verdict:
    autofixes: dict[int, AutoFix] = {}
    for _, one in results:
        autofixes.update((id(each.finding), AutoFix(each.description)) for each in one.done)
        autofixes.update((id(each.finding), AutoFix(refused=each.why)) for each in one.refused)

    def with_autofix(finding: Finding) -> Finding:
        autofix = autofixes.get(id(finding))
        if autofix is None:
            return finding
        return replace(finding, autofix=autofix, help=autofix.description or finding.help)

    return replace(verdict, findings=tuple(map(with_autofix, verdict.findings)))
