"""The laws of `render`, over random compositions and random workloads in random formatting: the result depends only on
the manifest without sidecars and the composition, not on earlier renders.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.composition.model import load_from_document
from sidecarctl.composition.select import resolve_selection
from sidecarctl.errors import UsageError
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options, Result
from sidecarctl.kube.workload import workloads
from sidecarctl.record import annotation as records
from sidecarctl.yamltext.stream import split
from tests.manifests import KINDS, meaning, stream, workload

CATALOG = open_catalog([Path(__file__).parent / "library"], {})
SEEDS = st.integers(min_value=0, max_value=2**32)
EXAMPLES = int(os.environ.get("SIDECARCTL_EXAMPLES", "60"))
QUICK = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PARAMETERS: dict[str, dict[str, Any]] = {"git-sync": {"repo": "https://git.example.com/x.git"}}
SELECTORS: list[dict[str, Any]] = [
    {"all": True},
    {"names": ["app-0"]},
    {"names": ["app-[12]"]},
    {"namespaces": ["prod"]},
    {"labels": {"tier": "front"}},
    {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
    {"containers": ["c1"]},
]


def manifests(rng: Random) -> str:
    return stream(rng, [workload(rng, f"app-{i}") for i in range(rng.choice((1, 1, 2, 3)))])


def composition(rng: Random, name: str = "platform") -> dict[str, Any]:
    directory = rng.choice(("/var/log/app", "/srv/log"))
    defaults = {each: {"parameters": {"logDir": directory}} for each in ("logger", "everything")}
    rules = []
    for _ in range(rng.choice((1, 2, 3))):
        sidecars: list[Any] = [
            {"name": each, **({"parameters": PARAMETERS[each]} if each in PARAMETERS else {})}
            for each in rng.sample(("logger", "git-sync", "everything"), rng.choice((1, 2, 3)))
        ]
        if rng.random() < 0.3:
            sidecars.append({"name": "logger", "as": "audit", "parameters": {"logDir": "/var/audit"}})
        select = rng.choice((*SELECTORS, {"kinds": rng.sample(list(KINDS), 3)}))
        rules.append({"select": select, "sidecars": sidecars})
    spec = {"defaults": defaults, "rules": rules, "kubeVersion": rng.choice(("1.34", "1.27"))}
    return {"apiVersion": "sidecarctl.dev/v1alpha1", "kind": "Composition", "metadata": {"name": name}, "spec": spec}


def render(text: str, value: dict[str, Any]) -> Result | None:
    """Return the result of a composition, None if its rules conflict."""
    (document,) = split(yaml.safe_dump(value), "sidecarctl.yaml")
    try:
        read = load_from_document(document, (), Path())
        options = Options(read.kube_version, read.kinds)
        result = pipeline.render(text, resolve_selection(read, CATALOG, read.kube_version), options)
    except UsageError:
        return None
    return None if result.failed else result


@QUICK
@given(SEEDS)
def test_render_is_idempotent(seed: int) -> None:
    rng = Random(seed)
    text, wanted = manifests(rng), composition(rng)
    once = render(text, wanted)
    if once is not None:
        again = render(once.text, wanted)
        assert again is not None
        assert again.text == once.text


@QUICK
@given(SEEDS)
def test_removing_a_rule_equals_never_having_it(seed: int) -> None:
    rng = Random(seed)
    text, wanted = manifests(rng), composition(rng)
    first = render(text, wanted)
    wanted["spec"]["rules"].pop(rng.randrange(len(wanted["spec"]["rules"])))
    left, bare = (render(each, wanted) if each is not None else None for each in (first and first.text, text))
    # Instances keep their order, and the first of two sidecars that share a volume brings it.
    if left is not None and bare is not None and instance_order(left.text) == instance_order(bare.text):
        assert meaning(left.text) == meaning(bare.text)


@QUICK
@given(SEEDS)
def test_result_does_not_depend_on_earlier_renders(seed: int) -> None:
    rng = Random(seed)
    text, one, two = manifests(rng), composition(rng), composition(rng)
    first = render(text, one)
    second, bare = (render(each, two) if each is not None else None for each in (first and first.text, text))
    # Instances keep their order, and the first of two sidecars that share a volume brings it.
    if second is not None and bare is not None and instance_order(second.text) == instance_order(bare.text):
        assert meaning(second.text) == meaning(bare.text)


def instance_order(text: str) -> list[list[str]]:
    """Return the names of the instances of each workload, in order."""
    return [
        list(records.read(workload).instances)
        for document in split(text, "-")
        for workload in workloads(document.value)
    ]


@QUICK
@given(SEEDS)
def test_composition_without_rules_restores_the_input(seed: int) -> None:
    rng = Random(seed)
    text, wanted = manifests(rng), composition(rng)
    first = render(text, wanted)
    if first is not None:
        wanted["spec"]["rules"] = []
        last = render(first.text, wanted)
        assert last is not None
        assert last.text == text


@QUICK
@given(SEEDS)
def test_other_compositions_keep_the_sidecars(seed: int) -> None:
    rng = Random(seed)
    text, one = manifests(rng), composition(rng)
    other = {**composition(rng, "team"), "spec": {"rules": [], "kubeVersion": one["spec"]["kubeVersion"]}}
    first = render(text, one)
    if first is not None:
        second = render(first.text, other)
        assert second is not None
        assert second.text == first.text
