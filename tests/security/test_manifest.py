"""A hostile manifest: names cannot send control sequences or inject markup, and tags have no effect."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.command import ROOT, run
from tests.security.kit import POD

EVIL = (
    "\x1b[2J\x1b]0;owned\x07\u202e\x9b31m\r\n::error::fake\n<script>alert(1)</script>|`x`](javascript:x) "
    "https://e.example www.e.example $x^2$"
)
STEERS = "\x1b\x07\u202e\x9b"
HOSTILE = f"""\
apiVersion: v1
kind: Pod
metadata:
  name: {json.dumps(EVIL)}
  labels: {{a: {json.dumps(EVIL)}}}
spec:
  containers:
    - name: {json.dumps(EVIL)}
      image: {json.dumps(EVIL)}
      ports: [{{containerPort: 99999, name: {json.dumps(EVIL)}}}]
      resources: {{requests: {{{json.dumps(EVIL)}: 5}}, limits: {{{json.dumps(EVIL)}: 5}}}}
      volumeMounts: [{{name: {json.dumps(EVIL)}, mountPath: {json.dumps(EVIL)}}}]
      {json.dumps(EVIL)}: 1
  volumes:
    - name: {json.dumps(EVIL)}
      emptyDir: {{}}
---
apiVersion: v1
kind: Service
metadata: {{name: {json.dumps(EVIL)}}}
spec:
  selector: {{a: {json.dumps(EVIL)}}}
  ports: [{{name: {json.dumps(EVIL)}, port: 80, targetPort: {json.dumps(EVIL)}}}]
"""
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: x}
spec: {rules: [{select: {all: true}, sidecars: [logger]}]}
"""
LOOKS = [
    *(f"validate --format {name}" for name in ("text", "json", "sarif", "github", "gitlab", "junit", "markdown")),
    *(f"graph --format {name}" for name in ("text", "mermaid", "svg", "markdown")),
    *(f"status --format {name}" for name in ("text", "json", "markdown")),
    "add proxy --validate ignore --set upstreamPort=80 --retarget",
    *("add logger --validate ignore -v", "add logger --diff", "add logger --format json"),
]


