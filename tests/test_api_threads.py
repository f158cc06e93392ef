"""Programs that use the Python API in several threads, or together with child processes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import ROOT
from tests.security.kit import CONTAINER, POD, library

NEEDS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
NEEDS_KCL = pytest.mark.skipif(importlib.util.find_spec("kcl_lib") is None, reason="KCL is not installed")
KCL = 'containers = [{name = "mine", image = "x:1"}]\n'
PLAIN = CONTAINER.replace("params.token | default('none')", "'x'")


def run_program(program: str, cwd: Path, seconds: int = 60, **variables: str) -> str:
    """Run a program with the Python API. Return its output; fail if it does not end in time, or with another code than 0."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SIDECARCTL_NO_CACHE": "1", **variables},
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


JINJA_AFTER_KCL = f"""\
import multiprocessing.util  # its handler at exit runs after those of modules that are imported later
import sidecarctl
for directory in ("kcl", "jinja"):
    assert not sidecarctl.add({POD!r}, ["mine"], libraries=[directory + "/lib"]).failed
print("end")
"""


@NEEDS_KCL
@NEEDS_FORK
def test_program_that_renders_jinja_after_kcl_ends(tmp_path: Path) -> None:
    for engine, template in (("kcl", KCL), ("jinja", PLAIN)):
        (tmp_path / engine).mkdir()
        library(tmp_path / engine, template, engine=engine)
    assert run_program(JINJA_AFTER_KCL, tmp_path, 30) == "end\n"


FORK_AFTER_KCL = f"""\
import os
import sidecarctl
session = sidecarctl.Session(["lib"])
assert not session.add({POD!r}, ["mine"]).failed
end_of_parent, ours = os.pipe()
if not os.fork():
    os.close(ours)
    assert not session.add({POD.replace("web", "other")!r}, ["mine"]).failed
    print("end of child", flush=True)
    os.read(end_of_parent, 1)
    os._exit(0)
"""


@NEEDS_KCL
@NEEDS_FORK
def test_program_ends_before_a_fork_of_it_that_renders_kcl(tmp_path: Path) -> None:
    library(tmp_path, KCL, engine="kcl")
    assert run_program(FORK_AFTER_KCL, tmp_path, 30) == "end of child\n"


IMPORT_IN_THREAD = f"""\
import importlib.util, sys, threading
import sidecarctl
started, never = threading.Event(), threading.Event()

class SlowDisk:
    def find_spec(self, name, path, target=None):
        return importlib.util.spec_from_loader(name, self, is_package=True) if name == "jsonschema" else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        started.set()
        never.wait()

sys.meta_path.insert(0, SlowDisk())
threading.Thread(target=__import__, args=("jsonschema",), daemon=True).start()
started.wait()
try:
    sidecarctl.add({POD!r}, ["mine"], {{"mine": {{"token": "long" * 9}}}}, libraries=["lib"])
except sidecarctl.SidecarctlError as error:
    print(error)
"""


@NEEDS_FORK
def test_child_process_does_not_wait_for_an_import_of_another_thread(tmp_path: Path) -> None:
    library(tmp_path)
    assert 'parameter "token" must have a length' in run_program(IMPORT_IN_THREAD, tmp_path, SIDECARCTL_MAX_SECONDS="2")


DURING_A_CALL = f"""\
import os, sys, threading
import sidecarctl
inside, checked, forked = threading.Event(), threading.Event(), threading.Event()
text = {POD!r}

class Words(list):
    def __iter__(self):  # runs within the call
        assert not sidecarctl.check(text).failed
        inside.set()
        forked.wait(20)
        assert not checked.wait(1), "two calls at a time"
        return super().__iter__()

def check():
    inside.wait()
    assert not sidecarctl.check(text).failed
    checked.set()

errors = []
threading.excepthook = errors.append
session = sidecarctl.Session()
threads = [threading.Thread(target=check), threading.Thread(target=session.add, args=(text, Words(["log-tail"])))]
for each in threads:
    each.start()
inside.wait()
child = os.fork()
if not child:
    os._exit(sidecarctl.check(text).failed)
forked.set()
for each in threads:
    each.join()
status = os.waitpid(child, 0)[1]
sys.exit(str(errors[0].exc_value) if errors else status)
"""


