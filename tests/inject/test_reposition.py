"""An upgrade moves the containers of a sidecar if their place changes, and keeps the order that a person chose."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command import run

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  initContainers:
  - name: migrate
    image: registry.example/web:1.0.0
  containers:
  - name: web
    image: registry.example/web:1.0.0
"""
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: platform}
spec:
  libraries: [./lib]
  rules:
  - select: {all: true}
    sidecars: SIDECARS
"""


def write_version(root: Path, name: str, version: str, containers: str = "", init: str = "", **spec: Any) -> None:
    """Write a version of a sidecar with containers whose names are separated by spaces."""
    directory = root / "lib" / f"{name}@{version}"
    directory.mkdir(parents=True)
    metadata = {"name": name, "version": version, "summary": "For a test."}
    content = {"apiVersion": "sidecarctl.dev/v1alpha1", "kind": "Sidecar", "metadata": metadata}
    (directory / "sidecar.yaml").write_text(yaml.safe_dump({**content, "spec": {"engine": "plain", **spec}}))
    resources = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}
    fragment = {
        field: [{"name": each, "image": f"registry.example/{each}:{version}", "resources": resources} for each in names]
        for field, names in (("initContainers", init.split()), ("containers", (containers or name).split()))
        if names
    }
    (directory / "template.yaml").write_text(yaml.safe_dump(fragment))


def write(root: Path, words: str, text: str = POD) -> str:
    library = "--library lib" if words.startswith(("add", "upgrade")) else ""
    done = run(f"sidecarctl {words} {library} -f -", root, stdin=text)
    assert done.code == 0, done.stderr
    return done.stdout


def render(root: Path, sidecars: str, text: str = POD) -> str:
    (root / "sidecarctl.yaml").write_text(COMPOSITION.replace("SIDECARS", sidecars))
    return write(root, "render", text)


def order(text: str, field: str = "initContainers") -> list[str]:
    return [each["name"] for each in yaml.safe_load(text)["spec"][field]]


def reorder(text: str, names: str) -> str:
    """Give the init containers another order, as a person does."""
    pod = yaml.safe_load(text)
    items = {each["name"]: each for each in pod["spec"]["initContainers"]}
    pod["spec"]["initContainers"] = [items[name] for name in names.split()]
    return yaml.safe_dump(pod, sort_keys=False)


@pytest.mark.parametrize("mode", ["native", "init", "classic"])
@pytest.mark.parametrize(("before", "now"), [("last", "first"), ("first", "last")])
@pytest.mark.parametrize("containers", ["helper second", "second helper"])
def test_new_container_is_written_if_the_position_changes(
    containers: str, before: str, now: str, mode: str, tmp_path: Path
) -> None:
    write_version(tmp_path, "helper", "1.0.0")
    write_version(tmp_path, "helper", "2.0.0", containers, "prepare")
    old = write(tmp_path, f"add helper@1.0.0 --mode {mode} --position {before}")
    new = write(tmp_path, f"upgrade --set helper.position={now}", old)
    assert new == write(tmp_path, f"add helper --mode {mode} --position {now}")
    assert "in sync" in run("sidecarctl status --library lib -f -", tmp_path, stdin=new).stdout
    assert write(tmp_path, "remove helper", new) == POD


def test_render_writes_a_new_container_if_the_position_changes(tmp_path: Path) -> None:
    write_version(tmp_path, "helper", "1.0.0")
    old = render(tmp_path, "[{name: helper, position: last}]")
    write_version(tmp_path, "helper", "2.0.0", init="prepare")
    rule = "[{name: helper, position: first}]"
    assert render(tmp_path, rule, old) == render(tmp_path, rule)


def test_moved_container_keeps_edits_and_loses_removed_containers(tmp_path: Path) -> None:
    write_version(tmp_path, "helper", "1.0.0", "helper second")
    write_version(tmp_path, "helper", "2.0.0", "helper third")
    old = write(tmp_path, "add helper@1.0.0 --position last").replace("cpu: 10m", "cpu: 20m", 1)
    new = write(tmp_path, "upgrade --set helper.position=first", old)
    assert order(new) == ["helper", "third", "migrate"]
    helper = yaml.safe_load(new)["spec"]["initContainers"][0]
    assert (helper["image"], helper["resources"]["requests"]["cpu"]) == ("registry.example/helper:2.0.0", "20m")


@pytest.mark.parametrize("position", ["last", "after=migrate"])
def test_upgrade_moves_a_sidecar_whose_position_is_unset(position: str, tmp_path: Path) -> None:
    write_version(tmp_path, "helper", "1.0.0")
    old = write(tmp_path, f"add helper --position {position}")
    assert order(old) == ["migrate", "helper"]
    for options in ("--unset helper.position", "--reset-values"):
        assert write(tmp_path, f"upgrade {options}", old) == write(tmp_path, "add helper")
    assert write(tmp_path, "add helper --unset helper.position", old) == write(tmp_path, "add helper")


def test_render_moves_a_sidecar_whose_rule_has_no_position_now(tmp_path: Path) -> None:
    write_version(tmp_path, "helper", "1.0.0")
    write_version(tmp_path, "other", "1.0.0")
    old = render(tmp_path, "[{name: helper, position: last}, {name: other, position: last}]")
    assert order(old) == ["migrate", "helper", "other"]
    rule = "[helper, {name: other, position: last}]"
    assert render(tmp_path, rule, old) == render(tmp_path, rule)


@pytest.mark.parametrize("mode", ["native", "init", "classic"])
@pytest.mark.parametrize(("before", "now"), [("before-init", "after-init"), ("after-init", "before-init")])
def test_upgrade_moves_a_sidecar_whose_start_changes(before: str, now: str, mode: str, tmp_path: Path) -> None:
    write_version(tmp_path, "helper", "1.0.0", init="prepare", start=before)
    write_version(tmp_path, "helper", "2.0.0", init="prepare", start=now)
    new = write(tmp_path, f"add helper@2.0.0 --mode {mode}")
    assert write(tmp_path, "upgrade", write(tmp_path, f"add helper@1.0.0 --mode {mode}")) == new
    assert write(tmp_path, "upgrade", new) == new
    assert write(tmp_path, "upgrade helper@1.0.0", new) == write(tmp_path, f"add helper@1.0.0 --mode {mode}")


def test_position_overrides_a_changed_start(tmp_path: Path) -> None:
    write_version(tmp_path, "helper", "1.0.0")
    write_version(tmp_path, "helper", "2.0.0", start="after-init")
    assert order(write(tmp_path, "upgrade", write(tmp_path, "add helper@1.0.0 --position first"))) == [
        "helper",
        "migrate",
    ]


@pytest.mark.parametrize(
    ("options", "change", "person"),
    [
        ("@1.0.0 --position last", "@1.0.0 --unset helper.position", "migrate prepare helper load"),
        ("@1.0.0 --position last", "@1.0.0 --unset helper.position", "prepare migrate load helper"),
        ("@1.0.0", "@2.0.0", "migrate prepare helper load"),
        ("@1.0.0", "@2.0.0", "prepare migrate helper load"),
        ("@2.0.0", "@1.0.0", "migrate prepare helper load"),
    ],
)
def test_sidecar_that_a_person_moved_stays(options: str, change: str, person: str, tmp_path: Path) -> None:
    write_version(tmp_path, "helper", "1.0.0", init="prepare")
    write_version(tmp_path, "helper", "2.0.0", init="prepare", start="after-init")
    pod = POD.replace("  containers:", "  - name: load\n    image: registry.example/web:1.0.0\n  containers:")
    moved = reorder(write(tmp_path, f"add helper{options}", pod), person)
    assert order(write(tmp_path, f"upgrade helper{change}", moved)) == person.split()


def test_sidecar_stays_if_its_former_start_is_not_known(tmp_path: Path) -> None:
    write_version(tmp_path, "helper", "1.0.0")
    old = write(tmp_path, "add helper")
    placed = write(tmp_path, "add helper --position last")
    (tmp_path / "lib" / "helper@1.0.0").rename(tmp_path / "gone")
    write_version(tmp_path, "helper", "2.0.0", start="after-init")
    assert order(write(tmp_path, "upgrade", old)) == ["helper", "migrate"]
    write_version(tmp_path, "helper", "3.0.0")
    assert order(write(tmp_path, "upgrade --unset helper.position", placed)) == ["helper", "migrate"]


def test_upgrade_moves_a_sidecar_behind_those_that_it_starts_after(tmp_path: Path) -> None:
    write_version(tmp_path, "server", "1.0.0")
    write_version(tmp_path, "server", "2.0.0", startsAfter=["issuer"])
    write_version(tmp_path, "other", "1.0.0")
    write_version(tmp_path, "issuer", "1.0.0")
    old = write(tmp_path, "add server@1.0.0 other issuer")
    assert order(old) == ["server", "other", "issuer", "migrate"]
    new = write(tmp_path, "upgrade", old)
    assert order(new) == ["other", "issuer", "server", "migrate"]
    assert write(tmp_path, "upgrade", new) == new
    assert write(tmp_path, "upgrade server@1.0.0", new) == old
    (tmp_path / "lib" / "server@1.0.0").rename(tmp_path / "gone")
    assert write(tmp_path, "upgrade", old) == new


@pytest.mark.parametrize("before", ["[server]", "[server, issuer]"])
def test_render_moves_a_sidecar_behind_those_that_it_starts_after(before: str, tmp_path: Path) -> None:
    write_version(tmp_path, "server", "1.0.0")
    write_version(tmp_path, "issuer", "1.0.0")
    old = render(tmp_path, before)
    write_version(tmp_path, "server", "2.0.0", startsAfter=["issuer"])
    assert order(render(tmp_path, "[server, issuer]", old)) == ["issuer", "server", "migrate"]


def test_sidecar_moves_behind_an_init_container_that_it_starts_after(tmp_path: Path) -> None:
    write_version(tmp_path, "helper", "1.0.0")
    write_version(tmp_path, "helper", "2.0.0", startsAfter=["migrate"])
    old = write(tmp_path, "add helper@1.0.0")
    assert write(tmp_path, "upgrade", old) == write(tmp_path, "add helper")
    assert write(tmp_path, "upgrade helper@1.0.0", write(tmp_path, "add helper")) == old


def test_sidecar_stays_before_those_that_start_after_it(tmp_path: Path) -> None:
    write_version(tmp_path, "issuer", "1.0.0")
    write_version(tmp_path, "issuer", "2.0.0", start="after-init")
    write_version(tmp_path, "server", "1.0.0", startsAfter=["issuer"])
    old = write(tmp_path, "add issuer@1.0.0 server")
    assert order(write(tmp_path, "upgrade", old)) == ["issuer", "server", "migrate"]


def test_own_parameter_named_position_moves_nothing(tmp_path: Path) -> None:
    own = {"parameters": {"properties": {"position": {"type": "string", "default": "left"}}}}
    write_version(tmp_path, "helper", "1.0.0", **own)
    moved = reorder(write(tmp_path, "add helper"), "migrate helper")
    assert order(write(tmp_path, "upgrade --set helper.position=first", moved)) == ["migrate", "helper"]


STARTS = {"1.0.0": {}, "2.0.0": {"start": "after-init"}, "3.0.0": {"startsAfter": ["other"]}}
PLACES = [(version, position) for version in STARTS for position in ("", "last", "after=other")]


@pytest.mark.parametrize(("before", "now"), list(product(PLACES, PLACES)))
def test_upgrade_gives_the_order_of_a_new_sidecar(
    before: tuple[str, str], now: tuple[str, str], tmp_path: Path
) -> None:
    for version, spec in STARTS.items():
        write_version(tmp_path, "helper", version, init="prepare", **spec)
    write_version(tmp_path, "other", "1.0.0")

    def new(version: str, position: str) -> str:
        text = write(tmp_path, "add other")
        return write(tmp_path, f"add helper@{version} {f'--position {position}' if position else ''}", text)

    change = f"--set helper.position={now[1]}" if now[1] else "--unset helper.position"
    change = change.replace("position=after=", "position.after=")
    assert write(tmp_path, f"upgrade helper@{now[0]} {change}", new(*before)) == new(*now)


def test_new_init_container_is_beside_its_sidecar(tmp_path: Path) -> None:
    write_version(tmp_path, "helper", "1.0.0")
    write_version(tmp_path, "other", "1.0.0")
    old = write(tmp_path, "add other --position last", write(tmp_path, "add helper --position last"))
    write_version(tmp_path, "helper", "2.0.0", "helper second", "prepare")
    assert order(write(tmp_path, "upgrade", old)) == ["migrate", "prepare", "helper", "second", "other"]


def test_init_container_of_a_sidecar_that_becomes_classic_moves(tmp_path: Path) -> None:
    write_version(tmp_path, "helper", "1.0.0", init="prepare")
    old = write(tmp_path, "add helper --position last")
    classic = write(tmp_path, "add helper --mode classic --position last")
    assert write(tmp_path, "upgrade", classic) == classic
    assert write(tmp_path, "add helper --mode classic", old) == classic


def test_sidecar_moves_behind_all_init_containers_of_the_app(tmp_path: Path) -> None:
    pod = POD.replace("  containers:", "  - name: load\n    image: registry.example/web:1.0.0\n  containers:")
    write_version(tmp_path, "helper", "1.0.0")
    write_version(tmp_path, "other", "1.0.0")
    old = write(tmp_path, "add other --position after=migrate", write(tmp_path, "add helper", pod))
    write_version(tmp_path, "helper", "2.0.0", start="after-init")
    new = write(tmp_path, "upgrade", old)
    assert order(new) == ["migrate", "other", "load", "helper"]
    assert order(write(tmp_path, "upgrade helper@1.0.0", new)) == ["helper", "migrate", "other", "load"]


def test_sidecar_moves_behind_one_that_moves_in_the_same_run(tmp_path: Path) -> None:
    write_version(tmp_path, "issuer", "1.0.0")
    write_version(tmp_path, "server", "1.0.0")
    old = render(tmp_path, "[issuer, {name: server, position: last}]")
    write_version(tmp_path, "server", "2.0.0", start="after-init", startsAfter=["issuer"])
    rule = "[{name: issuer, position: last}, server]"
    assert order(render(tmp_path, rule, old)) == order(render(tmp_path, rule)) == ["migrate", "issuer", "server"]


@pytest.mark.parametrize(
    "order", ["[{name: one, position: {before: three}}, three]", "[three, {name: one, position: {before: three}}]"]
)
def test_position_that_a_new_mode_makes_impossible_is_refused_by_the_run_that_brings_it(
    order: str, tmp_path: Path
) -> None:
    write_version(tmp_path, "one", "1.0.0", mode="classic")
    write_version(tmp_path, "three", "1.0.0", mode="classic")
    old = render(tmp_path, "[three]")
    write_version(tmp_path, "three", "2.0.0", mode="native")
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.replace("SIDECARS", order))
    done = run("sidecarctl render -f -", tmp_path, stdin=old)
    assert (done.code, done.stdout) == (2, "")
    assert 'a classic sidecar cannot start before container "three"' in done.stderr


def test_upgrade_keeps_the_place_of_a_sidecar_whose_recorded_position_another_mode_made_impossible(
    tmp_path: Path,
) -> None:
    write_version(tmp_path, "one", "1.0.0", mode="classic")
    write_version(tmp_path, "three", "1.0.0", mode="classic")
    old = write(tmp_path, "add three")
    old = write(tmp_path, "add one --set one.position.before=three", old)
    write_version(tmp_path, "three", "2.0.0", mode="native")
    write_version(tmp_path, "one", "2.0.0", mode="classic")
    alone = write(tmp_path, "upgrade three", old)
    both = write(tmp_path, "upgrade", old)
    assert order(both, "containers") == ["web", "one"]
    assert write(tmp_path, "upgrade", alone) == both == write(tmp_path, "upgrade", both)
    assert "in sync" in run("sidecarctl status --library lib -f -", tmp_path, stdin=both).stdout
    assert write(tmp_path, "remove one three", both) == POD
    explicit = run("sidecarctl upgrade one --library lib --set one.position.before=three -f -", tmp_path, stdin=both)
    assert explicit.code == 2


def test_flow_manifest_gets_a_parameter_with_a_character_beyond_the_basic_plane(tmp_path: Path) -> None:
    pod = "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: web, image: 'web:1'}]}}\n"
    write_version(tmp_path, "one", "1.0.0")
    new = write(tmp_path, "add one --set env[0].name=FACE --set env[0].value=😀", pod)
    assert yaml.safe_load(new)["spec"]["initContainers"][0]["env"] == [{"name": "FACE", "value": "😀"}]
    assert "in sync" in run("sidecarctl status --library lib -f -", tmp_path, stdin=new).stdout
    assert write(tmp_path, "remove one", new) == pod
