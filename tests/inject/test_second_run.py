"""A second run changes nothing, also if sidecars of the first one gave up what others use."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sidecarctl
from tests.command import Outcome, run
from tests.manifests import stream, workload

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web # the shop's
spec:
  containers:
  - name: web
    image: web:1.0.0
"""
_ROOT = tempfile.TemporaryDirectory(prefix="second-run-")  # deleted when the tests end


def write_version(library: Path, name: str, version: str, template: dict[str, Any]) -> None:
    """Write one version of a plain sidecar."""
    folder = library / f"{name}@{version}"
    folder.mkdir(parents=True)
    metadata = {"name": name, "version": version, "summary": "Shares things with others."}
    head = {"apiVersion": "sidecarctl.dev/v1alpha1", "kind": "Sidecar", "metadata": metadata}
    (folder / "sidecar.yaml").write_text(yaml.safe_dump({**head, "spec": {"engine": "plain"}}))
    (folder / "template.yaml").write_text(yaml.safe_dump(template))


def fragment(name: str, *directories: str, **pod: Any) -> dict[str, Any]:
    """Return a template: a container, and a volume that the app mounts at directories."""
    resources = {"requests": {"cpu": "5m", "memory": "8Mi"}, "limits": {"cpu": "50m", "memory": "16Mi"}}
    container: dict[str, Any] = {"name": name, "image": "tool:1.0.0", "resources": resources}
    if not any(directories):
        return {"containers": [container], "pod": pod}
    container["volumeMounts"] = [{"name": f"{name}-data", "mountPath": "/data"}]
    return {
        "containers": [container],
        "volumes": [{"name": f"{name}-data", "emptyDir": {"sizeLimit": "1Gi"}}],
        "app": {"volumeMounts": [{"name": f"{name}-data", "mountPath": each} for each in directories]},
        "pod": pod,
    }


def done(folder: Path, command: str, text: str, code: int = 0) -> Outcome:
    outcome = run(f"sidecarctl {command} --library library", folder, stdin=text)
    assert outcome.code == code, outcome.stderr
    return outcome


@pytest.mark.parametrize(("former", "needed"), [(40, 60), (60, 40)])
@pytest.mark.parametrize("first", ["one", "two"])
def test_a_setting_that_moves_to_another_sidecar_gets_the_new_value_at_once(
    former: int, needed: int, first: str, tmp_path: Path
) -> None:
    second = "two" if first == "one" else "one"
    write_version(tmp_path / "library", "one", "1.0.0", fragment("one", terminationGracePeriodSeconds=former))
    write_version(tmp_path / "library", "one", "1.1.0", fragment("one"))
    write_version(tmp_path / "library", "two", "1.0.0", fragment("two"))
    write_version(tmp_path / "library", "two", "1.1.0", fragment("two", terminationGracePeriodSeconds=needed))
    text = done(tmp_path, f"add {first}@1.0.0 {second}@1.0.0", POD).stdout
    upgraded = done(tmp_path, "upgrade", text)
    assert f"terminationGracePeriodSeconds: {needed}\n" in upgraded.stdout
    assert "grace-too-short" not in upgraded.stderr
    assert done(tmp_path, "upgrade", upgraded.stdout).stdout == upgraded.stdout
    assert run("sidecarctl remove --all", tmp_path, stdin=upgraded.stdout).stdout == POD


def test_a_value_that_another_sidecar_kept_out_is_set_when_it_goes(tmp_path: Path) -> None:
    for name, group in (("one", 2000), ("two", 3000)):
        write_version(tmp_path / "library", name, "1.0.0", fragment(name))
        write_version(tmp_path / "library", name, "1.1.0", fragment(name, securityContext={"fsGroup": group}))
        write_version(tmp_path / "library", name, "1.2.0", fragment(name))
    text = done(tmp_path, "add two@1.0.0 one@1.1.0", POD).stdout
    upgraded = done(tmp_path, "upgrade two@1.1.0 one@1.2.0", text)
    assert "fsGroup: 3000" in upgraded.stdout
    assert "pod-setting-kept" not in upgraded.stderr
    assert done(tmp_path, "upgrade two@1.1.0 one@1.2.0", upgraded.stdout).stdout == upgraded.stdout


