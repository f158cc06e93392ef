"""Invalid input results in an error with a position, the right exit code, an empty stdout, and no traceback."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import ROOT, run

GOOD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
    - name: web
      image: nginx:1.27
"""

# name: (bytes, exit code, expected words in the message)
INPUTS: dict[str, tuple[bytes, int, tuple[str, ...]]] = {
    "not UTF-8": (GOOD.encode().replace(b"web\n", b"w\xe9b\n", 1), 3, ("UTF-8", ":4:10")),
    "UTF-16": (GOOD.encode("utf-16"), 3, ("UTF-16",)),
    "a NUL": (GOOD.encode().replace(b"web\n", b"w\x00b\n", 1), 3, ("U+0000", ":4:10")),
    "a tab in the indentation": (GOOD.encode().replace(b"  name", b"\tname", 1), 3, ("tab", ":4:1")),
    "an unclosed quote": (GOOD.encode().replace(b"nginx:1.27", b'"nginx'), 3, ("close the quote",)),
    "a duplicate key": (GOOD.encode() + b"kind: Pod\n", 3, ("duplicate key", ":9:1", ":2:1")),
    "an undefined alias": (GOOD.encode().replace(b"nginx:1.27", b"*nowhere"), 3, ("*nowhere", ":8:14")),
    "an alias bomb": (
        GOOD.encode()
        + b"x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n"
        + b"".join(b"x%d: &x%d [%s]\n" % (i, i, b", ".join([b"*x%d" % (i - 1)] * 10)) for i in range(1, 12)),
        3,
        ("expand", "50,000"),
    ),
    "10,000 levels in flow style": (
        GOOD.encode() + b"x: " + b"[" * 10_000 + b"]" * 10_000 + b"\n",
        3,
        ("nested deeper",),
    ),
    "10,000 levels in block style": (
        GOOD.encode() + b"x:\n" + b"".join(b" " * (i + 1) + b"a:\n" for i in range(10_000)),
        3,
        ("nested deeper",),
    ),
    "an empty file": (b"", 1, ("no workload",)),
    "only comments": (b"# nothing\n---\n# here\n", 1, ("no workload",)),
    "a list at top level": (b"- containers: []\n", 1, ("expected an object",)),
    "a scalar at top level": (b"hello containers\n", 1, ("expected an object",)),
    "spec: 3": (b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: 3\n", 1, ("spec", ":4:7")),
    "containers: {}": (
        b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers: {}\n",
        1,
        ("list", ":5:15"),
    ),
    "a null container": (
        b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  -\n",
        1,
        ("input.yaml:6",),
    ),
    "a directive": (b"%YAML 1.2\n---\n" + GOOD.encode(), 3, ("directive", ":1:1")),
    "text after a separator": (b"--- foo\n" + GOOD.encode(), 3, ("separator", ":1:4")),
    "text after the end of the document": (GOOD.encode() + b"...\nmore: text\n", 3, ("`---`",)),
    "an infinity": (GOOD.encode() + b"x: .inf\n", 3, (".inf",)),
}


@pytest.mark.parametrize("what", INPUTS)
def test_invalid_input_is_an_error_and_leaves_the_file_unchanged(what: str, tmp_path: Path) -> None:
    data, code, words = INPUTS[what]
    (tmp_path / "input.yaml").write_bytes(data)
    outcome = run("sidecarctl add logger -f input.yaml", tmp_path)
    assert (outcome.code, outcome.stdout) == (code, ""), outcome.stderr
    assert "Traceback" not in outcome.stderr
    for word in words:
        assert word in outcome.stderr
    in_place = run("sidecarctl add logger -f input.yaml -i", tmp_path)
    assert in_place.code == code
    assert (tmp_path / "input.yaml").read_bytes() == data
    assert [p.name for p in tmp_path.iterdir()] == ["input.yaml"]


# name: (arguments, exit code, expected words)
USES: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "an unknown sidecar": ("add loger", 2, ("loger", 'did you mean "logger"?')),
    "a relative path as the name": ("add ../logger", 2, ("../logger",)),
    "an absolute path as the name": ("add /etc/passwd", 2, ("/etc/passwd",)),
    "an unknown version": ("add logger@9.9.9", 2, ("9.9.9", "1.0.0")),
    "an unknown parameter": ("add logger --set logdir=/x", 2, ("logdir", "logDir")),
    "a parameter of the wrong type": ("add logger --set http_port=many", 2, ("http_port",)),
    "a parameter out of range": ("add logger --set http_port=70000", 2, ("http_port",)),
    "a missing parameter": ("add git-sync", 2, ("repo",)),
    "an unknown container": ("add logger --container wep", 2, ("wep", 'did you mean "web"?')),
    "an invalid instance name": ("add logger --as My_Logger", 2, ("My_Logger", "my-logger")),
    "a duplicate sidecar": ("add logger logger", 2, ('duplicate instance "logger"', "--as")),
    "an unknown Kubernetes version": ("add logger --kube-version 1.99", 2, ("1.99",)),
    "native mode in an old Kubernetes version": (
        "add logger --mode native --kube-version 1.27",
        2,
        ("1.28", "--mode classic"),
    ),
    "an unknown mode": ("add logger --mode fast", 2, ("fast",)),
    "an unknown flag": ("add logger --frobnicate", 2, ("--frobnicate",)),
    "an unknown command": ("ad logger", 2, ("ad",)),
    "a nonexistent file": ("add logger -f nowhere.yaml", 3, ("nowhere.yaml", "no such file or directory")),
    "a nonexistent values file": ("add logger --values nowhere.yaml", 3, ("nowhere.yaml",)),
    "a values file with two documents": ("add logger --values two.yaml", 3, ("two.yaml:2:1", "second document")),
    "in place with stdin": ("add logger -i -f -", 2, ("--in-place",)),
    "in place with an output file": ("add logger -i -o out.yaml", 2, ("cannot be combined",)),
    "remove without sidecars": ("remove", 2, ("--all",)),
}


