"""Many sidecars in one run: the result is that of one run for each, and the text of the document is not parsed for each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from sidecarctl.catalog.catalog import Catalog, open_catalog
from sidecarctl.catalog.parameters import resolve
from sidecarctl.composition.request import Request, order_requests
from sidecarctl.errors import BugError, SidecarctlError, UsageError
from sidecarctl.findings import Severity
from sidecarctl.inject import document_addition, pipeline
from sidecarctl.inject.pipeline import Options
from sidecarctl.lazy_dataclass import replace
from sidecarctl.yamltext import draft, parse, splice
from sidecarctl.yamltext import stream as yaml_stream
from sidecarctl.yamltext.lines import Splice, apply_splices
from sidecarctl.yamltext.nodes import Node
from tests.inject.test_growth import COUNT, WEB, request_all
from tests.inject.test_laws import QUICK, SEEDS
from tests.manifests import stream, workload

SHIPPED = Path(__file__).parents[2] / "library"
OPTIONS = Options(facts=False)
BLOCK = yaml.safe_dump(yaml.safe_load(WEB), sort_keys=False)


@cache
def read_cases() -> dict[str, list[dict[str, Any]]]:
    """Return the parameters in the test cases of each shipped sidecar."""
    found: dict[str, list[dict[str, Any]]] = {}
    for file in sorted(SHIPPED.glob("*/tests/*/parameters.yaml")):
        found.setdefault(file.parts[-4], []).append(yaml.safe_load(file.read_text("utf-8")) or {})
    return found


@cache
def shipped() -> Catalog:
    return open_catalog([SHIPPED], {})


def add_one_by_one(text: str, rng: Random, count: int) -> tuple[str, list[Request]]:
    """Add random sidecars, each in a run of its own; return the text and the requests of those that fit."""
    requests: list[Request] = []
    for number in range(count):
        name = rng.choice(sorted(read_cases()))
        sidecar = shipped().find(name)
        free = all(one.instance != name for one in requests)
        try:
            request = Request(
                sidecar, resolve(sidecar, rng.choice(read_cases()[name])), name if free else f"{name}-{number}"
            )
            result = pipeline.add(text, [request], OPTIONS)
        except SidecarctlError:
            continue
        if not result.failed and list(order_requests([*requests, request])) == [*requests, request]:
            text, requests = result.text, [*requests, request]
    return text, requests


@settings(QUICK, max_examples=QUICK.max_examples // 3)
@given(SEEDS)
def test_one_run_writes_what_a_run_for_each_sidecar_writes(seed: int) -> None:
    rng = Random(seed)
    text = stream(rng, [workload(rng, f"app-{i}") for i in range(rng.choice((1, 1, 2)))])
    expected, requests = add_one_by_one(text, rng, 8)
    result = pipeline.add(text, requests, OPTIONS)
    assert not result.failed
    assert result.text == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document_addition, "_FEW", len(requests))
        assert pipeline.add(text, requests, OPTIONS) == result
    assert pipeline.remove(result.text, None, OPTIONS).text == text


def count_parsed(text: str, requests: list[Request], monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many characters a run parses."""
    sizes: list[int] = []

    def counted(text: str) -> Node | None:
        sizes.append(len(text))
        return parse.parse(text)

    with monkeypatch.context() as patch:
        for module in (draft, splice, yaml_stream):
            patch.setattr(module, "parse", counted)
        assert not pipeline.add(text, requests, OPTIONS).failed
    return sum(sizes)


@pytest.mark.parametrize("style", ["block", "flow", "json"])
def test_a_run_parses_the_text_once_for_all_sidecars(
    style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = {"block": BLOCK, "flow": WEB, "json": json.dumps(yaml.safe_load(WEB), indent=2)}[style]
    requests = request_all(tmp_path, "step")
    few, many = (count_parsed(text, requests[:count], monkeypatch) for count in (COUNT // 4, COUNT))
    length = len(pipeline.add(text, requests, OPTIONS).text)
    # Once before, once after, and each new part, of which the record is written again for each sidecar.
    assert many < 4 * few + 2 * length


@pytest.mark.parametrize(
    "changes",
    [{"containers": ("missing",)}, {"invalid": UsageError("missing parameter")}],
    ids=["target", "parameter"],
)
def test_an_error_of_the_sidecar_in_the_middle_is_that_of_the_sidecar_alone(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    requests = request_all(tmp_path, "step")
    requests[7] = replace(requests[7], **changes)
    found: list[dict[str, Any]] = []
    for run in ([requests[7]], requests):
        with pytest.raises(UsageError, match="missing") as caught:
            pipeline.add(BLOCK, run, OPTIONS)
        found.append(dict(vars(caught.value)))
    assert found[0] == found[1]
    assert "Deployment/web" in str(found[0])


def test_a_conflict_names_the_sidecar_in_the_middle(tmp_path: Path) -> None:
    requests = request_all(tmp_path, "step")
    taken = BLOCK.replace("name: web\n        image", "name: step-7\n        image")
    result = pipeline.add(taken, requests, OPTIONS)
    assert result.failed
    assert result.text == taken
    assert {finding.source for finding in result.findings if finding.severity is Severity.ERROR} == {
        "sidecar step-7@1.0.0"
    }


def test_a_draft_that_fails_its_verification_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = request_all(tmp_path, "step")
    expected = pipeline.add(BLOCK, requests, OPTIONS)
    monkeypatch.setattr(draft, "apply_splices", lambda text, splices: apply_splices(text, splices) + "# c\n")
    broken = pipeline.add(BLOCK, requests, OPTIONS)
    assert broken.text != expected.text
    monkeypatch.setattr(draft, "apply_splices", lambda text, splices: apply_splices(text, splices) + "extra: 1\n")
    assert pipeline.add(BLOCK, requests, OPTIONS) == expected


def test_a_failed_verification_is_that_of_its_sidecar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = request_all(tmp_path, "step")

    def broken(text: str, splices: Iterable[Splice]) -> str:
        return apply_splices(text, splices).replace("name: step-7\n", "name: step-0\n")

    for module in (draft, splice):
        monkeypatch.setattr(module, "apply_splices", broken)
    with pytest.raises(BugError, match="step-7"):
        pipeline.add(BLOCK, requests, OPTIONS)
