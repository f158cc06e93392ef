"""A search that finds nothing inside the pipeline must not end the documents: what follows would be lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sidecarctl import workers
from sidecarctl.inject.pipeline import Options
from sidecarctl.inject.process import process_documents
from sidecarctl.kube import versions
from sidecarctl.yamltext.stream import split
from tests.command import run

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec: {containers: [{name: a, image: 'a:1'}]}\n"
OWNED = """\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: b, annotations: {sidecarctl.dev/owner: x}}
  spec:
    containers:
    - {name: a, image: 'a:1', volumeMounts: [{name: log-tail-logs, mountPath: /l}]}
    - {name: log-tail, image: 'busybox:1.38.0', volumeMounts: [{name: log-tail-logs, mountPath: /l}]}
    volumes: [{name: log-tail-logs, emptyDir: {}}]
"""


def test_search_that_finds_nothing_is_an_internal_error() -> None:
    def fail(*_: object) -> object:
        return next(iter(()))

    documents = list(split(POD % "a" + "---\n" + POD % "b"))
    for options in (Options(versions.NEWEST), Options(versions.NEWEST, jobs=2)):
        with pytest.raises(RuntimeError, match="StopIteration"):
            list(process_documents(documents, fail, options))  # type: ignore[arg-type]
    for spread in (workers.spread, workers.spread_stream):
        with pytest.raises(RuntimeError, match="StopIteration"):
            list(spread([1, 2], fail, 1))


def test_workload_with_an_owner_and_what_follows_it_stay(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"{POD % 'first'}---\n{OWNED}---\n{POD % 'last'}")
    outcome = run("sidecarctl add log-tail --adopt --set logDir=/l --set path=x x.yaml -i", tmp_path)
    text = (tmp_path / "x.yaml").read_text()
    assert outcome.code == 0, outcome.stderr
    assert text.count("kind: Pod") == 3
    assert text.count("image: 'a:1'") == 3


def test_document_with_all_private_use_characters_is_read(tmp_path: Path) -> None:
    every = "".join(map(chr, range(0xE000, 0xF900)))
    odd = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b", "annotations": {"a": every}}}
    odd["spec"] = {"containers": [{"name": "\u0041".lower(), "image": "a:1"}]}
    text = json.dumps(odd, ensure_ascii=False).replace('"b"', '"\\ud83d\\ude00"')
    (tmp_path / "x.yaml").write_text(f"{POD % 'first'}---\n{text}\n---\n{POD % 'last'}", "utf-8")
    outcome = run("sidecarctl add log-tail --set logDir=/a --set path=x x.yaml --fail-on never -i", tmp_path)
    assert outcome.code in (0, 1), outcome.stderr
    assert every in (tmp_path / "x.yaml").read_text("utf-8")
    assert "name: last" in (tmp_path / "x.yaml").read_text("utf-8")
