"""The text format: findings with the source line underlined, safe to print on a terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.errors import BugError, InputError, UsageError
from sidecarctl.findings import AutoFix, Finding, Place, Related, Severity
from sidecarctl.report.terminal import width_of
from sidecarctl.report.text import closing_line, render_error, render_findings

UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")


def at(line_text: str, start: int, end: int, line: int = 1, file: str = "web.yaml") -> Place:
    return Place(file, line, start + 1, line, end + 1, line_text)


def shown(*findings: Finding, color: bool = False, width: int = 80) -> str:
    return render_findings(findings, color=color, width=width)


def underlined(text: str) -> str:
    """Return the text above the carets, by terminal column."""
    lines = text.splitlines()
    row = next(i for i, line in enumerate(lines) if "^" in line)
    first, last = lines[row].index("^"), lines[row].rindex("^")
    found, column = "", 0
    for char in lines[row - 1]:
        if first <= column <= last:
            found += char
        column += width_of(char)
    return found


PORT = Finding(
    "port-conflict",
    "containers web and logger both use port 8080/TCP",
    why="The containers of a pod share one network namespace, so only the first can bind the port.",
    help="give logger another port:\n  sidecarctl add logger --set port=8081",
    workload="Deployment/web",
    container="logger",
    role="sidecar",
    related=(Related("first used here", place=at("        - containerPort: 8080", 25, 29, 7)),),
    place=at("        - containerPort: 8080", 25, 29, 24),
)


def test_finding_has_the_layout_of_a_compiler_error() -> None:
    assert (
        shown(PORT)
        == """\
error[port-conflict]: containers web and logger both use port 8080/TCP
  --> web.yaml:24:26
   |
 7 |         - containerPort: 8080
   |                          ---- first used here
   :
24 |         - containerPort: 8080
   |                          ^^^^
   |
   = workload: Deployment/web, container logger (native sidecar)
   = why: The containers of a pod share one network namespace, so only the first
          can bind the port.
help: give logger another port:
        sidecarctl add logger --set port=8081

"""
    )


def test_related_positions_in_other_files_have_their_own_snippet() -> None:
    other = Related("the Service", place=at("  targetPort: http", 14, 18, 120, "svc.yaml"))
    text = shown(Finding("r", "m", related=(other,), place=at("a: b", 3, 4)))
    assert (
        text
        == """\
error[r]: m
   --> web.yaml:1:4
    |
  1 | a: b
    |    ^
   ::: svc.yaml:120:3
    |
120 |   targetPort: http
    |               ---- the Service
    |