def test_a_sleep_keeps_the_grace_period_that_a_later_sidecar_sets(tmp_path: Path) -> None:
    drain = fragment("drain")
    drain["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 35}}}
    write_version(tmp_path / "library", "drain", "1.0.0", drain)
    write_version(tmp_path / "library", "slow", "1.0.0", fragment("slow", terminationGracePeriodSeconds=60))
    text = done(tmp_path, "add drain slow", POD).stdout
    assert text.index("name: drain") < text.index("name: slow")
    assert done(tmp_path, "add drain slow", text).stdout == text
    left = run("sidecarctl remove slow", tmp_path, stdin=text)
    assert (left.code, "terminationGracePeriodSeconds: 60" in left.stdout) == (0, True)
    assert run("sidecarctl remove drain", tmp_path, stdin=left.stdout).stdout == POD


def test_the_report_says_how_an_adopted_sidecar_differs(tmp_path: Path) -> None:
    write_version(tmp_path / "library", "one", "1.0.0", fragment("one"))
    write_version(tmp_path / "library", "two", "1.0.0", fragment("two", terminationGracePeriodSeconds=60))
    pasted = POD + "  - name: one\n    image: tool:0.9.0\n"
    for names in ("one", "one two"):
        adopted = done(tmp_path, f"add {names} --adopt", pasted)
        assert adopted.stderr.count("info[adopted-differs]") == 1
        assert "adopted unchanged" in adopted.stderr


def test_the_report_has_each_edit_of_a_person_once(tmp_path: Path) -> None:
    for version, image in (("1.0.0", "tool:1.0.0"), ("1.1.0", "tool:1.1.0")):
        two = fragment("two", terminationGracePeriodSeconds=60 if version == "1.1.0" else 30)
        two["containers"][0]["image"] = image
        write_version(tmp_path / "library", "two", version, two)
    write_version(tmp_path / "library", "one", "1.0.0", fragment("one", terminationGracePeriodSeconds=40))
    write_version(tmp_path / "library", "one", "1.1.0", fragment("one"))
    text = done(tmp_path, "add two@1.0.0 one@1.0.0", POD).stdout
    edited = text.replace("name: two\n    image: tool:1.0.0", "name: two\n    image: mirror/tool:1.0.0")
    assert edited != text
    upgraded = done(tmp_path, "upgrade --on-conflict keep", edited)
    assert upgraded.stderr.count("warning[upgrade-conflict]") == 1
    assert "mirror/tool:1.0.0" in upgraded.stdout
    assert "terminationGracePeriodSeconds: 60" in upgraded.stdout


def test_the_report_names_a_renamed_container(tmp_path: Path) -> None:
    grace = {("one", "1.0.0"): 40, ("two", "1.1.0"): 60}
    for name in ("one", "two"):
        for version in ("1.0.0", "1.1.0"):
            template = fragment(name, terminationGracePeriodSeconds=grace.get((name, version), 30))
            template["app"] = {"env": [{"name": f"{name.upper()}_HOST", "value": "localhost"}]}
            write_version(tmp_path / "library", name, version, template)
    text = done(tmp_path, "add two@1.0.0 one@1.0.0", POD).stdout
    renamed = text.replace("  - name: web\n    image: web", "  - name: shop\n    image: web")
    assert renamed != text
    upgraded = done(tmp_path, "upgrade --on-conflict keep", renamed)
    for name in ("one", "two"):
        assert upgraded.stderr.count(f"it keeps what {name} added") == 1


@pytest.mark.parametrize("first", ["one", "two"])
def test_an_edit_of_a_volume_that_all_give_up_is_a_conflict(first: str, tmp_path: Path) -> None:
    second = "two" if first == "one" else "one"
    for name in ("one", "two"):
        write_version(tmp_path / "library", name, "1.0.0", fragment(name, "/srv/shared"))
        write_version(tmp_path / "library", name, "1.1.0", fragment(name))
    text = done(tmp_path, f"add {first}@1.0.0 {second}@1.0.0", POD).stdout
    edited = text.replace("sizeLimit: 1Gi", "sizeLimit: 5Gi")
    assert edited != text
    refused = done(tmp_path, "upgrade", edited, 1)
    assert refused.stderr.count("error[upgrade-conflict]") == 1
    assert "sizeLimit: 5Gi" in done(tmp_path, "upgrade --on-conflict keep", edited).stdout


@pytest.mark.parametrize("late", [True, False], ids=["edited before the second", "edited after the second"])
@pytest.mark.parametrize("edited", ["one", "two"])
def test_a_shared_setting_that_a_person_changed_is_no_conflict_of_other_edits(
    late: bool, edited: str, tmp_path: Path
) -> None:
    for name, seconds in (("one", 40), ("two", 60)):
        template = fragment(name, terminationGracePeriodSeconds=seconds)
        template["containers"][0]["image"] = f"{name}:1.0.0"
        write_version(tmp_path / "library", name, "1.0.0", template)
    text = done(tmp_path, "add one" if late else "add one two", POD).stdout
    text = text.replace("terminationGracePeriodSeconds: 40", "terminationGracePeriodSeconds: 90")
    if late:
        text = done(tmp_path, "add one two", text).stdout
        assert done(tmp_path, "add one two", text).stdout == text
    changed = text.replace(f"image: {edited}:1.0.0", f"image: mirror/{edited}:1.0.0")
    assert changed.count("mirror/") == changed.count("terminationGracePeriodSeconds: 90") == 1
    again = done(tmp_path, "add one two", changed).stdout
    assert again.count("mirror/") == again.count("terminationGracePeriodSeconds: 90") == 1
    assert done(tmp_path, "upgrade", again).stdout == again


@pytest.mark.parametrize("known", [True, False], ids=["known version", "unknown version"])
def test_a_companion_that_a_conflict_keeps_is_removed_with_its_sidecar(known: bool, tmp_path: Path) -> None:
    template = fragment("one")
    template["documents"] = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"a": "1"}}]
    write_version(tmp_path / "library", "one", "1.0.0", template)
    text = done(tmp_path, "add one", POD).stdout
    write_version(tmp_path / "library", "one", "1.1.0", fragment("one"))
    if not known:
        shutil.rmtree(tmp_path / "library" / "one@1.0.0")
    edited = text.replace("a: '1'", "a: '2'").replace('a: "1"', 'a: "2"')
    assert edited != text
    kept = done(tmp_path, "upgrade --on-conflict keep", edited).stdout
    assert "kind: ConfigMap" in kept
    assert done(tmp_path, "upgrade --on-conflict keep", kept).stdout == kept
    enforced = done(tmp_path, "upgrade --enforce", kept)
    assert "kind: ConfigMap" not in enforced.stdout
    assert "edit-overwritten" in enforced.stderr
    removed = run("sidecarctl remove one", tmp_path, stdin=kept)
    assert (removed.stdout, "unlisted-companion" in removed.stderr) == (POD, False)


