"""A KCL template reaches no module of KCL that has access to the system, whatever the form of the import."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sidecarctl.catalog.engines import kcl, kcl_imports
from sidecarctl.catalog.engines.kcl_tree import TemplateError
from tests.command import run
from tests.security.kit import ADD, library

pytestmark = pytest.mark.skipif(importlib.util.find_spec("kcl_lib") is None, reason="KCL is not installed")

# Files of a sidecar, and of its module "vendored", by the form of the import. NAME is a module of KCL.
FORMS: dict[str, dict[str, str]] = {
    "relative": {"template.k": "import .NAME\n"},
    "relative, and the file exists": {"template.k": "import .NAME\n", "NAME.k": "own = 1\n"},
    "relative, and the directory exists": {"template.k": "import .NAME\n", "NAME/a.k": "own = 1\n"},
    "a directory with one file": {"template.k": "import .NAME.sub\n", "NAME/sub.k": "own = 1\n"},
    "a directory with two files": {"template.k": "import .NAME.a\n", "NAME/a.k": "own = 1\n", "NAME/b.k": "own = 2\n"},
    "the parent directory": {"template.k": "import .sub.a\n", "sub/a.k": "import ..NAME\n"},
    "a file of a directory": {"template.k": "import .sub.NAME\n", "sub/NAME.k": "own = 1\n"},
    "a plugin": {"template.k": "import .kcl_plugin.hello\n"},
    "an alias": {"template.k": "import .NAME as x\n"},
    "spaces": {"template.k": "import . NAME\n"},
    "a line continuation": {"template.k": "import \\\n  .NAME\n"},
    "a tab and a comment": {"template.k": "# a\nimport\t.NAME # b\n"},
    "a form feed": {"template.k": "import\f.NAME\n"},
    "a byte order mark": {"template.k": "\ufeffimport .NAME\n"},
    "carriage returns": {"template.k": "a = 1\rimport .NAME\r"},
    "the last line": {"template.k": "a = 1\nimport .NAME"},
    "a lambda": {"template.k": "f = lambda {\n    import .NAME\n    1\n}\n"},
    "a condition": {"template.k": "if True:\n    import .NAME\n"},
    "a file that a file imports": {
        "template.k": "import .s\n",
        "s/a.k": "import ..t.b\n",
        "t/b.k": "import ..NAME\n",
    },
    "a file that a directory import skips": {"template.k": "import ._a\n", "_a.k": "import .NAME\n"},
    "a module": {"template.k": "import vendored\n", "vendor/a.k": "import .NAME\n"},
    "a module, and the file exists": {
        "template.k": "import vendored\n",
        "vendor/a.k": "import .NAME\n",
        "vendor/NAME.k": "own = 1\n",
    },
    "a file of a module": {"template.k": "import vendored.NAME\n", "vendor/NAME.k": "own = 1\n"},
    "the module file": {"template.k": "import .NAME\n", "kcl.mod": '[package]\nname = "a"\n'},
    "the module file of the library": {"template.k": "import .NAME\n", "../kcl.mod": '[package]\nname = "a"\n'},
}
SYSTEM = [*kcl_imports.SYSTEM, "json"]


def ask(folder: Path, files: dict[str, str], **more: Any) -> dict[str, Any]:
    """Write the files, and return the answer of the worker process."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    modules = {"vendored": str(folder / "vendor")} if (folder / "vendor").exists() else {}
    request = {"template": str(folder / "template.k"), "folder": str(folder), "modules": modules, "input": {}}
    return kcl._worker.ask({**request, **more})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", SYSTEM)
def test_kcl_import_cannot_lead_to_a_system_module(name: str, form: str, tmp_path: Path) -> None:
    files = {file.replace("NAME", name): text.replace("NAME", name) for file, text in FORMS[form].items()}
    if files["template.k"] == "own = 1\n":  # the file has the name of the template
        files["template.k"] = FORMS[form]["template.k"].replace("NAME", name)
    answer = ask(tmp_path / "side", files)
    assert answer.get("kind") == "refused", answer
    assert "is not allowed" in answer["error"]


