"""The laws, over random workloads in random formatting and several sidecars: lossless, invertible, idempotent,
deterministic, verified."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.parameters import resolve
from sidecarctl.composition.request import Request
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options, Result
from tests.manifests import meaning, stream, workload

OPTIONS = Options()
OLD = Options(kube_version="1.27")
LIBRARY = Path(__file__).parent / "library"
CHOICES: dict[str, dict[str, Any]] = {
    "logger": {},
    "git-sync": {"repo": "https://git.example.com/x.git"},
    "everything": {},
}
SEEDS = st.integers(min_value=0, max_value=2**32)
QUICK = settings(
    max_examples=int(os.environ.get("SIDECARCTL_EXAMPLES", "120")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@cache
def request(name: str, **parameters: str) -> Request:
    sidecar = open_catalog([LIBRARY], {}).find(name)
    return Request(sidecar, resolve(sidecar, {**CHOICES[name], **parameters}))


def given_text(seed: int, *, plain: bool = False) -> tuple[str, Random]:
    rng = Random(seed)
    return stream(rng, [workload(rng, f"app-{i}") for i in range(rng.choice((1, 1, 2, 3)))], plain=plain), rng


def added(text: str, *names: str, options: Options = OPTIONS) -> Result:
    return pipeline.add(text, [request(name) for name in names], options)


def is_subsequence(small: str, large: str) -> bool:
    """Return True if `large` contains the characters of `small` in order."""
    rest = iter(large)
    return all(character in rest for character in small)


@QUICK
@given(SEEDS)
def test_add_only_inserts(seed: int) -> None:
    text, rng = given_text(seed, plain=True)
    result = added(text, rng.choice(list(CHOICES)))
    if result.failed:
        assert result.text == text
        return
    # The one exception: an empty value that gets content.
    bare = re.sub(r"(?<=[:\s])(\[\]|\{\}|null|~)", "", text)
    assert is_subsequence("".join(bare.split()), "".join(result.text.split()))
    assert [line for line in text.splitlines() if "#" in line and line.strip().startswith("#")] == [
        line for line in result.text.splitlines() if line.strip().startswith("#")
    ]


@QUICK
@given(SEEDS)
def test_result_is_valid_yaml_for_pyyaml(seed: int) -> None:
    text, rng = given_text(seed)
    result = added(text, rng.choice(list(CHOICES)))
    assert len([d for d in yaml.safe_load_all(result.text) if d]) >= len([d for d in yaml.safe_load_all(text) if d])


@QUICK
@given(SEEDS)
def test_remove_restores_the_input(seed: int) -> None:
    text, rng = given_text(seed)
    names = rng.sample(list(CHOICES), rng.choice((1, 2, 3)))
    result = added(text, *names)
    assert pipeline.remove(result.text, None, OPTIONS).text == text


@QUICK
@given(SEEDS)
def test_removing_one_instance_keeps_the_others(seed: int) -> None:
    text, rng = given_text(seed)
    first, second = rng.sample(list(CHOICES), 2)
    alone, both = added(text, second), added(text, first, second)
    if alone.failed or both.failed:
        return
    left = pipeline.remove(both.text, [first], OPTIONS)
    gone = pipeline.remove(left.text, [second], OPTIONS)
    assert gone.text == text
    assert _containers(gone) == _containers(pipeline.remove(alone.text, [second], OPTIONS))


def _containers(result: Result) -> list[str]:
    parts = (part for change in result.changes for one in change.instances for part in one.parts)
    return [part for part in parts if "container" in part]


@QUICK
@given(SEEDS)
def test_add_is_idempotent(seed: int) -> None:
    text, rng = given_text(seed)
    names = rng.sample(list(CHOICES), rng.choice((1, 2, 3)))
    once = added(text, *names)
    if once.failed:
        assert once.text == text
        return
    again = rng.sample(names, rng.choice(range(1, len(names) + 1)))
    assert added(once.text, *again).text == once.text


@QUICK
@given(SEEDS)
def test_upgrade_equals_remove_and_add(seed: int) -> None:
    text, _ = given_text(seed)
    old = added(text, "everything")
    new = request("everything", logDir="/var/log/other")
    upgraded = pipeline.add(old.text, [new], OPTIONS)
    if old.failed or upgraded.failed:
        return
    assert meaning(upgraded.text) == meaning(pipeline.add(text, [new], OPTIONS).text)
    assert pipeline.remove(upgraded.text, None, OPTIONS).text == text


@QUICK
@given(SEEDS)
def test_laws_hold_for_classic_sidecars(seed: int) -> None:
    text, rng = given_text(seed)
    names = rng.sample(list(CHOICES), rng.choice((1, 2)))
    result = added(text, *names, options=OLD)
    assert added(result.text, *names, options=OLD).text == result.text
    assert pipeline.remove(result.text, None, OLD).text == text


@pytest.mark.parametrize("seed", range(20))
def test_add_is_deterministic(seed: int) -> None:
    text, _ = given_text(seed)
    assert added(text, "logger", "git-sync").text == added(text, "logger", "git-sync").text
