"""The renewer's variables are step's flags, its files are where its mounts say, and its script gets, renews and tells."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from sidecar_cases import LIBRARY, all_containers, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError
from tests.command import run

CASES = cases("cert-renewer")
MODES = ("native", "classic", "init")
SCRIPT = LIBRARY / "cert-renewer" / "renewer.sh"
PRINT = "0d7d3834cf187726cf331c40a31aa7ef6b29ba4df601416c9788f6ee01058cf3"
# What step 0.30.6 knows: `step ca certificate`, `step ca renew` and `step ca root` read each flag from such a variable.
FLAGS = {
    *("STEP_CA_URL", "STEP_FINGERPRINT", "STEP_ROOT", "STEP_PROVISIONER", "STEP_PROVISIONER_PASSWORD_FILE", "STEP_SAN"),
    *("STEP_NOT_AFTER", "STEP_KTY", "STEP_SIZE", "STEP_EXPIRES_IN", "STEP_RENEW_PERIOD", "STEP_MTLS"),
}


def renewer(*, mode: str = "native", **params: Any) -> Fragment:
    given = {
        "ca-url": "https://ca.step.svc",
        "fingerprint": PRINT,
        "subject": "web.shop.svc",
        "provisioner-password-file": {"secretName": "step"},
        **{key.replace("_", "-"): value for key, value in params.items()},
    }
    return rendered("cert-renewer", "deployment", params={k: v for k, v in given.items() if v is not None}, mode=mode)


def variables(container: Any) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


def modes_of(case: str) -> list[str]:
    """A case that notifies makes no sense as an init container."""
    params = yaml.safe_load((LIBRARY / "cert-renewer" / "tests" / case / "parameters.yaml").read_text())
    return [mode for mode in MODES if mode != "init" or params.get("notify", "none") == "none"]


EVERY = [(case, mode) for case in CASES for mode in modes_of(case)]


@pytest.mark.parametrize(("case", "mode"), EVERY)
def test_it_keeps_the_house_rules(case: str, mode: str) -> None:
    assert breaches(rendered("cert-renewer", case, mode=mode)) == []


@pytest.mark.parametrize(("case", "mode"), EVERY)
def test_every_file_that_is_named_is_where_a_mount_is(case: str, mode: str) -> None:
    fragment = rendered("cert-renewer", case, mode=mode)
    (document,) = fragment.documents
    for container in all_containers(fragment):
        given = variables(container)
        script = container["command"][1]
        volume = mounted(container, fragment, script)
        assert volume and volume["configMap"]["name"] == document["metadata"]["name"]
        assert document["data"][script.rsplit("/", 1)[1]].strip() == SCRIPT.read_text().strip()
        for name in ("CERTIFICATE", "KEY", "CA"):
            volume = mounted(container, fragment, given[name])
            assert volume and volume["emptyDir"]["medium"] == "Memory"
        work = mounted(container, fragment, given["STEPPATH"])
        assert work and work["emptyDir"]["medium"] == "Memory"
        for name in ("STEP_PROVISIONER_PASSWORD_FILE", "TOKEN_FILE", "STEP_ROOT"):
            if name in given and not given[name].startswith(given["STEPPATH"]):
                volume = mounted(container, fragment, given[name])
                assert volume and given[name].rsplit("/", 1)[1] in str(volume["projected"])


@pytest.mark.parametrize(("case", "mode"), EVERY)
def test_what_step_is_to_read_are_flags_of_it(case: str, mode: str) -> None:
    for container in all_containers(rendered("cert-renewer", case, mode=mode)):
        assert {name for name in variables(container) if name.startswith("STEP_")} <= FLAGS


def test_the_app_may_read_and_not_write() -> None:
    mount = {"name": "cert-renewer-certificates", "mountPath": "/etc/certificates", "readOnly": True}
    assert renewer().volume_mounts == (mount,)
    assert renewer(shareWithApp=False).volume_mounts == ()


@pytest.mark.parametrize(
    ("params", "perms", "pod"),
    [
        ({}, "0600", {}),
        ({"fsGroup": 2000}, "0640", {"fsGroup": 2000}),
        ({"fsGroup": 2000, "perms": "0660"}, "0660", {"fsGroup": 2000}),
        ({"perms": "0444"}, "0444", {}),
    ],
)
def test_the_key_is_readable_for_others_only_by_the_group_of_the_pods_volumes(
    params: dict[str, Any], perms: str, pod: dict[str, Any]
) -> None:
    fragment = renewer(**params)
    assert variables(fragment.containers[0])["PERMS"] == perms
    assert fragment.security_context == pod


@pytest.mark.parametrize(("user", "expected"), [(10001, 10001), (None, 1000), (0, 1000)])
@pytest.mark.parametrize("mode", MODES)
def test_the_sidecar_runs_as_the_user_of_the_app_who_is_to_read_the_key(
    user: int | None, expected: int, mode: str
) -> None:
    app = {"name": "app", "image": "app:1", "securityContext": {"runAsUser": user}}
    pod = {"kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [app]}}
    given = {"ca-url": "https://ca", "fingerprint": PRINT, "subject": "web", "token": {"secretName": "t"}}
    fragment = rendered("cert-renewer", params=given, manifest=pod, mode=mode)
    assert {each["securityContext"]["runAsUser"] for each in all_containers(fragment)} == {expected}
    alone = rendered("cert-renewer", params={**given, "shareWithApp": False}, manifest=pod, mode=mode)
    assert {each["securityContext"]["runAsUser"] for each in all_containers(alone)} == {1000}


def test_a_native_one_has_started_once_the_certificate_is_there(tmp_path: Path) -> None:
    (container,) = renewer(mountPath=str(tmp_path)).containers
    command = container["startupProbe"]["exec"]["command"]
    assert subprocess.run(command, check=False).returncode == 1
    (tmp_path / "tls.crt").write_text("x")
    assert subprocess.run(command, check=False).returncode == 0


def test_a_classic_one_gets_the_certificate_in_an_init_container_that_shares_its_key() -> None:
    fragment = renewer(mode="classic")
    (first,), (second,) = fragment.init_containers, fragment.containers
    assert (first["command"][-1], second["command"][-1]) == ("issue", "run")
    assert first["volumeMounts"] == second["volumeMounts"] and first["env"] == second["env"]
    assert "livenessProbe" not in first and "startupProbe" not in second


def test_an_init_container_gets_one_certificate_and_ends() -> None:
    fragment = renewer(mode="init")
    (container,) = fragment.containers
    assert container["command"][-1] == "issue" and not {"startupProbe", "livenessProbe"} & set(container)


def test_the_processes_are_shared_for_a_signal_and_for_nothing_else() -> None:
    assert renewer(notify="signal", process_executable_name="nginx").share_process_namespace
    assert not renewer(notify="http").share_process_namespace


def test_the_subject_is_among_the_names_that_are_asked_for() -> None:
    given = variables(renewer(san=["shop.example.com", "web.shop.svc", "10.0.0.7"]).containers[0])
    assert given["STEP_SAN"] == "web.shop.svc,shop.example.com,10.0.0.7"


# ---- the script, with a step that writes down how it was called -----------------------------------------------------

STEP = r"""#!/bin/sh
echo "$* token=${STEP_TOKEN:-}" >>"$LOG"
case "$1 $2" in
  "ca root") echo root >"$4" ;;
  "ca certificate") [ ! -e "$FAIL" ] || exit 1; echo "leaf $(wc -l <"$LOG")" >"$5"; echo key >"$6" ;;
  "certificate needs-renewal") [ -e "$EXPIRED" ] && exit 0; exit 1 ;;
  "ca renew") echo "leaf renewed" >"$6"; $5 ;;