@pytest.mark.parametrize("words", LOOKS)
def test_manifest_text_cannot_send_control_sequences(words: str, tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text(HOSTILE)
    outcome = run(f"sidecarctl {words} -f evil.yaml", tmp_path)
    assert "internal error" not in outcome.stderr
    assert not set(STEERS) & set(outcome.stdout + outcome.stderr)


@pytest.mark.parametrize("field", ["kind", "apiVersion"])
def test_kind_cannot_send_control_sequences_or_workflow_commands(field: str, tmp_path: Path) -> None:
    value = {"kind": "Thing", "apiVersion": "example.com/v1"}
    value[field] += "\x1b]0;owned\x07\n::error::fake\n##vso[task.setvariable variable=a]b"
    (tmp_path / "evil.yaml").write_text(json.dumps({**value, "metadata": {"name": "a"}}))
    outcome = run("sidecarctl validate -f evil.yaml", tmp_path)
    text = outcome.stdout + outcome.stderr
    assert "not checked" in text
    _assert_harmless(text)


@pytest.mark.parametrize("field", ["kind", "apiVersion", "name"])
@pytest.mark.parametrize("words", ["add logger -o out/ -f .", "init -f ."])
def test_unknown_kind_with_a_pod_cannot_send_control_sequences(words: str, field: str, tmp_path: Path) -> None:
    value = {"kind": "Thing", "apiVersion": "example.com/v1", "name": "a"}
    value[field] = "x\x1b]0;owned\x07\n::error::fake\n##vso[task.setvariable variable=a]b/v1"
    kind, version, name = (json.dumps(value[key]) for key in ("kind", "apiVersion", "name"))
    (tmp_path / "evil.yaml").write_text(
        f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\n"
        "spec: {template: {spec: {containers: [{name: a, image: 'b:1'}]}}}\n"
    )
    (tmp_path / "web.yaml").write_text(POD)
    outcome = run(f"sidecarctl {words}", tmp_path)
    text = outcome.stdout + outcome.stderr
    assert "not changed: " in text, text
    _assert_harmless(text)


def test_instance_of_a_record_cannot_send_control_sequences(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(run("sidecarctl add logger", tmp_path, stdin=POD).stdout)
    text = (tmp_path / "web.yaml").read_text()
    assert '"logger":' in text
    name = json.dumps("x\x1b]0;owned\x07\n::error::fake\n##vso[a]b")
    (tmp_path / "web.yaml").write_text(text.replace('"logger":', f"{name}:", 1))
    outcome = run("sidecarctl remove nothing -f web.yaml", tmp_path)
    assert "owned" in outcome.stderr
    _assert_harmless(outcome.stderr)


def _assert_harmless(text: str) -> None:
    assert not {"\x1b", "\x07"} & set(text)
    assert not [line for line in text.splitlines() if line.startswith("::")]
    assert "##vso[" not in text


@pytest.mark.skipif(sys.platform == "win32", reason="file names cannot have these characters")
def test_file_name_cannot_send_control_sequences(tmp_path: Path) -> None:
    names = ["a\x1b[31m", "b\nline", "c\x85", "d\u202e", "e\x9b31m", "f\rg"]
    for number, name in enumerate(names):
        (tmp_path / "k" / name).mkdir(parents=True)
        (tmp_path / "k" / name / f"{name}.yaml").write_text(POD.replace("name: web", f"name: web-{number}", 1))
    outputs = [run("sidecarctl init k", tmp_path)]
    (tmp_path / "k/sidecarctl.yaml").rename(tmp_path / "sidecarctl.yaml")
    with (tmp_path / "sidecarctl.yaml").open("w") as composition:
        composition.write(
            "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: x}\n"
            "spec: {rules: [{select: {kinds: [Pod]}, sidecars: [{name: logger}]}]}\n"
        )
    outputs += [
        run(f"sidecarctl {words}", tmp_path)
        for words in (
            "validate k --fix -v", "list --for k", "status k", "graph k", "render k -o out/", "render k -o out/ --check -v"
        )
    ]  # fmt: skip
    for name in names[:2]:
        (tmp_path / "k" / name / f"{name}.yaml").unlink()
    with (tmp_path / "out" / names[0] / f"{names[0]}.yaml").open("a") as edited:
        edited.write("# edited\n")
    outputs += [
        run(f"sidecarctl {words}", tmp_path)
        for words in (
            "render k -o out/ --check --prune",
            "render k -o out/",
            "render k -o out/ --prune",
            "add logger k -i",
        )
    ]
    for outcome in outputs:
        assert not [char for char in "\x1b\x9b\x85\u202e\r" if char in outcome.stdout + outcome.stderr], outcome
        assert not [line for line in outcome.stderr.splitlines() if line.startswith("line")]


@pytest.mark.parametrize("words", [words for words in LOOKS if "github" in words])
def test_name_cannot_inject_a_workflow_command(words: str, tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text(HOSTILE)
    lines = run(f"sidecarctl {words} -f evil.yaml", tmp_path).stdout.splitlines()
    assert lines
    assert not [line for line in lines if line.startswith("::error::fake")]


@pytest.mark.parametrize(
    "words",
    ["status k", "graph k", "adopt -f k", "list --for k", "validate k --select {}", "add {} k", "remove k --name {} logger",
     "add logger k --library {}", "add logger k --set x={}", "render k --env {}", "show {}", "explain {}"],
)  # fmt: skip
@pytest.mark.parametrize(
    "name",
    [
        "a\n::warning::b",
        "a\n  ::warning::b",
        "a ::warning::b ::warning::b ::warning::b",
        "a\n##[warning]b",
        "##vso[task.x a=b]c",
        "a\n##VSO[task.x]c",
    ],
)
def test_name_cannot_inject_a_workflow_command_into_errors(name: str, words: str, tmp_path: Path) -> None:
    # GitHub reads both streams, skips blanks before `::`, and finds `##[` anywhere in a line.
    (tmp_path / "k").mkdir()
    (tmp_path / "k" / f"{name}.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: web}\n")
    outcome = run(["sidecarctl", *(word.format(name) for word in words.split())], tmp_path, env={"COLUMNS": "20"})
    lines = (outcome.stdout + outcome.stderr).splitlines()
    assert lines
    assert not [
        line for line in lines if line.strip().startswith("::") or re.search(r"##(vso)?\[", line, re.IGNORECASE)
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="file names cannot have these characters")
@pytest.mark.parametrize("words", LOOKS)
def test_file_name_cannot_inject_a_workflow_command_into_any_format(words: str, tmp_path: Path) -> None:
    for number, name in enumerate(("a\n::error::b.yaml", "a\n  ::error::b.yaml", "::error::b.yaml")):
        (tmp_path / name).write_text(HOSTILE.replace("kind: Pod\n", f"kind: Pod\nfield{number}: 1\n"))
    outcome = run(f"sidecarctl {words} .", tmp_path)
    lines = (outcome.stdout + outcome.stderr).splitlines()
    assert lines
    # The format of GitHub consists of commands.
    begin = "::error::" if "github" in words else "::"
    assert not [line for line in lines if line.strip().startswith(begin)]


def test_name_cannot_inject_a_workflow_command_into_status(tmp_path: Path) -> None:
    for number, name in enumerate(("::warning::a.yaml", " ::warning::b.yaml", "##vso[task.x]c.yaml")):
        (tmp_path / name).write_text(POD.replace("name: web", f"name: web-{number}", 1))
    assert run("sidecarctl add logger -f . -i", tmp_path).code == 0
    lines = run("sidecarctl status .", tmp_path).stdout.splitlines()
    assert any("warning" in line for line in lines)
    assert not [line for line in lines if line.strip().startswith("::") or "##vso[" in line]


@pytest.mark.parametrize("words", LOOKS)
def test_name_cannot_inject_a_command_of_azure_pipelines_into_any_format(words: str, tmp_path: Path) -> None:
    name = "##vso[task.prependpath]x ##[error]y ##VSO[task.z]"
    (tmp_path / "evil.yaml").write_text(POD.replace("name: web", f'name: "{name}"'))
    outcome = run(f"sidecarctl {words} -f evil.yaml", tmp_path)
    assert "task.prependpath" in outcome.stdout + outcome.stderr or not words.startswith("validate")
    assert not re.search(r"##(vso)?\[", outcome.stdout + outcome.stderr, re.IGNORECASE)
    if words == "validate --format json":
        assert name in str(json.loads(outcome.stdout))


@pytest.mark.parametrize("words", [words for words in LOOKS if "svg" in words or "junit" in words])
def test_name_cannot_inject_markup_into_xml(words: str, tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text(HOSTILE)
    outcome = run(f"sidecarctl {words} -f evil.yaml", tmp_path)
    assert not [one for one in ElementTree.fromstring(outcome.stdout).iter() if one.tag.endswith("script")]


@pytest.mark.parametrize("words", [words for words in LOOKS if "markdown" in words])
def test_name_cannot_inject_markup_into_markdown(words: str, tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text(HOSTILE)
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)  # `status` prints workloads that should have sidecars
    outcome = run(f"sidecarctl {words} -f evil.yaml", tmp_path)
    assert "owned" in outcome.stdout
    outside_code = re.sub(r"```.*?```|``.*?``|`[^`\n]*`", "", outcome.stdout, flags=re.DOTALL)
    assert "<script" not in outside_code.replace("\\<script", "")
    assert "](javascript" not in outside_code.replace("\\](javascript", "")
    assert not re.search(r"https://e|www\.e|(?<!\\)\$x", outside_code)


@pytest.mark.skipif(os.name != "posix", reason="needs a terminal")
def test_diff_on_a_terminal_escapes_control_characters(tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text(POD + "# here \u202e and \u2066 there\n")
    text = _on_terminal("add logger -f evil.yaml --diff", tmp_path)
    assert "logger" in text
    assert "\u202e" not in text and "\u2066" not in text and "\x1b" not in text


@pytest.mark.skipif(os.name != "posix", reason="needs a terminal")
def test_failed_case_on_a_terminal_escapes_control_characters(tmp_path: Path) -> None:
    assert run("sidecarctl new foo --from x/y:1", tmp_path).code == 0
    expected = tmp_path / "sidecars/foo/tests/deployment/expected.yaml"
    expected.write_text("a: \x1b]0;pwn\x07\x1b[31mred \u202e\n")
    text = _on_terminal("test", tmp_path)
    assert "pwn" in text
    assert not set(STEERS) & set(text)


def _on_terminal(words: str, folder: Path) -> str:
    """Return what a command prints on a terminal without colors."""
    import pty

    outer, inner = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "sidecarctl", *words.split()],
        cwd=folder,
        stdout=inner,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        check=False,
        timeout=60,
    )
    os.close(inner)
    shown = b""
    try:
        while part := os.read(outer, 1 << 16):
            shown += part
    except OSError:  # raised when the other end is closed
        pass
    os.close(outer)
    return shown.decode()


@pytest.mark.parametrize("name", ["\x1b", "\x07", "\x9b", "\x00"])
def test_control_character_in_a_manifest_is_an_error_with_position(name: str, tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_bytes((POD + f"# {name}\n").encode())
    outcome = run("sidecarctl add logger -f evil.yaml", tmp_path)
    assert (outcome.code, outcome.stdout) == (3, "")
    assert "evil.yaml:9:3" in outcome.stderr
    assert name not in outcome.stderr


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system [touch owned]", "!!python/name:os.system", "!!map {a: 1}"]
)
def test_python_tag_has_no_effect(tag: str, tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text(POD + f"x: {tag}\n")
    for words in ("add logger", "validate", "graph", "status"):
        outcome = run(f"sidecarctl {words} -f evil.yaml", tmp_path)
        assert "internal error" not in outcome.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["evil.yaml"]


@pytest.mark.parametrize(
    "secret",
    [
        "root:geheim:0:0\nmore geheim lines\n",
        "password: geheim: x\n",
        'password: "geheim\n',
        "password: *geheim\n",
        "PASSWORD=geheim\x01\n",
        "geheim: 1\ngeheim: 2\n",
        "geheim: 1\n",
        "kind: geheim\n",
        "{kind: Secret, geheim: 1}\n",
        "-----BEGIN geheim KEY-----\n",
        "---geheim\n",
        "%geheim x\n",
        "a: |\n---geheim\n",
        "%YAML 1.geheim\n",
        "apiVersion: apiextensions.crossplane.io/v1\nkind: Composition\nspec: {rules: geheim}\n",
        "apiVersion: apiextensions.crossplane.io/v1\nkind: Composition\nspec: geheim: x\n",
        "# kind: Composition\npassword: geheim: x\n",
        "note: the kind: Composition of geheim\n",
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: {password: geheim}\n",
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: my geheim\n",
        "apiVersion: sidecarctl.dev/v2\ngeheim: 1\nspec: geheim\n",
    ],
)
def test_included_file_that_is_not_a_composition_is_not_shown(secret: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(POD)
    (tmp_path / "secret.txt").write_text(secret)
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: x}\n"
        "spec: {include: [../secret.txt], rules: [{select: {kinds: [Pod]}, sidecars: [{name: logger}]}]}\n"
    )
    outcome = run("sidecarctl render -c here/sidecarctl.yaml -f web.yaml", tmp_path)
    assert outcome.code in (2, 3)
    assert outcome.stdout == ""
    assert "geheim" not in outcome.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can change owners")
@pytest.mark.parametrize("foreign", ["file", "link"])
def test_composition_of_another_user_is_not_found(foreign: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(POD)
    (tmp_path / "mine.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: x}\n"
        "spec: {rules: [{select: {kinds: [Pod]}, sidecars: [{name: logger}]}]}\n"
    )
    found = tmp_path / "sidecarctl.yaml"
    found.symlink_to("mine.yaml")
    assert run("sidecarctl render web.yaml", tmp_path).code == 0
    if foreign == "file":
        found.unlink()
        (tmp_path / "mine.yaml").rename(found)
    os.chown(found, 1234, 1234, follow_symlinks=False)
    refused = run("sidecarctl render web.yaml", tmp_path)
    assert refused.code == 2
    assert refused.stderr.startswith("warning: sidecarctl.yaml is not used: it belongs to another user (uid 1234)\n")
    named = run("sidecarctl render -c sidecarctl.yaml web.yaml", tmp_path)
    assert named.code == 0
    assert "warning" not in named.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can change owners")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        *(("sidecarctl.yaml", words) for words in ("add logger", "validate", "status", "remove logger", "list")),
        *(("sidecarctl.lock", words) for words in ("add logger", "list")),
        *(("sidecars", words) for words in ("add logger", "list")),
    ],
)
def test_says_once_what_of_another_user_is_not_used(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(POD)
    if name == "sidecars":
        (tmp_path / name / "x").mkdir(parents=True)
        (tmp_path / name / "x" / "sidecar.yaml").write_text("{}")
    else:
        (tmp_path / name).write_text("{}")
    os.chown(tmp_path / name, 1234, 1234)
    outcome = run(f"sidecarctl {words}{'' if 'list' in words else ' web.yaml'}", tmp_path)
    assert outcome.stderr.count(f"warning: {name} is not used") == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can change owners")
@pytest.mark.parametrize("foreign", ["sidecarctl.yaml", "sidecars"])
@pytest.mark.parametrize("paths", ["a.yaml b.yaml", "."])
def test_adopt_does_not_extend_files_of_another_user(paths: str, foreign: str, tmp_path: Path) -> None:
    log = POD + "    - {name: shipper, image: fluent/fluent-bit:5.1.1}\n"
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(log.replace("name: web\n", f"name: {name}\n", 1))
    if foreign == "sidecars":
        (tmp_path / foreign).mkdir()
    else:
        (tmp_path / foreign).write_text(
            "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: x}\n"
            "spec: {rules: [{select: {kinds: [Pod]}, sidecars: [{name: logger}]}]}\n"
        )
    os.chown(tmp_path / foreign, 1234, 1234)
    before = sorted(tmp_path.rglob("*"))
    refused = run(f"sidecarctl adopt {paths}", tmp_path)
    assert refused.code == 2
    assert f"error: {foreign} belongs to another user (uid 1234)" in refused.stderr
    assert sorted(tmp_path.rglob("*")) == before
    named = run(f"sidecarctl adopt {paths} -o .", tmp_path)
    assert (named.code, "wrote: sidecarctl.yaml" in named.stderr) == (0, True), named.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can change owners")
def test_completion_does_not_warn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sidecarctl.yaml").write_text("{}")
    os.chown(tmp_path / "sidecarctl.yaml", 1234, 1234)
    monkeypatch.setenv("_SIDECARCTL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "sidecarctl add log-t")
    monkeypatch.setenv("COMP_CWORD", "2")
    outcome = run("sidecarctl", tmp_path)
    assert (outcome.stdout, outcome.stderr) == ("log-tail\n", "")


def test_path_in_a_composition_is_never_stdin(tmp_path: Path) -> None:
    (tmp_path / "-").write_text(POD)
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION.replace("spec: {", 'spec: {manifests: ["-"], '))
    outcome = run("sidecarctl render", tmp_path, stdin=POD.replace("name: web", "name: piped", 1))
    assert "name: web" in outcome.stdout, outcome.stderr
    assert "name: piped" not in outcome.stdout


@pytest.mark.parametrize("path", ['"a\\0b"', "x" * 5000, "/dev/zero", "pipe", "."])
@pytest.mark.parametrize("key", ["include", "manifests", "libraries"])
def test_path_in_a_composition_that_cannot_be_read_is_an_error(path: str, key: str, tmp_path: Path) -> None:
    if key == "manifests" and path == ".":
        pytest.skip("the directory is a valid path")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: x}\n"
        f"spec: {{{key}: [{path}], rules: [{{select: {{kinds: [Pod]}}, sidecars: [{{name: logger}}]}}]}}\n"
    )
    outcome = run("sidecarctl render -c sidecarctl.yaml", tmp_path)
    assert outcome.code in (2, 3), outcome.stderr
    assert "bug" not in outcome.stderr
    assert "is not a regular file" in outcome.stderr or path != "pipe" or key == "libraries"


@pytest.mark.parametrize(
    "manifest",
    [
        "metadata:\n  name: a\n  annotations:\n    ? DIGITS\n    : a\nspec: {containers: [{name: a, image: a}]}\n",
        'metadata: {name: a}\nspec: {containers: [{name: a, image: a, ports: [{containerPort: "DIGITS"}]}]}\n',
    ],
)
def test_number_with_thousands_of_digits_is_no_internal_error(manifest: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: Pod\n" + manifest.replace("DIGITS", "1" * 5000))
    outcome = run("sidecarctl validate a.yaml", tmp_path)
    assert (outcome.code in (1, 3), "internal error" in outcome.stderr) == (True, False), outcome.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can change owners")
@pytest.mark.parametrize("words", ["list", "update", "verify", "remove x", "add x ../x"])
def test_lock_file_of_another_user_is_only_read(words: str, tmp_path: Path) -> None:
    lock = tmp_path / "sidecarctl.lock"
    lock.write_text("apiVersion: sidecarctl.dev/v1alpha1\nkind: LibraryLock\nlibraries: []\n")
    os.chown(lock, 1234, 1234)
    done = run(f"sidecarctl library {words}", tmp_path)
    kind = "warning" if words in ("list", "verify") else "error"
    assert done.stderr.startswith(f"{kind}: sidecarctl.lock belongs to another user (uid 1234)\n")
    assert done.code == (0 if words == "list" else 2)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can change owners")
@pytest.mark.parametrize("words", ["list", "verify", "update", "add acme ../acme"])
def test_nearer_lock_file_of_another_user_is_not_used(words: str, tmp_path: Path) -> None:
    for lock in (tmp_path / "sidecarctl.lock", tmp_path / "sub" / "sidecarctl.lock"):
        lock.parent.mkdir(exist_ok=True)
        lock.write_text("apiVersion: sidecarctl.dev/v1alpha1\nkind: LibraryLock\nlibraries: []\n")
    os.chown(lock, 1234, 1234)
    done = run(f"sidecarctl library {words}", lock.parent)
    assert done.stderr.startswith("warning: sidecarctl.lock is not used: it belongs to another user (uid 1234)\n")


def test_messages_of_krm_cannot_send_control_sequences(tmp_path: Path) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    pod["spec"] = {"containers": [{"name": "\u202ebc", "image": "a:1"}]}
    config = {"kind": "ConfigMap", "data": {"sidecars": "logger"}}
    given = {"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList", "items": [pod], "functionConfig": config}
    done = run("sidecarctl krm", tmp_path, stdin=json.dumps(given))
    assert "invalid container name" in done.stdout
    assert "\u202e" not in done.stdout.partition("results:")[2] + done.stderr
