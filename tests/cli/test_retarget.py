"""`--retarget`: ports in objects around the pods lead to the sidecar, in whichever file, and `remove` restores every byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sidecarctl
from tests.command import Outcome, run

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
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
        - {name: grpc, containerPort: 9090}
"""
SERVICE = """\
# clients of the shop
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app: shop}
  ports:
  - {name: http, port: 80, targetPort: http}  # the site
"""
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shop}
spec:
  podSelector: {matchLabels: {app: shop}}
  ingress:
  - ports: [{port: 8080, protocol: TCP}]
"""
MONITOR = """\
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  podMetricsEndpoints:
  - port: http
"""


def call(command: str, directory: Path, code: int = 0) -> Outcome:
    outcome = run(f"sidecarctl {command}", directory)
    assert outcome.code == code, outcome.stderr
    return outcome


def write(directory: Path, **files: str) -> dict[str, str]:
    for name, text in files.items():
        (directory / f"{name}.yaml").write_bytes(text.encode())
    return read(directory)


def read(directory: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().decode() for path in directory.glob("*.yaml")}


def check_round_trip(directory: Path, service: str) -> None:
    """Add with `--retarget`, add again, check, and remove: the Service has the port, then every byte is back."""
    before = read(directory)
    call("add proxy . -i --retarget", directory)
    after = read(directory)
    assert "10000" in after[service]
    call("add proxy . -i --retarget", directory)
    call("add proxy . --check", directory)
    assert read(directory) == after
    assert "bypasses" not in call("validate .", directory).stdout
    call("remove proxy . -i", directory)
    assert read(directory) == before


def test_check_reports_a_file_of_which_only_the_service_changes_as_outdated(tmp_path: Path) -> None:
    write(tmp_path, shop=DEPLOYMENT)
    call("add proxy . -i", tmp_path)
    write(tmp_path, service=SERVICE)
    found = json.loads(call("add proxy . --retarget --check --format json", tmp_path, 1).stdout)["findings"]
    assert {(each["rule"], each["place"]["file"]) for each in found} == {
        ("outdated", "service.yaml"),
        ("outdated", "shop.yaml"),
    }


@pytest.mark.parametrize("name", ['"${APP}"', "$(APP)", "<NAME>", "web:x", '""', "null", "x" * 254])
@pytest.mark.parametrize("words", ["upgrade . -i", "add log-tail . -i --set logDir=/logs", "add proxy . -i --retarget"])
def test_service_that_gets_a_name_which_no_record_can_hold_is_restored(name: str, words: str, tmp_path: Path) -> None:
    before = write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    call("add proxy . -i --retarget", tmp_path)
    text = read(tmp_path)["service.yaml"].replace("metadata: {name: shop}", f"metadata: {{name: {name}}}")
    write(tmp_path, service=text)
    for _ in range(2):
        run(f"sidecarctl {words}", tmp_path)
        assert "unreadable-record" not in call("status .", tmp_path).stderr
    call("remove --all . -i", tmp_path)
    assert read(tmp_path)["service.yaml"] == before["service.yaml"].replace("{name: shop}", f"{{name: {name}}}")
    assert read(tmp_path)["shop.yaml"] == before["shop.yaml"]


BROKEN_RECORD = """\
apiVersion: v1
kind: Pod
metadata: {name: broken, annotations: {sidecarctl.dev/sidecars: "{"}}
spec: {containers: [{name: app, image: registry.example/app:1.0.0}]}
"""


def test_keep_going_changes_and_restores_ports_beside_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    before = write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    (tmp_path / "z.yml").write_bytes(b"a: \xff\n")
    call("add proxy . -i --retarget --keep-going", tmp_path, 3)
    assert "targetPort: 10000" in read(tmp_path)["service.yaml"]
    outcome = call("remove proxy . -i --keep-going", tmp_path, 3)
    assert "Service/shop: restored" in outcome.stderr
    assert read(tmp_path) == before


def test_keep_going_leaves_ports_of_a_workload_alone_that_is_not_written(tmp_path: Path) -> None:
    write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    call("add proxy . -i --retarget", tmp_path)
    before = write(tmp_path, shop=read(tmp_path)["shop.yaml"] + "---\n" + BROKEN_RECORD)
    call("remove proxy . -i --keep-going", tmp_path, 1)
    assert read(tmp_path) == before


def test_keep_going_leaves_a_service_alone_that_also_selects_a_workload_that_failed(tmp_path: Path) -> None:
    other = DEPLOYMENT.replace("name: shop", "name: other", 1)
    broken = other.replace("registry.example/shop:1.0.0", "5", 1)
    assert len({DEPLOYMENT, other, broken}) == 3
    before = write(tmp_path, shop=DEPLOYMENT, other=broken, service=SERVICE)
    outcome = call("add proxy . -i --retarget --keep-going --set upstreamPort=8080", tmp_path, 1)
    assert read(tmp_path)["service.yaml"] == before["service.yaml"]
    assert read(tmp_path)["shop.yaml"] != before["shop.yaml"]
    assert "retarget-skipped" in outcome.stderr


def test_keep_going_reports_a_service_that_an_edit_bypasses_beside_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    (tmp_path / "z.yml").write_bytes(b"a: \xff\n")
    outcome = call("add proxy . -i --keep-going", tmp_path, 3)
    assert "service-bypasses-sidecar" in outcome.stderr


# A Service port as people write it, and as it is with the sidecar.
PORTS = {
    "name": ("{name: http, port: 80, targetPort: http}", "{name: http, port: 80, targetPort: 10000}"),
    "number": ("{name: http, port: 80, targetPort: 8080}", "{name: http, port: 80, targetPort: 10000}"),
    "quoted": ("{name: http, port: 80, targetPort: 'http'}", "{name: http, port: 80, targetPort: 10000}"),
    "quoted-number": ('{name: http, port: 80, targetPort: "8080"}', "{name: http, port: 80, targetPort: 10000}"),
    "unset": ("{name: http, port: 8080}", "{name: http, port: 8080, targetPort: 10000}"),
    "unnamed": ("{port: 8080}", "{port: 8080, targetPort: 10000}"),
    "protocol": ("{port: 8080, protocol: TCP}", "{port: 8080, protocol: TCP, targetPort: 10000}"),
}


@pytest.mark.parametrize("port", PORTS)
def test_changes_the_target_port_and_restores_its_text(tmp_path: Path, port: str) -> None:
    before, after = PORTS[port]
    service = SERVICE.replace("{name: http, port: 80, targetPort: http}", before)
    write(tmp_path, shop=f"{DEPLOYMENT}---\n{service}")
    call("add proxy shop.yaml -i --retarget", tmp_path)
    assert service.replace(before, after) in read(tmp_path)["shop.yaml"]
    call("remove proxy shop.yaml -i", tmp_path)
    assert read(tmp_path)["shop.yaml"] == f"{DEPLOYMENT}---\n{service}"


BLOCK = SERVICE.replace(
    "  - {name: http, port: 80, targetPort: http}  # the site", "  - port: 8080 # site\n    name: http"
)
AROUND = {
    "after": {"shop": f"{DEPLOYMENT}---\n{SERVICE}"},
    "before": {"shop": f"{SERVICE}---\n{DEPLOYMENT}"},
    "other-file": {"shop": DEPLOYMENT, "service": SERVICE},
    "earlier-file": {"shop": DEPLOYMENT, "a": SERVICE},
    "block": {"shop": DEPLOYMENT, "service": BLOCK},
    "crlf": {"shop": DEPLOYMENT, "service": BLOCK.replace("\n", "\r\n")},
    "no-final-newline": {"shop": DEPLOYMENT, "service": BLOCK.rstrip("\n")},
    "several": {"shop": DEPLOYMENT, "service": f"{SERVICE}---\n{SERVICE.replace('name: shop', 'name: shop-internal')}"},
    "namespace": {
        "shop": DEPLOYMENT.replace("  name: shop\n", "  name: shop\n  namespace: prod\n", 1),
        "service": SERVICE.replace("{name: shop}", "{name: shop, namespace: prod}"),
    },
    "headless": {"shop": f"{DEPLOYMENT}---\n{SERVICE}  clusterIP: None\n"},
    "statefulset": {"shop": DEPLOYMENT.replace("Deployment", "StatefulSet"), "service": SERVICE},
    "rollout": {
        "shop": DEPLOYMENT.replace("Deployment", "Rollout").replace("apps/v1", "argoproj.io/v1alpha1"),
        "service": SERVICE,
    },
    "policy": {"shop": DEPLOYMENT, "service": f"{SERVICE}---\n{POLICY}"},
    "monitor": {"shop": DEPLOYMENT, "service": f"{SERVICE}---\n{MONITOR}"},
}


@pytest.mark.parametrize("files", AROUND.values(), ids=AROUND)
def test_round_trip_is_lossless_and_idempotent(tmp_path: Path, files: dict[str, str]) -> None:
    write(tmp_path, **files)
    check_round_trip(tmp_path, f"{list(files)[-1]}.yaml")


def test_items_of_a_list(tmp_path: Path) -> None:
    items = [
        "- " + text.replace("\n", "\n  ").rstrip() + "\n"
        for text in (DEPLOYMENT, SERVICE.removeprefix("# clients of the shop\n"))
    ]
    write(tmp_path, shop=f"apiVersion: v1\nkind: List\nitems:\n{''.join(items)}")
    check_round_trip(tmp_path, "shop.yaml")


def test_without_the_option_a_warning_names_object_place_and_value(tmp_path: Path) -> None:
    files = write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    outcome = call("add proxy . -i", tmp_path)
    assert 'Service/shop leads to port 8080 of container "shop", around proxy' in outcome.stderr
    assert "service.yaml:8:40" in outcome.stderr
    assert "set targetPort: 10000" in outcome.stderr
    assert read(tmp_path)["service.yaml"] == files["service.yaml"]
    assert "warning[service-bypasses-sidecar]" in call("validate .", tmp_path).stdout


def test_a_later_run_with_the_option_changes_what_an_earlier_one_left(tmp_path: Path) -> None:
    files = write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    call("add proxy . -i", tmp_path)
    outcome = call("add proxy . -i --retarget", tmp_path)
    assert "Service/shop: retargeted spec.ports[0].targetPort http -> 10000 (service.yaml:8)" in outcome.stderr
    call("remove proxy . -i", tmp_path)
    assert read(tmp_path) == files


def test_a_service_that_leads_elsewhere_stays(tmp_path: Path) -> None:
    service = SERVICE.replace("targetPort: http", "targetPort: grpc")
    right = SERVICE.replace("name: shop", "name: right").replace("targetPort: http", "targetPort: 10000")
    write(tmp_path, shop=DEPLOYMENT, service=f"{service}---\n{right}")
    outcome = call("add proxy . -i --retarget", tmp_path)
    assert "retarget" not in outcome.stderr
    assert read(tmp_path)["service.yaml"] == f"{service}---\n{right}"


def test_upgrade_with_another_port_changes_the_service_again(tmp_path: Path) -> None:
    files = write(tmp_path, shop=DEPLOYMENT, service=f"{SERVICE}---\n{POLICY}")
    call("add proxy . -i --retarget", tmp_path)
    outcome = call("upgrade proxy . -i --set port=10001", tmp_path)
    assert "Service/shop: retargeted spec.ports[0].targetPort 10000 -> 10001" in outcome.stderr
    assert "targetPort: 10001}  # the site" in read(tmp_path)["service.yaml"]
    assert "port: 10001, protocol" in read(tmp_path)["service.yaml"]
    call("remove proxy . -i", tmp_path)
    assert read(tmp_path) == files


def test_a_port_that_a_person_changed_stays(tmp_path: Path) -> None:
    write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    call("add proxy . -i --retarget", tmp_path)
    edited = read(tmp_path)["service.yaml"].replace("10000", "9090")
    write(tmp_path, service=edited)
    call("upgrade proxy . -i --set port=10001", tmp_path)
    assert read(tmp_path)["service.yaml"] == edited
    outcome = call("remove proxy . -i", tmp_path)
    assert "warning[retarget-skipped]: Service/shop keeps targetPort 9090" in outcome.stderr
    assert read(tmp_path) == {"shop.yaml": DEPLOYMENT, "service.yaml": edited}


def test_remove_without_the_file_says_what_is_left(tmp_path: Path) -> None:
    write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    call("add proxy . -i --retarget", tmp_path)
    outcome = call("remove proxy shop.yaml -i", tmp_path)
    assert "Service shop with this port is not in the input, so it still leads to port 10000" in outcome.stderr
    assert "set the port to http" in outcome.stderr
    assert read(tmp_path)["shop.yaml"] == DEPLOYMENT


def test_remove_finds_the_service_in_a_renamed_file_and_under_a_new_name(tmp_path: Path) -> None:
    write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    call("add proxy . -i --retarget", tmp_path)
    moved = read(tmp_path)["service.yaml"].replace("{name: shop}", "{name: prod-shop}")
    (tmp_path / "service.yaml").unlink()
    write(tmp_path, network=moved)
    call("remove proxy . -i", tmp_path)
    assert read(tmp_path)["network.yaml"] == SERVICE.replace("{name: shop}", "{name: prod-shop}")


def test_report_names_the_record_that_follows_a_renamed_service(tmp_path: Path) -> None:
    write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    call("add proxy . -i --retarget", tmp_path)
    write(tmp_path, service=read(tmp_path)["service.yaml"].replace("{name: shop}", "{name: prod-shop}"))
    field = 'spec.template.metadata.annotations["sidecarctl.dev/sidecars"]'
    keys = "Service/shop/http -> Service/prod-shop/http"
    outcome = call("upgrade . --check", tmp_path, 1)
    assert f"Deployment/shop: would record {field} {keys} (shop.yaml:8)\n" in outcome.stderr
    (change,) = json.loads(call("upgrade . -i --format json", tmp_path).stdout)["retargeted"]
    assert (change["action"], change["before"], change["after"]) == ("recorded", *keys.split(" -> "))
    assert "record " not in call("upgrade . --check", tmp_path).stderr


def test_report_names_the_record_of_a_port_that_a_person_restored(tmp_path: Path) -> None:
    write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    call("add proxy log-tail . -i --retarget --set log-tail.logDir=/logs", tmp_path)
    outcome = call("remove proxy . -i", tmp_path)
    assert "recorded" not in outcome.stderr
    assert "Service/shop: restored" in outcome.stderr
    call("add proxy . -i --retarget", tmp_path)
    write(tmp_path, service=SERVICE)
    outcome = call("remove proxy . -i", tmp_path)
    assert "recorded" in outcome.stderr
    assert "Service/shop/http -> (not set)" in outcome.stderr


def test_keep_going_updates_records_beside_a_file_that_fails(tmp_path: Path) -> None:
    others = (each.replace("shop", "cart") for each in (DEPLOYMENT, SERVICE))
    write(tmp_path, **dict(zip(("shop", "service", "cart", "entry"), (DEPLOYMENT, SERVICE, *others))))
    call("add proxy . -i --retarget", tmp_path)
    files = read(tmp_path)
    for name, app in (("service", "shop"), ("entry", "cart")):
        write(tmp_path, **{name: files[f"{name}.yaml"].replace(f"{{name: {app}}}", f"{{name: prod-{app}}}")})
    write(tmp_path, cart=files["cart.yaml"] + "--- text\n")
    outcome = call("upgrade . -i --keep-going", tmp_path, 3)
    assert "Service/shop/http -> Service/prod-shop/http (shop.yaml:8)" in outcome.stderr
    assert "Service/prod-shop/http" in read(tmp_path)["shop.yaml"]
    assert "prod-cart" not in outcome.stderr


def test_a_service_that_also_selects_a_workload_without_the_sidecar_stays(tmp_path: Path) -> None:
    other = DEPLOYMENT.replace("name: shop\nspec", "name: other\nspec")
    files = write(tmp_path, shop=DEPLOYMENT, other=other, service=SERVICE)
    outcome = call("add proxy shop.yaml other.yaml service.yaml --name shop -i --retarget", tmp_path)
    assert "it also selects Deployment/other, which has no such sidecar" in outcome.stderr
    assert read(tmp_path)["service.yaml"] == files["service.yaml"]
    call("add proxy . -i --retarget", tmp_path)
    assert "targetPort: 10000" in read(tmp_path)["service.yaml"]
    outcome = call("remove proxy . --name shop -i", tmp_path)
    assert "remove the sidecar from all of them, or from none" in outcome.stderr
    assert "targetPort: 10000" in read(tmp_path)["service.yaml"]
    call("remove proxy . -i", tmp_path)
    assert read(tmp_path) == files


def test_a_port_that_an_anchor_shares_stays(tmp_path: Path) -> None:
    service = SERVICE.replace(
        "  - {name: http, port: 80, targetPort: http}  # the site",
        "  - {name: a, port: 80, targetPort: &p http}\n  - {name: b, port: 81, targetPort: *p}",
    )
    write(tmp_path, shop=DEPLOYMENT, service=service)
    outcome = call("add proxy . -i --retarget", tmp_path)
    assert outcome.stderr.count("warning[retarget-skipped]") + outcome.stderr.count("  --> service.yaml") >= 1
    assert read(tmp_path)["service.yaml"] == service


@pytest.mark.parametrize("number", ["0x1f90", "017620", "8_080", "!!int 8080"])
def test_a_port_in_an_unusual_form_stays(tmp_path: Path, number: str) -> None:
    service = SERVICE.replace("targetPort: http}", f"targetPort: {number}}}")
    files = write(tmp_path, shop=DEPLOYMENT, service=service)
    outcome = call("add proxy . -i --retarget", tmp_path)
    assert "warning[retarget-skipped]" in outcome.stderr
    assert read(tmp_path)["service.yaml"] == service
    call("remove proxy . -i", tmp_path)
    assert read(tmp_path) == files


def test_a_policy_that_allows_both_ports_stays(tmp_path: Path) -> None:
    policy = POLICY.replace("[{port: 8080, protocol: TCP}]", "[{port: 8080, protocol: TCP}, {port: 10000}]")
    write(tmp_path, shop=DEPLOYMENT, policy=policy)
    call("add proxy . -i --retarget", tmp_path)
    assert read(tmp_path)["policy.yaml"] == policy


def test_a_monitor_is_not_led_to_a_login(tmp_path: Path) -> None:
    write(tmp_path, shop=DEPLOYMENT, monitor=MONITOR)
    sets = "--set secretName=s --set email-domain[0]=* --set oidc-issuer-url=https://login.example.com"
    outcome = call(f"add oauth2-proxy . -i --retarget {sets}", tmp_path)
    assert "port 4180 expects a login" in outcome.stderr
    assert read(tmp_path)["monitor.yaml"] == MONITOR


def test_pipe_diff_and_check(tmp_path: Path) -> None:
    text = f"{DEPLOYMENT}---\n{SERVICE}"
    files = write(tmp_path, shop=text)
    piped = run("sidecarctl add proxy --retarget", tmp_path, stdin=text)
    assert "targetPort: 10000" in piped.stdout
    assert run("sidecarctl remove proxy", tmp_path, stdin=piped.stdout).stdout == text
    diff = call("add proxy shop.yaml --retarget --diff", tmp_path)
    assert "+  - {name: http, port: 80, targetPort: 10000}  # the site" in diff.stdout
    assert "would retarget" in diff.stderr
    call("add proxy shop.yaml --retarget --check", tmp_path, code=1)
    assert read(tmp_path) == files


def test_a_failed_run_changes_no_service(tmp_path: Path) -> None:
    broken = DEPLOYMENT.replace("image: registry.example/shop:1.0.0", "image: [1]").replace("name: shop", "name: two")
    files = write(tmp_path, shop=DEPLOYMENT, two=broken, service=SERVICE)
    call("add proxy . -i --retarget", tmp_path, code=1)
    assert read(tmp_path) == files


def test_upgrade_without_the_file_says_so_and_a_later_run_with_it_follows(tmp_path: Path) -> None:
    files = write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    call("add proxy . -i --retarget", tmp_path)
    call("upgrade proxy shop.yaml -i", tmp_path)
    outcome = call("upgrade proxy shop.yaml -i --set port=10001", tmp_path)
    assert "Service shop with this port is not in the input, so it still leads to port 10000" in outcome.stderr
    call("upgrade proxy . -i", tmp_path)
    assert "targetPort: 10001}" in read(tmp_path)["service.yaml"]
    call("remove proxy . -i", tmp_path)
    assert read(tmp_path) == files


def test_two_sidecars_in_a_chain_and_the_removal_of_each(tmp_path: Path) -> None:
    files = write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    call("add nginx-tls . -i --retarget --set tls.secretName=t", tmp_path)
    one = read(tmp_path)
    outcome = call("add proxy . -i", tmp_path)
    assert "updated nginx-tls 1.0.0" in outcome.stderr
    assert read(tmp_path)["service.yaml"] == one["service.yaml"]
    call("remove nginx-tls . -i", tmp_path)
    assert "targetPort: 10000}" in read(tmp_path)["service.yaml"]
    call("remove proxy . -i", tmp_path)
    assert read(tmp_path) == files


COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: shop}
spec:
  retarget: true
  rules:
  - select: {all: true}
    sidecars: [proxy]
"""


