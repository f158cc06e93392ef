"""Rules never crash on manifests of any shape."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import test_controllers
import test_jobs
import test_metadata
import test_other_kinds
import test_pod_network
import test_scheduling
import test_security
from hypothesis import given
from hypothesis import strategies as st
from object_cases import findings

MODULES = (
    test_controllers,
    test_jobs,
    test_metadata,
    test_other_kinds,
    test_pod_network,
    test_scheduling,
    test_security,
)
DOCUMENTS = [case.bad for module in MODULES for case in module.CASES]
STRANGE: list[Any] = [
    None,
    "",
    "x",
    0,
    -1,
    1.5,
    True,
    [],
    {},
    [[]],
    [{}],
    [None],
    {"x": []},
    {"x": {"y": None}},
    [1],
    {1: 2},
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(below for key, item in items for below in paths(item, (*path, key)))]


@given(st.data())
def test_rules_never_crash_on_random_values(data: st.DataObject) -> None:
    document = deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        *steps, last = data.draw(st.sampled_from([path for path in paths(document) if path]))
        holder = document
        for step in steps:
            holder = holder[step]
        holder[last] = deepcopy(data.draw(st.sampled_from(STRANGE)))
    for version in ("1.25", "1.37"):
        findings(document, version)
