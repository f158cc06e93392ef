"""Ignore comments and ignore annotations in manifests.

# sidecarctl: ignore[port-conflict] different addresses     on a line of the finding, or on the line above
sidecarctl.dev/ignore: port-conflict,floating-image         on the object or its pod template
sidecarctl.dev/ignore.logger: floating-image                for one container
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence

from sidecarctl.errors import Suggester
from sidecarctl.findings import Finding, Ignored, PathTuple, Place, Severity
from sidecarctl.kube.workload import Workload, as_mapping, objects, workloads
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.validate.registry import current_name
from sidecarctl.yamltext.nodes import Mapping, Node, Scalar
from sidecarctl.yamltext.nodes import Sequence as SequenceNode
from sidecarctl.yamltext.stream import Document

ANNOTATION = "sidecarctl.dev/ignore"
UNUSED = "unused-ignore"
UNKNOWN = "unknown-rule"

_COMMENT = lazy_pattern(r"(?:^|(?<=[ \t]))#[ \t]*sidecarctl:[ \t]*ignore\b(\[[^\]\r\n]*\]?)?([^\r\n]*)", re.MULTILINE)
_NAME = lazy_pattern(r"[^\s,\[\]]+")
_WHY_UNUSED = "An unused ignore would silently hide the next finding of its rule."
_MOST_NAMES = 1_000  # of one ignore; there are fewer rules
_NO_RULE = "ignore without a rule name"


@dataclass(frozen=True)
class Suppressed:
    """Findings to report in their given order, then findings about the ignores; and the ignored findings."""

    kept: tuple[Finding, ...]
    ignored: tuple[Ignored, ...] = ()


@dataclass(frozen=True, eq=False)
class _Ignore:
    """One rule name in an ignore; `rule` is "" for an ignore without a rule name.

    lines      of a comment: its line and the line that it belongs to; None for an annotation
    root       of an annotation: the path of its object
    label      of an annotation: the label of the workload
    container  of an annotation: the only container that it covers, "" for all
    """

    rule: str
    place: Place
    path: PathTuple = ()
    reason: str = ""
    label: str = ""
    hint: str = ""
    lines: tuple[int, int] | None = None
    root: PathTuple = ()
    container: str = ""


class _Index:
    """The ignores of one rule. Finds those that cover a finding without asking all of them.

    used  the ignores that cover a finding
    """

    def __init__(self) -> None:
        self.used: set[_Ignore] = set()
        # By the path of the object or the label of the workload, and the container: the annotations that are not used yet.
        self._annotations: dict[tuple[PathTuple | str, str], list[_Ignore]] = {}
        self._root_lengths: set[int] = set()
        self._by_first: dict[int, list[_Ignore]] = {}
        self._by_last: dict[int, list[_Ignore]] = {}
        self._firsts: list[int] = []
        # By the first and last line of a finding: the reason of the comments that cover it, None without a comment.
        self._reasons: dict[tuple[int, int], str | None] = {}

    def add(self, ignore: _Ignore) -> None:
        """Add an ignore; comments come in the order of their lines."""
        if ignore.lines is None:
            self._root_lengths.add(len(ignore.root))
            for scope in (ignore.root, ignore.label):
                self._annotations.setdefault((scope, ignore.container), []).append(ignore)
            return
        first, last = ignore.lines
        if first not in self._by_first:
            self._firsts.append(first)
        self._by_first.setdefault(first, []).append(ignore)
        self._by_last.setdefault(last, []).append(ignore)

    def hide(self, finding: Finding) -> str | None:
        """Return the reason of the ignores that cover a finding, "" without one; None if no ignore covers it."""
        annotated = self._use_annotations(finding)
        commented = self._use_comments(finding.place) if finding.place is not None else None
        return "" if commented is None and annotated else commented

    def _use_annotations(self, finding: Finding) -> bool:
        """Return whether an annotation covers a finding."""
        if not self._annotations:
            return False
        path = finding.path
        scopes = [path[:length] for length in self._root_lengths] if path else [finding.workload]
        keys = ((scope, container) for scope in scopes for container in {"", finding.container})
        found = [self._annotations[key] for key in keys if key in self._annotations]
        for unused in found:
            self.used.update(unused)
            unused.clear()
        return bool(found)

    def _use_comments(self, place: Place) -> str | None:
        """Return the reason of the first comment with one that covers a place, None if no comment covers it.

        A comment covers what is on its line, and what starts on the line that it belongs to.
        """
        start = place.line
        end = place.end_line - (place.end_line > start and place.end_column == 1)
        if (start, end) not in self._reasons:
            inside = self._firsts[bisect_left(self._firsts, start) : bisect_right(self._firsts, end)]
            found = [one for line in inside for one in self._by_first[line]]
            found += (one for one in self._by_last.get(start, ()) if one.lines and one.lines[0] < start)
            self.used.update(found)
            reason = next((one.reason for one in found if one.reason), "")
            self._reasons[start, end] = reason if found else None
        return self._reasons[start, end]


def suppress(
    document: Document, findings: Sequence[Finding], *, known: Collection[str], active: Collection[str] | None = None
) -> Suppressed:
    """Remove the findings of a document that it ignores. The findings must have places.

    A rule name that is not in `known` is an `unknown-rule` finding. An ignore that hides nothing, of a rule in `active`
    (default: all known rules), is an `unused-ignore` finding.
    """
    if "sidecarctl" not in document.text or "ignore" not in document.text:
        return Suppressed(tuple(findings))
    ignores = [_with_current_name(ignore, known) for ignore in (*_comments(document), *_annotations(document))]
    valid = [ignore for ignore in ignores if ignore.rule in known]
    kept, ignored, used = _split(findings, [ignore for ignore in valid if ignore.rule != UNUSED])
    ran = known if active is None else active
    about = [_unused(one) for one in valid if one.rule != UNUSED and one.rule in ran and one not in used]
    about += [_unused(one) for one in ignores if not one.rule]
    meta = [ignore for ignore in valid if ignore.rule == UNUSED]
    about, more, used = _split(about, meta)
    about += [_unused(one) for one in meta if one not in used and UNUSED in ran]
    unknown = [one for one in ignores if one.rule and one.rule not in known]
    suggester = Suggester()
    about += [_unknown(one, suggester.did_you_mean(one.rule, known)) for one in unknown]
    return Suppressed((*kept, *about), (*ignored, *more))


def _with_current_name(ignore: _Ignore, known: Collection[str]) -> _Ignore:
    """Return an ignore with the current name of a renamed rule."""
    return ignore if not ignore.rule or ignore.rule in known else replace(ignore, rule=current_name(ignore.rule))


def _split(findings: Iterable[Finding], ignores: list[_Ignore]) -> tuple[list[Finding], list[Ignored], set[_Ignore]]:
    """Return the findings to report, the ignored findings, and the ignores that hide one."""
    kept: list[Finding] = []
    ignored: list[Ignored] = []
    by_rule: dict[str, _Index] = {}
    for ignore in ignores:
        by_rule.setdefault(ignore.rule, _Index()).add(ignore)
    for finding in findings:
        reason = by_rule[finding.rule].hide(finding) if finding.rule in by_rule else None
        if reason is None:
            kept.append(finding)
        else:
            ignored.append(Ignored(finding, reason))
    return kept, ignored, set[_Ignore]().union(*(index.used for index in by_rule.values()))


def _unused(ignore: _Ignore) -> Finding:
    message = f"unused ignore: no {ignore.rule} finding here" if ignore.rule else _NO_RULE
    fix = "remove the rule name from the ignore" if ignore.rule else "use `# sidecarctl: ignore[RULE] reason`"
    return Finding(
        UNUSED,
        message,
        Severity.WARNING,
        ignore.path,
        why=_WHY_UNUSED,
        help=ignore.hint or fix,
        workload=ignore.label,
        place=ignore.place,
    )


def _unknown(ignore: _Ignore, suggestion: str) -> Finding:
    return Finding(
        UNKNOWN,
        f'unknown rule "{ignore.rule}" in ignore',
        path=ignore.path,
        help=suggestion or "run `sidecarctl rules` to list all rules",
        workload=ignore.label,
        place=ignore.place,
    )


def _comments(document: Document) -> Iterator[_Ignore]:
    """Yield the ignores in comments, not those in the text of scalars."""
    scalars: list[tuple[int, int]] | None = None
    block = (0, 0)
    for found in _COMMENT.finditer(document.text):
        if scalars is None:
            scalars = list(_scalars(document.root, document.text)) if document.root else []
            scalars.sort()
        before = bisect_right(scalars, (found.start(), len(document.text)))
        if before and found.start() < scalars[before - 1][1]:
            continue
        names, reason = found.group(1) or "", found.group(2).strip()
        first, last = _block_of(document, found.start(), block)
        if last > first:  # a comment behind others on its line does not end their block
            block = first, last
        lines = document.line + first + 1, document.line + last + 1
        whole = document.place(found.start(), found.end())
        starts = _starts(names)
        if not starts:
            yield _Ignore("", whole, reason=reason, lines=lines)
        for name, start in starts.items():
            place = document.place(found.start(1) + start, found.start(1) + start + len(name))
            yield _Ignore(name, place, reason=reason, lines=lines)


def _starts(names: str) -> dict[str, int]:
    """Return the first rule names of an ignore, each once, and where they start."""
    found: dict[str, int] = {}
    for name in _NAME.finditer(names):
        found.setdefault(name.group(), name.start())
        if len(found) == _MOST_NAMES:
            break
    return found


def _scalars(node: Node, text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each scalar, for a block scalar those of the text below its header."""
    if isinstance(node, Scalar):
        start = text.find("\n", node.start) if node.style in ("|", ">") else node.start
        yield start, node.end
    elif isinstance(node, Mapping):
        for key, value in node.pairs.values():
            yield from _scalars(key, text)
            yield from _scalars(value, text)
    elif isinstance(node, SequenceNode):
        for item in node.items:
            yield from _scalars(item, text)