def test_composition_retargets_in_render_and_post_render(tmp_path: Path) -> None:
    (tmp_path / "k8s").mkdir()
    files = write(tmp_path / "k8s", shop=DEPLOYMENT, service=SERVICE)
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    call("render k8s -i", tmp_path)
    assert "targetPort: 10000}" in read(tmp_path / "k8s")["service.yaml"]
    call("render k8s --check", tmp_path)
    call("remove --all k8s -i", tmp_path)
    assert read(tmp_path / "k8s") == files
    piped = run("sidecarctl post-render", tmp_path, stdin=f"{DEPLOYMENT}---\n{SERVICE}")
    assert "targetPort: 10000}" in piped.stdout
    assert "Service/shop: retargeted spec.ports[0].targetPort http -> 10000" in piped.stderr


def test_python_api_retargets_and_restores() -> None:
    text = f"{DEPLOYMENT}---\n{SERVICE}"
    result = sidecarctl.add(text, ["proxy"], retarget=True)
    assert "targetPort: 10000}" in result.text
    assert sidecarctl.remove(result.text).text == text


def test_json_report_lists_changed_ports(tmp_path: Path) -> None:
    write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    report = json.loads(call("add proxy . --retarget --check --format json", tmp_path, code=1).stdout)
    assert report["retargeted"] == [
        {
            "action": "retargeted",
            "label": "Service/shop",
            "field": "spec.ports[0].targetPort",
            "before": "http",
            "after": 10000,
            "file": "service.yaml",
            "line": 8,
        }
    ]


