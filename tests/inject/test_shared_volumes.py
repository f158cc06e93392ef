"""A volume that several sidecars share stays for the others when the one that added it is removed."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from tests.command import Outcome, run

WEB = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: web
    image: registry.example.com/web:1.0.0
"""
GIVEN = {
    "log-tail": "--set log-tail.logDir=/srv/log --set log-tail.path=a.log",
    "logger": "--set logger.logDir=/srv/log",
    "vector": "--set vector.logDir=/srv/log",
}
ADD = " ".join(("add", *GIVEN, *GIVEN.values()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "web.yaml").write_text(WEB)
    return tmp_path


def done(folder: Path, command: str, code: int = 0) -> Outcome:
    outcome = run(f"sidecarctl {command}", folder)
    assert outcome.code == code, outcome.stderr
    return outcome


@pytest.mark.parametrize("order", list(permutations(GIVEN)), ids="-".join)
def test_the_others_stay_in_sync_until_the_last_one_goes(order: tuple[str, ...], folder: Path) -> None:
    done(folder, f"{ADD} -f web.yaml -i")
    for number, name in enumerate(order[:-1], 1):
        done(folder, f"remove {name} -f web.yaml -i")
        assert "edited" not in done(folder, "status -f web.yaml --check").stdout
        done(folder, "upgrade web.yaml --check")
        for other in order[number:]:
            done(folder, f"add {other} -f web.yaml --check")
    done(folder, f"remove {order[-1]} -f web.yaml -i")
    assert (folder / "web.yaml").read_text() == WEB


def test_the_report_lists_only_what_goes(folder: Path) -> None:
    done(folder, f"{ADD} -f web.yaml -i")
    said = done(folder, "remove log-tail -f web.yaml -i").stderr
    assert "container log-tail" in said
    assert "volume" not in said
    assert "mount" not in said


def test_inherited_volume_goes_when_the_directory_changes(folder: Path) -> None:
    done(folder, f"{ADD} -f web.yaml -i")
    done(folder, "remove log-tail vector -f web.yaml -i")
    assert "log-tail-logs" in (folder / "web.yaml").read_text()
    done(folder, "add logger --set logDir=/srv/other -f web.yaml -i")
    text = (folder / "web.yaml").read_text()
    assert "log-tail-logs" not in text
    assert "/srv/log\n" not in text
    assert "name: logger-logs" in text


def test_an_edit_of_the_inherited_mount_is_an_edit(folder: Path) -> None:
    done(folder, f"{ADD} -f web.yaml -i")
    done(folder, "remove log-tail vector -f web.yaml -i")
    text = (folder / "web.yaml").read_text()
    mount = "    - name: log-tail-logs\n      mountPath: /srv/log\n      readOnly: true\n"
    assert text.count(mount) == 1
    (folder / "web.yaml").write_text(text.replace(mount, mount.replace("      readOnly: true\n", "")))
    assert "edited" in done(folder, "status -f web.yaml --check", 1).stdout


def test_composition_without_the_first_rule_keeps_the_other_sidecar_in_sync(folder: Path) -> None:
    rules = [
        f"  - select: {{all: true}}\n    sidecars: [{{name: {name}, parameters: {{{given}}}}}]\n"
        for name, given in (("log-tail", "logDir: /srv/log, path: a.log"), ("logger", "logDir: /srv/log"))
    ]
    head = "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: web}\nspec:\n  rules:\n"
    (folder / "sidecarctl.yaml").write_text(head + "".join(rules))
    done(folder, "render -f web.yaml -i")
    (folder / "sidecarctl.yaml").write_text(head + rules[1])
    done(folder, "render -f web.yaml -i")
    done(folder, "render -f web.yaml --check")
    done(folder, "status -f web.yaml --check")


def test_the_name_of_an_instance_removes_no_other_instance_of_the_sidecar(folder: Path) -> None:
    done(folder, f"add log-tail {GIVEN['log-tail']} -f web.yaml -i")
    one = (folder / "web.yaml").read_text()
    done(folder, f"add log-tail --as second {GIVEN['log-tail']} -f web.yaml -i")
    both = (folder / "web.yaml").read_text()
    done(folder, "remove second -f web.yaml -i")
    assert (folder / "web.yaml").read_text() == one
    (folder / "web.yaml").write_text(both)
    done(folder, "remove log-tail -f web.yaml -i")
    assert "name: second" in (folder / "web.yaml").read_text()
    done(folder, "remove log-tail -f web.yaml -i")
    assert (folder / "web.yaml").read_text() == WEB


# ---- changes of the sidecar that added the volume ----------------------------------------------------------------


def test_volume_and_mount_stay_when_the_first_sidecar_moves_to_another_directory(folder: Path) -> None:
    done(folder, f"{ADD} -f web.yaml -i")
    done(folder, "add log-tail --set logDir=/srv/other -f web.yaml -i")
    text = (folder / "web.yaml").read_text()
    app = text[text.index("  - name: web\n") :]
    assert "- name: log-tail-logs\n      mountPath: /srv/log\n" in app
    assert "in sync" in done(folder, "status -f web.yaml --check").stdout
    for other in ("logger", "vector"):
        done(folder, f"add {other} -f web.yaml --check")
    done(folder, "add log-tail --set logDir=/srv/log -f web.yaml -i")
    done(folder, "remove --all -f web.yaml -i")
    assert (folder / "web.yaml").read_text() == WEB


def test_heir_that_moves_leaves_the_volume_to_the_others(folder: Path) -> None:
    done(folder, f"{ADD} -f web.yaml -i")
    done(folder, "remove log-tail -f web.yaml -i")
    done(folder, "add log-tail --set log-tail.logDir=/srv/log --set log-tail.path=a.log -f web.yaml -i")
    done(folder, "add logger --set logDir=/srv/other -f web.yaml -i")
    assert "in sync" in done(folder, "status -f web.yaml --check").stdout
    done(folder, "remove --all -f web.yaml -i")
    assert (folder / "web.yaml").read_text() == WEB


def test_volume_that_comes_back_is_its_own_again(folder: Path) -> None:
    done(folder, f"{ADD} -f web.yaml -i")
    done(folder, "add log-tail --set logDir=/srv/other -f web.yaml -i")
    done(folder, "remove logger vector -f web.yaml -i")
    assert "edited" not in done(folder, "status -f web.yaml").stdout
    upgraded = done(folder, "upgrade -f web.yaml -i")
    assert "conflict" not in upgraded.stderr
    text = (folder / "web.yaml").read_text()
    assert "mountPath: /srv/log\n" not in text
    assert text.count("mountPath: /srv/other\n") == 2
    assert "in sync" in done(folder, "status -f web.yaml --check").stdout
    done(folder, "remove log-tail -f web.yaml -i")
    assert (folder / "web.yaml").read_text() == WEB


@pytest.mark.parametrize("choice", ["keep", "overwrite"])
def test_an_inherited_volume_is_recorded_once_after_a_conflict(choice: str, folder: Path) -> None:
    done(folder, f"{ADD} -f web.yaml -i")
    done(folder, "remove log-tail vector -f web.yaml -i")
    text = (folder / "web.yaml").read_text()
    edited = text.replace("cpu: 50m", "cpu: 55m", 1)
    assert edited != text
    (folder / "web.yaml").write_text(edited)
    done(folder, f"add logger --set resources.requests.cpu=30m --on-conflict {choice} -f web.yaml -i")
    assert "in sync" in done(folder, "status -f web.yaml").stdout or choice == "keep"
    done(folder, "remove logger -f web.yaml -i")
    assert (folder / "web.yaml").read_text() == WEB


def test_edit_of_a_mount_of_a_volume_that_came_back_is_an_edit(folder: Path) -> None:
    done(folder, f"{ADD} -f web.yaml -i")
    done(folder, "add log-tail --set logDir=/srv/other -f web.yaml -i")
    done(folder, "remove logger vector -f web.yaml -i")
    text = (folder / "web.yaml").read_text()
    edited = text.replace("mountPath: /srv/other\n", "mountPath: /srv/other\n      subPath: x\n")
    (folder / "web.yaml").write_text(edited)
    assert "edited" in done(folder, "status -f web.yaml --check", 1).stdout


def test_volume_stays_when_the_first_sidecar_uses_one_of_the_app(folder: Path) -> None:
    web = WEB + "    volumeMounts:\n    - {name: data, mountPath: /data}\n  volumes:\n  - {name: data, emptyDir: {}}\n"
    (folder / "web.yaml").write_text(web)
    done(folder, f"{ADD} -f web.yaml -i")
    done(folder, "add log-tail --set logDir=/data -f web.yaml -i")
    assert "in sync" in done(folder, "status -f web.yaml --check").stdout
    done(folder, "remove --all -f web.yaml -i")
    assert (folder / "web.yaml").read_text() == web


def test_volume_of_the_parameter_volumes_stays_for_the_other_sidecar(folder: Path) -> None:
    extra = "{volumes: [{name: certs, emptyDir: {}}], volumeMounts: [{name: certs, mountPath: /certs}]}"
    (folder / "values.yaml").write_text(f"log-tail: {extra}\nlogger: {extra}\n")
    done(folder, "add log-tail logger --values values.yaml -f web.yaml -i")
    done(folder, "add log-tail --unset volumes --unset volumeMounts -f web.yaml -i")
    assert "name: certs" in (folder / "web.yaml").read_text()
    assert "in sync" in done(folder, "status -f web.yaml --check").stdout
    done(folder, "remove --all -f web.yaml -i")
    assert (folder / "web.yaml").read_text() == WEB


METADATA = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {name: NAME, version: VERSION, summary: A test.}
spec: {engine: jinja}
"""
TEMPLATE = """\
containers:
- name: {{ instance | quote }}
  image: agent:VERSION
  volumeMounts: [{name: logs, mountPath: /s/logs}]
volumes: [{name: logs, emptyDir: {sizeLimit: 1Gi}}]
"""
MOUNT = "app: {volumeMounts: [{name: logs, mountPath: /app/logs}]}\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: web, image: 'web:1'}\n"
APP_VOLUME = "  volumes:\n  - {name: logs, emptyDir: {sizeLimit: 1Gi}}\n"


def write_versions(folder: Path, *options: str, path: str = "/app/logs", name: str = "mine") -> None:
    """Write versions 1.0.0, 2.0.0, and so on of a sidecar that mounts a volume of the app with these options."""
    for number, option in enumerate(options, 1):
        home = folder / "sidecars" / f"{name}@{number}.0.0"
        home.mkdir(parents=True, exist_ok=True)
        version = f"{number}.0.0"
        (home / "sidecar.yaml").write_text(METADATA.replace("NAME", name).replace("VERSION", version))
        mount = MOUNT.replace("/app/logs", f"{path}, {option}" if option else path)
        (home / "template.yaml.j2").write_text(TEMPLATE.replace("VERSION", version) + mount)


@pytest.mark.parametrize(
    "second", [("subPath: x", "/app/logs"), ("readOnly: true", "/app/logs"), ("", "/app/logs/"), ("", "/app/logs")]
)
def test_second_add_of_a_sidecar_with_the_mount_of_another_one_changes_nothing(
    second: tuple[str, str], tmp_path: Path
) -> None:
    write_versions(tmp_path, "", name="one")
    write_versions(tmp_path, second[0], path=second[1], name="two")
    (tmp_path / "pod.yaml").write_text(POD + APP_VOLUME)
    done(tmp_path, "add one pod.yaml -i")
    done(tmp_path, "add two pod.yaml -i")
    after = (tmp_path / "pod.yaml").read_text()
    assert "{name: logs, mountPath: /app/logs}" in after
    done(tmp_path, "add two pod.yaml --check")
    done(tmp_path, "add one two pod.yaml --check")
    done(tmp_path, "remove two pod.yaml -i")
    assert "{name: logs, mountPath: /app/logs}" in (tmp_path / "pod.yaml").read_text()
    done(tmp_path, "remove one pod.yaml -i")
    assert (tmp_path / "pod.yaml").read_text() == POD + APP_VOLUME
