"""Tests of the rule registry, rule pages, and examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.findings import Finding, Place, Related, Severity
from sidecarctl.kube.versions import NEWEST
from sidecarctl.validate import registry
from sidecarctl.validate.check_document import check_documents
from sidecarctl.validate.registry import Context, Problems, Rule, declare, examples_of, problem, rule, rules
from sidecarctl.validate.views import ContainerView, ObjectView, PodView, StreamView, View
from sidecarctl.yamltext.stream import split
from tests.rule_examples import complete

EXAMPLES = Path(registry.__file__).parent / "rules" / "examples"
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      initContainers:
      - name: logger
        restartPolicy: Always
      containers:
      - name: web
        ports:
        - containerPort: 8080
      volumes:
      - name: data
      - name: data
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: prod}\nspec: {ports: [{targetPort: http}]}\n"


def findings(text: str, *chosen: Rule, ctx: Context | None = None) -> list[tuple[int, Finding]]:
    documents = list(split(text, "web.yaml"))

    def locate(number: int, path: tuple[str | int, ...], on_key: bool) -> Place:
        return documents[number].locate(path, on_key=on_key)

    return list(check_documents([one.value for one in documents], chosen, ctx or Context(), locate))


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> dict[str, Rule]:
    """Return an empty registry."""
    registered: dict[str, Rule] = {}
    monkeypatch.setattr(registry, "_registered", registered)
    return registered


PAGE = {"fix": "Do something."}


@pytest.fixture
def volume_names(own: dict[str, Rule]) -> Rule:
    @rule("volume-names", Severity.WARNING, **PAGE)
    def volume_names(pod: PodView, ctx: Context) -> Problems:
        """Two volumes have the same name.

        Mounts refer to volumes by name,
        so names must be unique.

        More details on the page.
        """
        first: dict[str, View] = {}
        for volume in pod.each("volumes"):
            other = first.setdefault(volume.text("name"), volume)
            if other is not volume:
                yield problem(volume.at("name"), "again", related=(Related("the first", other.at("name")),))

    return own["volume-names"]


def test_finding_has_fields_of_problem_and_rule(volume_names: Rule) -> None:
    ((number, finding),) = findings(WEB, volume_names)
    assert number == 0
    assert (finding.rule, finding.severity, finding.message) == ("volume-names", Severity.WARNING, "again")
    assert finding.why == "Mounts refer to volumes by name, so names must be unique."
    assert finding.help == "do something"
    assert finding.workload == "Deployment/web"
    assert finding.path == ("spec", "template", "spec", "volumes", 1, "name")
    assert str(finding.place) == "web.yaml:17:15"
    assert str(finding.related[0].place) == "web.yaml:16:15"


def test_paths_and_places_belong_to_document(volume_names: Rule) -> None:
    ((number, finding),) = findings(f"{SERVICE}---\n{WEB}", volume_names)
    assert number == 1
    assert finding.path[0] == "spec"
    assert finding.place is not None
    assert finding.place.line == 22


def test_locates_finding_in_list_item(volume_names: Rule) -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- " + WEB.replace("\n", "\n  ")
    ((_, finding),) = findings(text, volume_names)
    assert finding.path[:2] == ("items", 0)
    assert finding.workload == "Deployment/web"


def test_container_rule_checks_containers_with_its_roles(own: dict[str, Rule]) -> None:
    @rule("image-missing", Severity.ERROR, scope="container", roles=("sidecar",), **PAGE)
    def image_missing(container: ContainerView, ctx: Context) -> Problems:
        """What.

        Why.
        """
        yield problem(container.path, "no image", help="name one", severity=Severity.INFO)

    ((_, finding),) = findings(WEB, own["image-missing"])
    assert (finding.container, finding.role, finding.help) == ("logger", "sidecar", "name one")
    assert finding.severity is Severity.INFO


def test_finding_of_pod_rule_has_container_of_its_path(own: dict[str, Rule]) -> None:
    @rule("port", Severity.ERROR, **PAGE)
    def port(pod: PodView, ctx: Context) -> Problems:
        """What.

        Why.
        """
        for container in pod.by_role("app"):
            for one in container.each("ports"):
                yield problem(one.at("containerPort"), "a port", on_key=True)

    ((_, finding),) = findings(WEB, own["port"])
    assert (finding.container, finding.role) == ("web", "app")
    assert finding.place is not None
    assert (finding.place.line, finding.place.column) == (14, 11)


def test_object_rule_checks_every_object(own: dict[str, Rule]) -> None:
    @rule("named", Severity.ERROR, scope="object", **PAGE)
    def named(one: ObjectView, ctx: Context) -> Problems:
        """What.

        Why.
        """
        yield problem(one.at("metadata", "name"), one.kind)

    found = findings(f"{WEB}---\n{SERVICE}", own["named"])
    assert [(number, finding.message, finding.workload) for number, finding in found] == [
        (0, "Deployment", "Deployment/web"),
        (1, "Service", "Service/prod/web"),
    ]


def test_stream_rule_checks_all_documents(own: dict[str, Rule]) -> None:
    @rule("target-port", Severity.WARNING, scope="stream", **PAGE)
    def target_port(stream: StreamView, ctx: Context) -> Problems:
        """What.

        Why.
        """
        service = next(one for one in stream.objects if one.kind == "Service")
        (pod,) = stream.pods
        where = service.at("spec", "ports", 0, "targetPort")
        yield problem(where, "no such port", related=(Related("the pod", pod.containers[1].at("ports", 0)),))

    ((number, finding),) = findings(f"{WEB}---\n{SERVICE}", own["target-port"])
    assert number == 1
    assert finding.path == ("spec", "ports", 0, "targetPort")
    assert finding.workload == "Service/prod/web"
    assert finding.place is not None
    assert finding.place.line == 22
    assert finding.related[0].path == ("spec", "template", "spec", "containers", 0, "ports", 0)
    assert str(finding.related[0].place) == "web.yaml:14:11"


@pytest.mark.parametrize(("version", "applies"), [("1.27", False), ("1.28", True), ("1.30", True), ("1.31", False)])
def test_rule_applies_only_to_its_versions(own: dict[str, Rule], version: str, applies: bool) -> None:
    @rule("aged", Severity.ERROR, scope="object", since="1.28", until="1.30", **PAGE)
    def aged(one: ObjectView, ctx: Context) -> Problems:
        """What.

        Why.
        """
        yield problem(one.path, "x")

    assert bool(findings(SERVICE, own["aged"], ctx=Context(version))) is applies


class TestRegistering:
    def test_rejects_function_with_another_name(self, own: dict[str, Rule]) -> None:
        with pytest.raises(ValueError, match="another name: other"):

            @rule("one-name", Severity.ERROR, **PAGE)
            def other(pod: PodView, ctx: Context) -> Problems:
                """What.

                Why.
                """
                yield from ()

    def test_rejects_docstring_with_one_paragraph(self, own: dict[str, Rule]) -> None:
        with pytest.raises(ValueError, match="docstring of rule silent"):

            @rule("silent", Severity.ERROR, **PAGE)
            def silent(pod: PodView, ctx: Context) -> Problems:
                """Only what."""
                yield from ()

    def test_rejects_duplicate_rule(self, own: dict[str, Rule], volume_names: Rule) -> None:
        with pytest.raises(ValueError, match="duplicate rule volume-names"):
            declare("volume-names", Severity.ERROR, what="a", why="b", **PAGE)

    def test_declared_rule_has_no_check(self, own: dict[str, Rule]) -> None:
        declare("unknown-field", Severity.ERROR, what="A field is unknown.", why="It is lost.", **PAGE)
        assert own["unknown-field"].layer == "structure"
        assert findings(WEB, own["unknown-field"]) == []


class TestExamples:
    @pytest.mark.parametrize(
        ("example", "scope", "want"),
        [
            ("kind: X\n", "pod", "kind: X\n"),
            (
                "volumes: []\n",
                "pod",
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: example\nspec:\n  volumes: []\n  containers:\n"
                "  - name: app\n    image: registry.example/app:1.0.0\n",
            ),
            (
                "image: nginx\nports:\n- containerPort: 1\n",
                "container",
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: example\nspec:\n  containers:\n  - name: app\n"
                "    image: nginx\n    ports:\n    - containerPort: 1\n",
            ),
            (
                "containers:\n- name: A\n",
                "container",
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: example\nspec:\n  containers:\n  - name: A\n",
            ),
            (
                "metadata:\n  name: A\n",
                "object",
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: A\nspec:\n  containers:\n"
                "  - name: app\n    image: registry.example/app:1.0.0\n",
            ),
        ],
    )
    def test_completes_partial_manifest(self, example: str, scope: str, want: str) -> None:
        assert complete(example, scope) == want

    @pytest.mark.parametrize("one", [one for one in rules().values() if one.check], ids=lambda one: one.name)
    def test_rule_reports_only_bad_example(self, one: Rule) -> None:
        bad = findings(complete(one.bad, one.scope), one, ctx=one.given)
        assert bad
        assert {finding.rule for _, finding in bad} == {one.name}
        assert findings(complete(one.good, one.scope), one, ctx=one.given) == []

    @pytest.mark.parametrize("one", rules().values(), ids=lambda one: one.name)
    def test_page_is_complete(self, one: Rule) -> None:
        assert one.what.endswith(".")
        assert one.why.strip()
        assert one.fix.endswith(".")
        assert one.bad != one.good


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["name", "a", "metadata"]), below, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON, st.lists(st.sampled_from(["name", "a", 0, 1, -1]), max_size=4))
def test_view_accepts_malformed_values(value: object, steps: list[str | int]) -> None:
    view = View({"a": value}, (0,))
    view.get(*steps), view.text(*steps), view.number(*steps)
    assert view.at(*steps) == (0, *steps)
    assert isinstance(view.child(*steps).value, dict)
    for below in view.each("a", *steps):
        assert view.get(*below.path[1:]) is below.value
    for item, path in view.items("a", *steps):
        assert view.get(*path[1:]) is item
    for key, item, path in view.pairs("a", *steps):
        assert path[-1] == key
        assert view.get(*path[1:]) is item


@given(JSON)
def test_stream_view_accepts_malformed_pods(value: object) -> None:
    def seen(stream: StreamView) -> Iterator[object]:
        for pod in stream.pods:
            yield from (pod.containers, pod.metadata.path, pod.object.label)

    for field in ("containers", "initContainers", "metadata", "spec"):
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": value, "spec": {field: value}, field: value}
        assert len(list(seen(StreamView([document, value])))) >= 3


def test_renamed_rules_have_unused_old_names_and_existing_new_names() -> None:
    for old, new in registry._renamed().items():
        assert old not in rules()
        assert new in rules()
        assert registry.current_name(old) == new
    assert registry.current_name("port-conflict") == "port-conflict"
    assert registry.current_name("no-such-rule") == "no-such-rule"


def test_context_compares_versions() -> None:
    assert Context().kube_version == NEWEST
    assert Context("1.29").since("1.29")
    assert not Context("1.9").since("1.29")


@pytest.mark.parametrize("name", sorted(rules()))
def test_example_files_have_two_literal_blocks(name: str) -> None:
    (document,) = split((EXAMPLES / f"{name}.yaml").read_text("utf-8"), "x.yaml")
    assert document.value == examples_of(name)