def test_a_long_stream_with_a_service_is_read_whole(tmp_path: Path) -> None:
    settings = '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata: {a: "' + "x" * 900_000 + '"}\n'
    text = f"{DEPLOYMENT}---\n{SERVICE}" + settings * 3
    piped = run("sidecarctl add proxy", tmp_path, stdin=text)
    assert "warning[service-bypasses-sidecar]" in piped.stderr
    assert run("sidecarctl remove proxy", tmp_path, stdin=piped.stdout).stdout == text
    piped = run("sidecarctl add proxy --retarget", tmp_path, stdin=text)
    assert "targetPort: 10000}" in piped.stdout
    assert run("sidecarctl remove proxy", tmp_path, stdin=piped.stdout).stdout == text


def test_twins_of_two_environments_are_restored(tmp_path: Path) -> None:
    for name in ("dev", "prod"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, shop=f"{DEPLOYMENT}---\n{SERVICE}")
    call("add proxy dev prod -i --retarget", tmp_path)
    assert all("targetPort: 10000}" in read(tmp_path / name)["shop.yaml"] for name in ("dev", "prod"))
    call("remove proxy dev prod -i", tmp_path)
    assert all(read(tmp_path / name) == {"shop.yaml": f"{DEPLOYMENT}---\n{SERVICE}"} for name in ("dev", "prod"))


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("layout", ["directories", "nested", "files"])
def test_services_of_two_environments_get_their_own_ports_back(layout: str, together: bool, tmp_path: Path) -> None:
    unset = SERVICE.replace("port: 80, targetPort: http", "port: 8080")
    assert unset != SERVICE
    if layout != "files":
        for name, service in (("dev", unset), ("prod", SERVICE)):
            apps, services = (tmp_path / name / each for each in (("apps", "net") if layout == "nested" else ("", "")))
            for directory in (apps, services):
                directory.mkdir(parents=True, exist_ok=True)
            write(apps, shop=DEPLOYMENT)
            write(services, service=service)
    else:
        (tmp_path / "all").mkdir()
        write(tmp_path / "all", dev=f"{DEPLOYMENT}---\n{unset}", prod=f"{DEPLOYMENT}---\n{SERVICE}")
    paths = ["."] if together or layout == "files" else ["dev", "prod"]
    before = {path: path.read_text() for path in tmp_path.rglob("*.yaml")}
    for path in paths:
        call(f"add proxy {path} -i --retarget", tmp_path)
    assert sum("targetPort: 10000" in path.read_text() for path in before) == 2
    call("remove proxy . -i", tmp_path)
    assert {path: path.read_text() for path in before} == before