@NEEDS_FORK
def test_calls_of_several_threads_run_one_at_a_time(tmp_path: Path) -> None:
    run_program(DURING_A_CALL, tmp_path)


IN_A_SIGNAL_HANDLER = f"""\
import signal
import sidecarctl

def add(directory):
    return sidecarctl.add({POD!r}, ["mine"], libraries=[directory + "/lib"]).failed

add("warm")
signal.signal(signal.SIGALRM, lambda *_: print("handler", add("fast")))
signal.setitimer(signal.ITIMER_REAL, 0.02)
print("call", add("slow"))
print("after", add("fast"))
"""


@NEEDS_FORK
@pytest.mark.parametrize("engine", ["jinja", pytest.param("kcl", marks=NEEDS_KCL)])
def test_signal_handler_can_render_while_a_template_is_rendered(engine: str, tmp_path: Path) -> None:
    slow = {
        "jinja": PLAIN + "# {% for i in range(100000) %}{{ i }}{% endfor %}\n",
        "kcl": "_all = [i * j for i in range(600) for j in range(600)]\n" + KCL,
    }
    fast = {"jinja": PLAIN, "kcl": KCL}[engine]
    for directory, template in (("warm", fast), ("fast", fast), ("slow", slow[engine])):
        (tmp_path / directory).mkdir()
        library(tmp_path / directory, template, engine=engine)
    said = run_program(IN_A_SIGNAL_HANDLER, tmp_path, 30)
    assert sorted(said.splitlines()) == ["after False", "call False", "handler False"]


IN_A_THREAD_TOO = f"""\
import threading
import sidecarctl
from sidecarctl.files.signals import defer_signals

def add():
    print(sidecarctl.add({POD!r}, ["mine"], libraries=["lib"]).failed)

with defer_signals():
    add()
thread = threading.Thread(target=add)
thread.start()
thread.join()
"""
IN_A_SUBINTERPRETER = f"""\
import _xxsubinterpreters
_xxsubinterpreters.run_string(_xxsubinterpreters.create(isolated=False), {IN_A_THREAD_TOO!r})
"""


@NEEDS_FORK
@pytest.mark.skipif(importlib.util.find_spec("_xxsubinterpreters") is None, reason="no module for subinterpreters")
def test_subinterpreter_adds_a_sidecar_of_another_library(tmp_path: Path) -> None:
    library(tmp_path, PLAIN)
    assert run_program(IN_A_SUBINTERPRETER, tmp_path) == "False\nFalse\n"


EXCHANGED = f"""\
import os, shutil
import sidecarctl

def show_image(image):
    os.mkdir("home")
    os.mkdir("home/lib")
    shutil.copytree("lib/mine", "home/lib/mine")
    template = "home/lib/mine/template.yaml.j2"
    text = open(template).read().replace("busybox:1", image)
    open(template, "w").write(text)
    os.chdir("home")
    result = sidecarctl.Session(["lib"]).add({POD!r}, ["mine"])
    print(image in result.text, flush=True)
    os.chdir("..")

show_image("busybox:2")
END
show_image("busybox:3")
"""


@NEEDS_FORK
@pytest.mark.parametrize("end", ['os.rename("home", "old")', 'shutil.rmtree("home")'])
def test_working_directory_that_takes_the_place_of_another_one_counts(end: str, tmp_path: Path) -> None:
    library(tmp_path, "containers: [{name: mine, image: 'busybox:1'}]\n")
    assert run_program(EXCHANGED.replace("END", end), tmp_path, 30) == "True\nTrue\n"


FORK_THAT_ENDS = f"""\
import os, sys
import sidecarctl
session = sidecarctl.Session(["lib"])
print(session.add({POD!r}, ["mine"]).failed, flush=True)
child = os.fork()
if not child:
    sys.exit(0)
os.waitpid(child, 0)
print(session.add({POD.replace("web", "other")!r}, ["mine"], kube_version="1.30").failed)
"""


@NEEDS_FORK
def test_fork_that_ends_does_not_end_the_worker_of_its_parent(tmp_path: Path) -> None:
    library(tmp_path, "containers: [{name: mine, image: 'busybox:{{ kube.minor }}'}]\n")
    assert run_program(FORK_THAT_ENDS, tmp_path, 30) == "False\nFalse\n"
