"""API rules never crash on pods of any shape, and find nothing in good pods."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pod_helpers import pod_rules

from sidecarctl.validate.check_document import check_documents
from sidecarctl.validate.registry import Context
from sidecarctl.yamltext.stream import split
from tests.rule_examples import complete

Path = tuple[Any, ...]
API = pod_rules()
VALUES: list[Any] = [None, True, 0, -1, 1.5, "", "x", [], {}]
NESTED: list[Any] = [
    [None],
    [1],
    ["x"],
    [{}],
    [[]],
    {"a": 1},
    {1: 2},
    {"name": []},
    {"name": {}},
    {"key": {}},
    {"": None},
]
JUNK = st.sampled_from([*VALUES, *NESTED, [{"name": ["x"]}], [{"path": [1]}]])


def merged() -> dict[str, Any]:
    """Merge all good examples into one pod to cover many fields."""
    spec: dict[str, Any] = {}
    for one in API:
        if one.scope in ("pod", "container"):
            (document,) = split(complete(one.good, one.scope), "good.yaml")
            value: Any = document.value
            for key, found in value["spec"].items():
                if isinstance(found, list):
                    spec.setdefault(key, []).extend(copy.deepcopy(found))
                else:
                    spec.setdefault(key, found)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec}


POD = merged()


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


PATHS = [path for path in paths(POD["spec"]) if path]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(PATHS), JUNK), min_size=1, max_size=6), st.sampled_from(["1.25", "1.34", "1.37"])
)
def test_api_rules_never_crash(changes: list[tuple[Path, Any]], version: str) -> None:
    pod = copy.deepcopy(POD)
    for path, junk in changes:
        holder: Any = pod["spec"]
        for step in path[:-1]:
            try:
                holder = holder[step]
            except (KeyError, IndexError, TypeError):
                break
        else:
            if isinstance(holder, dict) or (
                isinstance(holder, list) and isinstance(path[-1], int) and path[-1] < len(holder)
            ):
                holder[path[-1]] = copy.deepcopy(junk)
    for _, finding in check_documents([pod], API, Context(version)):
        assert finding.message
        assert finding.help


@pytest.mark.parametrize("one", API, ids=lambda one: one.name)
def test_good_example_passes_all_rules(one: Any) -> None:
    (document, *more) = split(complete(one.good, one.scope), "good.yaml")
    values = [each.value for each in (document, *more)]
    errors = [found for _, found in check_documents(values, API, one.given) if found.severity.value == "error"]
    assert {found.rule for found in errors} <= {"ephemeral-containers-in-manifest"}


@pytest.mark.parametrize("one", API, ids=lambda one: one.name)
def test_bad_example_has_no_other_findings(one: Any) -> None:
    values = [each.value for each in split(complete(one.bad, one.scope), "bad.yaml")]
    errors = [found for _, found in check_documents(values, API, one.given) if found.severity.value == "error"]
    assert {found.rule for found in errors} <= {one.name, "ephemeral-containers-in-manifest"}