@pytest.mark.parametrize("command", ["list", "show mine", "test mine", ADD.removeprefix("sidecarctl ")])
def test_kcl_template_cannot_delete_a_file(command: str, tmp_path: Path) -> None:
    template = 'import .file\ncontainers = [{name = "mine", image = "x:1", args = [str(file.delete("note"))]}]\n'
    note = library(tmp_path, template, engine="kcl") / "note"
    note.write_text("a")
    outcome = run(f"sidecarctl {command.replace(' --library lib', '')} --library lib", tmp_path)
    assert note.read_text() == "a", outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("form", ["relative, and the file exists", "a directory with one file"])
def test_kcl_module_that_is_not_listed_is_refused(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import kcl_lib.api as api

    monkeypatch.setattr(kcl_imports, "SYSTEM", ())
    for name, text in FORMS[form].items():
        path = tmp_path / name.replace("NAME", "file")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("NAME", "file"))
    with pytest.raises(TemplateError, match='"file" is a module of KCL'):
        kcl_imports.load_checked(api, tmp_path / "template.k", tmp_path, {})


def test_imports_of_own_files_are_allowed_in_every_form(tmp_path: Path) -> None:
    files = {
        "template.k": "import .own\nimport .sub\nimport .one.a as b\nimport vendored.c\nimport json as j\n"
        "x = [own.x, sub.x, b.x, c.x, j.encode(1)]\n",
        "own.k": "import .sub.deep\nx = deep.z\n",
        "sub/a.k": "x = 1\n",
        "sub/deep.k": "import ..one\nz = one.x\n",
        "one/a.k": "x = 2\n",
        "vendor/c.k": "import .d\nx = d.w\n",
        "vendor/d.k": "w = 3\n",
    }
    assert ask(tmp_path, files)["value"] == {"x": [2, 1, 2, 3, "1"]}


def test_import_without_a_file_is_refused(tmp_path: Path) -> None:
    answer = ask(tmp_path, {"template.k": "import .missing\n"})
    assert answer["error"] == 'import of ".missing" is not allowed: the sidecar has no such file'


@pytest.mark.parametrize("change", [{"part.k": "import file\nx = 1\n"}, {"part/a.k": "import file\nx = 1\n"}])
def test_file_that_changes_between_two_runs_is_checked_again(change: dict[str, str], tmp_path: Path) -> None:
    assert ask(tmp_path, {"template.k": "import .part\ny = part.x\n", "part.k": "x = 0\n"})["value"] == {"y": 0}
    assert ask(tmp_path, change)["kind"] == "refused"


# What is left if a template gets around the checks: KCL runs it in a process without rights.
CONFINED = """\
import json, os, sys
import kcl_lib.api as api
from sidecarctl.catalog.engines.kcl_confine import confine
from pathlib import Path
template = Path(sys.argv[1])
confine(1 << 30)
def run(code):
    template = api.ExecProgramArgs(work_dir=sys.argv[1], k_filename_list=["x.k"], k_code_list=[code])
    try:
        result = api.API().exec_program(template)
        return result.json_result or result.err_message
    except Exception as error:
        return str(error)
os.write(1, json.dumps([run(code) for code in sys.argv[2:]]).encode())
"""


def test_environment_is_empty_where_kcl_runs(tmp_path: Path) -> None:
    assert confined(tmp_path, 'import file\nx = file.read_env("SECRET") or "none"\n') == ['{"x": "none"}']


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock is a part of Linux")
@pytest.mark.parametrize(
    "code",
    [
        'file.delete("note")',
        'file.write("note", "")',
        'file.append("note", "b")',
        'file.mkdir("directory")',
        'file.mv("note", "other")',
        'file.cp("note", "other")',
    ],
)
def test_file_system_is_read_only_where_kcl_runs(code: str, tmp_path: Path) -> None:
    if not has_landlock():
        pytest.skip("the kernel has no Landlock")
    (tmp_path / "note").write_text("a")
    confined(tmp_path, f"import file\nx = str({code})\n")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"note": "a"}


def confined(folder: Path, *codes: str) -> list[str]:
    """Return what KCL answers for code with full access, in a process like that of the worker."""
    process = subprocess.run(
        [sys.executable, "-c", CONFINED, str(folder), *codes], capture_output=True, env={"SECRET": "a"}, check=True
    )
    answers: list[str] = json.loads(process.stdout)
    return answers


def has_landlock() -> bool:
    import ctypes

    return bool(ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) > 0)
