"""A stream that is too long for memory has the same result as a short one: output, report, and exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sidecarctl.cli.streaming import MIN_BYTES
from tests.command import ROOT, Outcome, run

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0.0{more}
"""
PADDING = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: padding}\ndata:\n  a: " + "x" * (MIN_BYTES // 2) + "\n"


def web(name: str, more: str = "") -> str:
    return WEB.format(name=name, more=more)


GOOD = "---\n".join([web("one"), PADDING, web("two"), PADDING, web("three")])
STREAMS = {
    "no error": GOOD,
    "byte order mark, CRLF, and comments after separators": "\ufeff"
    + GOOD.replace("---", "--- # next").replace("\n", "\r\n"),
    "empty documents and no final newline": "---\n---\n" + GOOD.replace("---\n", "---\n\n---\n").rstrip("\n"),
    "an error in the last document": GOOD + "---\n" + web("four", "\n        nonsense: true"),
    "a warning in every document": GOOD.replace("web:1.0.0", "web:latest"),
    "invalid YAML at the end": GOOD + "---\na: [\n",
    "an invalid separator": GOOD + "--- text\n",
    "no workload": "---\n".join([PADDING, PADDING]),
}


@pytest.mark.parametrize("name", ["vendor/in.yaml", "in.yaml"])
def test_force_exclude_leaves_out_a_long_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(GOOD)
    outcome = run(f"sidecarctl add logger -f {name} --force-exclude --exclude vendor", tmp_path)
    assert (outcome.code, bool(outcome.stdout)) == (0, name == "in.yaml"), outcome.stderr


def answers(command: str, folder: Path, text: bytes) -> tuple[Outcome, Outcome]:
    """Return the results for an input that is streamed, and for the same input processed as a whole."""
    (folder / "in.yaml").write_bytes(text)
    (folder / "out.yaml").unlink(missing_ok=True)
    flowing = run(f"sidecarctl {command} -f in.yaml", folder)
    whole = run(f"sidecarctl {command} -f in.yaml -o out.yaml", folder)
    written = (folder / "out.yaml").read_bytes() if (folder / "out.yaml").exists() else b""
    return flowing, Outcome(whole.code, written.decode("utf-8", "replace"), whole.stderr, written)


@pytest.mark.parametrize("name", STREAMS)
def test_long_stream_has_the_same_result_as_a_whole_text(name: str, tmp_path: Path) -> None:
    text = STREAMS[name].encode()
    assert len(text) > MIN_BYTES
    flowing, whole = answers("add logger", tmp_path, text)
    assert (flowing.code, flowing.stderr) == (whole.code, whole.stderr)
    assert flowing.raw == whole.raw
    piped = run("sidecarctl add logger --stdin-filename in.yaml", tmp_path, stdin=text)
    assert (piped.code, piped.stderr, piped.raw) == (flowing.code, flowing.stderr, flowing.raw)


def test_fail_on_never_writes_a_long_stream_with_errors(tmp_path: Path) -> None:
    flowing, whole = answers("add logger --fail-on never", tmp_path, STREAMS["an error in the last document"].encode())
    assert (flowing.code, flowing.stderr, flowing.raw) == (whole.code, whole.stderr, whole.raw)
    assert (flowing.code, b"nonsense: true" in flowing.raw) == (0, True)


def test_remove_restores_a_long_stream(tmp_path: Path) -> None:
    added = run("sidecarctl add logger", tmp_path, stdin=GOOD)
    assert added.raw != GOOD.encode()
    flowing, whole = answers("remove logger", tmp_path, added.raw)
    assert flowing.raw == whole.raw == GOOD.encode()
    assert flowing.stderr == whole.stderr
    flowing, whole = answers("remove logger", tmp_path, GOOD.encode())
    assert (flowing.raw, flowing.stderr) == (whole.raw, whole.stderr) == (GOOD.encode(), flowing.stderr)
    assert "nothing to remove" in flowing.stderr


def test_distant_companions_are_found_in_a_long_stream(tmp_path: Path) -> None:
    documents = run("sidecarctl add logger", tmp_path, stdin=GOOD).raw.decode().split("---\n")
    moved = [text for text in documents if "sidecarctl.dev/owner" not in text]
    moved += [text for text in documents if "sidecarctl.dev/owner" in text]
    text = "---\n".join(moved).encode()
    flowing, whole = answers("add logger --set logDir=/srv/log", tmp_path, text)
    assert (flowing.code, flowing.stderr, flowing.raw) == (whole.code, whole.stderr, whole.raw)
    assert flowing.raw.count(b"kind: ConfigMap") == text.count(b"kind: ConfigMap")


def test_invalid_utf8_in_a_long_stream_is_an_error(tmp_path: Path) -> None:
    flowing, whole = answers("add logger", tmp_path, GOOD.encode() + b"# \xff\n")
    assert flowing.code == whole.code == 3
    assert flowing.stderr == whole.stderr
    assert flowing.raw == b""


@pytest.mark.parametrize("room", [0, MIN_BYTES // 4])
@pytest.mark.parametrize("source", ["in.yaml", "-"])
def test_stream_without_room_for_a_temporary_file_is_processed_or_an_error(
    room: int, source: str, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource")
    (tmp_path / "in.yaml").write_text(GOOD)
    done = subprocess.run(
        [sys.executable, "-m", "sidecarctl", "add", "logger", source],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(tmp_path)},
        input=GOOD.encode(),
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    error = done.stderr.decode()
    if room:
        assert (done.returncode, done.stdout) == (3, b""), error
        assert f"cannot write to a temporary file in {tmp_path}" in error
    else:
        assert (done.returncode, done.stdout.count(b"name: logger\n")) == (0, 3), error