def test_services_of_one_name_with_different_ports_for_one_workload_are_reported(tmp_path: Path) -> None:
    for name in ("dev", "prod", "apps"):
        (tmp_path / name).mkdir()
    write(tmp_path / "apps", shop=DEPLOYMENT)
    unset = SERVICE.replace("port: 80, targetPort: http", "port: 8080")
    write(tmp_path / "dev", service=unset)
    write(tmp_path / "prod", service=SERVICE)
    outcome = call("add proxy . -i --retarget", tmp_path)
    assert "another object of this name has another port, so `remove` restores no port, not http" in outcome.stderr
    call("remove proxy . -i", tmp_path)
    assert read(tmp_path / "dev") == {"service.yaml": unset}
    assert read(tmp_path / "prod") == {"service.yaml": SERVICE.replace(", targetPort: http", "")}


def test_two_environments_in_lists_get_companions_of_one_name(tmp_path: Path) -> None:
    item = "".join(f"  {line}\n" for line in DEPLOYMENT.splitlines()).replace("  ", "- ", 1)
    for name in ("dev", "prod"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, all=f"apiVersion: v1\nkind: List\nitems:\n{item}")
    call("add proxy . -i", tmp_path)
    assert all("name: shop-proxy" in read(tmp_path / name)["all.yaml"] for name in ("dev", "prod"))


