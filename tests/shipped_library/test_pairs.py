"""Tests of all ordered pairs of shipped sidecars on one pod, and of triples of those in front of the app.

Both work, or the second is rejected for a real conflict. Those in front of the app form a chain, which is read from the
result as the pod would run it: the Service's port, the ports of containers, and the upstreams in their configurations.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
import yaml

from sidecarctl.authoring.trial import InjectedParts, find_injected_parts
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.composition.request import ParameterChanges, build_requests
from sidecarctl.errors import UsageError
from sidecarctl.findings import Finding
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options
from sidecarctl.inject.retarget import retarget
from sidecarctl.kube.kinds import DEFAULT_KINDS
from sidecarctl.yamltext.stream import join, split
from tests.shipped_library.manifests import DEPLOYMENT, MANIFESTS, NAMES, VERSIONS, request

PAIRS = list(permutations(NAMES, 2))
MESHES = {"consul-dataplane", "dapr", "istio", "linkerd", "open-service-mesh"}
# Each pair meets every kind and every version; which kind with which version goes round.
ROUNDS = [[(kind, VERSIONS[(i + turn) % 3]) for i, kind in enumerate(MANIFESTS)] for turn in range(3)]


@pytest.mark.parametrize("first", NAMES)
def test_pair_works_or_has_a_real_conflict(first: str) -> None:
    for number, (one, two) in enumerate(PAIRS):
        if one == first:
            for kind, version in ROUNDS[number % 3]:
                _share(one, two, kind, version)


@pytest.mark.parametrize("other", [name for name in NAMES if name != "git-sync"])
def test_pair_with_defaults_for_the_image_of_the_app_is_stable(other: str) -> None:
    """git-sync mounts another directory into nginx, unless the app has a mount there."""
    text = DEPLOYMENT.replace("registry.example/shop:7.1.0", "nginx:1.27")
    for names in (("git-sync", other), (other, "git-sync")):
        result = pipeline.add(text, [request(name) for name in names], Options())
        again = pipeline.add(result.text, [request(name) for name in reversed(names)], Options())
        assert result.failed or (again.text == result.text and not again.failed)


def test_sidecar_can_use_a_mount_of_one_that_was_added_later() -> None:
    """`config-reloader` watches what the app mounts, also the certificates that `cert-renewer` brings."""
    before = pipeline.add(DEPLOYMENT, [request("config-reloader"), request("cert-renewer")], Options())
    wanted = ParameterChanges({"watched-dir": [{"path": "/etc/certificates"}]})
    requests = build_requests(open_catalog([], {}), ["config-reloader"], {"config-reloader": wanted})
    after = pipeline.add(before.text, requests, Options())
    assert not before.failed and not after.failed
    assert "/etc/certificates" in after.text.partition("name: cert-renewer")[0]
    assert pipeline.add(after.text, requests, Options()).text == after.text


def _share(one: str, two: str, kind: str, version: str) -> None:
    text, options = MANIFESTS[kind], Options(version)
    try:
        result = pipeline.add(text, [request(one), request(two)], options)
    except UsageError as refusal:
        assert refusal.message and refusal.hint, f"an unclear refusal: {refusal.message}"
        return
    if result.failed:
        for finding in result.findings:
            if finding.severity.value == "error":
                assert _holds(finding, one, two, kind, version), f"{one} and {two} on a {kind}: {finding}"
        return
    alone = pipeline.remove(result.text, [one], options).text
    assert pipeline.remove(alone, [two], options).text == text
    other = pipeline.remove(result.text, [two], options).text
    assert pipeline.remove(other, [one], options).text == text


def _holds(finding: Finding, one: str, two: str, kind: str, version: str) -> bool:
    """Return True if a conflict names something that both sidecars have."""
    if finding.rule == "job-never-completes" or not finding.help:
        return bool(finding.help)
    if finding.rule == "second-mesh":
        return {one, two} <= MESHES
    both = []
    for name in (one, two):
        result = pipeline.add(MANIFESTS[kind], [request(name)], Options(version))
        if result.failed:
            return True  # it is refused by itself already
        both.append([what for own in find_injected_parts(result.text, name) for what in _claims(own, finding.rule)])
    if finding.rule == "mesh-port-clash":  # the mesh's own proxy has the port, which no manifest lists
        return bool({one, two} & MESHES) and any(what in finding.message for what in both[0] + both[1])
    return any(what in finding.message for what in set(both[0]) & set(both[1]))


def _claims(own: InjectedParts, rule: str) -> list[str]:
    """Return what an instance has of the kind that a rule checks."""
    if rule in ("port-conflict", "mesh-port-clash"):
        mark = "/" if rule == "port-conflict" else " "
        return [f"port {port.get('containerPort')}{mark}" for _, c in own.containers for port in c.get("ports", ())]
    if rule == "env-conflict":
        return [variable["name"] for variables in own.env.values() for variable in variables]
    if rule == "mount-conflict":
        return [mount["mountPath"] for mounts in own.mounts.values() for mount in mounts]
    return [
        *(own.annotations if rule == "annotation-conflict" else ()),
        *(own.labels if rule == "label-conflict" else ()),
    ]


# ---- chains in front of the app -------------------------------------------------------------------------------------

AROUND = """\
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: front}
spec:
  selector: {app: shop}
  ports:
  - {name: web, port: 80, targetPort: http} # visitors
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shop, namespace: front}
spec:
  podSelector: {matchLabels: {app: shop}}
  ingress:
  - ports:
    - port: 8080
