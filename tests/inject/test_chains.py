"""Sidecars in front of one app port form a chain, TLS first and the login before other proxies, in whatever order they come."""

from __future__ import annotations

import json
import re
from itertools import permutations
from pathlib import Path

import pytest

from sidecarctl.api import Session
from sidecarctl.errors import LibraryError, UsageError
from sidecarctl.findings import Severity
from sidecarctl.inject.pipeline import Result
from sidecarctl.kube.fronts import MAX_FRONTS, Front, find_app_port, find_chain, find_upstream
from sidecarctl.kube.workload import RECORD_ANNOTATION, workloads
from sidecarctl.record import annotation as record
from sidecarctl.yamltext.stream import split
from tests.authoring.library_kit import entry
from tests.command import run

SHOP = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: shop
        image: registry.example/shop:1.0.0
        ports:
        - {name: http, containerPort: 8080}
"""
PARAMETERS: dict[str, dict[str, object]] = {
    "nginx-tls": {"tls": {"secretName": "shop-tls"}},
    "oauth2-proxy": {
        "secretName": "login",
        "email-domain": ["example.com"],
        "oidc-issuer-url": "https://login.example.com",
    },
    "proxy": {},
    "haproxy": {},
}
PORTS = {"nginx-tls": 8443, "oauth2-proxy": 4180, "proxy": 10000, "haproxy": 10080}
# Where the configuration of a sidecar names its upstream.
CONFIGURED = {
    "nginx-tls": r"server 127\.0\.0\.1:(\d+);",
    "oauth2-proxy": r"--upstream=http://127\.0\.0\.1:(\d+)",
    "proxy": r'address: "127\.0\.0\.1", port_value: (\d+)',
    "haproxy": r"server \w+ 127\.0\.0\.1:(\d+)",
}


def add(text: str, *names: str, **changed: dict[str, object]) -> Result:
    parameters = {name: {**PARAMETERS[name], **changed.get(name.replace("-", "_"), {})} for name in names}
    return Session().add(text, names, parameters)


def upstreams(text: str) -> dict[str, int]:
    """Return the upstream of each sidecar: the record and the configuration agree."""
    (workload,) = workloads(next(split(text)).value)
    recorded = {front.instance: front.upstream for front in record.read(workload).fronts}
    assert {name: int(re.findall(CONFIGURED[name], text)[0]) for name in recorded} == recorded
    return recorded


def errors(result: Result) -> list[str]:
    return [f"[{one.rule}] {one.message}" for one in result.findings if one.severity is Severity.ERROR]


CHAIN = ("nginx-tls", "oauth2-proxy", "proxy")


@pytest.mark.parametrize("order", list(permutations(CHAIN)), ids="-".join)
def test_chain_is_the_same_in_every_order_of_additions(order: tuple[str, ...]) -> None:
    text = SHOP
    for name in order:
        result = add(text, name)
        assert not result.failed
        text = result.text
    assert upstreams(text) == {"nginx-tls": 4180, "oauth2-proxy": 10000, "proxy": 8080}
    assert add(SHOP, *order).text == text
    assert add(text, *order).text == text


@pytest.mark.parametrize("order", list(permutations(CHAIN)), ids="-".join)
@pytest.mark.parametrize("gone", CHAIN)
def test_removal_closes_the_chain(order: tuple[str, ...], gone: str) -> None:
    left = tuple(name for name in order if name != gone)
    result = Session().remove(add(SHOP, *order).text, [gone])
    assert not result.failed
    assert result.text == add(SHOP, *left).text
    assert Session().remove(result.text).text == SHOP


def test_of_two_of_one_stage_the_later_one_is_closer_to_the_client() -> None:
    assert upstreams(add(add(SHOP, "proxy").text, "haproxy").text) == {"proxy": 8080, "haproxy": 10000}
    assert upstreams(add(add(SHOP, "haproxy").text, "proxy").text) == {"haproxy": 8080, "proxy": 10080}


def test_upgrade_of_a_port_changes_the_upstream_before_it() -> None:
    result = Session().upgrade(add(SHOP, *CHAIN).text, ["proxy"], {"proxy": {"port": 10001}})
    assert upstreams(result.text) == {"nginx-tls": 4180, "oauth2-proxy": 10001, "proxy": 8080}


def test_an_upstream_that_is_set_stays() -> None:
    result = add(add(SHOP, "oauth2-proxy").text, "proxy", proxy={"upstreamPort": 4180})
    assert not result.failed
    assert upstreams(result.text) == {"oauth2-proxy": 8080, "proxy": 4180}


def test_a_bypass_of_the_login_is_refused() -> None:
    result = add(add(SHOP, "oauth2-proxy").text, "nginx-tls", nginx_tls={"upstreamPort": 8080})
    assert errors(result) == [
        "[broken-proxy-chain] nginx-tls and oauth2-proxy both forward to port 8080, "
        "so clients of nginx-tls bypass the login of oauth2-proxy"
    ]
    assert not result.changed


def test_a_login_is_refused_beside_a_sidecar_whose_upstream_is_set() -> None:
    text = add(SHOP, "nginx-tls", nginx_tls={"upstreamPort": 8080}).text
    result = add(text, "oauth2-proxy")
    assert "clients of nginx-tls bypass the login of oauth2-proxy" in errors(result)[0]
    (finding,) = [one for one in result.findings if one.rule == "broken-proxy-chain"]
    assert finding.help == "omit upstreamPort of nginx-tls, or set it to 4180, the port of oauth2-proxy"
    fixed = Session().add(text, ["oauth2-proxy", "nginx-tls"], {**PARAMETERS, "nginx-tls": {"upstreamPort": 4180}})
    assert upstreams(fixed.text) == {"nginx-tls": 4180, "oauth2-proxy": 8080}


def test_plain_http_to_a_tls_port_is_refused() -> None:
    result = add(add(SHOP, "nginx-tls").text, "oauth2-proxy", oauth2_proxy={"upstreamPort": 8443})
    assert errors(result) == [
        "[broken-proxy-chain] oauth2-proxy sends plain HTTP to port 8443 of nginx-tls, which expects TLS"
    ]


def test_two_sidecars_that_terminate_tls_are_refused() -> None:
    tls = {"tls": {"secretName": "t"}, "port": 9443}
    result = add(add(SHOP, "nginx-tls").text, "proxy", proxy=tls)
    assert errors(result) == [
        "[broken-proxy-chain] proxy sends plain HTTP to port 8443 of nginx-tls, which expects TLS"
    ]
    encrypted = {**tls, "upstreamTls": {"enabled": True, "sni": "shop.example.com", "caSecretName": "ca"}}
    assert not add(add(SHOP, "nginx-tls").text, "proxy", proxy=encrypted).failed


def test_a_proxy_that_starts_to_terminate_tls_moves_before_the_login() -> None:
    text = add(SHOP, "oauth2-proxy", "proxy").text
    assert upstreams(text) == {"oauth2-proxy": 10000, "proxy": 8080}
    result = Session().upgrade(text, ["proxy"], {"proxy": {"tls": {"secretName": "t"}}})
    assert not result.failed
    assert upstreams(result.text) == {"oauth2-proxy": 8080, "proxy": 4180}
    back = Session().remove(result.text, ["oauth2-proxy"])
    assert upstreams(back.text) == {"proxy": 8080}


def test_removal_that_would_leave_a_set_upstream_without_a_listener_is_refused() -> None:
    text = add(add(SHOP, "oauth2-proxy").text, "proxy", proxy={"upstreamPort": 4180}).text
    result = Session().remove(text, ["oauth2-proxy"])
    assert errors(result) == [
        "[broken-proxy-chain] proxy forwards to port 4180 of oauth2-proxy, which no longer listens there"
    ]
    assert not result.changed
    assert Session().remove(text).text == SHOP


def test_sidecars_in_front_of_different_ports_are_independent() -> None:
    text = SHOP.replace("        - {name: http", "        - {name: admin, containerPort: 9000}\n        - {name: http")
    result = Session().add(text, ["proxy"])
    result = Session().add(result.text, ["haproxy"], {"haproxy": {"upstreamPort": 9000}})
    assert upstreams(result.text) == {"proxy": 8080, "haproxy": 9000}


def test_an_outbound_proxy_is_in_no_chain() -> None:
    result = Session().add(
        SHOP, ["proxy"], {"proxy": {"direction": "outbound", "upstreamHost": "api.example.com", "upstreamPort": 443}}
    )
    assert upstreams(add(result.text, "nginx-tls").text) == {"nginx-tls": 8080}


def test_a_hostile_record_makes_no_endless_chain() -> None:
    loop = (Front("a", 1, 2), Front("b", 2, 1))
    assert find_app_port(loop, 1) in (1, 2)
    assert len(find_chain(loop, 1)) == 2
    assert find_upstream(loop, loop[0], 1) in (1, 2)


RECORD = re.compile(r",? *sidecarctl\.dev/sidecars: '.*?'\n?")


def test_an_adopted_sidecar_is_in_the_chain() -> None:
    text = add(SHOP, "proxy").text
    lost = RECORD.sub("", text)
    assert lost != text
    adopted = Session().add(lost, ["proxy"], adopt=True)
    assert not adopted.failed
    assert upstreams(add(adopted.text, "nginx-tls").text) == {"proxy": 8080, "nginx-tls": 10000}


def test_a_record_without_fronts_gets_them_when_the_sidecar_is_added_again() -> None:
    text = add(SHOP, "proxy").text
    old = text.replace('"fronts":[[8080,10000]],', "")
    assert old != text
    assert add(old, "proxy").text == text
    assert upstreams(add(add(old, "proxy").text, "nginx-tls").text) == {"proxy": 8080, "nginx-tls": 10000}


def test_three_of_one_stage_keep_the_order_of_the_record() -> None:
    fronts = (Front("a", 8080, 1001), Front("b", 1001, 1002), Front("c", 8080, 1003))
    assert [find_upstream(fronts, each, 8080) for each in fronts] == [8080, 1001, 1002]


def test_chain_follows_ports_in_the_order_of_the_record() -> None:
    fronts = [Front("a", 80, 81), Front("b", 80, 82), Front("c", 81, 80), Front("a", 80, 81), Front("d", 9, 10)]
    assert [each.instance for each in find_chain(fronts, 80)] == ["a", "c", "b"]
    assert find_chain(fronts, 7) == ()


def add_fronts(folder: Path, count: int, text: str = SHOP) -> Result:
    """Add a sidecar of an own library that declares so many fronts."""
    name = f"front-{count}"
    fronts = "".join(f"- {{upstream: {1000 + each}, port: {1000 * count + each}}}\n" for each in range(count))
    template = f"containers:\n- {{name: {name}, image: 'registry.example/front:1.0.0'}}\nfronts:\n{fronts}"
    entry(folder / "lib", name, spec="  engine: plain\n", **{"template.yaml": template})
    return Session([folder / "lib"]).add(text, [name])


def test_more_fronts_than_a_record_can_have_are_an_error_of_the_template(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="fronts: must have at most 100 items, got 101") as caught:
        add_fronts(tmp_path, MAX_FRONTS + 1)
    assert "template.yaml" in caught.value.where


def test_fronts_of_several_sidecars_have_one_limit(tmp_path: Path) -> None:
    text = add_fronts(tmp_path, 50).text
    with pytest.raises(UsageError, match=r"would have 101 fronts \(limit: 100\)") as caught:
        add_fronts(tmp_path, 51, text)
    assert "Deployment/shop" in caught.value.workload


@pytest.mark.parametrize(
    ("instances", "problem"),
    [
        ({f"x{number}": {"version": "1", "initContainers": []} for number in range(501)}, "501 instances"),
        ({"x": {"version": "1", "fronts": [[number, number + 1] for number in range(1, 102)]}}, "101 fronts"),
        ({"x": {"version": "1" * 262_144}}, "bytes"),
    ],
)
@pytest.mark.parametrize("work", ["remove", "add", "upgrade", "check"])
def test_a_record_beyond_the_limits_is_an_error(instances: dict[str, object], problem: str, work: str) -> None:
    text = json.dumps({"v": 2, "instances": instances})
    annotated = SHOP.replace(
        "    metadata: {labels: {app: shop}}",
        f"    metadata: {{labels: {{app: shop}}, annotations: {{{RECORD_ANNOTATION}: '{text}'}}}}",
    )
    assert annotated != SHOP
    session = Session()
    if work == "check":
        session.check(annotated)
        return
    result = (
        session.add(annotated, ["log-tail"], {"log-tail": {"logDir": "/l"}})
        if work == "add"
        else getattr(session, work)(annotated)
    )
    assert result.failed
    assert result.text == annotated
    assert any(problem in finding.message for finding in result.findings)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "1" * 200])
def test_a_record_with_a_number_that_json_cannot_hold_is_an_error(number: str) -> None:
    text = '{"v":2,"instances":{"logger":{},"other":{"parameters":{"x":NUMBER}}}}'.replace("NUMBER", number)
    annotated = SHOP.replace(
        "    metadata: {labels: {app: shop}}",
        f"    metadata: {{labels: {{app: shop}}, annotations: {{{RECORD_ANNOTATION}: '{text}'}}}}",
    )
    session = Session()
    for findings in (session.check(annotated).findings, session.remove(annotated, ["logger"]).findings):
        assert [finding.rule for finding in findings if finding.severity is Severity.ERROR] == ["unreadable-record"]


def test_removal_keeps_the_place_of_a_front_that_was_put_beside_the_removed_one() -> None:
    text = add(SHOP, "proxy").text
    text = add(text, "nginx-tls", nginx_tls={"position": {"before": "proxy"}}).text
    result = Session().remove(text, ["proxy"])
    assert errors(result) == []
    assert upstreams(result.text) == {"nginx-tls": 8080}
    assert Session().remove(result.text, ["nginx-tls"]).text == SHOP


FRONT = """\
{% set upstream = params.upstreamPort or (targets | app_port("upstreamPort")) %}
containers:
- name: NAME
  image: busybox:1.37.0
  args: ["--upstream={{ upstream }}"]
  ports: [{containerPort: PORT}]
  resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 50m, memory: 32Mi}}