def test_service_that_also_selects_a_workload_of_its_environment_stays(tmp_path: Path) -> None:
    canary = DEPLOYMENT.replace("name: shop\n", "name: canary\n", 1)
    for name in ("dev", "prod"):
        for directory, files in (("shop", {"shop": DEPLOYMENT, "service": SERVICE}), ("canary", {"canary": canary})):
            (tmp_path / name / directory).mkdir(parents=True)
            write(tmp_path / name / directory, **files)
    outcome = call("add proxy . -i --retarget --name shop", tmp_path)
    assert outcome.stderr.count("it also selects Deployment/canary, which has no such sidecar") == 2
    assert all(read(tmp_path / name / "shop")["service.yaml"] == SERVICE for name in ("dev", "prod"))


def test_object_of_another_group_is_no_namesake_of_a_service(tmp_path: Path) -> None:
    other = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: shop}\nspec: {x: 1}\n"
    canary = DEPLOYMENT.replace("name: shop\n", "name: canary\n", 1)
    write(tmp_path, shop=f"{DEPLOYMENT}---\n{SERVICE}", canary=canary, other=other)
    outcome = call("add proxy . -i --retarget --name shop", tmp_path)
    assert "it also selects Deployment/canary" in outcome.stderr
    assert SERVICE in read(tmp_path)["shop.yaml"]


