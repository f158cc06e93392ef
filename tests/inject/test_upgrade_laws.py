"""The laws of upgrades, over random workloads, sidecars, versions, and edits by a person between them."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecarctl.catalog.catalog import Catalog, open_catalog
from sidecarctl.composition.request import ParameterChanges, build_requests
from sidecarctl.findings import PathTuple
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options, Result
from sidecarctl.inject.upgrade_instances import UpgradeRequest
from sidecarctl.kube.workload import RECORD_ANNOTATION, workloads
from sidecarctl.record import annotation as records
from sidecarctl.record.annotation import Record
from sidecarctl.record.paths import record_path
from sidecarctl.yamltext.edits import EditRefused, Replace
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document, join, split
from tests.inject.generated_sidecars import write_versions
from tests.manifests import meaning, stream, workload

OPTIONS = Options()
QUICK = settings(
    max_examples=int(os.environ.get("SIDECARCTL_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
SEEDS = st.integers(min_value=0, max_value=2**32)
MARK = "# person"
HAS_JSON = re.compile(r"^\ufeff?(---\s+)?\{", re.MULTILINE)
_ROOT = tempfile.TemporaryDirectory(prefix="generated-")  # deleted when the tests end


def given_upgrade(seed: int, *, plain: bool = False) -> tuple[Random, Catalog, str, Result]:
    """Return random manifests, with the first version of a generated sidecar."""
    rng = Random(seed)
    library = Path(tempfile.mkdtemp(dir=_ROOT.name))
    write_versions(library, rng)
    catalog = open_catalog([library], {})
    text = stream(rng, [workload(rng, f"app-{i}") for i in range(rng.choice((1, 1, 2)))], plain=plain)
    return rng, catalog, text, add(text, catalog, "1.0.0")


def add(text: str, catalog: Catalog, version: str, **parameters: Any) -> Result:
    changes = {"helper": ParameterChanges(parameters)}
    return pipeline.add(text, build_requests(catalog, [f"helper@{version}"], changes), OPTIONS)


def upgrade(text: str, catalog: Catalog, on_conflict: str = "fail") -> Result:
    step = pipeline.make_upgrade_step(UpgradeRequest(catalog, on_conflict=on_conflict), OPTIONS)
    return pipeline.run(text, step, OPTIONS)


def comment_lines(rng: Random, text: str) -> str:
    """Insert comment lines where they do not change the meaning."""
    end = "\r\n" if "\r\n" in text else "\n"
    for number in range(rng.randrange(1, 6)):
        lines = text.splitlines(keepends=True)
        at = rng.randrange(len(lines))
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip(" "))]
        changed = "".join([*lines[:at], f"{indent}{MARK} {number}{end}", *lines[at:]])
        try:
            if [d.value for d in split(changed, "-")] == [d.value for d in split(text, "-")]:
                text = changed
        except Exception:
            continue
    return text


def edit_scalars(rng: Random, text: str) -> tuple[str, list[tuple[str, PathTuple, str]]]:
    """Change some strings of the sidecar by hand; return the text, and document, path, and value of each change."""
    out, done = [], []
    for document in split(text, "-"):
        paths = [path for path in _editable(document) if rng.random() < 0.15]
        edits = [Replace(path, f"by-hand-{number}") for number, path in enumerate(paths)]
        if edits and document.root is not None:
            try:
                result = splice(document.text, document.root, edits)
            except EditRefused:
                out.append(document)
                continue
            done += [(_name(document), _by_name(document.value, edit.path), edit.value) for edit in edits]
            document = document.with_text(result.text, result.root)
        out.append(document)
    return join(out), done


def _editable(document: Document) -> Iterator[PathTuple]:
    """Yield the paths of strings of the helper's container: its image and the values of its variables."""
    for each in workloads(document.value):
        for container in each.containers:
            if container.name == "helper":
                yield (*container.path, "image")
                for index, _ in enumerate(container.value.get("env", ())):
                    yield (*container.path, "env", index, "value")


def _name(document: Document) -> str:
    value: Any = document.value or {}
    return f"{value.get('kind')}/{(value.get('metadata') or {}).get('name')}"


def _by_name(value: Any, path: PathTuple) -> PathTuple:
    """Return a path with the names of items instead of their indices."""
    out: list[str | int] = []
    for step in path:
        value = value[step]
        out.append(value["name"] if isinstance(step, int) and isinstance(value, dict) and "name" in value else step)
    return tuple(out)


def lookup(text: str, document: str, path: PathTuple) -> Any:
    """Return the value at a path with names, None if it is gone."""
    value: Any = next(each.value for each in split(text, "-") if _name(each) == document)
    for step in path:
        if isinstance(value, list) and isinstance(step, str):
            value = next((item for item in value if item.get("name") == step), None)
        elif value is not None:
            value = value[step] if isinstance(value, list) else value.get(step)
        if value is None:
            return None
    return value


def without_marks(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if MARK not in line)


