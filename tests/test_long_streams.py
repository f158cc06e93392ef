"""A stream too long to hold in memory is answered as a short one is: result, report and exit code, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecarctl.cli.streaming import LONG
from tests.command import Outcome, run

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
PADDING = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: padding}\ndata:\n  a: " + "x" * (LONG // 2) + "\n"


def web(name: str, more: str = "") -> str:
    return WEB.format(name=name, more=more)


GOOD = "---\n".join([web("one"), PADDING, web("two"), PADDING, web("three")])
STREAMS = {
    "all well": GOOD,
    "a mark, Windows line ends, comments behind separators": "\ufeff"
    + GOOD.replace("---", "--- # next").replace("\n", "\r\n"),
    "empty documents and no line end": "---\n---\n" + GOOD.replace("---\n", "---\n\n---\n").rstrip("\n"),
    "an error in the last document": GOOD + "---\n" + web("four", "\n        nonsense: true"),
    "a warning in every document": GOOD.replace("web:1.0.0", "web:latest"),
    "no YAML at the end": GOOD + "---\na: [\n",
    "a separator that is none": GOOD + "--- text\n",
    "no workload": "---\n".join([PADDING, PADDING]),
}


def answers(command: str, folder: Path, text: bytes) -> tuple[Outcome, Outcome]:
    """What a command says of a long input that flows through, and of the same one taken as a whole."""
    (folder / "in.yaml").write_bytes(text)
    (folder / "out.yaml").unlink(missing_ok=True)
    flowing = run(f"sidecarctl {command} -f in.yaml", folder)
    whole = run(f"sidecarctl {command} -f in.yaml -o out.yaml", folder)
    written = (folder / "out.yaml").read_bytes() if (folder / "out.yaml").exists() else b""
    return flowing, Outcome(whole.code, written.decode("utf-8", "replace"), whole.stderr, written)


@pytest.mark.parametrize("name", STREAMS)
def test_a_long_stream_is_answered_as_a_whole_text_is(name: str, tmp_path: Path) -> None:
    text = STREAMS[name].encode()
    assert len(text) > LONG
    flowing, whole = answers("add logger", tmp_path, text)
    assert (flowing.code, flowing.stderr) == (whole.code, whole.stderr)
    assert flowing.raw == whole.raw
    piped = run("sidecarctl add logger --stdin-filename in.yaml", tmp_path, stdin=text)
    assert (piped.code, piped.stderr, piped.raw) == (flowing.code, flowing.stderr, flowing.raw)


def test_removing_from_a_long_stream_gives_back_what_was_there(tmp_path: Path) -> None:
    added = run("sidecarctl add logger", tmp_path, stdin=GOOD)
    assert added.raw != GOOD.encode()
    flowing, whole = answers("remove logger", tmp_path, added.raw)
    assert flowing.raw == whole.raw == GOOD.encode()
    assert flowing.stderr == whole.stderr
    flowing, whole = answers("remove logger", tmp_path, GOOD.encode())
    assert (flowing.raw, flowing.stderr) == (whole.raw, whole.stderr) == (GOOD.encode(), flowing.stderr)
    assert "nothing to remove" in flowing.stderr


def test_companions_far_from_their_workloads_are_found_in_a_long_stream(tmp_path: Path) -> None:
    documents = run("sidecarctl add logger", tmp_path, stdin=GOOD).raw.decode().split("---\n")
    moved = [text for text in documents if "sidecarctl.dev/owner" not in text]
    moved += [text for text in documents if "sidecarctl.dev/owner" in text]
    text = "---\n".join(moved).encode()
    flowing, whole = answers("add logger --set logDir=/srv/log", tmp_path, text)
    assert (flowing.code, flowing.stderr, flowing.raw) == (whole.code, whole.stderr, whole.raw)
    assert flowing.raw.count(b"kind: ConfigMap") == text.count(b"kind: ConfigMap")


def test_a_byte_that_is_no_utf8_is_named_with_its_line_in_a_long_stream(tmp_path: Path) -> None:
    flowing, whole = answers("add logger", tmp_path, GOOD.encode() + b"# \xff\n")
    assert flowing.code == whole.code == 3
    assert flowing.stderr == whole.stderr
    assert flowing.raw == b""
