"""A step that takes more CPU time than the limit ends the command, whatever makes it slow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import ROOT, run
from tests.security.kit import ADD, POD, library

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no timers")

ONE_SECOND = {"SIDECARCTL_MAX_STEP_SECONDS": "1", "SIDECARCTL_NO_CACHE": "1"}
# Several seconds of CPU time in each of the commands.
PODS = "apiVersion: v1\nkind: List\nitems:\n" + "".join(
    f"- apiVersion: v1\n  kind: Pod\n  metadata: {{name: web-{number}}}\n"
    "  spec:\n    containers:\n    - {name: web, image: nginx:1.27}\n"
    for number in range(40_000)
)
COMMANDS = (
    "add logger -f web.yaml",
    "add logger -f web.yaml -o out.yaml",
    "add logger --in-place -f web.yaml",
    "validate web.yaml",
    "validate web.yaml --fix",
    "status web.yaml",
    "graph web.yaml",
    "remove --all -f web.yaml",
    "upgrade -f web.yaml",
    "adopt web.yaml",
    "init -f web.yaml",
    "list --for web.yaml",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_slow_step_ends_the_command_and_nothing_is_written(command: str, tmp_path: Path) -> None:
    head, last, rest = PODS.rpartition("metadata: {")  # a command can end at an invalid record, so the last Pod has it
    text = f'{head}{last}annotations: {{sidecarctl.dev/sidecars: "x"}}, {rest}'
    (tmp_path / "web.yaml").write_text(text)
    done = run(f"sidecarctl {command}", tmp_path, env=ONE_SECOND)
    assert done.code == 3, done.stderr
    assert "takes more than 1 s of CPU time" in done.stderr
    assert "SIDECARCTL_MAX_STEP_SECONDS" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["web.yaml"]
    assert (tmp_path / "web.yaml").read_text() == text


def test_slow_step_of_a_worker_names_the_file_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD)
    (tmp_path / "b.yaml").write_text(PODS)
    done = run("sidecarctl add logger --jobs 2 --in-place -f .", tmp_path, env=ONE_SECOND)
    assert (done.code, done.stdout) == (3, "")
    assert "b.yaml takes more than 1 s" in done.stderr
    assert (tmp_path / "a.yaml").read_text() == POD


@pytest.mark.parametrize("command", ["add logger --jobs 1 -f .", "validate ."])
def test_each_file_has_the_time_of_a_step(command: str, tmp_path: Path) -> None:
    text = PODS[: PODS.index("web-20}")].rpartition("- api")[0]
    for number in range(60):
        (tmp_path / f"{number}.yaml").write_text(text.replace("web-", f"web-{number}-"))
    done = run(f"sidecarctl {command}", tmp_path, env=ONE_SECOND)
    assert done.code == 0, done.stderr[-500:]


@pytest.mark.parametrize("command", ["add logger --jobs 1 -f web.yaml", "validate web.yaml"])
def test_each_document_has_the_time_of_a_step(command: str, tmp_path: Path) -> None:
    documents = (POD.replace("name: web\n", f"name: web-{number}\n", 1) for number in range(1500))
    (tmp_path / "web.yaml").write_text("---\n".join(documents))
    done = run(f"sidecarctl {command}", tmp_path, env=ONE_SECOND)
    assert done.code == 0, done.stderr[-500:]


SLOW_WRITE = """\
import sys, time
from pathlib import Path
from sidecarctl import watchdog
from sidecarctl.files.write import Write, write_all

def slow():
    end = time.process_time() + 2
    while time.process_time() < end:
        pass
    yield Write(Path(sys.argv[1]), "text")

watchdog.start()
write_all(slow())
"""


def test_time_to_write_files_is_not_limited(tmp_path: Path) -> None:
    target = tmp_path / "out.yaml"
    environment = {**os.environ, **ONE_SECOND, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", SLOW_WRITE, str(target)], env=environment, check=True, timeout=60)
    assert target.read_text() == "text"


@pytest.mark.parametrize("engine", ["jinja", "kcl"])
def test_time_of_slow_templates_counts_for_the_step(engine: str, tmp_path: Path) -> None:
    if engine == "kcl":
        pytest.importorskip("kcl_lib")
    template = {
        "jinja": "containers:\n- {name: mine, image: x:1}\n{% if workload.name != 'x' %}"
        "{% for a in range(5) %}{% for b in range(90000) %}{% set c = b %}{% endfor %}{% endfor %}{% endif %}",
        "kcl": '_input = option("input")\n_numbers = sum([n for n in range(200000)])\n'
        'containers = [{name = "mine", image = "x:1"} for n in [_numbers] if _input.workload.name != "x"]\n',
    }
    library(tmp_path, template[engine], engine=engine)
    last = {"jinja": "web-120}", "kcl": "web-30}"}[engine]
    (tmp_path / "web.yaml").write_text(PODS[: PODS.index(last)].rpartition("- api")[0])
    assert run(ADD, tmp_path, env={"SIDECARCTL_NO_CACHE": "1"}).code == 0
    done = run(ADD, tmp_path, env=ONE_SECOND)
    assert (done.code, done.stdout) == (3, "")
    assert "web.yaml takes more than 1 s" in done.stderr
