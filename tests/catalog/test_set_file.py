"""Tests of `--set-file`: the value of a parameter is the text of a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from library_kit import entry

from sidecarctl.catalog.assignments import origins_of_sets, parse_set_files
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.parameters import resolve
from sidecarctl.errors import InputError, UsageError


def test_value_is_the_whole_text_and_is_not_parsed(tmp_path: Path) -> None:
    file = tmp_path / "a=b.yaml"
    file.write_bytes(b"port: 0o17\r\n# end\n")
    given = parse_set_files([f"agent.config.text={file}"], ["agent@1.0.0", "other"])
    assert given == {"agent": {"config": {"text": "port: 0o17\r\n# end\n"}}}


def test_value_of_a_parameter_of_another_type_is_refused(library: Path, tmp_path: Path) -> None:
    (tmp_path / "port").write_text("8080", "utf-8")
    entry(library, spec="  parameters: {properties: {port: {type: integer}}}\n")
    given = parse_set_files([f"port={tmp_path}/port"], ["agent"])["agent"]
    with pytest.raises(UsageError, match='parameter "port"'):
        resolve(open_catalog([library], {}).find("agent"), given)


def test_reports_a_file_that_cannot_be_read_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "large").write_bytes(b"x" * ((1 << 20) + 1))
    for name, reason in {
        "missing": "No such file or directory",
        ".": "Is a directory",
        "large": "is larger than 1024 KiB",
        "latin": "invalid UTF-8: byte 0xe9",
        "nul\0": "embedded null",
    }.items():
        with pytest.raises(InputError, match=reason) as error:
            parse_set_files([f"x={tmp_path}/{name}"], ["agent"])
        assert str(tmp_path) in error.value.where


@pytest.mark.parametrize("text", ["x", "x=", "=file", ""])
def test_requires_key_and_path(text: str) -> None:
    with pytest.raises(UsageError, match="expected KEY=PATH") as error:
        parse_set_files([text], ["agent"])
    assert error.value.where == f"--set-file {text}"


def test_origin_of_the_value_is_the_option() -> None:
    assert origins_of_sets(["x=a.txt"], ["agent"], "--set-file") == {"agent": {"x": "--set-file x"}}