def test_rules_of_policies_of_two_environments_are_restored_after_a_new_rule(tmp_path: Path) -> None:
    rules = "  ingress:\n  - ports: [{port: 8080, protocol: TCP}]\n  - ports: [{port: http}]\n"
    policy = POLICY.replace("  ingress:\n  - ports: [{port: 8080, protocol: TCP}]\n", rules)
    for name in ("dev", "prod"):
        for directory, files in (("apps", {"shop": DEPLOYMENT}), ("net", {"policy": policy})):
            (tmp_path / name / directory).mkdir(parents=True)
            write(tmp_path / name / directory, **files)
    call("add proxy . -i --retarget", tmp_path)
    inserted = "  ingress:\n  - ports: [{port: 5555}]\n"
    for name in ("dev", "prod"):
        text = read(tmp_path / name / "net")["policy.yaml"]
        assert text.count("10000") == 2
        write(tmp_path / name / "net", policy=text.replace("  ingress:\n", inserted))
    call("remove proxy . -i", tmp_path)
    expected = policy.replace("  ingress:\n", inserted)
    assert [read(tmp_path / name / "net")["policy.yaml"] for name in ("dev", "prod")] == [expected, expected]


def test_services_of_one_name_in_one_directory_are_changed_for_each_environment(tmp_path: Path) -> None:
    services = {"dev": SERVICE.replace("targetPort: http", "targetPort: 8080"), "prod": SERVICE}
    write(tmp_path, **{f"{name}-shop": DEPLOYMENT for name in services})
    before = write(tmp_path, **{f"{name}-service": text for name, text in services.items()})
    for command in ("add proxy", "remove proxy"):
        for name in services:
            call(
                f"{command} {name}-shop.yaml {name}-service.yaml -i {'--retarget' if 'add' in command else ''}",
                tmp_path,
            )
    assert read(tmp_path) == before
    outcome = call("add proxy . -i --retarget", tmp_path)
    assert all("targetPort: 10000" in read(tmp_path)[f"{name}-service.yaml"] for name in services)
    assert "another object of this name has another port, so `remove` restores 8080, not http" in outcome.stderr


def test_port_of_a_service_that_lost_one_of_its_workloads_is_no_longer_remembered_there(tmp_path: Path) -> None:
    blue, green = (
        DEPLOYMENT.replace("app: shop}", f"app: shop, color: {color}}}").replace("name: shop\n", f"name: {color}\n", 1)
        for color in ("blue", "green")
    )
    write(tmp_path, blue=blue, green=green, service=SERVICE)
    call("add proxy . -i --retarget", tmp_path)
    narrowed = SERVICE.replace("app: shop}", "app: shop, color: green}")
    write(tmp_path, service=read(tmp_path)["service.yaml"].replace("app: shop}", "app: shop, color: green}"))
    assert "warning" not in call("add proxy . -i --set port=10500", tmp_path).stderr
    assert read(tmp_path)["service.yaml"] == narrowed.replace("http}", "10500}")
    assert "warning" not in call("remove proxy . -i --name blue", tmp_path).stderr
    assert read(tmp_path)["service.yaml"] == narrowed.replace("http}", "10500}")
    call("remove proxy . -i", tmp_path)
    assert read(tmp_path) == {"blue.yaml": blue, "green.yaml": green, "service.yaml": narrowed}


def test_services_that_two_environments_share_by_name_are_restored_with_a_warning(tmp_path: Path) -> None:
    for name in ("dev", "prod"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, shop=DEPLOYMENT, service=SERVICE.replace("http}", "8080}" if name == "dev" else "http}"))
        call(f"add proxy {name} -i --retarget", tmp_path)
    (tmp_path / "all").mkdir()
    write(
        tmp_path / "all",
        **{f"{n}-{f}": read(tmp_path / n)[f"{f}.yaml"] for n in ("dev", "prod") for f in ("shop", "service")},
    )
    outcome = call("remove proxy all -i", tmp_path)
    assert "workloads remember different former ports of targetPort: 8080 and http" in outcome.stderr
    assert all("10000" not in text for text in read(tmp_path / "all").values())


@pytest.mark.parametrize("command", ["remove proxy", "add proxy --set port=10500"])
def test_port_of_a_service_that_selects_another_workload_now_follows(command: str, tmp_path: Path) -> None:
    blue, green = (
        DEPLOYMENT.replace("app: shop}", f"app: shop, color: {color}}}").replace("name: shop\n", f"name: {color}\n", 1)
        for color in ("blue", "green")
    )
    service = SERVICE.replace("app: shop}", "app: shop, color: blue}")
    write(tmp_path, blue=blue, green=green, service=service)
    call("add proxy . -i --retarget", tmp_path)
    write(tmp_path, service=read(tmp_path)["service.yaml"].replace("blue", "green"))
    assert "warning" not in call(f"{command} . -i", tmp_path).stderr
    port = "http" if "remove" in command else "10500"
    assert read(tmp_path)["service.yaml"] == service.replace("blue", "green").replace("http}", f"{port}}}")


@pytest.mark.parametrize("port", [10000, 8080])
def test_service_of_another_app_that_took_the_former_name_stays(port: int, tmp_path: Path) -> None:
    write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    call("add proxy . -i --retarget", tmp_path)
    other = SERVICE.replace("app: shop", "app: gateway").replace("targetPort: http", f"targetPort: {port}")
    write(tmp_path, service=read(tmp_path)["service.yaml"].replace("{name: shop}", "{name: inner}"), other=other)
    outcome = call("remove proxy . -i", tmp_path)
    assert "restored" in outcome.stderr and "warning" not in outcome.stderr
    renamed = SERVICE.replace("{name: shop}", "{name: inner}")
    assert read(tmp_path) == {"shop.yaml": DEPLOYMENT, "service.yaml": renamed, "other.yaml": other}


