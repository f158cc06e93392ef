import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.kube.field_order import ORDER, arrange, context_of, place


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
def test_a_new_key_goes_where_people_would_write_it(existing: str, new: str, context: str, index: int) -> None:
    assert place(existing.split(), new, context) == index


def test_keys_that_a_tool_sorted_stay_sorted() -> None:
    existing = ["containers", "dnsPolicy", "restartPolicy", "schedulerName"]
    assert place(existing, "volumes", "spec") == 4
    assert place(existing, "initContainers", "spec") == 2
    assert place(["args", "env", "image", "name", "resources"], "ports", "container") == 4


def test_keys_are_arranged_for_writing_and_unknown_ones_come_last() -> None:
    assert arrange(["volumeMounts", "b", "image", "a", "name"], "container") == [
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
def test_a_path_leads_to_its_context(path: tuple[str | int, ...], context: str) -> None:
    assert context_of(path) == context


def test_no_key_stands_twice_in_a_context() -> None:
    for context, keys in ORDER.items():
        assert len(set(keys)) == len(keys), context


@given(
    st.sampled_from(sorted(ORDER)).flatmap(
        lambda context: st.tuples(st.just(context), st.sets(st.sampled_from(ORDER[context])))
    ),
    st.data(),
)
def test_among_keys_in_order_the_order_is_kept(drawn: tuple[str, set[str]], data: st.DataObject) -> None:
    context, keys = drawn
    new = data.draw(st.sampled_from(ORDER[context]))
    existing = arrange(keys - {new}, context)
    index = place(existing, new, context)
    assert [*existing[:index], new, *existing[index:]] == arrange({*keys, new}, context)
