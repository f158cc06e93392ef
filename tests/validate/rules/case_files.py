"""Read the case files in tests/validate/cases: bad cases with marked findings, and good cases without findings.

A file has the name of its rule. A case starts with a header:

    # bad: a port beyond the last one
    # in: app classic sidecar        a container fragment; found in these roles only ("all" for all)
    # kube: 1.29..1.33               found in these versions only; either end is optional
    # given: pod-security=baseline   settings of the run, separated by commas
    ports:
    - containerPort: 65536
      #              ^^^^^

The carets mark what a finding underlines, up to the end of the line if the finding continues below. `#<^^` starts at
the column of the `#`. A rule name after the carets marks a finding of that rule. A case can be a fragment, as in the
examples of a rule; a container fragment can mount the volumes data and cache. A good case has no findings in all
versions, or in those that it names.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from sidecarctl.findings import Place
from sidecarctl.kube.versions import SUPPORTED
from sidecarctl.kube.workload import ROLES
from sidecarctl.validate.check_files import SourceText, validate_texts
from sidecarctl.validate.registry import Rule, rules
from sidecarctl.validate.rule_selection import RuleSelection, select_rules
from tests.rule_examples import complete

FOLDER = Path(__file__).parents[1] / "cases"
_HEAD = re.compile(r"^# (bad|good|in|kube|given): *(.*)$")
_MARKS = re.compile(r"^ *#(<?)([ ^]*\^)(?: +([a-z-]+))?$")
_CARETS = re.compile(r"\^+")
_LISTS = {"init": "initContainers", "sidecar": "initContainers", "ephemeral": "ephemeralContainers"}
_RECORD = '{"instances":{"one":{"added":{"containers":["one"]}}}}'

# What the part of a container may mount.
_VOLUMES = "volumes:\n" + "".join(f"- {{name: {name}, emptyDir: {{sizeLimit: 1Gi}}}}\n" for name in ("data", "cache"))

# Rule, line, first and last column: a finding as it is marked.
Mark = tuple[str, int, int, int]


@dataclass(frozen=True)
class Case:
    """One case of a rule; `text` still has its marks."""

    rule: Rule
    bad: bool
    says: str
    line: int
    text: str
    roles: tuple[str, ...] = ()
    versions: tuple[str, ...] = SUPPORTED
    given: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.rule.name}:{self.line} {'bad' if self.bad else 'good'}: {self.says}"

    def manifest(self, role: str = "") -> str:
        """The case as a whole manifest, with its marks; where it is part of a container, in one of this role."""
        if not role:
            return complete(self.text, self.rule.scope)
        head = "name: one\n" + ("" if re.search(r"^image:", self.text, re.M) else "image: registry.example/one:1.0.0\n")
        always = "restartPolicy: Always\n" if role == "sidecar" else ""
        one = "- " + textwrap.indent(head + always + self.text, "  ")[2:]
        own = f"{_LISTS.get(role, 'containers')}:\n{one}"
        app = (
            ""
            if "containers:" in own.splitlines()
            else "containers:\n- {name: app, image: registry.example/app:1.0.0}\n"
        )
        record = f"  annotations:\n    sidecarctl.dev/sidecars: '{_RECORD}'\n" if role == "classic" else ""
        spec = textwrap.indent(own + app + _VOLUMES, "  ")
        return complete(f"metadata:\n  name: example\n{record}spec:\n{spec}")

    def chosen(self, version: str, *, everything: bool = False) -> RuleSelection:
        """How the case is checked: by its rule, or by all that are on as well."""
        # What an ignore hides can be told only where all rules run.
        everything = everything or self.rule.name == "unused-ignore"
        select = ["all", self.rule.name] if everything else [self.rule.name]
        made = select_rules(kube_version=version, pod_security=self.given.get("pod-security"), select=select)
        context = replace(self.rule.given, kube_version=version)
        if "pod-security" in self.given:
            context = replace(made.context, options=context.options)
        return replace(made, context=context)


def cases(name: str) -> list[Case]:
    """Return the cases of a rule; an empty list if it has no file."""
    path = FOLDER / f"{name}.yaml"
    return list(_cases(rules()[name], path.read_text(encoding="utf-8"))) if path.exists() else []


def _cases(rule: Rule, text: str) -> Iterator[Case]:
    lines = text.split("\n")
    starts = [n for n, line in enumerate(lines) if line.startswith(("# bad:", "# good:"))]
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        said: dict[str, str] = {}
        first = start
        while first < end and (match := _HEAD.match(lines[first])):
            said[match[1]] = match[2]
            first += 1
        body = "\n".join(lines[first:end]).rstrip("\n")
        body = body.removesuffix("\n---") + "\n"
        kind = "bad" if "bad" in said else "good"
        roles = said.get("in", "").split()
        yield Case(
            rule,
            kind == "bad",
            said[kind],
            start + 1,
            body,
            ROLES if roles == ["all"] else tuple(roles),
            _versions(said.get("kube", "..")),
            dict(one.strip().split("=") for one in said["given"].split(",")) if "given" in said else {},
        )


def _versions(text: str) -> tuple[str, ...]:
    first, dots, last = text.partition("..")
    last = last if dots else first
    low = SUPPORTED.index(first) if first else 0
    high = SUPPORTED.index(last) if last else len(SUPPORTED) - 1
    return SUPPORTED[low : high + 1]


def unmarked(name: str, text: str) -> tuple[str, list[Mark]]:
    """Take the marks out of a text: what remains, and what they say."""
    kept: list[str] = []
    marks: list[Mark] = []
    for line in text.split("\n"):
        match = _MARKS.match(line)
        if not match:
            kept.append(line)
            continue
        if match[1]:
            first = line.index("#") + 1
            marks.append((match[3] or name, len(kept), first, first + len(match[2].strip()) - 1))
            continue
        for carets in _CARETS.finditer(line):
            marks.append((match[3] or name, len(kept), carets.start() + 1, carets.end()))
    return "\n".join(kept), sorted(marks)


def marked(name: str, place: Place | None) -> Mark:
    """A finding's place as a mark."""
    assert place is not None, f"{name} says no place"
    last = place.end_column - 1 if place.end_line == place.line else len(place.line_text.rstrip())
    return name, place.line, place.column, max(last, place.column)


def found(text: str, chosen: RuleSelection, *names: str) -> list[Mark]:
    """What is found in a text, as marks; of these rules alone where some are named."""
    verdict = validate_texts([SourceText(text, "case.yaml")], chosen)
    return sorted(marked(one.rule, one.place) for one in verdict.findings if not names or one.rule in names)
