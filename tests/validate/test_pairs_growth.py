"""Rules that compare objects with each other cost the same for each object: calls are counted, not time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sidecarctl import lazy_dataclass
from sidecarctl.__main__ import main
from sidecarctl.findings import list_some
from sidecarctl.inject.retarget import retarget
from sidecarctl.kube.kinds import DEFAULT_KINDS
from sidecarctl.kube.workload import RECORD_ANNOTATION
from sidecarctl.validate.check_files import SourceText, validate_texts
from sidecarctl.validate.fix import apply
from sidecarctl.validate.fix.apply import fix_texts
from sidecarctl.validate.fix.fixers import FixValues
from sidecarctl.validate.rule_selection import select_rules
from sidecarctl.yamltext.stream import split
from tests.calls import count_calls

FRONT = '{"v":2,"instances":{"proxy":{"fronts":[[8080,10000]]}}}'
SELECTION = select_rules(select=["all"])
TLS = '{"v":2,"instances":{"tls":{"fronts":[[8080,10000,"tls"]]}}}'


def pod(number: int, record: str = FRONT, labels: str = "a: b") -> str:
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: p{number}\n  labels: {{{labels}, p{number}: x}}\n"
        f"  annotations: {{{RECORD_ANNOTATION}: '{record}'}}\n"
        "spec:\n  initContainers:\n"
        "  - {name: proxy, image: a, restartPolicy: Always, ports: [{containerPort: 10000, name: front}]}\n"
        "  - {name: tls, image: a, restartPolicy: Always, ports: [{containerPort: 10001, name: tls}]}\n"
        "  containers: [{name: c, image: a, ports: [{containerPort: 8080, name: http}]}]\n"
    )


def service(number: int, target: str = "8080", selector: str = "a: b") -> str:
    return (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: s{number}, labels: {{a: b}}}}\n"
        f"spec: {{selector: {{{selector}}}, ports: [{{name: http, port: 80, targetPort: {target}}}]}}\n"
    )


def policy(number: int) -> str:
    return (
        f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: n{number}}}\n"
        f"spec: {{podSelector: {{matchLabels: {{a: b}}}}, ingress: [{{ports: [{{port: 8080}}, {{port: http}}]}}]}}\n"
    )


def monitor(kind: str, number: int) -> str:
    field = "podMetricsEndpoints" if kind == "PodMonitor" else "endpoints"
    return (
        f"apiVersion: monitoring.coreos.com/v1\nkind: {kind}\nmetadata: {{name: m{number}}}\n"
        f"spec: {{selector: {{matchExpressions: [{{key: a, operator: Exists}}]}}, {field}: [{{port: http}}]}}\n"
    )


def ingress(number: int) -> str:
    backend = f"{{service: {{name: s{number}, port: {{number: 80}}}}}}"
    return (
        f"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: i{number}}}\n"
        f"spec: {{defaultBackend: {backend}}}\n"
    )


def route(number: int) -> str:
    return (
        f"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: i{number}}}\n"
        f"spec: {{rules: [{{backendRefs: [{{name: s{number}, port: 80}}]}}]}}\n"
    )


def scaler(number: int) -> str:
    return (
        f"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: h{number}}}\n"
        f"spec: {{maxReplicas: 2, scaleTargetRef: {{apiVersion: v1, kind: Pod, name: p{number}}}}}\n"
    )


def config(number: int, name: str = "same") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: '{number}'}}\n"


STREAMS: dict[str, Callable[[int], list[str]]] = {
    "services": lambda n: [pod(n), service(n)],
    "services with other selectors": lambda n: [pod(n), service(n, selector=f"a: b, p{n}: x")],
    "named ports": lambda n: [pod(n), service(n, "http")],
    "unknown ports": lambda n: [pod(n), service(n, "other")],
    "ports of sidecars": lambda n: [pod(n), service(n, "front")],
    "network policies": lambda n: [pod(n), policy(n)],
    "pod monitors": lambda n: [pod(n), monitor("PodMonitor", n)],
    "service monitors": lambda n: [pod(n, TLS), service(n, "10000"), monitor("ServiceMonitor", n)],
    "ingresses": lambda n: [pod(n, TLS), service(n, "10000"), ingress(n)],
    "routes": lambda n: [pod(n, TLS), service(n, "10000"), route(n)],
    "autoscalers": lambda n: [pod(n), scaler(n)],
    "duplicates": lambda n: [config(n)],
}


def make_stream(kind: str, count: int) -> str:
    return "---\n".join(text for number in range(count) for text in STREAMS[kind](number))


@pytest.mark.parametrize("files", ["one file", "files"])
@pytest.mark.parametrize("kind", STREAMS)
def test_validation_of_objects_that_select_each_other_is_linear(kind: str, files: str) -> None:
    def validate(count: int) -> None:
        text = make_stream(kind, count)
        texts = text.split("---\n") if files == "files" else [text]
        validate_texts([SourceText(each, f"{number}.yaml") for number, each in enumerate(texts)], SELECTION)

    validate(5)  # imports
    assert count_calls(lambda: validate(40)).total() <= 2.3 * count_calls(lambda: validate(20)).total()


@pytest.mark.parametrize("kind", ["services", "named ports", "network policies", "pod monitors"])
def test_a_reference_to_many_workloads_is_reported_once(kind: str) -> None:
    verdict = validate_texts([SourceText(make_stream(kind, 10), "a.yaml")], SELECTION)
    bypasses = [one for one in verdict.findings if "bypass" in one.rule or "blocks" in one.rule]
    assert len(bypasses) == (20 if kind == "network policies" else 10)
    assert all("in Pod/p0, Pod/p1, Pod/p2, and 7 others" in one.message for one in bypasses)


def test_workloads_that_need_different_ports_are_said() -> None:
    text = "---\n".join([pod(0), pod(1, FRONT.replace("10000", "10001")), service(0)])
    verdict = validate_texts([SourceText(text, "a.yaml")], SELECTION)
    (one,) = [one for one in verdict.findings if one.rule == "service-bypasses-sidecar"]
    assert "in Pod/p0 and Pod/p1" in one.message
    assert "targetPort: 1000" not in one.help


def test_endpoint_that_scrapes_many_services_is_reported_once() -> None:
    text = "---\n".join([pod(0, TLS), *(service(number, "10000") for number in range(5)), monitor("ServiceMonitor", 0)])
    verdict = validate_texts([SourceText(text, "a.yaml")], SELECTION)
    (one,) = [one for one in verdict.findings if one.rule == "monitor-blocked-by-sidecar"]
    assert "scrapes Service/s0, Service/s1, Service/s2, and 2 others, which lead to the TLS port" in one.message


@pytest.mark.parametrize("kind", ["services", "network policies", "pod monitors"])
def test_ports_are_changed_without_reading_each_pod_for_each_object(kind: str) -> None:
    """The record of a pod lists the changed ports, so pairs remain; what remains for each is a few calls."""

    def change(count: int) -> None:
        documents = list(split(make_stream(kind, count)))
        for document in documents:
            document.value  # noqa: B018
        retarget(documents, documents, DEFAULT_KINDS, enabled=True)

    change(5)
    few, many = (count_calls(lambda count=count: change(count)).total() for count in (15, 30))  # type: ignore[misc]
    pairs = 30 * 30 - 15 * 15
    assert many - 2 * few <= 4 * pairs


def test_names_in_a_sentence() -> None:
    names = [f"n{number}" for number in range(5)]
    assert [list_some(names[:count]) for count in range(6)] == [
        "",
        "n0",
        "n0 and n1",
        "n0, n1, and n2",
        "n0, n1, n2, and 1 other",
        "n0, n1, n2, and 2 others",
    ]


@pytest.mark.parametrize(
    "line",
    ["  # sidecarctl: ignore foo\n", "  # sidecarctl: ignore[missing-memory-limit] x\n  - {name: %s, image: a}\n"],
)
def test_ignore_comments_cost_the_same_each(line: str) -> None:
    head = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"

    def validate(count: int) -> None:
        lines = "".join(line.replace("%s", f"c{number}") for number in range(count))
        validate_texts([SourceText(f"{head}{lines}  - {{name: web, image: a}}\n", "a.yaml")], SELECTION)

    validate(5)
    assert count_calls(lambda: validate(200)).total() <= 2.2 * count_calls(lambda: validate(100)).total()


def test_an_ignore_with_thousands_of_names_costs_no_more_than_one_with_a_thousand() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: web, image: a}]}\n"

    def validate(count: int) -> None:
        names = ",".join(f"rule{number}" for number in range(count))
        validate_texts([SourceText(f"{text}# sidecarctl: ignore[{names}]\n", "a.yaml")], SELECTION)

    validate(5)
    assert count_calls(lambda: validate(8000)).total() <= 1.2 * count_calls(lambda: validate(1000)).total()


def test_findings_on_one_line_share_its_text() -> None:
    containers = ", ".join(f"{{name: c{number}, image: a, wrong: 1}}" for number in range(50))
    text = f"{{apiVersion: v1, kind: Pod, metadata: {{name: a}}, spec: {{containers: [{containers}]}}}}\n"
    findings = validate_texts([SourceText(text, "a.yaml")], SELECTION).findings
    lines = {id(one.place.line_text) for one in findings if one.place}
    assert len(findings) == 50
    assert len(lines) == 1


def test_volumes_of_many_containers_cost_the_same_each() -> None:
    def validate(count: int) -> None:
        containers = "".join(
            f"  - {{name: c{number}, image: a, volumeMounts: [{{name: v{number}, mountPath: /m}}]}}\n"
            for number in range(count)
        )
        volumes = "".join(f"  - {{name: v{number}, emptyDir: {{}}}}\n" for number in range(count))
        head = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"
        validate_texts([SourceText(f"{head}{containers}  volumes:\n{volumes}", "a.yaml")], SELECTION)

    validate(5)
    assert count_calls(lambda: validate(200)).total() <= 2.2 * count_calls(lambda: validate(100)).total()


@pytest.mark.parametrize("again", ["  - *a\n", "  - {<<: *a, value: y}\n"])
def test_repeated_variables_cost_the_same_each(again: str) -> None:
    head = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: web\n    image: a\n    env:\n"
    )

    def fix(count: int) -> None:
        text = f"{head}    - &a {{name: A, value: x}}\n{again.replace('  -', '    -') * count}"
        fix_texts([SourceText(text, "a.yaml")], SELECTION, FixValues())

    fix(5)
    assert count_calls(lambda: fix(400)).total() <= 2.2 * count_calls(lambda: fix(200)).total()


def test_terms_of_a_node_affinity_cost_the_same_each() -> None:
    def validate(count: int) -> None:
        terms = "".join(
            f"        - matchExpressions: [{{key: {key}, operator: Exists}}]\n"
            for key in ["beta.kubernetes.io/os"] * count
        )
        text = (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers: [{name: web, image: a}]\n  affinity:\n"
            f"    nodeAffinity:\n      requiredDuringSchedulingIgnoredDuringExecution:\n        nodeSelectorTerms:\n{terms}"
        )
        validate_texts([SourceText(text, "a.yaml")], SELECTION)

    validate(5)
    assert count_calls(lambda: validate(200)).total() <= 2.2 * count_calls(lambda: validate(100)).total()


def test_findings_that_a_report_leaves_out_cost_the_same_each(tmp_path: Path) -> None:
    def compared(count: int) -> int:
        text = "---\n".join(f"apiVersion: example.com/v1\nkind: K\nmetadata: {{name: a{i}}}\n" for i in range(count))
        (tmp_path / "a.yaml").write_text(text)

        def validate() -> None:
            with pytest.raises(SystemExit):
                main(["validate", str(tmp_path / "a.yaml")])

        return count_calls(validate, lazy_dataclass._equal.__code__).total()

    compared(2)
    assert compared(200) <= 2.2 * compared(100) + 10


def test_fixes_that_fail_are_tried_a_limited_number_of_times() -> None:
    def trials(count: int) -> int:
        ports = "".join(
            f"  - {{name: a{i}, port: '{i}'}}\n  - {{name: b{i}, port: {i}}}\n" for i in range(1, count + 1)
        )
        text = f"apiVersion: v1\nkind: Service\nmetadata: {{name: a}}\nspec:\n  selector: {{a: b}}\n  ports:\n{ports}"
        selection = [SourceText(text, "a.yaml")], SELECTION, FixValues()
        return count_calls(lambda: fix_texts(*selection), apply._spliced.__code__).total()

    assert trials(150) <= 260