def test_ports_come_back_after_new_names_that_others_had(tmp_path: Path) -> None:
    one, two = f"{DEPLOYMENT}---\n{SERVICE}", f"{DEPLOYMENT}---\n{SERVICE}".replace("shop", "shop-x")
    write(tmp_path, one=one, two=two)
    call("add proxy . -i --retarget", tmp_path)
    suffixed = {name[:-5]: text.replace("name: shop", "name: shop-x") for name, text in read(tmp_path).items()}
    write(tmp_path, **suffixed)
    assert "warning" not in call("remove proxy . -i", tmp_path).stderr
    assert read(tmp_path) == {
        "one.yaml": one.replace("name: shop", "name: shop-x"),
        "two.yaml": two.replace("name: shop", "name: shop-x"),
    }


RENAMED = {
    "name": ("{name: http, containerPort: 8080}", "{name: web, containerPort: 8080}"),
    "number": ("{name: http, containerPort: 8080}", "{name: http, containerPort: 8081}"),
    "name-of-another-port": (
        "{name: http, containerPort: 8080}\n        - {name: grpc,",
        "{name: web, containerPort: 8080}\n        - {name: http,",
    ),
}


@pytest.mark.parametrize("change", RENAMED)
@pytest.mark.parametrize("port", ["http", "8080"])
@pytest.mark.parametrize("command", ["add log-tail --set logDir=/l", "upgrade proxy", "upgrade proxy --set port=10001"])
def test_a_port_stays_with_the_sidecar_after_the_port_of_the_app_was_changed(
    tmp_path: Path, change: str, port: str, command: str
) -> None:
    write(tmp_path, shop=DEPLOYMENT, service=SERVICE.replace("targetPort: http", f"targetPort: {port}"))
    call("add proxy . -i --retarget --set upstreamPort=8080", tmp_path)
    before, after = RENAMED[change]
    text = read(tmp_path)["shop.yaml"]
    assert before in text
    write(tmp_path, shop=text.replace(before, after))
    moved = " --set proxy.upstreamPort=8081" if change == "number" and "proxy" in command else ""
    outcome = call(f"{command}{moved} . -i", tmp_path)
    wanted = "10001" if "10001" in command else "10000"
    assert f"targetPort: {wanted}}}" in read(tmp_path)["service.yaml"]
    assert "restored" not in outcome.stderr
    call("remove proxy . -i", tmp_path)
    assert f"targetPort: {port}}}" in read(tmp_path)["service.yaml"]


def test_the_port_of_an_object_in_no_file_stays_right_after_the_port_of_the_app_was_changed(tmp_path: Path) -> None:
    write(tmp_path, shop=DEPLOYMENT, service=SERVICE)
    call("add proxy . -i --retarget --set upstreamPort=8080", tmp_path)
    write(tmp_path, shop=read(tmp_path)["shop.yaml"].replace("containerPort: 8080", "containerPort: 8081"))
    outcome = call("upgrade proxy shop.yaml -i --set proxy.upstreamPort=8081", tmp_path)
    assert "not in the input" not in outcome.stderr


POLICY_OF_TWO_RULES = POLICY.replace(
    "  - ports: [{port: 8080, protocol: TCP}]\n", "  - ports:\n    - port: 8080\n  - ports:\n    - port: http\n"
)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (POLICY, "  ingress:\n", "  ingress:\n  - ports: [{port: 9999}]\n"),
        (POLICY_OF_TWO_RULES, "  ingress:\n", "  ingress:\n  - ports: [{port: 9999}]\n"),
        (POLICY_OF_TWO_RULES, "  - ports:\n", "  - ports:\n    - port: 9999\n"),
        (MONITOR, "  podMetricsEndpoints:\n", "  podMetricsEndpoints:\n  - port: admin\n"),
        (SERVICE.replace("name: http, ", ""), "port: 80,", "port: 8000,"),
        (SERVICE.replace("name: http, ", ""), "port: 80,", "name: site, port: 80,"),
        (SERVICE, "name: http,", "name: site,"),
    ],
)
def test_a_port_whose_place_changed_is_restored(tmp_path: Path, text: str, before: str, after: str) -> None:
    write(tmp_path, web=DEPLOYMENT, around=text)
    call("add proxy web.yaml around.yaml -i --retarget", tmp_path)
    edited = tmp_path / "around.yaml"
    assert "10000" in edited.read_text() or "port: proxy" in edited.read_text()
    edited.write_text(edited.read_text().replace(before, after, 1))
    assert call("remove proxy web.yaml around.yaml -i", tmp_path).stderr.count("warning") == 0
    assert read(tmp_path) == {"web.yaml": DEPLOYMENT, "around.yaml": text.replace(before, after, 1)}


def test_an_upgrade_follows_a_port_whose_place_changed(tmp_path: Path) -> None:
    write(tmp_path, web=DEPLOYMENT, around=POLICY)
    call("add proxy web.yaml around.yaml -i --retarget", tmp_path)
    edited = tmp_path / "around.yaml"
    edited.write_text(edited.read_text().replace("  ingress:\n", "  ingress:\n  - ports: [{port: 9999}]\n"))
    call("upgrade proxy --set port=10001 web.yaml around.yaml -i", tmp_path)
    assert "{port: 10001, protocol: TCP}" in edited.read_text()
    call("remove proxy web.yaml around.yaml -i", tmp_path)
    assert edited.read_text() == POLICY.replace("  ingress:\n", "  ingress:\n  - ports: [{port: 9999}]\n")