SETTINGS = {
    "terminationGracePeriodSeconds: 90": ({"terminationGracePeriodSeconds": 40}, "terminationGracePeriodSeconds: 40"),
    "fsGroup: 3000": ({"securityContext": {"fsGroup": 2000}}, "fsGroup: 2000"),
}


@pytest.mark.parametrize("edited", SETTINGS)
@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_an_edit_of_a_shared_setting_stays_when_one_sidecar_goes(
    edited: str, order: tuple[str, str], tmp_path: Path
) -> None:
    settings_, written = SETTINGS[edited]
    for name in ("one", "two"):
        write_version(tmp_path / "library", name, "1.0.0", fragment(name, **settings_))
    text = done(tmp_path, "add one two", POD).stdout.replace(written, edited)
    assert done(tmp_path, "upgrade", text).stdout == text
    left = run(f"sidecarctl remove {order[0]}", tmp_path, stdin=text).stdout
    assert edited in done(tmp_path, "upgrade", left).stdout
    assert run(f"sidecarctl remove {order[1]}", tmp_path, stdin=left).stdout == POD


@pytest.mark.parametrize("first", ["one", "two"])
def test_an_edit_of_an_inherited_volume_that_only_the_app_mounts_stays_or_is_a_conflict(
    first: str, tmp_path: Path
) -> None:
    write_version(tmp_path / "library", "two", "1.0.0", fragment("two", "/srv/c"))
    write_version(tmp_path / "library", "two", "1.1.0", fragment("two"))
    write_version(tmp_path / "library", "one", "1.0.0", fragment("one"))
    write_version(tmp_path / "library", "one", "1.1.0", common("one", "/srv/b", "/srv/c", mounts=False))
    text = done(tmp_path, "add two@1.0.0 one@1.0.0", POD).stdout
    edited = text.replace("sizeLimit: 1Gi", "sizeLimit: 5Gi")
    assert edited != text
    second = "two" if first == "one" else "one"
    upgraded = done(tmp_path, f"add {first}@1.1.0 {second}@1.1.0", edited, 0 if first == "one" else 1)
    assert ("upgrade-conflict" in upgraded.stderr) == (first == "two")
    assert ("sizeLimit: 5Gi" in upgraded.stdout) == (first == "one")
    if first == "one":
        assert done(tmp_path, "upgrade", upgraded.stdout).stdout == upgraded.stdout
        assert run("sidecarctl remove --all", tmp_path, stdin=upgraded.stdout).stdout == POD


