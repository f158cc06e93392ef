"""The Python API: the commands as functions on texts."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sidecarctl
from sidecarctl.errors import UsageError
from tests.command import ROOT, run

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}   # ours
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0
"""
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: platform}
spec:
  rules:
  - select: {kinds: [Deployment]}
    sidecars: [{name: log-tail}]
"""


def test_add_equals_the_command_and_remove_restores(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(DEPLOYMENT)
    result = sidecarctl.add(DEPLOYMENT, ["log-tail"], {"log-tail": {"logDir": "/srv/log"}})
    assert result.text == run("sidecarctl add log-tail -f web.yaml --set logDir=/srv/log", tmp_path).stdout
    assert result.changed and not result.failed
    assert sidecarctl.remove(result.text).text == DEPLOYMENT


def test_render_applies_a_composition(tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    result = sidecarctl.render(DEPLOYMENT, tmp_path / "sidecarctl.yaml")
    assert [change.label for change in result.changes] == ["Deployment/web"]
    assert sidecarctl.render(result.text, tmp_path / "sidecarctl.yaml").text == result.text


def test_check_validates() -> None:
    verdict = sidecarctl.check(DEPLOYMENT.replace("name: web\n        image", "name: Web\n        image"))
    assert [finding.rule for finding in verdict.findings if finding.severity == "error"] == ["invalid-container-name"]


def test_invalid_use_raises_an_exception_with_a_hint() -> None:
    with pytest.raises(sidecarctl.SidecarctlError) as caught:
        sidecarctl.add(DEPLOYMENT, ["loger"])
    assert caught.value.hint == 'did you mean "logger"?'


def test_importing_the_package_imports_no_modules() -> None:
    code = "import sys, sidecarctl; print([m for m in sys.modules if m.startswith('sidecarctl.')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_session_opens_a_library_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from sidecarctl.catalog import sidecar as module

    reads: list[Path] = []
    real = module.read_sidecar

    def counted(folder: Path, *arguments: object, **options: object) -> object:
        reads.append(folder)
        return real(folder, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "read_sidecar", counted)
    session = sidecarctl.Session()
    first = session.add(DEPLOYMENT, ["log-tail"])
    second = session.add(DEPLOYMENT, ["log-tail"])
    assert first.text == second.text == sidecarctl.add(DEPLOYMENT, ["log-tail"]).text
    assert [folder.name for folder in reads] == ["log-tail", "log-tail"]  # the session, and the single call


def write_agent(folder: Path, image: str) -> None:
    """Write a library with a sidecar that is a Jinja template."""
    agent = folder / "lib" / "agent"
    agent.mkdir(parents=True)
    head = "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\nmetadata: {name: agent, version: 1.0.0, summary: An agent.}\n"
    (agent / "sidecar.yaml").write_text(head + "spec: {engine: jinja}\n")
    template = f"containers:\n- name: {{{{ instance }}}}\n  image: registry.example/{image}:1.0.0\n"
    (agent / "template.yaml.j2").write_text(template)


def test_relative_library_is_that_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        write_agent(tmp_path / name, name)
    for name in ("one", "two", "one"):
        monkeypatch.chdir(tmp_path / name)
        assert f"image: registry.example/{name}:1.0.0" in sidecarctl.Session(["lib"]).add(DEPLOYMENT, ["agent"]).text


POOL = """\
import multiprocessing, sys
import sidecarctl
def work(text):
    return sidecarctl.add(text, ["agent"], libraries=["lib"]).text.count("name: agent")
if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print(pool.map(work, [open("web.yaml").read()] * 3))
"""


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_workers_of_a_pool_render_templates(method: str, tmp_path: Path) -> None:
    write_agent(tmp_path, "one")
    (tmp_path / "web.yaml").write_text(DEPLOYMENT)
    (tmp_path / "pool.py").write_text(POOL)
    command = [sys.executable, "pool.py", method]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("[1, 1, 1]\n", "")


def test_session_offers_every_function() -> None:
    session = sidecarctl.Session()
    added = session.add(DEPLOYMENT, ["log-tail"]).text
    assert session.remove(added).text == DEPLOYMENT
    assert session.check(added).findings is not None


def test_upgrade_refuses_two_versions_of_a_sidecar() -> None:
    with pytest.raises(UsageError, match="two versions of logger"):
        sidecarctl.upgrade(DEPLOYMENT, ["logger@9.0.0", "logger@1.0.0"])


def test_upgrade_keeps_recorded_parameters() -> None:
    added = sidecarctl.add(DEPLOYMENT, ["log-tail"], {"log-tail": {"logDir": "/srv/log"}}).text
    result = sidecarctl.upgrade(added, ["log-tail"], {"log-tail": {"refresh_interval": 7}})
    assert not result.failed
    assert "/srv/log" in result.text and '"refresh_interval":7' in result.text
    assert sidecarctl.upgrade(result.text).text == result.text


def test_add_and_render_leave_out_hooks_and_workloads_that_opted_out(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(COMPOSITION)
    hook = DEPLOYMENT.replace("{name: web}", "{name: web, annotations: {helm.sh/hook: pre-install}}")
    opted_out = DEPLOYMENT.replace("{name: web}", '{name: web, annotations: {sidecarctl.dev/inject: "false"}}')
    for text in (hook, opted_out):
        assert sidecarctl.add(text, ["logger"]).text == text
        assert sidecarctl.render(text, tmp_path / "c.yaml").text == text
        assert (sidecarctl.add(text, ["logger"], hooks=True).text == text) is (text == opted_out)
        assert (sidecarctl.render(text, tmp_path / "c.yaml", hooks=True).text == text) is (text == opted_out)
        assert run("sidecarctl add logger", tmp_path, stdin=text).stdout == text


@pytest.mark.parametrize(("rules", "failed"), [({}, True), ({"unknown-field": "warning"}, False)])
def test_render_applies_the_severities_of_the_composition(rules: dict[str, str], failed: bool, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"{COMPOSITION}  validate: {{rules: {json.dumps(rules)}}}\n")
    text = DEPLOYMENT.replace("        image:", "        imagee: x\n        image:", 1)
    result = sidecarctl.render(text, tmp_path / "c.yaml")
    assert (result.failed, result.changed) == (failed, not failed)
    assert bool(run("sidecarctl render -c c.yaml", tmp_path, stdin=text).code) is failed


THREADS = """\
import sys, threading
import sidecarctl
sys.setswitchinterval(1e-5)
text = sys.stdin.read()
together, errors = threading.Barrier(8), []

def work():
    together.wait()
    try:
        sidecarctl.add(text, ["logger"])
    except BaseException as error:
        errors.append(repr(error))

threads = [threading.Thread(target=work) for _ in range(8)]
for each in threads:
    each.start()
for each in threads:
    each.join()
sys.exit("\\n".join(errors) or 0)
"""


def test_first_calls_of_several_threads_work() -> None:
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", THREADS], input=DEPLOYMENT, capture_output=True, text=True, cwd=ROOT, timeout=120
        )
        assert done.returncode == 0, done.stderr
