"""The examples of docs/python-api.md run, and its statements hold."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import sidecarctl
from sidecarctl import api
from tests.pages import ROOT

PAGE = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
POD = "apiVersion: v1\r\nkind: Pod\r\nmetadata: {name: web}\r\nspec: {containers: [{name: web, image: a}]}\r\n"


def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sidecars").mkdir()
    file = tmp_path / "deployment.yaml"
    file.write_bytes(POD.encode())
    first, second = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {"texts": [POD, POD]}
    exec(first, names)
    assert sidecarctl.remove(file.read_bytes().decode()).text == POD != file.read_bytes().decode()
    exec(second, names)
    assert all(result.changed and not result.failed for result in names["results"])


def test_table_has_the_functions_and_their_arguments() -> None:
    rows = re.findall(r"\| `(\w+)\((.*?)\)` \|", PAGE)
    assert {name for name, _ in rows} == {name for name in api.__all__ if name.islower()}
    for name, arguments in rows:
        positional = [
            parameter.name
            for parameter in inspect.signature(getattr(sidecarctl, name)).parameters.values()
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]
        assert arguments.split(", ") == positional
        assert hasattr(sidecarctl.Session, name)


@pytest.mark.parametrize("text", [POD.replace("name: web, image", "name: Web, image"), "kind: [\n"])
def test_problems_of_a_manifest_are_in_the_result(text: str) -> None:
    verdict = sidecarctl.check(text)
    assert verdict.findings
    assert verdict.failed
    assert not sidecarctl.check(POD, select=["invalid-container-name"]).failed


def test_invalid_arguments_and_text_raise_an_error(tmp_path: Path) -> None:
    for call in (
        lambda: sidecarctl.add(POD, ["no-such-sidecar"]),
        lambda: sidecarctl.add(POD + "\ud800", ["logger"]),
        lambda: sidecarctl.add(POD, ["logger"], {"logger": {"logDir": {1, 2}}}),
        lambda: sidecarctl.render(POD, tmp_path / "none.yaml"),
    ):
        with pytest.raises(sidecarctl.SidecarctlError):
            call()


def test_functions_write_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sidecarctl.add(POD, ["logger"], {"logger": {"logDir": "/srv/log"}})
    assert not list(tmp_path.iterdir())
