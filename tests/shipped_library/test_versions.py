"""Shipped versions stay what they are: an upgrade needs the old version to know what people changed.

`renderings.json` has a digest of what each released version renders to for each of its test cases. A version is
released when its entry in CHANGELOG.md has a date.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from functools import cache
from pathlib import Path

import pytest

from sidecarctl.authoring.test_cases import find_cases, read_case
from sidecarctl.authoring.trial import Trial
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.changelog import read_changelog
from sidecarctl.catalog.parameters import resolve
from sidecarctl.catalog.render import render
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.composition.request import Request
from sidecarctl.errors import SidecarctlError
from sidecarctl.inject.companions import companion_name
from sidecarctl.inject.placement import resolve_mode
from sidecarctl.inject.targets import build_template_inputs, choose_targets
from sidecarctl.kube.workload import workloads
from sidecarctl.yamltext.stream import split

FILE = Path(__file__).parent / "renderings.json"
UPDATE = bool(os.environ.get("UPDATE_GALLERY"))
HOW_TO_CHANGE = """\
{sidecar} is released, and it renders something else now: {cases}.
Manifests with this version are upgraded by comparing them with what it rendered to. Keep it, and release a new version:

    git stash -- library/{name}
    cp -r library/{name} library/{sidecar}
    git stash pop
    # set the new version in library/{name}/sidecar.yaml, and add it to library/{name}/CHANGELOG.md
    make docs
"""


@cache
def versions() -> dict[str, Sidecar]:
    """The shipped sidecars by name and version."""
    return {str(entry.sidecar): entry.sidecar for entry in open_catalog([], {}).entries() if entry.sidecar}


def is_released(sidecar: Sidecar) -> bool:
    return any(entry.version == sidecar.version and entry.date for entry in read_changelog(sidecar.folder))


def digests(sidecar: Sidecar) -> dict[str, str]:
    """A digest for each test case that renders."""
    found = {}
    for case in find_cases(sidecar):
        try:
            text = rendered(read_case(sidecar, case))
        except SidecarctlError:
            continue
        found[case.name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return found


def rendered(trial: Trial) -> str:
    """The fragments for all workloads of a test case as JSON. What other modules make of them does not matter here."""
    parameters = resolve(trial.sidecar, trial.given)
    request = Request(trial.sidecar, parameters, trial.instance, trial.mode, trial.containers)
    mode = resolve_mode(request, trial.kube_version)
    fragments = []
    for document in split(trial.text, trial.file):
        for workload in workloads(document.value):
            targets = choose_targets(workload, request.containers, trial.sidecar.targets)
            companion = companion_name(workload, request.instance)
            inputs = build_template_inputs(workload, request, mode, targets, companion, trial.kube_version)
            fragments.append(dataclasses.asdict(render(trial.sidecar, parameters, inputs)))
    return json.dumps(fragments, sort_keys=True)


def stored() -> dict[str, dict[str, str]]:
    return dict(json.loads(FILE.read_text("utf-8"))) if FILE.exists() else {}


@pytest.mark.parametrize("name", versions())
def test_released_version_renders_what_it_rendered_before(name: str) -> None:
    sidecar = versions()[name]
    if not is_released(sidecar):
        return
    known, found = stored().get(name, {}), digests(sidecar)
    changed = [case for case, digest in known.items() if found.get(case, digest) != digest]
    assert not changed, HOW_TO_CHANGE.format(sidecar=sidecar, name=sidecar.name, cases=", ".join(changed))
    if UPDATE:
        text = json.dumps({**stored(), name: {**found, **known}}, indent=1, sort_keys=True) + "\n"
        FILE.write_text(text, "utf-8")
    assert not found.keys() - known.keys() or UPDATE, f"UPDATE_GALLERY=1 pytest {Path(__file__).name}"


def test_every_released_version_is_kept() -> None:
    missing = [name for name in stored() if name not in versions()]
    assert not missing, f"restore library/<name>@<version> of {', '.join(missing)}"


@pytest.mark.parametrize("name", versions())
def test_every_version_has_a_changelog_entry(name: str) -> None:
    sidecar = versions()[name]
    (entry,) = [entry for entry in read_changelog(sidecar.folder) if entry.version == sidecar.version]
    assert entry.lines


def test_a_changed_template_changes_the_digest(tmp_path: Path) -> None:
    sidecar = versions()["log-tail@1.0.0"]
    changed = dataclasses.replace(sidecar, template=tmp_path / sidecar.template.name, folder=tmp_path)
    text = sidecar.template.read_text("utf-8")
    changed.template.write_text(text.replace("cpu:", "cpu: 1#", 1), "utf-8")
    for file in sidecar.folder.glob("tests/*/*"):
        copy = tmp_path / file.relative_to(sidecar.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text("utf-8"), "utf-8")
    assert "cpu:" in text
    before, after = digests(sidecar), digests(changed)
    assert before and before.keys() == after.keys()
    assert not before.items() & after.items()
