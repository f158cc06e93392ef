"""The reloader looks at what the app mounts, its probes ask its own port, and its script sends the signal it is told to."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from sidecar_cases import LIBRARY, argument, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("config-reloader")
NAMED = {"path": "/etc/app", "configMapName": "app"}


def reloader(*mounts: dict[str, Any], mode: str = "native", **params: Any) -> Fragment:
    container = {"name": "app", "image": "app:1", "volumeMounts": list(mounts)}
    pod = {"kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [container]}}
    return rendered("config-reloader", params={"watched-dir": [NAMED], **params}, manifest=pod, mode=mode)


def watched(fragment: Fragment) -> list[str]:
    (container,) = fragment.containers
    if "command" in container:
        return [str(each) for each in container["args"][3:]]
    return [each.split("=", 1)[1] for each in container["args"] if each.startswith("--watched-dir=")]


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_house_rules(case: str) -> None:
    assert breaches(rendered("config-reloader", case)) == []


@pytest.mark.parametrize("case", CASES)
def test_what_it_watches_is_mounted_in_it_and_in_the_app(case: str) -> None:
    fragment = rendered("config-reloader", case)
    (container,) = fragment.containers
    apps = {(each["name"], each["mountPath"]) for each in fragment.volume_mounts}
    own = {(each["name"], each["mountPath"]) for each in container["volumeMounts"]}
    assert apps and apps <= own
    for path in watched(fragment):
        volume = mounted(container, fragment, path)
        assert volume and volume["name"] in {name for name, _ in apps}


@pytest.mark.parametrize("case", ["deployment", "cronjob"])
def test_by_request_it_is_probed_where_it_listens(case: str) -> None:
    (container,) = rendered("config-reloader", case).containers
    (port,) = container["ports"]
    assert argument(container, "--listen-address") == f":{port['containerPort']}"
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": port["containerPort"]}


def test_a_directory_that_the_app_mounts_is_shared_with_it() -> None:
    expected = (LIBRARY / "config-reloader" / "tests" / "pod-restricted" / "expected.yaml").read_text()
    spec = next(yaml.safe_load_all(expected))["spec"]
    (sidecar,) = [each for each in spec["initContainers"] if each["name"] == "config-reloader"]
    (mount,) = [each for each in sidecar["volumeMounts"] if each["mountPath"] == "/srv/assets"]
    (app,) = [each for each in spec["containers"] if each["name"] == "web"]
    assert mount == {"name": "assets", "mountPath": "/srv/assets", "readOnly": True}
    assert mount in app["volumeMounts"]
    assert "emptyDir" not in str([each for each in spec["volumes"] if "watched" in each["name"]])


def test_a_directory_below_a_mount_is_watched_through_that_mount() -> None:
    fragment = reloader(
        {"name": "c", "mountPath": "/etc/app"}, **{"watched-dir": [{"path": "/etc/app/a"}, {"path": "/etc/app/b"}]}
    )
    assert watched(fragment) == ["/etc/app/a", "/etc/app/b"]
    assert [each["mountPath"] for each in fragment.volume_mounts] == ["/etc/app"]


def test_a_name_that_only_begins_alike_is_another_directory() -> None:
    with pytest.raises(LibraryError, match="has no volume mount at /etc/apps"):
        reloader({"name": "c", "mountPath": "/etc/app"}, **{"watched-dir": [{"path": "/etc/apps"}]})


def test_the_script_runs_from_where_it_is_mounted_with_what_was_asked() -> None:
    fragment = rendered("config-reloader", "pod-restricted")
    (container,) = fragment.containers
    shell, script = container["command"]
    volume = mounted(container, fragment, script)
    (document,) = fragment.documents
    assert volume and volume["configMap"]["name"] == document["metadata"]["name"]
    text = (LIBRARY / "config-reloader" / "reload.sh").read_text()
    assert (shell, document["data"][script.rsplit("/", 1)[1]].strip()) == ("/bin/sh", text.strip())
    assert container["args"] == ["portal-web", "USR1", "30", "/srv/assets", "/etc/portal/tls"]


@pytest.mark.parametrize(("interval", "seconds"), [("10s", "10"), ("2m", "120")])
def test_the_script_is_given_seconds(interval: str, seconds: str) -> None:
    params = {"reload-method": "signal", "process-executable-name": "app", "watch-interval": interval}
    assert reloader(**params).containers[0]["args"][2] == seconds


def test_the_script_sends_the_signal_after_a_change_and_only_then(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep
    program = tmp_path / f"app{tmp_path.stat().st_ino % 10**9}"
    shutil.copy(sleep, program)
    watched_dir = tmp_path / "watched"
    watched_dir.mkdir()
    (watched_dir / "a").write_text("1")
    app = subprocess.Popen([program, "60"])
    script = str(LIBRARY / "config-reloader" / "reload.sh")
    command = ["sh", script, program.name, "USR1", "0.1", str(watched_dir)]
    own = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.5)
        assert app.poll() is None
        (watched_dir / "a").write_text("2")
        assert app.wait(10) == -10
        own.terminate()
        said, _ = own.communicate(timeout=10)
        assert said.startswith(f"sent USR1 to {program.name}")
        assert own.returncode == 0
    finally:
        for each in (app, own):
            if each.poll() is None:
                each.kill()
                each.wait()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"mode": "init"}, "mode native or classic"),
        ({"reload-method": "signal"}, "set process-executable-name"),
        ({"process-executable-name": "app"}, "set reload-method=signal or remove it"),
        ({"watched-dir": [{"path": "/etc/app"}]}, "set configMapName or secretName"),
        ({"watched-dir": [NAMED, NAMED]}, "duplicate watched directory"),
        ({"watched-dir": [{**NAMED, "secretName": "app"}]}, "remove configMapName or secretName"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(params: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError, match=re.escape(said)):
        reloader(**params)


def test_a_mount_with_a_sub_path_is_refused() -> None:
    with pytest.raises(LibraryError, match="mount the whole directory in the app"):
        reloader({"name": "c", "mountPath": "/etc/app", "subPath": "a"})


def test_what_the_app_mounts_already_goes_before_what_is_named() -> None:
    (volume,) = reloader({"name": "c", "mountPath": "/etc/app"}).volumes
    assert set(volume) == {"name", "projected"}
    assert reloader({"name": "c", "mountPath": "/etc/app"}).volume_mounts[0]["mountPath"] == "/etc/app"


@pytest.mark.parametrize(
    "params",
    [
        {"watched-dir": []},
        {"watched-dir": [{"path": "etc"}]},
        {"reload-url": "http://user:password@127.0.0.1/"},
        {"watch-interval": "0s"},
        {"signal": "KILL"},
        {"port": 80},
    ],
)
def test_wrong_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        reloader(**params)