def _block_of(document: Document, offset: int, known: tuple[int, int]) -> tuple[int, int]:
    """Return the first and last line of a comment: its own or, for a full-line comment, to the line below the comments.

    Consecutive full-line comments belong to the same line. `known` are the lines of the comment before.
    """
    own, column = document.lines.at(offset)
    if document.lines.line(own)[:column].strip():
        return own, own
    if known[0] < own < known[1]:
        return own, known[1]
    below, last = own, document.lines.count - 1
    while below < last and document.lines.line(below).lstrip().startswith("#"):
        below += 1
    return own, below


def _annotations(document: Document) -> Iterator[_Ignore]:
    """Yield the ignores in annotations of objects and their pod templates."""
    pods: dict[PathTuple, list[Workload]] = {}
    for pod in workloads(document.value):
        pods.setdefault(pod.path, []).append(pod)
    suggester = Suggester()
    for value, path in objects(document.value):
        own = pods.get(path, [])
        label = own[0].label if own else ""
        names: dict[str, None] | None = None
        holders = {path: value} | {pod.template_path: pod.template for pod in own}
        for holder_path, holder in holders.items():
            for key, text in as_mapping(as_mapping(holder.get("metadata")).get("annotations")).items():
                if not (isinstance(text, str) and (key == ANNOTATION or key.startswith(f"{ANNOTATION}."))):
                    continue
                where = (*holder_path, "metadata", "annotations", key)
                container, hint = key.removeprefix(ANNOTATION).removeprefix("."), ""
                if container and names is None:
                    names = dict.fromkeys(one.name for pod in own for one in pod.containers)
                if names is not None and container and container not in names:
                    close = suggester.did_you_mean(container, names)
                    hint = f'unknown container "{container}"; {close}'.removesuffix("; ")
                ignore = _Ignore(
                    "", document.locate(where), where, label=label, hint=hint, root=path, container=container
                )
                yield from (replace(ignore, rule=rule) for rule in _starts(text) or ("",))