esac
"""


class Stage:
    """A folder with a step of its own, and the variables that the container would have."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.folder = folder
        for name in ("bin", "own", "shared"):
            (folder / name).mkdir()
        (folder / "bin" / "step").write_text(STEP)
        (folder / "bin" / "step").chmod(0o755)
        self.env = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "LOG": str(folder / "log"),
            "EXPIRED": str(folder / "expired"),
            "FAIL": str(folder / "fail"),
            "STEPPATH": str(folder / "own"),
            "STEP_ROOT": str(folder / "own" / "root_ca.crt"),
            "STEP_FINGERPRINT": PRINT,
            "SUBJECT": "web.shop.svc",
            "CERTIFICATE": str(folder / "shared" / "tls.crt"),
            "KEY": str(folder / "shared" / "tls.key"),
            "CA": str(folder / "shared" / "ca.crt"),
            "PERMS": "0640",
            "NOTIFY": "none",
            **more,
        }

    def run(self, word: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", str(SCRIPT), word]
        return subprocess.run(command, env=self.env, check=False, capture_output=True, text=True, timeout=60)

    def shared(self) -> dict[str, str]:
        return {each.name: each.read_text().strip() for each in (self.folder / "shared").iterdir()}

    def calls(self, words: str) -> list[str]:
        log = self.folder / "log"
        return [line for line in log.read_text().splitlines() if line.startswith(words)] if log.exists() else []


def test_the_first_certificate_comes_with_the_root_and_the_asked_for_permissions(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    assert stage.run("issue").returncode == 0
    assert stage.calls("ca ")[0].startswith(f"ca root --force {stage.env['STEP_ROOT']}")
    assert stage.calls("ca certificate")[0].startswith("ca certificate --force web.shop.svc ")
    assert set(stage.shared()) == {"tls.crt", "tls.key", "ca.crt"}
    modes = {name: (tmp_path / "shared" / name).stat().st_mode & 0o777 for name in stage.shared()}
    assert modes == {"tls.crt": 0o644, "tls.key": 0o640, "ca.crt": 0o644}


def test_a_container_that_starts_anew_keeps_a_good_certificate_and_replaces_one_whose_time_is_over(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    stage.run("issue")
    first = stage.shared()
    assert stage.run("issue").returncode == 0 and stage.shared() == first
    assert len(stage.calls("ca certificate")) == 1
    assert stage.run("check").returncode == 0
    (tmp_path / "expired").touch()
    assert stage.run("check").returncode == 1
    assert stage.run("issue").returncode == 0 and stage.shared() != first
    assert len(stage.calls("ca certificate")) == 2 and len(stage.calls("ca root")) == 1


def test_a_ca_that_refuses_leaves_nothing_half_done(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    (tmp_path / "fail").touch()
    assert stage.run("run").returncode == 1
    assert stage.shared() == {} and not stage.calls("ca renew")
    assert stage.run("check").returncode == 1


def test_a_root_that_is_mounted_is_not_downloaded(tmp_path: Path) -> None:
    stage = Stage(tmp_path, STEP_FINGERPRINT="")
    (tmp_path / "own" / "root_ca.crt").write_text("mounted\n")
    stage.run("issue")
    assert not stage.calls("ca root") and stage.shared()["ca.crt"] == "mounted"


def test_a_token_is_read_when_it_is_used_and_is_no_argument(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one-time\n")
    stage = Stage(tmp_path, TOKEN_FILE=str(tmp_path / "token"))
    stage.run("run")
    assert [line.split()[-1] for line in stage.calls("ca ")] == ["token=", "token=one-time", "token="]


def test_a_renewed_certificate_reaches_the_app_without_a_new_key(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    assert stage.run("run").returncode == 0
    (call,) = stage.calls("ca renew")
    own = f"{stage.env['STEPPATH']}/certificate"
    assert call.startswith(f"ca renew --daemon --exec /bin/sh {SCRIPT} install {own}.crt {own}.key")
    assert stage.shared() == {"tls.crt": "leaf renewed", "tls.key": "key", "ca.crt": "root"}


def test_the_process_gets_the_signal_after_a_renewal_and_not_after_the_first_certificate(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep
    program = tmp_path / f"app{tmp_path.stat().st_ino % 10**9}"
    shutil.copy(sleep, program)
    app = subprocess.Popen([program, "60"])
    try:
        while Path(f"/proc/{app.pid}/comm").read_text().strip() != program.name:
            time.sleep(0.01)
        stage = Stage(tmp_path, NOTIFY="signal", PROCESS=program.name, SIGNAL="USR1")
        assert stage.run("issue").stdout == "" and app.poll() is None
        assert stage.run("run").stdout == f"sent USR1 to {program.name} ({app.pid})\n"
        assert app.wait(10) == -10
        (tmp_path / "expired").touch()
        outcome = stage.run("issue")
        assert outcome.returncode == 0 and f"found no process {program.name}" in outcome.stderr
    finally:
        if app.poll() is None:
            app.kill()
            app.wait()


def test_the_address_is_called_with_post_after_a_renewal(tmp_path: Path) -> None:
    stage = Stage(tmp_path, NOTIFY="http", RELOAD_URL="http://127.0.0.1:8080/-/reload")
    (tmp_path / "bin" / "curl").write_text('#!/bin/sh\necho "curl $*" >>"$LOG"\n')
    (tmp_path / "bin" / "curl").chmod(0o755)
    stage.run("issue")
    assert not stage.calls("curl")
    stage.run("run")
    (call,) = stage.calls("curl")
    assert "--request POST http://127.0.0.1:8080/-/reload" in call


# ---- with nginx-tls -------------------------------------------------------------------------------------------------

TOGETHER = """\
sidecarctl add {order} -f input.yaml --kube-version {version}
 --set cert-renewer.ca-url=https://ca.step.svc --set cert-renewer.root.configMapName=step
 --set cert-renewer.subject=api.shop.svc --set cert-renewer.provisioner-password-file.secretName=step
 --set cert-renewer.shareWithApp=false --set cert-renewer.securityContext.runAsUser=101
 --set cert-renewer.notify=signal --set cert-renewer.process-executable-name=nginx
 --set nginx-tls.tls.volumeName=cert-renewer-certificates
"""


@pytest.mark.parametrize("version", ["1.28", "1.34"])
@pytest.mark.parametrize("order", ["cert-renewer nginx-tls", "nginx-tls cert-renewer"])
def test_nginx_serves_the_certificate_and_is_told_of_a_new_one(tmp_path: Path, order: str, version: str) -> None:
    given = (LIBRARY / "nginx-tls" / "tests" / "deployment" / "input.yaml").read_text()
    (tmp_path / "input.yaml").write_text(given)
    words = TOGETHER.format(order=order, version=version).replace("\n", " ")
    done = run(words, tmp_path)
    assert done.code == 0, done.stderr
    workload, *companions = yaml.safe_load_all(done.stdout)
    pod = workload["spec"]["template"]["spec"]
    started = [each["name"] for each in pod.get("initContainers", [])] + [each["name"] for each in pod["containers"]]
    first = "cert-renewer" if version == "1.34" else "cert-renewer-init"
    assert started.index(first) < started.index("nginx-tls")
    both = {each["name"]: each for each in (*pod.get("initContainers", []), *pod["containers"])}
    nginx, renewing = both["nginx-tls"], both["cert-renewer"]
    (conf,) = [each["data"]["nginx.conf"] for each in companions if "nginx.conf" in each["data"]]
    (served,) = [each for each in nginx["volumeMounts"] if each["name"] == "cert-renewer-certificates"]
    for directive, name in (("ssl_certificate", "CERTIFICATE"), ("ssl_certificate_key", "KEY")):
        file = variables(renewing)[name].rsplit("/", 1)[1]
        assert re.search(rf"{directive} {served['mountPath']}/{file};", conf)
    assert pod["shareProcessNamespace"] is True
    assert nginx["securityContext"]["runAsUser"] == renewing["securityContext"]["runAsUser"] == 101
    app = next(each for each in pod["containers"] if each["name"] == "shop")
    assert "volumeMounts" not in app
    removed = run("sidecarctl remove --all", tmp_path, stdin=done.stdout)
    assert (removed.code, removed.stdout) == (0, given)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"fingerprint": None}, "set fingerprint, root.secretName or root.configMapName"),
        ({"root": {"secretName": "a"}}, "remove fingerprint or root"),
        ({"fingerprint": None, "root": {"secretName": "a", "configMapName": "b"}}, "remove root.secretName or"),
        ({"provisioner_password_file": None}, "set provisioner-password-file (or token)"),
        ({"token": {"secretName": "t"}}, "remove provisioner-password-file or token"),
        ({"provisioner_password_file": None, "token": {"secretName": "t"}, "san": ["a.b"]}, "remove san"),
        ({"expires_in": "8h", "renew_period": "16h"}, "remove one of them"),
        ({"size": 4096}, "set kty=RSA"),
        ({"ca": "tls.crt"}, "must be different file names"),
        ({"notify": "signal"}, "set process-executable-name"),
        ({"process_executable_name": "nginx"}, "set notify=signal or remove it"),
        ({"mode": "init", "notify": "http"}, "set notify=none"),
    ],
)
def test_combinations_without_sense_are_refused_with_what_to_do(params: dict[str, Any], said: str) -> None:
    with pytest.raises(LibraryError, match=re.escape(said)):
        renewer(**params)


@pytest.mark.parametrize(
    "params",
    [
        {"ca_url": "http://ca.step.svc"},
        {"fingerprint": "ab"},
        {"subject": "--help"},
        {"san": ["a,b"]},
        {"expires_in": "8 hours"},
        {"not_after": "1d"},
        {"key": "../tls.key"},
        {"perms": "644"},
        {"signal": "KILL"},
        {"reload_url": "http://user:password@127.0.0.1/"},
    ],
)
def test_wrong_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        renewer(**params)
