"""Graphs: kubelet start order, text that fits its box, valid formats, and up-to-date committed files."""

from __future__ import annotations

import importlib.util
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from sidecarctl.inject.pipeline import Options
from sidecarctl.inject.pod_graph import read_pods
from sidecarctl.inject.pod_routes import read_services
from sidecarctl.report.graph import svg, tree
from sidecarctl.report.graph.layout import lay_out
from sidecarctl.report.graph.model import Pod
from sidecarctl.report.terminal import width_of
from tests.command import ROOT, run

AWKWARD = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: a-database-with-a-rather-long-name-that-goes-on, namespace: storage}
spec:
  template:
    spec:
      initContainers:
      - {name: migrate, image: "registry.example.com/some/very/long/path/to/an/image/with/many/parts/migrate:2026.11"}
      - {name: wait, image: busybox, restartPolicy: Always, lifecycle: {postStart: {exec: {command: [x]}}}}
      - {name: second, image: busybox, restartPolicy: Always}
      containers:
      - name: 数据库
        image: postgres:18
        ports: [{containerPort: 53, protocol: UDP, name: dns}]
        volumeMounts:
        - {name: data, mountPath: /data}
        - {name: ghost, mountPath: "/a<b>&\\"c]"}
        - {name: tls, mountPath: /tls}
      - {name: helper, image: busybox}
      volumes: [{name: tls, secret: {secretName: tls}}]
  volumeClaimTemplates: [{metadata: {name: data}, spec: {resources: {requests: {storage: 10Gi}}}}]
