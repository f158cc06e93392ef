"""Coverage-guided fuzzing with atheris: `make fuzz-coverage`, or `python -m tests.fuzz.coverage TARGET [libFuzzer options]`.

Each target takes bytes, and keeps the laws of `tests.fuzz.laws`: the result is right, or the error is one for users. Any other
exception ends the search, and libFuzzer saves the input. Run from the root, with atheris installed (`requirements/fuzz.txt`).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["sidecarctl", "jinja2"]):
    from sidecarctl.catalog.engines import jinja
    from sidecarctl.catalog.sidecar import Sidecar, read_sidecar
    from sidecarctl.composition.model import load_composition
    from sidecarctl.composition.select import resolve_selection
    from sidecarctl.errors import BugError, SidecarctlError
    from sidecarctl.inject import pipeline
    from sidecarctl.inject.pipeline import Options
    from tests.fuzz import laws

from tests.fuzz.mutate import WORDS, seeds

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
  annotations:
    sidecarctl.dev/sidecars: {record}
spec:
  initContainers:
  - {{name: log-tail, image: "busybox:1.37", restartPolicy: Always, volumeMounts: [{{name: log-tail-logs, mountPath: /a}}]}}
  containers:
  - {{name: web, image: "nginx:1.29", env: [{{name: A, value: b}}], volumeMounts: [{{name: log-tail-logs, mountPath: /a}}]}}
  volumes: [{{name: log-tail-logs, emptyDir: {{}}}}]
"""
RECORDS = (
    '{"v":2,"instances":{"log-tail":{"version":"1.0.0","digest":"1f0c9a3e","parameters":{"logDir":"/a"},'
    '"volumes":["log-tail-logs"],"env":{"web":["A"]},"pod":["securityContext/fsGroup"]}},"was":{"spec/volumes":" []"},'
    '"retargeted":{"Service/web/http":["http",8443]}}',
    '{"v":1,"instances":{"log-tail":{"sidecar":"log-tail","mode":"classic","added":{"containers":["log-tail"],'
    '"volumes":["log-tail-logs"],"volumeMounts":{"web":["/a"]}}}}}',
)
SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {name: mine, version: 1.0.0, summary: A test.}
spec: {engine: jinja}
"""
# What a template must never cause. Each is an event of the interpreter.
_FORBIDDEN = ("os.", "subprocess.", "socket.", "ctypes.", "shutil.", "pty.")
# Jinja imports these when it compiles a template.
_QUIET = ("os.scandir", "os.listdir")


class Escape(BaseException):
    """A template caused a forbidden event."""


def parser(data: bytes) -> None:
    """Split and parse a stream, edit it, and undo the edits."""
    laws.text_layer(data[1:], data[0] % 16 if data else 0)


def record(data: bytes) -> None:
    """Read a record, and remove what it lists."""
    text = POD.format(record=json.dumps(data.decode("utf-8", "replace")))
    _check_result(lambda: pipeline.remove(text, None, Options(validate="ignore")), text)


def composition(data: bytes) -> None:
    """Load a composition and resolve its sidecars."""
    file = _folder() / "sidecarctl.yaml"
    file.write_bytes(data)
    try:
        found = load_composition(file, "")
        if not found.libraries:
            resolve_selection(found, laws._catalog(), Options().kube_version)
    except SidecarctlError as error:
        _check_error(error)


def sandbox(data: bytes) -> None:
    """Render a template; it must neither fail otherwise than with an error for users, nor reach the system."""
    template = _sidecar().template
    template.write_bytes(data)
    if b"\0" in data:
        return
    watch["active"] = True
    try:
        jinja.render_here((_sidecar(), _INPUTS))
        jinja.find_uses_here(_sidecar())
    except SidecarctlError as error:
        _check_error(error)
    finally:
        watch["active"] = False


_INPUTS: dict[str, Any] = {
    "params": {"logDir": "/a", "ports": [80, 443], "labels": {"a": "b"}, "none": None, "text": "a\n$(b) 'c' \"d\""},
    "instance": "mine",
    "companion": "web-mine",
    "mode": "native",
    "kube": {"version": "1.34", "minor": 34},
    "workload": {"kind": "Pod", "name": "web", "namespace": "", "labels": {}, "annotations": {}},
    "targets": [{"name": "web", "image": "nginx:1.29", "runAsUser": None, "ports": [], "env": ["A"], "mounts": []}],
    "containers": [],
}
watch = {"active": False}
_PROGRAM = str(Path(jinja.__file__).parents[2])


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not watch["active"] or event in _QUIET:
        return
    if event == "open" and str(arguments[0]).startswith((str(_folder()), _PROGRAM, sys.prefix, sys.base_prefix)):
        return
    if event == "open" or event.startswith(_FORBIDDEN):
        raise Escape(f"{event} {arguments!r:.200}")


def _check_result(run: Callable[[], Any], given: str) -> None:
    try:
        done = run()
    except SidecarctlError as error:
        _check_error(error)
        return
    laws._check(not done.failed or done.text == given, "a failed run changes nothing")


def _check_error(error: SidecarctlError) -> None:
    if isinstance(error, BugError):
        raise error
    laws._check(error.message, "an error has a message")


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="sidecarctl-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))


@cache
def _sidecar() -> Sidecar:
    entry = _folder() / "mine"
    entry.mkdir()
    (entry / "sidecar.yaml").write_text(SIDECAR)
    (entry / "template.yaml.j2").write_text("containers: []\n")
    return read_sidecar(entry, str(_folder()))


def _seeds(target: str) -> list[bytes]:
    root = Path(__file__).resolve().parents[2]
    if target == "record":
        return [each.encode() for each in RECORDS]
    if target == "sandbox":
        files = sorted(root.glob("library/*/*.j2"))
        return sorted({line.strip() for file in files for line in file.read_bytes().splitlines() if b"{{" in line})
    if target == "composition":
        files = sorted({*root.glob("examples/**/*.yaml"), *root.glob("tests/gallery/**/*.yaml")})
        return [data for file in files if b"kind: Composition" in (data := file.read_bytes())]
    return [b"\0" + each for each in seeds() if len(each) < 2_000][:2_000]


JINJA = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{% for x in ",
    "{% endfor %}",
    "{% if ",
    "{% set x = ",
    "| map(attribute='",
    "__class__",
]
JINJA += ["__globals__", "| attr('", ".format(", "| tojson", "loop", "cycler", "namespace(", "range(", "self", "params"]
_LONGEST = {"parser": 2_000, "record": 1_000, "composition": 2_000, "sandbox": 300}
TARGETS = {"parser": parser, "record": record, "composition": composition, "sandbox": sandbox}


def main() -> None:
    """Search until the limits of libFuzzer: `-runs=N` inputs, or `-max_total_time=SECONDS`."""
    target = sys.argv[1]
    corpus = Path("build/fuzz/coverage") / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(_seeds(target)):
        (corpus / f"seed-{number}").write_bytes(data)
    words = [*WORDS, *(JINJA if target == "sandbox" else [])]
    dictionary = corpus.with_suffix(".dict")
    dictionary.write_text("".join(f'"{_escape(word)}"\n' for word in words))
    sys.addaudithook(_audit)
    options = [
        f"-dict={dictionary}",
        f"-artifact_prefix={corpus.parent}/{target}-",
        "-timeout=20",
        "-rss_limit_mb=2048",
    ]
    os.environ.setdefault("SIDECARCTL_MAX_STEPS", "20000")
    atheris.Setup([sys.argv[0], *options, f"-max_len={_LONGEST[target]}", *sys.argv[2:], str(corpus)], TARGETS[target])
    atheris.Fuzz()


def _escape(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    main()