"""
SHOP = DEPLOYMENT + AROUND
APP_PORT = 8080
# Where the configuration of a sidecar names its upstream. The order is that from the client to the app.
UPSTREAMS = {
    "nginx-tls": r"upstream app \{\s+server (?:127\.0\.0\.1|localhost):(\d+);",
    "oauth2-proxy": r"--upstream=http://127\.0\.0\.1:(\d+)",
    "haproxy": r"server app 127\.0\.0\.1:(\d+)",
    "proxy": r'cluster_name: upstream[^$]*?address: "127\.0\.0\.1", port_value: (\d+)',
}
FRONTS = tuple(UPSTREAMS)


def test_fronts_are_all_sidecars_that_take_traffic_for_the_app() -> None:
    found = {name for name in NAMES if '"fronts"' in pipeline.add(DEPLOYMENT, [request(name)], Options()).text}
    assert found == set(FRONTS)


def _add(text: str, names: Sequence[str]) -> str:
    """Add sidecars in one run, and retarget what is around the pod."""
    result = pipeline.add(text, [request(name) for name in names], Options())
    assert not result.failed, [str(finding) for finding in result.findings]
    return _retargeted(text, result.text)


def _retargeted(before: str, after: str) -> str:
    done = retarget(list(split(before)), list(split(after)), DEFAULT_KINDS, enabled=True)
    assert not done.findings
    return join(done.documents)


def _follow(text: str) -> list[str]:
    """Return the containers that a connection to the Service passes, read from the manifests alone."""
    documents: list[Any] = list(yaml.safe_load_all(text))
    pod = documents[0]["spec"]["template"]["spec"]
    containers = [*pod.get("initContainers", ()), *pod["containers"]]
    holders = {port["containerPort"]: each for each in containers for port in each.get("ports", ())}
    (service,) = (each for each in documents if each["kind"] == "Service")
    (policy,) = (each for each in documents if each["kind"] == "NetworkPolicy")
    target = service["spec"]["ports"][0]["targetPort"]
    port = APP_PORT if target == "http" else target
    assert policy["spec"]["ingress"][0]["ports"][0]["port"] == port
    passed: list[str] = []
    while holders[port]["name"] != "shop":
        container = holders[port]
        assert container["name"] not in passed
        passed.append(container["name"])
        port = int(re.findall(UPSTREAMS[container["name"]], _configuration(container, documents))[0])
    assert port == APP_PORT
    return passed


def _configuration(container: dict[str, Any], documents: Sequence[dict[str, Any]]) -> str:
    """Return the arguments of a container and its ConfigMap."""
    own = [each for each in documents if each["kind"] == "ConfigMap"]
    texts = [
        text for each in own if each["metadata"]["name"].endswith(container["name"]) for text in each["data"].values()
    ]
    return "\n".join((*container.get("args", ()), *texts))


def _expected(names: Sequence[str]) -> list[str]:
    """Return sidecars from the client to the app: TLS, the login, the others with the later one first."""
    stages = {"nginx-tls": 0, "oauth2-proxy": 1}
    later_first = names[::-1]
    return sorted(later_first, key=lambda name: stages.get(name, 2))


@pytest.mark.parametrize("names", [names for count in (1, 2, 3) for names in permutations(FRONTS, count)], ids="-".join)
def test_chain_leads_from_the_service_to_the_app(names: tuple[str, ...]) -> None:
    whole = _add(SHOP, names)
    assert _follow(whole) == _expected(names)
    text = SHOP
    for name in names:
        text = _add(text, [name])
    assert text == whole
    assert _add(whole, names) == whole
    for number, name in enumerate(names):
        removed = pipeline.remove(text, [name], Options())
        assert not removed.failed
        text = _retargeted(text, removed.text)
        assert _follow(text) == _expected(names[number + 1 :])
    assert text == SHOP


@pytest.mark.parametrize("front", FRONTS)
def test_chain_holds_beside_every_other_sidecar(front: str) -> None:
    others = [name for name in NAMES if name not in FRONTS]
    refused = []
    for other in others:
        for names in ((front, other), (other, front)):
            result = pipeline.add(SHOP, [request(name) for name in names], Options())
            if result.failed:
                refused.append(other)
                assert any(finding.severity.value == "error" and finding.help for finding in result.findings)
            else:
                assert _follow(_retargeted(SHOP, result.text)) == [front]
    assert len(set(refused)) < len(others) / 2
