"""No rule stumbles over any shape: a full manifest with anything put anywhere gives findings, never an exception."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecarctl.kube.versions import SUPPORTED
from sidecarctl.validate.check_document import check_documents
from sidecarctl.validate.registry import Context, Rule, rules
from tests.rule_examples import complete

EXAMPLES: list[list[Any]] = [
    list(yaml.safe_load_all(complete(text, one.scope)))
    for one in rules().values()
    if one.check
    for text in (one.bad, one.good)
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
NAMES = st.sampled_from(["name", "http", "app", "metadata", "spec", "a/b", "cpu"])
ANYTHING = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=2) | st.dictionaries(NAMES, below, max_size=2),
    max_leaves=5,
)


def steps_to(value: Any, steps: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    below: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        below = list(value.items())
    elif isinstance(value, list):
        below = list(enumerate(value))
    return [steps, *(path for key, item in below for path in steps_to(item, (*steps, key)))]


def replaced(value: Any, steps: tuple[str | int, ...], new: Any) -> Any:
    if not steps:
        return new
    value = copy.copy(value)
    value[steps[0]] = replaced(value[steps[0]], steps[1:], new)
    return value


@st.composite
def mutants(draw: st.DrawFn) -> list[Any]:
    documents = copy.deepcopy(draw(st.sampled_from(EXAMPLES)))
    for _ in range(draw(st.integers(1, 3))):
        documents = replaced(documents, draw(st.sampled_from(steps_to(documents)[1:] or [(0,)])), draw(ANYTHING))
        if not isinstance(documents, list) or not documents:
            return [documents]
    return documents


@settings(max_examples=400, deadline=None)
@given(mutants(), st.sampled_from(SUPPORTED))
def test_rules_never_crash_on_any_shape(documents: list[Any], version: str) -> None:
    ctx = Context(version, pod_security="restricted", options={"qos-downgrade": {"Pod/example": {}}})
    list(check_documents(documents, rules().values(), ctx))


VALUES: tuple[Any, ...] = (None, True, -1, "x", [], [[]], [{}], ["x"], {}, {"name": []})


@pytest.mark.parametrize("one", [one for one in rules().values() if one.check], ids=lambda one: one.name)
def test_rules_never_crash_on_replaced_values(one: Rule) -> None:
    for text in (one.bad, one.good):
        example = list(yaml.safe_load_all(complete(text, one.scope)))
        for steps in steps_to(example)[1:]:
            for value in VALUES:
                list(check_documents(replaced(example, steps, value), [one], one.given))
