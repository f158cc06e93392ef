"""Tests of shell completion: sidecar names, parameter names, and parameter values."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.authoring.library_kit import entry
from tests.command import ROOT, run
from tests.crash.helpers import write_pods


def _completed(line: str, folder: Path, program: tuple[str, ...] = ("-m", "sidecarctl")) -> list[str]:
    """Return the bash completions of the last word of a line."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    reads, writes = os.pipe()  # as of a terminal, its reading would wait
    done = subprocess.run(
        [sys.executable, *program],
        cwd=folder,
        stdin=reads,
        env={
            "PYTHONPATH": str(ROOT),
            "_SIDECARCTL_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(reads)
    os.close(writes)
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("variables", [{}, {"COMP_WORDS": "sidecarctl add "}, {"COMP_WORDS": "a", "COMP_CWORD": "x"}])
def test_incomplete_variables_of_bash_complete_nothing(variables: dict[str, str]) -> None:
    env = {"PYTHONPATH": str(ROOT), "_SIDECARCTL_COMPLETE": "complete_bash", **variables}
    command = [sys.executable, "-m", "sidecarctl"]
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("sidecarctl add log", {"logger", "log-tail"}),
        ("sidecarctl show git", {"git-sync"}),
        ("sidecarctl add metrics --set exp", {"exporter="}),
        ("sidecarctl add metrics --set exporter=", {"exporter=nginx", "exporter=redis"}),
        ("sidecarctl add metrics --set tls.", {"tls.secretName=", "tls.caKey=", "tls.clientCertificate="}),
        ("sidecarctl add metrics --set imageP", {"imagePullPolicy="}),
        ("sidecarctl add metrics logger --set logger.multiline.", {"logger.multiline.parser="}),
        ("sidecarctl schema val", {"values"}),
        ("sidecarctl add agent --library lib --set lo", {"logDir="}),
        ("sidecarctl show --library lib ag", {"agent"}),
    ],
)
def test_completions(line: str, wanted: set[str], tmp_path: Path) -> None:
    spec = "  parameters: {properties: {logDir: {type: string, default: /logs, description: Where logs are.}}}\n"
    entry(tmp_path / "lib", spec=spec)
    offered = _completed(line, tmp_path)
    assert wanted <= set(offered), offered
    typed = line.split()[-1]
    assert all(word.startswith(typed) for word in offered)


_TYPER = ("-c", "from sidecarctl.__main__ import _typer; _typer([])")


@pytest.mark.parametrize(
    "line",
    [
        *("sidecarctl ", "sidecarctl re", "sidecarctl nothing ", "sidecarctl add ", "sidecarctl add logger "),
        *("sidecarctl add log", "sidecarctl add --", "sidecarctl add -", "sidecarctl add logger --set a=b --se"),
        *(
            "sidecarctl add -i --in",
            "sidecarctl add --mode ",
            "sidecarctl add --mode n",
            "sidecarctl add -f ",
            "sidecarctl show logger ",
        ),
        *(
            "sidecarctl add --kube-version 1.3",
            "sidecarctl add --mode=n",
            "sidecarctl validate --format ",
            "sidecarctl validate -f a ",
        ),
        *(
            "sidecarctl add logger --set logDir=/a --set ",
            "sidecarctl rules port",
            "sidecarctl validate --select port",
            "sidecarctl schema ",
        ),
        *("sidecarctl add -- lo", "sidecarctl add --nonsense ", "sidecarctl render --env ", "sidecarctl list "),
    ],
)
def test_fast_completion_equals_typer(line: str, tmp_path: Path) -> None:
    # typer does not order -h and --help.
    assert sorted(_completed(line, tmp_path)) == sorted(_completed(line, tmp_path, _TYPER))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a named pipe")
