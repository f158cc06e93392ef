"""Renders findings and errors as a compiler does: the source line with the place underlined, why, and help."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sidecarctl.errors import BugError, SidecarctlError
from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.report.terminal import cells, paint, visible, width_of, wrap
from sidecarctl.results import count_by_severity, describe_subject, field_text, plural, sort_findings

FIXABLE = "[*]"
_CUT = "..."
_LEAST_GROUP = 4  # fewer findings of one rule are shown one by one
_SHOWN_PLACES = 4
_LEAST_SNIPPET = 40  # minimum columns of source to show, however narrow the terminal is


@dataclass(frozen=True)
class _Mark:
    """A place to underline: with `^` for the finding itself, with `-` for a related place and its label."""

    place: Place
    label: str = ""
    own: bool = False


def render_findings(findings: Iterable[Finding], *, color: bool, width: int, group: bool = False) -> str:
    """Return all findings in order with their source lines, separated by blank lines; empty for none.

    `width` is in columns; 0 neither wraps prose nor cuts long lines. With `group`, more than three warnings or notes of
    one rule are shown once, with the places of the others.
    """
    parts = []
    for finding, others in _grouped(sort_findings(findings)) if group else ((f, []) for f in sort_findings(findings)):
        parts.append(_finding(finding, color, width, others) + "\n")
    return "".join(parts)


def _grouped(findings: Sequence[Finding]) -> Iterable[tuple[Finding, list[Finding]]]:
    """Yield the findings to show, each with the findings of its rule that it stands for."""
    by_rule: dict[str, list[Finding]] = {}
    for one in findings:
        if one.severity is not Severity.ERROR:
            by_rule.setdefault(one.rule, []).append(one)
    for one in findings:
        same = by_rule.get(one.rule, []) if one.severity is not Severity.ERROR else []
        if len(same) < _LEAST_GROUP:
            yield one, []
        elif same[0] is one:
            yield one, same[1:]


# The lines of a list are indented by two spaces. Any other line break is part of a name.
_OTHER_BREAK = lazy_pattern(r"\n(?!  \S)")


def _lines_of(message: str) -> str:
    return visible(_OTHER_BREAK.sub(r"\\n", message), keep="\n")


def render_error(error: SidecarctlError, *, color: bool, width: int) -> str:
    """Return an error in the same style: what, where, and help."""
    word = "internal error" if isinstance(error, BugError) else "error"
    lines = [_headline(word, "error", _lines_of(error.message), color)]
    place = Place.parse(error.where, error.line_text)
    if place and error.line_text:
        gutter = len(str(place.line))
        lines += _snippets(place.file, [_Mark(place, own=True)], gutter, "error", color, width)
        lines.append(paint(f"{' ' * gutter} |", "gutter", color))
    elif error.where:
        lines.append(paint(" --> ", "gutter", color) + visible(error.where))
    if error.workload:
        lines.append(f" = workload: {visible(error.workload)}")
    lines += _prose("help: ", error.hint, "help", "", color, width)
    return "\n".join(lines) + "\n"


def closing_line(
    findings: Sequence[Finding], files: int, ignored: int = 0, *, fixed: int | None = None, color: bool = False
) -> str:
    """Return the last line of a run: `2 errors, 1 warning in 3 files; 1 ignored; [*] 2 fixable with --fix`.

    `fixed` is the number of fixed findings, None if nothing was to be fixed.
    """
    counted = [
        paint(
            f"{number} info" if severity is Severity.INFO else plural(number, severity.value),
            severity.value,
            color,
        )
        for severity, number in count_by_severity(findings).items()
        if number
    ]
    line = f"{', '.join(counted) or 'no findings'} in {plural(files, 'file')}"
    fixable = sum(finding.fixable for finding in findings)
    line += f"; {ignored} ignored" if ignored else ""
    line += "" if fixed is None else f"; {fixed} fixed"
    return line + (f"; {FIXABLE} {fixable} fixable with --fix" if fixable else "") + "\n"


def _finding(finding: Finding, color: bool, width: int, others: Sequence[Finding] = ()) -> str:
    severity = finding.severity.value
    message = f"{FIXABLE} {visible(finding.message)}" if finding.fixable else visible(finding.message)
    lines = [_headline(f"{severity}[{visible(finding.rule)}]", severity, message, color)]
    marks = _marks(finding)
    gutter = max((len(str(mark.place.line)) for mark in marks), default=1)
    bar = " " * (gutter + 1)
    if finding.place:
        lines += _snippets(finding.place.file, marks, gutter, severity, color, width)
        lines.append(paint(f"{bar}|", "gutter", color))
    else:
        lines.append(paint(f"{bar[:-1]}--> ", "gutter", color) + visible(_cause(finding)))
    for name, text in _notes(finding):
        lines += _prose(f"= {name}: ", text, "bold", bar, color, width)
    if others:
        lines += _prose("= also: ", _places_of(others), "bold", bar, color, width)
    lines += _prose("help: ", finding.help, "help", "", color, width)
    return "\n".join(lines) + "\n"


def _places_of(others: Sequence[Finding]) -> str:
    """Return where else a rule has findings: `8 more in 5 workloads: web.yaml:12 (Deployment/web), ...`."""
    workloads = len({one.workload for one in others if one.workload})
    where = f" in {plural(workloads, 'workload')}" if workloads else ""
    named = [f"{one.place.file}:{one.place.line}" if one.place else one.workload for one in others]
    shown = list(dict.fromkeys(named))
    more = ", ..." if len(shown) > _SHOWN_PLACES else ""
    return f"{len(others)} more{where}: {', '.join(shown[:_SHOWN_PLACES])}{more}"


def _headline(word: str, style: str, message: str, color: bool) -> str:
    return paint(word, style, color) + paint(f": {message}", "bold", color)


def _cause(finding: Finding) -> str:
    """Return what caused a finding without a place in the input."""
    field = field_text(finding.path)
    return f"{finding.source}: {field}" if field else finding.source


def _notes(finding: Finding) -> list[tuple[str, str]]:
    notes = [("workload" if finding.workload else "about", describe_subject(finding)), ("why", finding.why)]
    if finding.place and finding.source != "input":
        notes.insert(1, ("caused by", finding.source))
    notes += [
        ("see", f"{related.label} ({field_text(related.path)})".lstrip())
        for related in finding.related
        if not related.place and related.path
    ]
    if finding.autofix is not None:
        notes.append(("not fixable", finding.autofix.refused))
    return [(name, text) for name, text in notes if text]


def _prose(name: str, text: str, style: str, indent: str, color: bool, width: int) -> list[str]:
    """Return labeled prose, with further lines indented below the first word."""
    if not text:
        return []
    lead = indent + name
    first, *rest = wrap(visible(text, keep="\n"), width, lead, " " * len(lead))
    return [indent + paint(name.rstrip(), style, color) + first[len(lead) - 1 :], *rest]


def _marks(finding: Finding) -> list[_Mark]:
    own = [_Mark(finding.place, own=True)] if finding.place else []
    return own + [_Mark(related.place, related.label) for related in finding.related if related.place]


def _snippets(file: str, marks: list[_Mark], gutter: int, severity: str, color: bool, width: int) -> list[str]:
    """Return the marked lines file by file, the file of the finding first, lines in order."""
    lines: list[str] = []
    for name in dict.fromkeys([file, *(mark.place.file for mark in marks)]):
        here = [mark for mark in marks if mark.place.file == name]
        here.sort(key=lambda mark: (mark.place.line, mark.place.column))
        first = next((mark for mark in here if mark.own), here[0])
        arrow = "-->" if name == file else ":::"
        lines.append(" " * gutter + paint(f"{arrow} ", "gutter", color) + visible(str(first.place)))
        lines.append(paint(" " * (gutter + 1) + "|", "gutter", color))
        lines += _one_file(here, gutter, severity, color, width)
    return lines


def _one_file(marks: list[_Mark], gutter: int, severity: str, color: bool, width: int) -> list[str]:
    lines: list[str] = []
    previous = 0
    for mark in marks:
        place = mark.place
        if previous and place.line > previous + 1:
            lines.append(paint(" " * gutter + " :", "gutter", color))
        room = max(width - gutter - 3, _LEAST_SNIPPET) if width else 0
        source, before, under = _window(place, room)
        if place.line != previous:
            numbered = paint(f"{place.line:>{gutter}} |", "gutter", color)
            lines.append(f"{numbered} {source}" if source else numbered)
        sign, style = ("^", severity) if mark.own else ("-", "info")
        note = f" {visible(mark.label)}" if mark.label else ""
        bar = paint(" " * gutter + " |", "gutter", color)
        lines.append(bar + " " * (before + 1) + paint(sign * under + note, style, color))
        previous = place.line
    return lines


def _window(place: Place, room: int) -> tuple[str, int, int]:
    """Return the source line as shown, the columns before the mark, and the columns of the mark.

    A line wider than `room` is cut on both sides of the mark. A mark that ends on another line is shown to the end of this
    one; an empty mark takes one column.
    """
    shown, columns = cells(place.line_text.rstrip())
    start = min(place.column - 1, len(shown))
    end = len(shown) if place.end_line > place.line else min(place.end_column - 1, len(shown))
    end = max(end, start)
    left, right = 0, len(shown)
    if room and columns > room:
        left, right = _cut(shown, start, end, room - 2 * len(_CUT))
        end = min(end, right)
    head, tail = _CUT if left else "", _CUT if right < len(shown) else ""
    before = len(head) + width_of("".join(shown[left:start]))
    under = width_of("".join(shown[start:end]))
    return head + "".join(shown[left:right]) + tail, before, max(under, 1)


def _cut(shown: Sequence[str], start: int, end: int, room: int) -> tuple[int, int]:
    """Return which cells to keep: the marked ones, and an equal part before and after, `room` columns in total."""
    left = right = start
    used = 0
    while right < min(end, len(shown)) and used + width_of(shown[right]) <= room:
        used += width_of(shown[right])
        right += 1
    growing = True
    while growing:
        growing = False
        if left > 0 and used + width_of(shown[left - 1]) <= room:
            left -= 1
            used += width_of(shown[left])
            growing = True
        if right < len(shown) and used + width_of(shown[right]) <= room:
            used += width_of(shown[right])
            right += 1
            growing = True
    return left, right