"""
EXAMPLES = sorted((ROOT / "examples").glob("*/expected.yaml"))


def awkward() -> Pod:
    return next(read_pods(AWKWARD, Options()))


def test_containers_start_and_stop_in_kubelet_order() -> None:
    pod = awkward()
    assert [(box.name, box.start) for box in pod.containers] == [
        ("migrate", 1),
        ("wait", 2),
        ("second", 3),
        ("数据库", 4),
        ("helper", 4),
    ]
    assert pod.stops == (("数据库", "helper"), ("second",), ("wait",))
    assert [box.gate for box in pod.containers] == ["its completion", "its postStart hook", "", "", ""]


def test_secret_mounts_are_read_only() -> None:
    (box,) = (box for box in awkward().containers if box.mounts)
    assert {mount.volume: mount.verb for mount in box.mounts} == {"data": "writes", "ghost": "writes", "tls": "reads"}


def test_added_containers_and_mounts_come_from_the_record() -> None:
    (pod,) = read_pods((ROOT / "examples/two-sidecars/expected.yaml").read_text(), Options())
    assert [(box.name, box.by) for box in pod.containers] == [
        ("git-sync", "git-sync"),
        ("logger", "logger"),
        ("wiki", ""),
    ]
    assert {mount.path: mount.by for mount in pod.containers[2].mounts} == {
        "/git": "git-sync",
        "/var/log/app": "logger",
    }
    assert pod.before is not None and pod.before.qos == "BestEffort"


@pytest.mark.parametrize("width", [70, 80])
def test_tree_fits_the_width(width: int) -> None:
    text = tree.render_tree([awkward()], color=False, width=width)
    assert max(map(width_of, text.splitlines())) <= width


@pytest.mark.parametrize("lines", [True, False])
def test_color_does_not_change_the_tree(lines: bool) -> None:
    plain, colored = (tree.render_tree([awkward()], color=color, width=80, lines=lines) for color in (False, True))
    bare = re.sub("\x1b\\[[0-9;]*m", "", colored)
    assert [line.rstrip() for line in bare.splitlines()] == [line.rstrip() for line in plain.splitlines()]
    assert lines or plain.replace("数据库", "").isascii()


def test_svg_text_fits_its_box() -> None:
    for panel in lay_out(awkward()).panels:
        for text in panel.texts:
            ems = 0.605 if "m" in text.style.split() else 0.6
            wide = width_of(text.text) * text.size * ems
            left = text.x - wide if text.end else text.x
            assert panel.x < left and left + wide < panel.x + panel.width
            assert panel.y < text.y - 10 and text.y < panel.y + panel.height


def test_svg_boxes_do_not_overlap() -> None:
    panels = lay_out(awkward()).panels
    for one in panels:
        for other in panels:
            apart = one.x + one.width <= other.x or one.y + one.height <= other.y
            assert one is other or apart or other.x + other.width <= one.x or other.y + other.height <= one.y


def test_svg_is_valid_xml_without_external_references() -> None:
    text = svg.render_svg([awkward()])
    ET.fromstring(text)
    assert "prefers-color-scheme:dark" in text
    assert not re.search(r"href|url\(|@import|<script", text)


def test_mermaid_labels_escape_markup() -> None:
    text = tree.render_mermaid([awkward()])
    assert "/a#lt;b#gt;#amp;#quot;c]" in text


def test_graph_writes_a_file_and_fails_without_workloads(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(AWKWARD, encoding="utf-8")
    assert run("sidecarctl graph -f a.yaml --format svg -o a.svg", tmp_path).code == 0
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<svg ")
    (tmp_path / "b.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: x}\n")
    outcome = run("sidecarctl graph -f b.yaml", tmp_path)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert "no workload found" in outcome.stderr


def test_graph_does_not_replace_an_input(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(AWKWARD, encoding="utf-8")
    (tmp_path / "link.yaml").symlink_to("a.yaml")
    for output in ("a.yaml", "./a.yaml", "link.yaml"):
        outcome = run(f"sidecarctl graph -f a.yaml -o {output}", tmp_path)
        assert (outcome.code, outcome.stdout) == (2, "")
        assert f"{output} is an input" in outcome.stderr
    assert (tmp_path / "a.yaml").read_text(encoding="utf-8") == AWKWARD
    assert run("sidecarctl graph -f a.yaml -o /dev/null", tmp_path).code == 0
    (tmp_path / "broken.yaml").write_bytes(b"\xff")
    for words in ("-f broken.yaml -f a.yaml -o broken.yaml", "-o broken.yaml"):
        assert run(f"sidecarctl graph {words}", tmp_path, stdin=AWKWARD).code == 2
    assert (tmp_path / "broken.yaml").read_bytes() == b"\xff"
    (tmp_path / "broken.txt").write_bytes(b"\xff")
    outcome = run("sidecarctl graph a.yaml broken.txt -o broken.txt", tmp_path)
    assert (outcome.code, (tmp_path / "broken.txt").read_bytes()) == (2, b"\xff")


def test_graph_markdown_contains_changes_resources_and_graph() -> None:
    outcome = run("sidecarctl graph -f expected.yaml --format markdown", ROOT / "examples" / "proxy-front")
    assert "| requests cpu | none | 100m |" in outcome.stdout
    assert "container proxy<br>volume proxy" in outcome.stdout
    assert "```mermaid\nflowchart LR\n" in outcome.stdout


def test_committed_graphs_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("gen_graphs", ROOT / "tools" / "gen_graphs.py")
    assert spec and spec.loader
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    for path, text in generator.pages():
        assert path.read_text(encoding="utf-8") == text, "run: python tools/gen_graphs.py"


ROUTED = (ROOT / "examples/login-behind-tls/expected.yaml").read_text(encoding="utf-8")
BYPASSED = ROUTED.replace("targetPort: 8443 # the app", "targetPort: http # the app")


def routed(text: str, services: str = "") -> Pod:
    return next(read_pods(text, Options(), services=list(read_services(services or text))))


def test_a_service_leads_through_the_chain_to_the_app() -> None:
    (route,) = routed(ROUTED).routes
    assert route.text == (
        "Service/finance/reports port 443 https -> nginx-tls:8443 -> oauth2-proxy:4180 -> reports:8080"
    )


def test_a_service_around_the_sidecars_is_marked() -> None:
    pod = routed(BYPASSED)
    text = "Service/finance/reports port 443 https -> reports:8080 (around nginx-tls and oauth2-proxy)"
    assert [route.text for route in pod.routes] == [text]
    assert text in " ".join(tree.render_tree([pod], color=False, width=0).split())
    assert "port 443 https to 8080, around nginx-tls and oauth2-proxy" in tree.render_mermaid([pod])
    assert "around nginx-tls and oauth2-proxy" in svg.render_svg([pod])
    assert "| `reports:8080` | `nginx-tls`, `oauth2-proxy` |" in tree.render_pod_sections([pod])


def test_services_of_other_files_and_of_other_pods(tmp_path: Path) -> None:
    workload, *rest = ROUTED.split("---\n")
    other = rest[-2].replace("app: reports", "app: other").replace("name: reports", "name: other")
    (tmp_path / "a.yaml").write_text(workload, encoding="utf-8")
    (tmp_path / "b.yaml").write_text("---\n".join((*rest, other)), encoding="utf-8")
    shown = run("sidecarctl graph a.yaml b.yaml", tmp_path).stdout
    assert shown.count("Service/") == 1
    assert "Service/finance/reports port 443 https" in shown


def test_a_service_port_without_a_container_is_shown() -> None:
    (route,) = routed(ROUTED.replace("targetPort: 8443 # the app", "targetPort: 9999")).routes
    assert route.text == "Service/finance/reports port 443 https -> port 9999 of no listed container"


@pytest.mark.parametrize("text", [ROUTED, BYPASSED], ids=["chain", "around"])
def test_connections_end_at_ports_of_their_boxes(text: str) -> None:
    scene = lay_out(routed(text))
    boxes = [panel for panel in scene.panels if panel.x == scene.panels[0].x]
    ends = [(line.x1, line.y1) for line in scene.lines if line.kind == "connects"]
    ends += [(loop.x, y) for loop in scene.loops for y in (loop.y1, loop.y2)]
    assert ends
    for x, y in ends:
        assert any(panel.x + panel.width == x and panel.y < y < panel.y + panel.height for panel in boxes)
    ET.fromstring(svg.render_svg([routed(text)]))


def test_hostile_service_names_are_escaped() -> None:
    hostile = '"<script>`]\\e[31m'
    services = ROUTED.replace(
        "kind: Service\nmetadata:\n  name: reports", f"kind: Service\nmetadata:\n  name: '{hostile}'"
    )
    pod = routed(services)
    assert pod.routes
    for shown in (svg.render_svg([pod]), tree.render_mermaid([pod])):
        assert "<script>" not in shown
    assert "\x1b" not in tree.render_tree([pod], color=False, width=80)


POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {a: b}}\nspec: {containers: [{name: a, image: a}]}\n"
SERVICES = POD + "".join(
    f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: s{number}}}\nspec: {{selector: {{a: b}}, ports: [{{port: 80}}]}}\n"
    for number in range(105)
)


def test_services_beyond_a_limit_are_counted() -> None:
    (drawn,) = read_pods(SERVICES, Options(), services=list(read_services(SERVICES)))
    assert len(drawn.routes) == 100
    assert "from    5 more Services" in tree.render_tree([drawn], color=False, width=80)
    assert '(["5 more Services"])' in tree.render_mermaid([drawn])
    assert "5 more Services not listed." in tree.render_pod_sections([drawn])
    assert "Not drawn: 5 more Services" in svg.render_svg([drawn])


@pytest.mark.parametrize("format_name", ["mermaid", "svg", "markdown"])
def test_services_beyond_a_limit_are_a_note(tmp_path: Path, format_name: str) -> None:
    outcome = run(f"sidecarctl graph --format {format_name}", tmp_path, stdin=SERVICES)
    assert outcome.stderr == "note: the graph leaves out 5 Services that lead to Pod/a\n"


def test_ports_of_one_service_beyond_a_limit_are_counted() -> None:
    ports = ", ".join(f"{{name: p{number}, port: {number}}}" for number in range(1, 106))
    text = f"{POD}---\napiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {{selector: {{a: b}}, ports: [{ports}]}}\n"
    (drawn,) = read_pods(text, Options(), services=list(read_services(text)))
    assert len(drawn.routes) == 100
    assert "1 more Service not listed." in tree.render_pod_sections([drawn])
