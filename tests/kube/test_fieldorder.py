"""Tests of the field order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.kube.field_order import ORDER, context_of, insertion_index, sort_fields


@pytest.mark.parametrize(
    ("existing", "new", "context", "index"),
    [
        ("containers", "initContainers", "spec", 0),
        ("containers", "volumes", "spec", 1),
        ("serviceAccountName containers", "initContainers", "spec", 1),
        ("containers restartPolicy", "volumes", "spec", 2),
        ("restartPolicy containers", "volumes", "spec", 2),
        ("containers nodeSelector affinity tolerations", "initContainers", "spec", 0),
        ("containers nodeSelector tolerations affinity", "volumes", "spec", 1),
        ("terminationGracePeriodSeconds nodeSelector containers", "initContainers", "spec", 2),
        ("volumes containers", "initContainers", "spec", 1),
        ("containers", "securityContext", "spec", 0),
        ("name labels", "annotations", "metadata", 2),
        ("name annotations", "labels", "metadata", 1),
        ("labels", "annotations", "metadata", 1),
        ("labels name", "annotations", "metadata", 2),
        ("apiVersion kind spec", "metadata", "object", 2),
        ("kind apiVersion spec", "metadata", "object", 2),
        ("spec", "metadata", "podTemplate", 0),
        ("name image", "volumeMounts", "container", 2),
        ("name image ports resources", "env", "container", 3),
        ("image name", "env", "container", 2),
        ("name image resources volumeMounts tty", "env", "container", 2),
        ("name image", "x-strange", "container", 2),
        ("x-strange spec", "metadata", "podTemplate", 1),
        ("x-strange", "metadata", "podTemplate", 1),
        ("", "metadata", "podTemplate", 0),
        ("a b", "c", "no such context", 2),
    ],
)
def test_inserts_key_in_conventional_order(existing: str, new: str, context: str, index: int) -> None:
    assert insertion_index(existing.split(), new, context) == index


def test_keeps_sorted_keys_sorted() -> None:
    existing = ["containers", "dnsPolicy", "restartPolicy", "schedulerName"]
    assert insertion_index(existing, "volumes", "spec") == 4
    assert insertion_index(existing, "initContainers", "spec") == 2
    assert insertion_index(["args", "env", "image", "name", "resources"], "ports", "container") == 4


def test_sorts_keys_with_unknown_ones_last() -> None:
    assert sort_fields(["volumeMounts", "b", "image", "a", "name"], "container") == [
        "name",
        "image",
        "volumeMounts",
        "b",
        "a",
    ]


@pytest.mark.parametrize(
    ("path", "context"),
    [
        ((), "object"),
        (("metadata",), "metadata"),
        (("spec",), "spec"),
        (("spec", "template"), "podTemplate"),
        (("spec", "template", "spec"), "spec"),
        (("spec", "template", "spec", "containers", 0), "container"),
        (("items", 3), "object"),
        (("spec", "containers", 0, "env", 1), "env"),
        (("metadata", "labels"), ""),
        ((0,), ""),
        ((0, 1), ""),
    ],
)
def test_finds_context_of_path(path: tuple[str | int, ...], context: str) -> None:
    assert context_of(path) == context


def test_contexts_have_no_duplicate_keys() -> None:
    for context, keys in ORDER.items():
        assert len(set(keys)) == len(keys), context


@given(
    st.sampled_from(sorted(ORDER)).flatmap(
        lambda context: st.tuples(st.just(context), st.sets(st.sampled_from(ORDER[context])))
    ),
    st.data(),
)
def test_insertion_keeps_order(drawn: tuple[str, set[str]], data: st.DataObject) -> None:
    context, keys = drawn
    new = data.draw(st.sampled_from(ORDER[context]))
    existing = sort_fields(keys - {new}, context)
    index = insertion_index(existing, new, context)
    assert [*existing[:index], new, *existing[index:]] == sort_fields({*keys, new}, context)