fronts: [{upstream: {{ upstream }}, port: PORT}]
"""


@pytest.mark.parametrize("named", ["session", "command", "directory"])
def test_removal_finds_the_next_front_in_other_libraries(named: str, tmp_path: Path) -> None:
    spec = "  parameters: {properties: {upstreamPort: {type: integer, description: Port.}}}\n"
    library = tmp_path / ("sidecars" if named == "directory" else "own")
    for name, port in (("first", "9001"), ("second", "9002")):
        entry(library, name, spec=spec, template=FRONT.replace("NAME", name).replace("PORT", port))
    session = Session([library])
    text = session.add(session.add(SHOP, ["first"]).text, ["second"]).text
    assert "--upstream=9001" in text
    if named == "session":
        result = session.remove(text, ["first"])
        assert errors(result) == []
        left = result.text
    else:
        (tmp_path / "shop.yaml").write_text(text)
        done = run("sidecarctl remove first shop.yaml" + (" --library own" if named == "command" else ""), tmp_path)
        assert done.code == 0, done.stderr
        left = done.stdout
    assert "--upstream=8080" in left
    assert session.remove(left, ["second"]).text == SHOP


def test_removal_is_refused_if_the_next_front_was_given_a_secret(tmp_path: Path) -> None:
    properties = "upstreamPort: {type: integer, description: Port.}, key: {writeOnly: true, description: Key.}"
    for name, port in (("first", "9001"), ("second", "9002")):
        template = FRONT.replace("NAME", name).replace("PORT", port)
        entry(tmp_path, name, spec=f"  parameters: {{properties: {{{properties}}}}}\n", template=template)
    session = Session([tmp_path])
    text = session.add(session.add(SHOP, ["first"]).text, ["second"], {"second": {"key": "s3cret"}}).text
    (error,) = errors(session.remove(text, ["first"]))
    assert error == "[broken-proxy-chain] second forwards to port 9001 of first, which no longer listens there"
    assert errors(session.remove(text, ["second"])) == []


@pytest.mark.parametrize("names", [["outer", "inner"], ["inner", "outer"]])
def test_front_that_a_run_gives_a_secret_gets_its_place_behind_any_other(names: list[str], tmp_path: Path) -> None:
    properties = "upstreamPort: {type: integer, description: Port.}, key: {writeOnly: true, description: Key.}"
    for name, port, stage in (("outer", "9002", "tls"), ("inner", "9001", "login")):
        template = (
            FRONT.replace("NAME", name)
            .replace("PORT", port)
            .replace(f"port: {port}}}]", f"port: {port}, stage: {stage}}}]")
        )
        entry(tmp_path, name, spec=f"  parameters: {{properties: {{{properties}}}}}\n", template=template)
    session, values = Session([tmp_path]), {"outer": {"key": "s3cret"}}
    result = session.add(SHOP, names, values)
    assert errors(result) == []
    assert "--upstream=9001" in result.text
    alone = session.add(SHOP, ["outer"], values).text
    assert errors(session.add(alone, ["inner", "outer"], values)) == []
    (error,) = errors(session.add(alone, ["inner"]))
    assert error.startswith("[broken-proxy-chain] outer and inner both forward to port 8080")


def test_removal_is_refused_if_the_next_front_cannot_follow() -> None:
    text = add(SHOP, "proxy").text
    text = Session().add(text, ["nginx-tls"], {"nginx-tls": PARAMETERS["nginx-tls"]}, containers=["shop"]).text
    (error,) = errors(Session().remove(text.replace("- name: shop\n", "- name: web\n"), ["proxy"]))
    assert error == "[broken-proxy-chain] nginx-tls forwards to port 10000 of proxy, which no longer listens there"
