"""A removal keeps documents apart: of consecutive JSON objects, only the first has a separator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.command import run
from tests.inject.test_render import DEPLOYMENT as TEMPLATE

DEPLOYMENT = TEMPLATE.replace("NAME", "web")
OWN = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"}}
LONG = "# a comment\n" * 200_000


def add(directory: Path) -> tuple[str, list[str]]:
    """Add two sidecars; return the text of the workload and their companions as JSON."""
    path = directory / "web.yaml"
    path.write_text(DEPLOYMENT)
    assert (
        run(
            "sidecarctl add logger proxy web.yaml -i --set logger.logDir=/logs --set proxy.upstreamPort=8080", directory
        ).code
        == 0
    )
    workload, *companions = path.read_text().split("---\n")
    return workload, [json.dumps(yaml.safe_load(each)) for each in companions]


@pytest.mark.parametrize("before", ["", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\n", "---\n"])
@pytest.mark.parametrize("gap", ["\n", ""])
def test_in_another_file(before: str, gap: str, tmp_path: Path) -> None:
    workload, companions = add(tmp_path)
    (tmp_path / "web.yaml").write_text(workload)
    own = json.dumps(OWN) + "\n"
    (tmp_path / "others.yaml").write_text(before + gap.join((*companions, own)))
    assert run("sidecarctl remove logger proxy . -i", tmp_path).code == 0
    assert (tmp_path / "others.yaml").read_text() == before + own
    assert (tmp_path / "web.yaml").read_text() == DEPLOYMENT


@pytest.mark.parametrize("command", ["remove logger web.yaml -i", "remove logger", "remove --all"])
@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("displaced", [False, True])
def test_behind_the_workload(displaced: bool, long: bool, command: str, tmp_path: Path) -> None:
    workload, companions = add(tmp_path)
    own = json.dumps(OWN) + "\n"
    head = LONG if long else ""
    between = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\n" if displaced else ""
    text = f"{head}{workload}---\n{between}" + "\n".join((*companions, own))
    (tmp_path / "web.yaml").write_text(text)
    outcome = run(f"sidecarctl {command}", tmp_path, stdin=None if "web.yaml" in command else text)
    assert outcome.code == 0, outcome.stderr
    result = outcome.stdout if outcome.stdout else (tmp_path / "web.yaml").read_text()
    left = [own] if "--all" in command else [*companions[1:], own]
    if "--all" in command:
        assert result == f"{head}{DEPLOYMENT}---\n{between}{own}"
    else:
        assert result.endswith(f"---\n{between}" + "\n".join(left))
