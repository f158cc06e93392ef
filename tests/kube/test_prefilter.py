"""Documents that are skipped without parsing have no containers, compared with full parsing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecarctl.errors import InputError
from sidecarctl.kube.kinds import DEFAULT_KINDS, has_no_workload
from sidecarctl.kube.workload import workloads
from sidecarctl.yamltext.parse import parse
from sidecarctl.yamltext.stream import _separators, join, split

CRD = """\
# made by a generator
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition # of something
metadata: {name: things.example.com}
spec:
  versions:
  - schema: {properties: {containers: {type: array}, pattern: {pattern: "\\\\d"}}}
"""
POD = "spec:\n  containers:\n  - {name: a, image: b}\n"

# Lines, and texts that look like lines.
_LINES = st.sampled_from(
    [
        *(
            "kind: Pod",
            "kind: ConfigMap",
            "kind: Thing",
            "kind: 'Pod'",
            "kind: PodList",
            "  Pod",
            "kind: Thing # c",
            "kind: &k Pod",
        ),
        *(
            "apiVersion: v1",
            "apiVersion: apps/v1",
            "apiVersion: example.com/v1",
            "apiVersion: v1 # c",
            "apiVersion:",
            "  v1",
        ),
        *("metadata: {name: a}", "spec:", "  containers:", "  - {name: a, image: b}", "  initContainers: []", "items:"),
        *(
            "- kind: Pod",
            "  apiVersion: v1",
            "  spec: {containers: [{name: a, image: b}]}",
            "spec: {containers: [{name: a}]}",
        ),
        *(
            "a: |",
            "a: >-",
            'a: "',
            '"',
            "a: '",
            "'",
            "  text",
            "",
            "# kind: ConfigMap",
            "...",
            "---",
            "a: {",
            "}",
            "&a",
            "!!map",
            "? a",
        ),
        *(
            "<<: *x",
            "x: &x {kind: Pod}",
            "<<: {kind: Pod, apiVersion: v1}",
            "\\",
            '"\\x6bind": Pod',
            "\t",
            "\ufeff",
            "%YAML 1.1",
        ),
    ]
)
_BREAKS = st.sampled_from(["\n"] * 12 + ["\r\n", "\r", "\x85", "\u2028", " \n", ""])
_TEXTS = st.lists(st.tuples(_LINES, _BREAKS), max_size=12).map(lambda parts: "".join(a + b for a, b in parts))


@settings(max_examples=2000, deadline=None)
@given(_TEXTS, st.sampled_from(["", "apiVersion: v1\nkind: Thing\n", "kind: Thing\napiVersion: a.b/v1\n"]))
def test_skipped_documents_have_no_containers(text: str, head: str) -> None:
    for document in split_or_nothing(head + text):
        if has_no_workload(document, DEFAULT_KINDS):
            try:
                root = parse(document)
            except InputError:
                continue  # invalid YAML is reported elsewhere
            found = workloads(root.value if root else None, DEFAULT_KINDS)
            assert not any(workload.containers for workload in found)


def split_or_nothing(text: str) -> list[str]:
    try:
        return [document.text for document in split(text)]
    except InputError:
        return []


def test_skips_a_crd_that_mentions_containers() -> None:
    assert has_no_workload(CRD, DEFAULT_KINDS)
    assert has_no_workload(CRD.replace("\n", "\r\n"), DEFAULT_KINDS)


@pytest.mark.parametrize(
    "text",
    [
        f"apiVersion: v1\nkind: Pod\n{POD}",
        f"apiVersion: v1\nkind: PodList\nitems:\n- apiVersion: v1\n  kind: Pod\n  {POD.replace(chr(10), chr(10) + '  ')}",
        f"apiVersion: v1\nkind: Thing\n  more\n{POD}",
        f"apiVersion: v1\nkind: Thing\n# comment\rkind: Pod\n{POD}",
        f"apiVersion: v1\nkind: Thing\nmetadata: {{}}\n...\napiVersion: v1\nkind: Pod\n{POD}",
        f"kind: Thing\nx: &x {{kind: Pod, apiVersion: v1}}\n<<: *x\n{POD}",
        f'a: "\n\napiVersion: v1\nkind: Thing\n"\nkind: Pod\napiVersion: v1\n{POD}',
        f'# c\x85? "\nkind: Thing\nmore\n": x\napiVersion: v1\nkind: Pod\n{POD}',
    ],
)
def test_does_not_skip_possible_workloads(text: str) -> None:
    assert not has_no_workload(text, DEFAULT_KINDS)


@given(
    st.lists(st.sampled_from(["---", "--", "-", "\n", "\r\n", "\ufeff", " # c", "a: 1", "\\n---"]), max_size=12).map(
        "".join
    )
)
def test_separators_are_lines_that_start_with_three_dashes(text: str) -> None:
    found = [match.span() for match in re.finditer(r"^---[^\n]*(?:\n|\Z)", text, re.MULTILINE)]
    assert list(_separators(text)) == found
    try:
        assert join(split(text)) == text
    except InputError:
        pass