@pytest.mark.parametrize("words", ["-f -", "pipe.yaml", "pipe.yaml -"])
@pytest.mark.parametrize("command", ["remove", "upgrade"])
def test_completion_does_not_wait_for_stdin_or_a_pipe(command: str, words: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    write_pods(tmp_path, 1)
    assert run("sidecarctl add logger -f web-000.yaml -i", tmp_path).code == 0
    assert "logger" not in _completed(f"sidecarctl {command} {words} l", tmp_path)
    assert _completed(f"sidecarctl {command} {words} web-000.yaml l", tmp_path) == ["logger"]


def test_names_are_completed_once_and_versions_after_an_at_sign(tmp_path: Path) -> None:
    entry(tmp_path / "lib", version="1.1.0")
    entry(tmp_path / "lib", version="1.0.0", folder="agent@1.0.0")
    assert _completed("sidecarctl show --library lib age", tmp_path) == ["agent"]
    assert _completed("sidecarctl show --library lib agent@", tmp_path) == ["agent@1.1.0", "agent@1.0.0"]


@pytest.mark.parametrize("flag", ["--show-completion", "--install-completion"])
def test_completion_script_is_only_for_the_shell_that_runs_it(flag: str, tmp_path: Path) -> None:
    outcome = run(f"sidecarctl {flag} fish", tmp_path)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert f"{flag} takes no argument" in outcome.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="requires bash")
def test_startup_file_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_bytes(b"# \xff\n")
    done = subprocess.run(
        ["bash", "-c", f"{shlex.quote(sys.executable)} -m sidecarctl --install-completion; exit $?"],
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "the startup file of the shell is not UTF-8" in done.stderr
    assert (tmp_path / ".bashrc").read_bytes() == b"# \xff\n"


def test_empty_completion_variable_is_as_none(tmp_path: Path) -> None:
    done = run("sidecarctl", tmp_path, env={"_SIDECARCTL_COMPLETE": ""})
    assert (done.code, done.stdout) == (run("sidecarctl", tmp_path).code, run("sidecarctl", tmp_path).stdout)


@pytest.mark.parametrize(
    "name", ["$(touch x)", "`touch x`", "\\\\$(touch x)", "a b", "a;b", "-f", "a'b", 'a"b', "~a", "a*"]
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_names_that_a_shell_would_read_as_something_else_are_not_offered(name: str, shell: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.yaml").write_text("{}")
    (tmp_path / "web.yaml").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-m", "sidecarctl"],
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(ROOT),
            "_SIDECARCTL_COMPLETE": f"complete_{shell}",
            "_TYPER_COMPLETE_ARGS": "sidecarctl add logger ",
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "COMP_WORDS": "sidecarctl add logger ",
            "COMP_CWORD": "3",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "web.yaml" in done.stdout
    assert f"{name}.yaml" not in done.stdout and "touch" not in done.stdout


def test_completion_below_a_directory_that_is_gone_offers_nothing(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = "import os; os.rmdir(os.getcwd()); from sidecarctl.cli.kubectl_completion import answer; print(answer(['remove', '']))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=gone,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [":0"]


HOSTILE = (
    "title \x1b]0;pwn\x07 \x9b31m \x85 \u202e \u2028 \x7f end",
    "a [/b] c [red]x",
    "first\n;calc.exe;:::Lists",
)


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell"])
@pytest.mark.parametrize("summary", HOSTILE)
def test_summary_of_a_library_is_plain_text_in_one_line(summary: str, shell: str, tmp_path: Path) -> None:
    sidecar = entry(tmp_path / "sidecars", "mine")
    text = (sidecar / "sidecar.yaml").read_text()
    assert text.count("summary: ") == 1
    (sidecar / "sidecar.yaml").write_text(re.sub("summary: .*", lambda _: f"summary: {json.dumps(summary)}", text))
    words = {
        "_SIDECARCTL_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "sidecarctl add mi",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": "mi",
    }
    done = run("sidecarctl", tmp_path, env=words)
    assert (done.code, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert "mine" in line
    assert line.isprintable() or line.replace("\t", "").isprintable()
    assert line.count(":::") == (shell == "powershell")