""".replace("120:3", "120:15")
    )


def test_finding_without_position_names_its_source() -> None:
    path = ("spec", "containers", 1, "image")
    finding = Finding("floating-image", "no tag", Severity.WARNING, path=path, source="sidecar logger@1.0.0")
    assert shown(finding) == (
        "warning[floating-image]: no tag\n --> sidecar logger@1.0.0: spec.containers[1].image\n\n"
    )


def test_finding_caused_by_a_sidecar_names_position_and_sidecar() -> None:
    text = shown(Finding("r", "m", source="sidecar logger@1.0.0", place=at("a: b", 0, 1)))
    assert "web.yaml:1:1" in text
    assert "= caused by: sidecar logger@1.0.0" in text


@pytest.mark.parametrize(
    ("line", "start", "end", "want"),
    [
        ("name: web", 6, 9, "web"),
        ("\tname: web", 7, 10, "web"),
        ("a\t: web", 4, 7, "web"),
        ("日本語: web", 5, 8, "web"),
        ("名: 日本語 x", 3, 6, "日本語"),
        ("cafe\u0301: web", 7, 10, "web"),
        ("🚀🚀 web", 3, 6, "web"),
        ("\x1b[31m: web", 7, 10, "web"),
        ("\u202eevil: web", 7, 10, "web"),
    ],
)
def test_underline_is_below_the_position(line: str, start: int, end: int, want: str) -> None:
    assert underlined(shown(Finding("r", "m", place=at(line, start, end)))) == want


def test_empty_position_has_one_caret_even_at_the_end_of_the_line() -> None:
    text = shown(Finding("r", "m", place=at("volumes:", 8, 8)))
    assert "1 | volumes:\n  |         ^\n" in text


def test_multiline_position_is_underlined_on_its_first_line() -> None:
    place = Place("f", 3, 3, 9, 4, "  image: nginx   ")
    assert underlined(shown(Finding("r", "m", place=place))) == "image: nginx"


@given(st.integers(0, 2000), st.integers(0, 40), st.integers(30, 120))
def test_long_line_is_shortened_around_the_position(start: int, length: int, width: int) -> None:
    line = "".join(chr(97 + i % 26) for i in range(2100))
    text = shown(Finding("r", "m", place=at(line, start, start + length)), width=width)
    assert max(map(len, text.splitlines())) <= max(width, 44)
    if length:
        assert line[start : start + length].startswith(underlined(text).replace("...", "")[:20])


def test_width_zero_disables_shortening_and_wrapping() -> None:
    text = shown(Finding("r", "m", why="word " * 100, place=at("x" * 500, 0, 1)), width=0)
    assert "x" * 500 in text
    assert ("word " * 100).rstrip() in text


@given(st.text(), st.text(), st.text(), st.text(), st.integers(0, 12), st.integers(0, 12))
def test_input_cannot_send_control_sequences(a: str, b: str, c: str, d: str, s: int, n: int) -> None:
    place = Place(b, 1, s + 1, 1, s + n + 1, d)
    finding = Finding(
        c,
        a,
        why=b,
        help=c,
        workload=d,
        container=a,
        role=b,
        source=c,
        place=place,
        related=(Related(a, place=place), Related(b, path=(c, 1))),
    )
    text = shown(finding, Finding(a, b, source=c, path=(d,)))
    text += render_error(UsageError(a, hint=b, where=c), color=False, width=60)
    assert not UNSAFE.search(text)


def test_escape_sequences_in_the_input_are_shown_as_text() -> None:
    text = shown(Finding("r", "name \x1b[2J is no label", place=at("a: \x9b31m", 3, 4)), color=True)
    assert "name \\x1b[2J is no label" in text
    assert "\\x9b31m" in text


def test_color_does_not_change_the_text() -> None:
    colored = shown(PORT, color=True)
    assert "\x1b[1;31merror[port-conflict]\x1b[0m" in colored
    assert re.sub("\x1b\\[[0-9;]*m", "", colored) == shown(PORT)


def test_findings_are_sorted_by_file_line_column_and_rule() -> None:
    places = [("b", 1, 1, "z"), ("a", 2, 1, "z"), ("a", 1, 9, "z"), ("a", 1, 2, "z"), ("a", 1, 2, "c")]
    findings = [Finding(rule, "m", place=Place(f, line, c, line, c, "")) for f, line, c, rule in places]
    text = shown(Finding("last", "m"), *findings)
    assert re.findall(r"error\[(\w+)]: m\n +--> (\S+)", text) == [
        ("c", "a:1:2"), ("z", "a:1:2"), ("z", "a:1:9"), ("z", "a:2:1"), ("z", "b:1:1"), ("last", "input"),
    ]  # fmt: skip


def test_errors_have_the_layout_of_findings() -> None:
    error = InputError("this key stands here twice", where="web.yaml:3:1", hint="delete one of the two")
    assert render_error(error, color=False, width=80) == (
        "error: this key stands here twice\n --> web.yaml:3:1\nhelp: delete one of the two\n"
    )
    assert render_error(BugError("boom"), color=False, width=80) == "internal error: boom\n"


@pytest.mark.parametrize(
    ("severities", "files", "ignored", "want"),
    [
        (
            [Severity.ERROR, Severity.ERROR, Severity.WARNING],
            3,
            1,
            "2 errors, 1 warning in 3 files; 1 ignored",
        ),
        ([Severity.INFO, Severity.INFO], 1, 0, "2 info in 1 file"),
        ([], 2, 0, "no findings in 2 files"),
    ],
)
def test_closing_line_counts_findings_and_files(
    severities: list[Severity], files: int, ignored: int, want: str
) -> None:
    findings = [Finding("r", "m", severity) for severity in severities]
    assert closing_line(findings, files, ignored) == want + "\n"


def test_closing_line_counts_fixed_and_fixable_findings() -> None:
    findings = [Finding("r", "m", autofix=AutoFix("do it")), Finding("r", "m", autofix=AutoFix(refused="an anchor"))]
    assert closing_line(findings, 1, 1) == "2 errors in 1 file; 1 ignored; [*] 1 fixable with --fix\n"
    assert closing_line([], 1, fixed=0) == "no findings in 1 file; 0 fixed\n"


def test_unavailable_fix_is_shown_with_its_reason() -> None:
    done = shown(Finding("r", "m", help="do it", autofix=AutoFix(refused="it is the alias *x")))
    assert "= not fixable: it is the alias *x\n" in done
    assert "[*]" not in done