@pytest.mark.parametrize("what", USES)
def test_invalid_arguments_are_an_error_and_leave_the_file_unchanged(what: str, tmp_path: Path) -> None:
    arguments, code, words = USES[what]
    (tmp_path / "input.yaml").write_text(GOOD)
    (tmp_path / "two.yaml").write_text("logger: {logDir: /a}\n---\nlogger: {logDir: /b}\n")
    where = "" if "-f" in arguments.split() else " -f input.yaml"
    outcome = run(f"sidecarctl {arguments}{where}", tmp_path)
    assert (outcome.code, outcome.stdout) == (code, ""), outcome.stderr
    assert "Traceback" not in outcome.stderr
    for word in words:
        assert word in outcome.stderr
    assert (tmp_path / "input.yaml").read_text() == GOOD


SIDECAR = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata: {name: mine, version: 1.0.0, summary: A test.}
spec:
  engine: jinja
  parameters: {additionalProperties: false, properties: {}}
"""
TEMPLATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "a syntax error": ("containers:\n{% if %}\n", ("template.yaml.j2:2",)),
    "an undefined variable": ("containers:\n- name: {{ nothing }}\n", ("template.yaml.j2:2", "nothing")),
    "an endless loop": (
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}x"
        "{% endfor %}{% endfor %}{% endfor %}",
        ("template.yaml.j2",),
    ),
    "a sandbox escape": ("x: {{ ''.__class__.__mro__ }}\n", ("template.yaml.j2:1",)),
    "a file outside the directory": ("{% include '../../../etc/passwd' %}", ("template.yaml.j2:1",)),
    "a huge output": ("x: {{ 'x' * 1000000000 }}\n", ("template.yaml.j2",)),
    "invalid YAML": ("containers: [\n", ("template.yaml.j2",)),
    "a list": ("- a\n- b\n", ("template.yaml.j2", "list")),
    "an invalid fragment": ("containers: {}\n", ("containers",)),
    "an unknown key": ("container: []\n", ("container",)),
}


@pytest.mark.parametrize("what", TEMPLATES)
def test_error_in_a_template_names_file_and_line(what: str, tmp_path: Path) -> None:
    template, words = TEMPLATES[what]
    (tmp_path / "input.yaml").write_text(GOOD)
    entry = tmp_path / "lib" / "mine"
    entry.mkdir(parents=True)
    (entry / "sidecar.yaml").write_text(SIDECAR)
    (entry / "template.yaml.j2").write_text(template)
    outcome = run("sidecarctl add mine --library lib -f input.yaml", tmp_path)
    assert (outcome.code, outcome.stdout) == (2, ""), outcome.stderr
    assert "Traceback" not in outcome.stderr
    for word in words:
        assert word in outcome.stderr


def test_read_only_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "input.yaml"
    path.write_text(GOOD)
    (tmp_path / "other.yaml").write_text(GOOD)
    path.chmod(stat.S_IRUSR)
    if os.geteuid() == 0:
        pytest.skip("root can write to read-only files")
    outcome = run("sidecarctl add logger -f . -i", tmp_path)
    assert outcome.code == 3
    assert "read-only" in outcome.stderr
    assert (tmp_path / "other.yaml").read_text() == GOOD


def test_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "input.yaml").write_text(GOOD)
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); import signal;"
    code += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); from sidecarctl.__main__ import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, "add", "logger", "-f", "input.yaml", "-i"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "input.yaml").read_text() == GOOD
    assert [p.name for p in tmp_path.iterdir()] == ["input.yaml"]


def test_closed_pipe_ends_the_command_without_an_error(tmp_path: Path) -> None:
    (tmp_path / "input.yaml").write_text(
        "---\n".join(GOOD.replace("name: web", f"name: web-{i}", 1) for i in range(400))
    )
    done = subprocess.run(
        f"{sys.executable} -m sidecarctl add logger -q -f input.yaml | head -n 1",
        shell=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "apiVersion: v1\n"
    assert done.stderr == ""


LONG = "x" * 5000


@pytest.mark.parametrize(
    "command",
    [
        *("add logger --library {} -f web.yaml", "validate -f {}", "validate {}.yaml", "status {}", "graph {}/x"),
        *("add log-tail --set logDir=/a -f web.yaml -o {}", "add log-tail --set logDir=/a -f web.yaml -o {}/"),
        *(
            "new mine --library {}",
            "test --library {}",
            "init {}",
            "adopt {}",
            "list --for {}",
            "render -c {} web.yaml",
        ),
    ],
)
def test_path_that_the_system_refuses_is_an_error_that_names_it(command: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(GOOD)
    done = run(f"sidecarctl {command.format(LONG)}", tmp_path)
    assert done.code in (2, 3)
    assert "xxx" in done.stderr and "File name too long" in done.stderr
    assert "bug" not in done.stderr


@pytest.mark.parametrize("words", [["list"], ["validate", "-f", "{file}"], ["status", "-f", "{file}"], ["init"]])
def test_deleted_working_directory_is_an_error(tmp_path: Path, words: list[str]) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: a}]}\n")
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"import os; os.rmdir({str(gone)!r}); from sidecarctl.__main__ import main; main()"
    arguments = [word.format(file=file) for word in words]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=gone,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 or (done.returncode == 3 and "the working directory does not exist" in done.stderr), (
        done.stderr
    )


def test_python_without_docstrings_is_an_error() -> None:
    done = subprocess.run(
        [sys.executable, "-OO", "-m", "sidecarctl", "rules"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, "PYTHONOPTIMIZE=1" in done.stderr) == (2, True), done.stderr