@QUICK
@given(SEEDS)
def test_upgrade_without_edits_equals_adding_the_new_version(seed: int) -> None:
    _, catalog, text, old = given_upgrade(seed)
    new = add(text, catalog, "2.0.0")
    if old.failed or new.failed:
        return
    upgraded = upgrade(old.text, catalog)
    assert not upgraded.failed
    assert meaning(upgraded.text) == meaning(new.text)
    assert pipeline.remove(upgraded.text, None, OPTIONS).text == text
    assert upgrade(upgraded.text, catalog).text == upgraded.text


@QUICK
@given(SEEDS)
def test_upgrade_keeps_edited_values(seed: int) -> None:
    rng, catalog, text, old = given_upgrade(seed)
    if old.failed:
        return
    edited, edits = edit_scalars(rng, old.text)
    upgraded = upgrade(edited, catalog, "keep")
    if upgraded.failed:
        return
    reported = " ".join(finding.message for finding in upgraded.findings)
    for document, path, value in edits:
        found = lookup(upgraded.text, document, path)
        assert found == value or (found is None and "removed in" in reported)
    strict = upgrade(edited, catalog)
    conflicts = [finding for finding in strict.findings if finding.rule == "upgrade-conflict"]
    assert bool(conflicts) == strict.failed == ("upgrade-conflict" in {f.rule for f in upgraded.findings})
    assert strict.text == (edited if conflicts else upgraded.text)
    assert pipeline.remove(upgraded.text, None, OPTIONS).text == text


@QUICK
@given(SEEDS)
def test_upgrade_keeps_comments(seed: int) -> None:
    rng, catalog, text, old = given_upgrade(seed, plain=True)
    if old.failed or HAS_JSON.search(text):  # JSON has no comments
        return
    edited = comment_lines(rng, old.text)
    upgraded = upgrade(edited, catalog)
    new = upgrade(old.text, catalog)
    if upgraded.failed or new.failed:
        return
    assert without_marks(upgraded.text) == new.text
    gone = Counter(old.text.splitlines()) - Counter(new.text.splitlines())
    moved = any("mountPath:" in line for line in gone)
    if sum(gone.values()) <= 2 and not moved:  # the record and a value: nothing is removed
        assert upgraded.text.count(MARK) == edited.count(MARK)
    # A comment behind the last line makes that line end.
    removed = without_marks(pipeline.remove(upgraded.text, None, OPTIONS).text)
    assert removed.rstrip("\r\n") == text.rstrip("\r\n")


@QUICK
@given(SEEDS)
def test_edits_outside_survive_byte_for_byte(seed: int) -> None:
    _, catalog, text, old = given_upgrade(seed)
    if old.failed:
        return
    edited = old.text.replace("c0", "renamed-by-hand")
    upgraded = upgrade(edited, catalog)
    if not upgraded.failed:
        assert pipeline.remove(upgraded.text, None, OPTIONS).text == text.replace("c0", "renamed-by-hand")


def as_format_1(text: str) -> str:
    """Return a text with its records in format 1."""
    out = []
    for document in split(text, "-"):
        edits = [
            Replace(record_path(each), _format_1(records.read(each)))
            for each in workloads(document.value)
            if RECORD_ANNOTATION in each.annotations
        ]
        if edits and document.root is not None:
            done = splice(document.text, document.root, edits)
            document = document.with_text(done.text, done.root)
        out.append(document)
    return join(out)


def _format_1(record: Record) -> str:
    instances = {}
    for name, each in record.instances.items():
        added = each.added
        parts = {
            "containers": list(added.containers),
            "initContainers": list(added.init_containers),
            "volumes": list(added.volumes),
            "volumeMounts": {k: list(v) for k, v in added.volume_mounts.items()},
            "env": {k: list(v) for k, v in added.env.items()},
            "annotations": list(added.annotations),
            "labels": list(added.labels),
            "pod": list(added.pod),
            "documents": list(added.documents),
        }
        data = {
            "sidecar": each.sidecar,
            "version": each.version,
            "mode": each.mode,
            "parameters": dict(each.parameters),
        }
        instances[name] = {**data, "added": {key: value for key, value in parts.items() if value}}
    return json.dumps({"v": 1, "instances": instances, "was": dict(record.was)})


@QUICK
@given(SEEDS)
def test_laws_hold_for_records_of_format_1(seed: int) -> None:
    _, catalog, text, old = given_upgrade(seed)
    if old.failed:
        return
    first = as_format_1(old.text)
    assert pipeline.remove(first, None, OPTIONS).text == text
    assert add(first, catalog, "1.0.0").text == first
    upgraded, again = upgrade(first, catalog), upgrade(old.text, catalog)
    assert meaning(upgraded.text) == meaning(again.text)
    assert pipeline.remove(upgraded.text, None, OPTIONS).text == text


def test_record_of_log_tail_is_short() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: web, image: registry.example/w:1}\n"
    changes = {"log-tail": ParameterChanges({"refresh_interval": 5})}
    result = pipeline.add(text, build_requests(open_catalog([], {}), ["log-tail"], changes), OPTIONS)
    (document,) = split(result.text, "-")
    (found,) = workloads(document.value)
    assert len(found.annotations[RECORD_ANNOTATION]) <= 180