def test_a_run_that_would_take_away_a_mount_that_a_sidecar_needs_is_refused(tmp_path: Path) -> None:
    directories = {
        "one": (["/srv/a"], ["/srv/a"], ["/srv/b", "/srv/c"]),
        "two": (["/srv/a"], ["/srv/b"], ["/srv/a", "/srv/c"]),
        "three": (["/srv/b"], ["/srv/b"], ["/srv/b"]),
    }
    for name, versions in directories.items():
        for number, mounts in enumerate(versions):
            write_version(tmp_path / "library", name, f"1.{number}.0", fragment(name, *mounts))
    text = done(tmp_path, "add two@1.0.0 one@1.0.0", POD).stdout
    text = done(tmp_path, "upgrade two@1.1.0 one@1.1.0", text).stdout
    refused = done(tmp_path, "add three@1.2.0 one@1.2.0 two@1.2.0", text, 1)
    assert "error[mount-conflict]" in refused.stderr
    assert refused.stdout == ""


def common(name: str, *directories: str, mounts: bool = True, image: str = "tool:1.0.0", **pod: Any) -> dict[str, Any]:
    """Return a template with the volume `common`, which other sidecars bring too. `mounts`: its container mounts it."""
    template = fragment(name, **pod)
    container = template["containers"][0]
    container["image"] = image
    if mounts:
        container["volumeMounts"] = [{"name": "common", "mountPath": "/data"}]
    template["volumes"] = [{"name": "common", "emptyDir": {"sizeLimit": "1Gi"}}]
    template["app"] = {"volumeMounts": [{"name": "common", "mountPath": each} for each in directories]}
    return template


def test_a_mount_that_moves_is_there_after_one_run_also_if_the_volume_changes_hands(tmp_path: Path) -> None:
    write_version(tmp_path / "library", "one", "1.0.0", common("one", "/srv/b", mounts=False))
    write_version(tmp_path / "library", "one", "1.1.0", common("one", "/srv/a", mounts=False))
    write_version(tmp_path / "library", "two", "1.0.0", common("two"))
    text = done(tmp_path, "add one@1.0.0 two", POD).stdout
    upgraded = done(tmp_path, "upgrade", text).stdout
    assert "mountPath: /srv/a\n" in upgraded
    assert done(tmp_path, "upgrade", upgraded).stdout == upgraded


def test_a_volume_that_several_bring_does_not_change_hands_again(tmp_path: Path) -> None:
    write_version(tmp_path / "library", "two", "1.0.0", common("two", "/srv/b"))
    for name, version in (("two", "1.1.0"), ("one", "1.1.0"), ("three", "1.1.0")):
        write_version(tmp_path / "library", name, version, common(name))
    write_version(tmp_path / "library", "one", "1.0.0", fragment("one"))
    text = done(tmp_path, "add two@1.0.0 one@1.0.0 three@1.1.0", POD).stdout
    upgraded = done(tmp_path, "upgrade", text).stdout
    assert upgraded != text
    assert done(tmp_path, "upgrade", upgraded).stdout == upgraded
    assert run("sidecarctl remove --all", tmp_path, stdin=upgraded).stdout == POD


def test_a_volume_that_goes_to_a_sidecar_that_mounts_it_for_two_containers_is_no_edit(tmp_path: Path) -> None:
    worker = f"{POD}  - name: worker\n    image: worker:1.0.0\n"
    group = {"securityContext": {"fsGroup": 3000}}
    write_version(tmp_path / "library", "one", "1.0.0", common("one", "/srv/d", **group))
    write_version(tmp_path / "library", "one", "1.1.0", fragment("one"))
    write_version(tmp_path / "library", "two", "1.0.0", fragment("two"))
    write_version(tmp_path / "library", "two", "1.1.0", common("two", "/srv/d", securityContext={"fsGroup": 2000}))
    text = done(tmp_path, "add two@1.0.0 --container *", worker).stdout
    upgraded = done(tmp_path, "upgrade", done(tmp_path, "add one@1.0.0", text).stdout)
    assert ("fsGroup: 2000" in upgraded.stdout, "pod-setting-kept" in upgraded.stderr) == (True, False)
    assert done(tmp_path, "upgrade", upgraded.stdout).stdout == upgraded.stdout
    assert run("sidecarctl remove --all", tmp_path, stdin=upgraded.stdout).stdout == worker


