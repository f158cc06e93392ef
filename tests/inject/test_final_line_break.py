"""A file without a final line break gets none, in whatever order sidecars come and go."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from textwrap import indent

import pytest

import sidecarctl

METADATA = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {name: NAME, version: 1.0.0, summary: One.}
spec: {engine: plain}
"""
# Each has text of several lines: in a companion, and at the end of the app's container.
TEMPLATES = {
    "agent": 'documents: [{apiVersion: v1, kind: ConfigMap, metadata: {name: agent}, data: {a: "b\\nc\\n"}}]\n',
    "other": 'documents: [{apiVersion: v1, kind: ConfigMap, metadata: {name: other}, data: {a: "b\\nc\\n"}}]\n',
    "tuner": 'app: {env: [{name: OPTIONS, value: "b\\nc\\n"}]}\n',
}
WEB = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: web
    image: registry.example/web:3.2.0"""
LIST = f"apiVersion: v1\nkind: List\nitems:\n-{indent(WEB, '  ')[1:]}"


@pytest.mark.parametrize("text", [WEB, LIST, f"{WEB}\n---\n{WEB.replace('web', 'shop')}"], ids=["one", "list", "two"])
def test_file_without_a_final_line_break_is_restored_in_any_order(text: str, tmp_path: Path) -> None:
    for name, template in TEMPLATES.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "sidecar.yaml").write_text(METADATA.replace("NAME", name))
        (tmp_path / name / "template.yaml").write_text(template)
    session = sidecarctl.Session(libraries=[tmp_path])
    for added in permutations(TEMPLATES):
        full = text
        for name in added:
            full = session.add(full, [name]).text
        for removed in permutations(TEMPLATES):
            rest = full
            for name in removed:
                rest = session.remove(rest, [name]).text
            assert rest == text, (added, removed)
