"""Tests of ignore comments and ignore annotations."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.validate.suppress import Suppressed, suppress
from sidecarctl.yamltext.stream import Document, split

KNOWN = frozenset({"port-conflict", "floating-image", "unused-volume", "unused-ignore", "unknown-rule"})
CONTAINERS: PathTuple = ("spec", "template", "spec", "containers")


def document(text: str) -> Document:
    return list(split(text, "web.yaml"))[-1]


def finding(source: Document, rule: str, *path: str | int, container: str = "") -> Finding:
    return Finding(rule, "m", path=path, workload="Deployment/web", container=container, place=source.locate(path))


def image(source: Document, rule: str = "floating-image", number: int = 0) -> Finding:
    name = ("web", "logger")[number]
    return finding(source, rule, *CONTAINERS, number, "image", container=name)


def manifest(*, on_line: str = "", above: str = "", top: str = "", pod: str = "") -> Document:
    """Return a Deployment with comments or annotations; the image of `web` follows `above`."""
    return document(
        "apiVersion: apps/v1\n"
        "kind: Deployment\n"
        f"metadata:\n  name: web\n{top}"
        "spec:\n"
        "  template:\n"
        f"{pod}"
        "    spec:\n"
        "      containers:\n"
        "      - name: web\n"
        f"{above}"
        f"        image: nginx{on_line}\n"
        "      - name: logger\n"
        "        image: fluent-bit\n"
    )


def hidden(result: Suppressed) -> list[str]:
    return [one.finding.rule for one in result.ignored]


def kept(result: Suppressed) -> list[str]:
    return [one.rule for one in result.kept]


@pytest.mark.parametrize(
    "where",
    [
        {"on_line": "  # sidecarctl: ignore[floating-image] pinned later"},
        {"on_line": "  # nginx! # sidecarctl: ignore[floating-image] pinned later"},
        {"above": "        # sidecarctl: ignore[floating-image] pinned later\n"},
        {"above": "        # sidecarctl: ignore[floating-image] pinned later\n        # and a remark\n"},
        {"above": "# sidecarctl:ignore[ unused-volume , floating-image ]  pinned later\n"},
    ],
)
def test_comment_hides_finding_on_its_line_or_below(where: dict[str, str]) -> None:
    source = manifest(**where)
    result = suppress(source, [image(source), image(source, number=1)], known=KNOWN, active={"floating-image"})
    assert hidden(result) == ["floating-image"]
    assert result.ignored[0].reason == "pinned later"
    assert [one.container for one in result.kept] == ["logger"]


def test_comment_hides_only_its_rule() -> None:
    source = manifest(on_line="  # sidecarctl: ignore[floating-image]")
    result = suppress(source, [image(source), image(source, "port-conflict")], known=KNOWN)
    assert hidden(result) == ["floating-image"]
    assert kept(result) == ["port-conflict"]


def test_trailing_comment_does_not_apply_to_next_line() -> None:
    source = manifest(on_line="  # sidecarctl: ignore[port-conflict]")
    below = finding(source, "port-conflict", *CONTAINERS, 1, "name")
    assert kept(suppress(source, [below], known=KNOWN)) == ["port-conflict", "unused-ignore"]


def test_comment_does_not_apply_past_blank_line() -> None:
    source = manifest(above="        # sidecarctl: ignore[floating-image]\n\n")
    assert kept(suppress(source, [image(source)], known=KNOWN)) == ["floating-image", "unused-ignore"]


def test_comment_hides_multiline_finding() -> None:
    source = manifest(on_line="  # sidecarctl: ignore[unused-volume]")
    result = suppress(source, [finding(source, "unused-volume", *CONTAINERS, 0)], known=KNOWN)
    assert hidden(result) == ["unused-volume"]


def test_text_in_scalar_is_not_a_comment() -> None:
    source = document(
        "data:\n  a: |  # sidecarctl: ignore[port-conflict]\n    # sidecarctl: ignore[floating-image]\n"
        "  b: 'x\n    # sidecarctl: ignore[floating-image]'\n"
        '  c: " # sidecarctl: ignore[nothing]"\n'
    )
    result = suppress(source, [finding(source, "port-conflict", "data", "a")], known=KNOWN)
    assert hidden(result) == ["port-conflict"]
    assert kept(result) == []


@pytest.mark.parametrize("place", ["top", "pod"])
@pytest.mark.parametrize("names", ["floating-image,port-conflict", "port-conflict, floating-image", "floating-image"])
def test_annotation_hides_rule_in_whole_workload(place: str, names: str) -> None:
    indent = "  " if place == "top" else "      "
    head = "" if place == "top" else "    metadata:\n"
    source = manifest(**{place: f'{head}{indent}annotations:\n{indent}  sidecarctl.dev/ignore: "{names}"\n'})
    result = suppress(source, [image(source), image(source, number=1)], known=KNOWN, active={"floating-image"})
    assert hidden(result) == ["floating-image", "floating-image"]
    assert kept(result) == []


def test_annotation_hides_finding_of_sidecar_template() -> None:
    source = manifest(top="  annotations:\n    sidecarctl.dev/ignore: floating-image\n")
    caused = Finding("floating-image", "m", workload="Deployment/web", source="sidecar logger@1.0.0")
    assert hidden(suppress(source, [caused], known=KNOWN)) == ["floating-image"]


def test_container_annotation_hides_rule_only_in_that_container() -> None:
    source = manifest(pod="    metadata:\n      annotations:\n        sidecarctl.dev/ignore.logger: floating-image\n")
    result = suppress(source, [image(source), image(source, number=1)], known=KNOWN)
    assert [one.finding.container for one in result.ignored] == ["logger"]
    assert [one.container for one in result.kept] == ["web"]


def test_annotation_applies_only_to_its_list_item() -> None:
    item = "- apiVersion: v1\n  kind: Service\n  metadata:\n    name: {}\n    annotations: {}\n"
    source = document(
        "apiVersion: v1\nkind: List\nitems:\n"
        + item.format("a", "{sidecarctl.dev/ignore: port-conflict}")
        + item.format("b", "{}")
    )
    findings = [finding(source, "port-conflict", "items", number, "metadata", "name") for number in (0, 1)]
    result = suppress(source, findings, known=KNOWN)
    assert [one.finding.path[1] for one in result.ignored] == [0]
    assert [one.path[1] for one in result.kept] == [1]


def test_annotation_works_in_json() -> None:
    annotations = '{"sidecarctl.dev/ignore": "port-conflict", "x": " # sidecarctl: ignore[nothing]"}'
    source = document('{"kind": "Service", "apiVersion": "v1", "metadata": {"annotations": ' + annotations + "}}")
    result = suppress(source, [finding(source, "port-conflict", "kind")], known=KNOWN)
    assert (hidden(result), kept(result)) == (["port-conflict"], [])


class TestUnused:
    def test_warns_about_unused_rule_name_in_comment(self) -> None:
        source = manifest(on_line="  # sidecarctl: ignore[floating-image,port-conflict] why")
        (unused,) = suppress(source, [image(source)], known=KNOWN).kept
        assert (unused.rule, unused.severity) == ("unused-ignore", Severity.WARNING)
        assert "port-conflict" in unused.message
        assert unused.place is not None
        line = unused.place.line_text
        assert line[unused.place.column - 1 : unused.place.end_column - 1] == "port-conflict"
        assert unused.place.line == 10

    def test_warns_about_unused_annotation(self) -> None:
        source = manifest(top="  annotations:\n    sidecarctl.dev/ignore: port-conflict\n")
        (unused,) = suppress(source, [], known=KNOWN).kept
        assert unused.path == ("metadata", "annotations", "sidecarctl.dev/ignore")
        assert unused.workload == "Deployment/web"
        assert str(unused.place) == "web.yaml:6:28"

    def test_suggests_container_name(self) -> None:
        source = manifest(top="  annotations:\n    sidecarctl.dev/ignore.lgger: port-conflict\n")
        (unused,) = suppress(source, [], known=KNOWN).kept
        assert unused.help == 'unknown container "lgger"; did you mean "logger"?'

    def test_ignore_of_inactive_rule_is_not_unused(self) -> None:
        source = manifest(on_line="  # sidecarctl: ignore[port-conflict]")
        assert suppress(source, [], known=KNOWN, active={"floating-image"}).kept == ()

    @pytest.mark.parametrize("form", ["ignore", "ignore[]", "ignore floating-image", "ignore["])
    def test_warns_about_ignore_without_rule(self, form: str) -> None:
        source = manifest(on_line=f"  # sidecarctl: {form}")
        result = suppress(source, [image(source)], known=KNOWN)
        assert kept(result) == ["floating-image", "unused-ignore"]
        assert "without a rule name" in result.kept[1].message

    def test_unused_ignore_can_be_ignored(self) -> None:
        source = manifest(on_line="  # sidecarctl: ignore[port-conflict,unused-ignore] generated")
        result = suppress(source, [], known=KNOWN)
        assert (hidden(result), kept(result)) == (["unused-ignore"], [])

    def test_warns_about_unneeded_ignore_of_unused_ignore(self) -> None:
        source = manifest(on_line="  # sidecarctl: ignore[floating-image,unused-ignore]")
        assert kept(suppress(source, [image(source)], known=KNOWN)) == ["unused-ignore"]


class TestUnknown:
    def test_rejects_unknown_rule_in_comment_with_suggestion(self) -> None:
        source = manifest(on_line="  # sidecarctl: ignore[floating-imge]")
        result = suppress(source, [image(source)], known=KNOWN)
        assert kept(result) == ["floating-image", "unknown-rule"]
        unknown = result.kept[1]
        assert unknown.severity is Severity.ERROR
        assert unknown.help == 'did you mean "floating-image"?'
        assert str(unknown.place) == "web.yaml:10:44"

    def test_rejects_unknown_rule_in_annotation(self) -> None:
        source = manifest(top="  annotations:\n    sidecarctl.dev/ignore: prt-conflict floating-image\n")
        assert kept(suppress(source, [image(source)], known=KNOWN)) == ["unknown-rule"]


class TestRenamed:
    KNOWN = frozenset({"duplicate-port", "invalid-container-name", "unused-ignore", "unknown-rule"})

    def test_comment_with_old_rule_name_hides_finding(self) -> None:
        source = manifest(on_line="  # sidecarctl: ignore[container-name] later")
        result = suppress(source, [image(source, "invalid-container-name")], known=self.KNOWN)
        assert (hidden(result), kept(result)) == (["invalid-container-name"], [])

    def test_annotation_with_old_rule_name_hides_finding(self) -> None:
        source = manifest(top="  annotations:\n    sidecarctl.dev/ignore: container-name\n")
        result = suppress(source, [image(source, "invalid-container-name")], known=self.KNOWN)
        assert (hidden(result), kept(result)) == (["invalid-container-name"], [])

    def test_unused_old_rule_name_is_unused_ignore_of_new_name(self) -> None:
        source = manifest(on_line="  # sidecarctl: ignore[container-name]")
        (unused,) = suppress(source, [], known=self.KNOWN).kept
        assert (unused.rule, "invalid-container-name" in unused.message) == ("unused-ignore", True)


def test_lines_count_from_start_of_file() -> None:
    text = "a: 1\n---\nb: 2  # sidecarctl: ignore[port-conflict]\nc: 3  # sidecarctl: ignore[floating-image]\n"
    source = document(text)
    result = suppress(source, [finding(source, "port-conflict", "b")], known=KNOWN)
    assert hidden(result) == ["port-conflict"]
    assert str(result.kept[0].place) == "web.yaml:4:28"


def test_accepts_comment_in_empty_document() -> None:
    (source,) = split("# sidecarctl: ignore[port-conflict]", "web.yaml")
    assert kept(suppress(source, [], known=KNOWN)) == ["unused-ignore"]


@pytest.mark.parametrize("value", ["3", "[a]", "null", "{a: b}"])
def test_skips_annotation_that_is_not_a_string(value: str) -> None:
    source = manifest(top=f"  annotations:\n    sidecarctl.dev/ignore: {value}\n")
    assert suppress(source, [], known=KNOWN).kept == ()


def test_reason_does_not_contain_crlf() -> None:
    (source,) = split("a: 1  # sidecarctl: ignore[port-conflict] why\r\nb: 2\r\n", "web.yaml")
    result = suppress(source, [finding(source, "port-conflict", "a")], known=KNOWN)
    assert result.ignored[0].reason == "why"


def test_container_suggestions_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecarctl.errors._MOST_COMPARISONS", 100)
    names = "".join(f"    sidecarctl.dev/ignore.lgger{number}: port-conflict\n" for number in range(101))
    source = manifest(top=f"  annotations:\n{names}")
    helps = [one.help for one in suppress(source, [], known=KNOWN).kept]
    assert helps[:2] == [f'unknown container "lgger{number}"; did you mean "logger"?' for number in (0, 1)]
    assert helps[100] == 'unknown container "lgger100"'


def test_annotations_of_templates_of_one_object_are_all_used() -> None:
    template = (
        "{metadata: {annotations: {sidecarctl.dev/ignore: floating-image}}, spec: {containers: [{name: a, image: a}]}}"
    )
    job = f"  - {{name: a, template: {{spec: {{template: {template}}}}}}}\n"
    head = "apiVersion: jobset.x-k8s.io/v1alpha2\nkind: JobSet\nmetadata: {name: a}\nspec:\n  replicatedJobs:\n"
    source = document(head + job + job)
    findings = [finding(source, "floating-image", "spec", "replicatedJobs", number) for number in (0, 1)]
    for found in ([], findings[:1], findings):
        result = suppress(source, found, known=KNOWN)
        assert (len(result.ignored), len(result.kept)) == (len(found), 0 if found else 2)


def make_pod(annotations: str, containers: str, top: str = "") -> str:
    return f"kind: Pod\napiVersion: v1\nmetadata:\n{annotations}spec:\n{top}  containers: [{containers}]\n"


def annotate(count: int, name: str) -> str:
    lines = (f"    sidecarctl.dev/ignore.{name}{number}: floating-image\n" for number in range(count))
    return "  annotations:\n" + "".join(lines)


def make_containers(count: int) -> str:
    return ", ".join(f"{{name: c{number}}}" for number in range(count))


def make_list(metadata: str) -> str:
    return f"- {{apiVersion: v1, kind: Pod, metadata: {metadata}, spec: {{containers: [{{name: c0}}]}}}}\n"


LIST = "apiVersion: v1\nkind: List\nitems:\n"
IGNORES: dict[str, Callable[[int], str]] = {
    "containers": lambda n: make_pod(annotate(n, "c"), make_containers(n)),
    "unknown containers": lambda n: make_pod(annotate(n, "xx"), make_containers(n)),
    "objects": lambda n: LIST + n * make_list("{annotations: {sidecarctl.dev/ignore: floating-image}}"),
    "containers of objects": lambda n: (
        LIST + n * make_list("{annotations: {sidecarctl.dev/ignore.c0: floating-image}}")
    ),
    "comment before a List": lambda n: f"# sidecarctl: ignore[floating-image]\n{LIST}" + n * make_list("{}"),
    "comments before a line": lambda n: make_pod(
        "  name: a\n", make_containers(n), n * "  # sidecarctl: ignore[floating-image] x\n"
    ),
    "comments behind comments": lambda n: make_pod(
        "  name: a\n", make_containers(n), n * "  # sidecarctl: ignore[floating-image] x\n  # # sidecarctl: ignore\n"
    ),
}


@pytest.mark.parametrize("kind", IGNORES)
def test_each_ignore_and_each_finding_costs_the_same(kind: str) -> None:
    """CPU time for many ignores and findings, against a sixteenth of them."""

    def measure(count: int) -> float:
        source = document(IGNORES[kind](count))
        paths: list[PathTuple]
        if isinstance(source.value, dict) and "items" in source.value:
            paths = [("items", number, "spec", "containers", 0, "name") for number in range(count)]
        else:
            paths = [("spec", "containers", number, "name") for number in range(count)]
        findings = [finding(source, "floating-image", *path, container=f"c{path[-2]}") for path in paths]
        started = time.process_time()
        result = suppress(source, findings, known=KNOWN)
        took = time.process_time() - started
        nothing_hidden = kind in ("unknown containers", "comment before a List")
        assert len(result.ignored) == (0 if nothing_hidden else count)
        return took

    assert min(measure(4800) for _ in range(3)) <= 48 * max(measure(300) for _ in range(3))