def test_an_edit_does_not_hide_the_base_of_a_sidecar_that_inherits_a_volume(tmp_path: Path) -> None:
    write_version(tmp_path / "library", "one", "1.0.0", common("one"))
    write_version(tmp_path / "library", "one", "1.1.0", fragment("one"))
    write_version(tmp_path / "library", "two", "1.0.0", common("two", "/srv/a", image="two:1.0.0"))
    text = done(tmp_path, "add one@1.0.0 two@1.0.0", POD).stdout
    text = text.replace("image: two:1.0.0", "image: mirror/two:1.0.0")
    upgraded = done(tmp_path, "upgrade", text).stdout
    assert "image: mirror/two:1.0.0" in upgraded
    assert done(tmp_path, "upgrade", upgraded).stdout == upgraded


def test_an_edit_is_known_also_if_a_later_sidecar_set_the_grace_period(tmp_path: Path) -> None:
    drain = fragment("two")
    write_version(tmp_path / "library", "two", "1.0.0", drain)
    drain["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": 35}}}
    write_version(tmp_path / "library", "two", "1.1.0", drain)
    write_version(tmp_path / "library", "one", "1.0.0", fragment("one", terminationGracePeriodSeconds=60))
    text = done(tmp_path, "add two@1.0.0", POD).stdout.replace("tool:1.0.0", "mirror/tool:1.0.0")
    added = done(tmp_path, "add two@1.1.0 one", text).stdout
    assert "mirror/tool:1.0.0" in added
    assert done(tmp_path, "add two@1.1.0 one", added).stdout == added


def test_what_another_sidecar_left_is_no_edit_for_a_later_upgrade(tmp_path: Path) -> None:
    given = "--set logDir=/srv/log"
    worker = f"{POD}  - name: worker\n    image: worker:1.0.0\n"
    text = run(f"sidecarctl add log-tail {given} --set path=a.log", tmp_path, stdin=worker).stdout
    text = run(f"sidecarctl add logger {given} --container *", tmp_path, stdin=text).stdout
    left = run("sidecarctl remove log-tail", tmp_path, stdin=text).stdout
    assert run("sidecarctl upgrade --check", tmp_path, stdin=left).code == 0
    edited = left.replace("/fluent-bit:", "/mirrored-fluent-bit:")
    changed = run("sidecarctl add logger --set resources.requests.cpu=7m", tmp_path, stdin=edited)
    assert (changed.code, edited != left) == (0, True), changed.stderr
    assert "/mirrored-fluent-bit:" in changed.stdout


@settings(
    max_examples=int(os.environ.get("SIDECARCTL_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.integers(min_value=0, max_value=2**32))
def test_a_second_render_changes_nothing_after_any_sequence_of_compositions(seed: int) -> None:
    rng = Random(seed)
    folder = Path(tempfile.mkdtemp(dir=_ROOT.name))
    names, versions = ("one", "two", "three"), ("1.0.0", "1.1.0", "1.2.0")
    for name in names:
        for version in versions:
            write_version(folder / "library", name, version, random_fragment(rng, name))
    session = sidecarctl.Session()
    text = stream(rng, [workload(rng, "web")])
    for _ in range(rng.randrange(2, 5)):
        write_composition(folder / "sidecarctl.yaml", rng, names, versions)
        result = session.render(text, folder / "sidecarctl.yaml")
        if result.failed:
            continue
        text = result.text
        again = session.render(text, folder / "sidecarctl.yaml")
        assert not again.failed
        assert again.text == text


def random_fragment(rng: Random, name: str) -> dict[str, Any]:
    settings_: dict[str, Any] = {}
    if rng.random() < 0.6:
        settings_["terminationGracePeriodSeconds"] = rng.choice((40, 60))
    if rng.random() < 0.6:
        settings_["securityContext"] = {"fsGroup": rng.choice((2000, 3000))}
    if rng.random() < 0.3:
        settings_["shareProcessNamespace"] = True
    return fragment(name, rng.choice(("", "/srv/a", "/srv/b", "/srv/c")), **settings_)


def write_composition(path: Path, rng: Random, names: tuple[str, ...], versions: tuple[str, ...]) -> None:
    chosen = rng.sample(names, rng.randrange(1, len(names) + 1))
    defaults = {name: {"version": rng.choice(versions)} for name in names}
    spec = {"libraries": ["library"], "defaults": defaults, "rules": [{"select": {"all": True}, "sidecars": chosen}]}
    head = {"apiVersion": "sidecarctl.dev/v1alpha1", "kind": "Composition", "metadata": {"name": "platform"}}
    path.write_text(yaml.safe_dump({**head, "spec": spec}))