def test_monitors_of_one_name_in_two_namespaces_are_restored(tmp_path: Path) -> None:
    monitors = [
        MONITOR.replace("name: shop}", f"name: shop, namespace: {name}}}")
        .replace("  selector:", "  namespaceSelector: {any: true}\n  selector:")
        .replace("port: http", port)
        for name, port in (("one", "port: http"), ("two", "portNumber: 8080"))
    ]
    files = {"web": DEPLOYMENT, "monitors": "---\n".join(monitors)}
    write(tmp_path, **files)
    call("add proxy web.yaml monitors.yaml -i --retarget", tmp_path)
    assert "port: proxy" in read(tmp_path)["monitors.yaml"] and "portNumber: 10000" in read(tmp_path)["monitors.yaml"]
    assert call("remove proxy web.yaml monitors.yaml -i", tmp_path).stderr.count("warning") == 0
    assert read(tmp_path) == {f"{name}.yaml": text for name, text in files.items()}


@pytest.mark.parametrize("namespace", ["", ", namespace: monitoring"])
@pytest.mark.parametrize("earlier", [False, True])
def test_a_monitor_in_another_namespace_than_the_pod_is_restored(namespace: str, earlier: bool, tmp_path: Path) -> None:
    monitor = MONITOR.replace("name: shop}", f"name: shop{namespace}}}").replace(
        "  selector:", "  namespaceSelector: {any: true}\n  selector:"
    )
    web = DEPLOYMENT.replace("  name: shop\n", "  name: shop\n  namespace: prod\n", 1)
    write(tmp_path, web=web, monitor=monitor)
    call("add proxy web.yaml monitor.yaml -i --retarget", tmp_path)
    assert "port: proxy" in read(tmp_path)["monitor.yaml"]
    if earlier:  # the record of a version that wrote no namespace
        file = tmp_path / "web.yaml"
        file.write_text(
            file.read_text().replace("PodMonitor/-/", "PodMonitor/").replace("PodMonitor/monitoring/", "PodMonitor/")
        )
    assert call("remove proxy web.yaml monitor.yaml -i", tmp_path).stderr.count("warning") == 0
    assert read(tmp_path) == {"web.yaml": web, "monitor.yaml": monitor}


@pytest.mark.parametrize(("name", "port"), [("shop/http", "x"), ("a/b", "http")])
def test_service_whose_name_has_a_slash_keeps_its_port(name: str, port: str, tmp_path: Path) -> None:
    service = SERVICE.replace("{name: shop}", f"{{name: {name}}}").replace("{name: http, port", f"{{name: {port}, port")
    before = write(tmp_path, app=DEPLOYMENT, service=service)
    outcome = call("add proxy . -i --retarget", tmp_path)
    assert f"warning[retarget-skipped]: Service/{name} keeps targetPort http" in outcome.stderr
    assert read(tmp_path)["service.yaml"] == service
    call("remove proxy . -i", tmp_path)
    assert read(tmp_path) == before


@pytest.mark.parametrize(
    "ports",
    [
        *("[port: 8080]", '[{port: 8080, name: "x"#c\n  }]'),
        *("[{port: 80, targetPort: 'http'#c\n  }]", '\n  - port: 80\n    targetPort: "http"#c'),
    ],
)
def test_port_that_could_not_be_restored_is_left_alone(ports: str, tmp_path: Path) -> None:
    service = SERVICE.partition("  ports:")[0] + f"  ports: {ports}\n"
    before = write(tmp_path, app=DEPLOYMENT, service=service)
    outcome = call("add proxy . -i --retarget", tmp_path)
    assert "warning[retarget-skipped]: Service/shop keeps " in outcome.stderr
    assert read(tmp_path)["service.yaml"] == service
    call("remove proxy . -i", tmp_path)
    assert read(tmp_path) == before


def test_remove_restores_each_port_of_a_service_by_its_name(tmp_path: Path) -> None:
    """The order of the ports is not that of their names."""
    ports = "  - {port: 8080, name: web}\n  - {port: 443, name: alt, targetPort: http}\n"
    write(
        tmp_path,
        app=DEPLOYMENT,
        service=SERVICE.replace("  - {name: http, port: 80, targetPort: http}  # the site\n", ports),
    )
    check_round_trip(tmp_path, "service.yaml")


def test_document_that_cannot_be_split_from_a_service_is_kept(tmp_path: Path) -> None:
    write(tmp_path, app=DEPLOYMENT, service=SERVICE)
    call("add proxy . -i --retarget", tmp_path)
    service = tmp_path / "service.yaml"
    service.write_text(service.read_text() + "--- {apiVersion: v1, kind: ConfigMap, metadata: {name: precious}}\n")
    before = read(tmp_path)
    outcome = call("remove proxy . -i", tmp_path, 3)
    assert "service.yaml:" in outcome.stderr
    assert read(tmp_path) == before


@pytest.mark.parametrize("command", ["add proxy . -i --retarget --keep-going", "remove proxy . -i --keep-going"])
def test_record_is_not_changed_without_the_service_in_a_file_that_fails(command: str, tmp_path: Path) -> None:
    write(tmp_path, app=DEPLOYMENT, service=SERVICE)
    if command.startswith("remove"):
        call("add proxy . -i --retarget", tmp_path)
    service = tmp_path / "service.yaml"
    service.write_text(service.read_text() + "--- invalid\n")
    before = read(tmp_path)
    outcome = call(command, tmp_path, 3)
    assert read(tmp_path) == before
    assert "ports and records of this file and of service.yaml change together" in outcome.stderr
