"""Tests of the catalog: finding sidecars, and errors of invalid entries."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from library_kit import entry

from sidecarctl.catalog.catalog import open_catalog, shipped_library, version_order
from sidecarctl.catalog.sidecar import Sidecar, read_sidecar
from sidecarctl.errors import LibraryError, UsageError

Find = Callable[[str], Sidecar]


def test_first_library_takes_precedence(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    entry(first, version="1.0.0")
    entry(second, version="2.0.0")
    catalog = open_catalog([first], {"SIDECARCTL_LIBRARY": str(second)})
    assert catalog.find("agent").version == "1.0.0"
    assert catalog.find("agent@2.0.0").library == str(second)
    assert [(e.library, e.shadowed_by) for e in catalog.entries() if e.name == "agent"] == [
        (str(first), ""),
        (str(second), str(first)),
    ]


def test_finds_newest_version(library: Path, find: Find) -> None:
    entry(library, version="1.9.0")
    entry(library, version="1.10.0", folder="agent@1.10.0")
    assert find("agent").version == "1.10.0"
    assert find("agent@1.9.0").version == "1.9.0"


def test_sorts_semantic_versions() -> None:
    ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-2", "1.0.0", "1.2.0", "1.10.0"]
    assert sorted(ordered, key=version_order) == ["1.0.0-2", *[v for v in ordered if v != "1.0.0-2"]]


@pytest.mark.parametrize(
    ("request_", "message", "hint"),
    [
        ("agnt", 'unknown sidecar "agnt"', 'did you mean "agent"?'),
        ("agent@2.0.0", "no version 2.0.0 of sidecar", "available versions: 1.0.0"),
        ("agent@latest", 'invalid version "latest"', "agent@1.0.0"),
        ("../agent", 'invalid sidecar name "../agent"', "--library"),
        ("/etc", 'invalid sidecar name "/etc"', "--library"),
        ("a/b", 'invalid sidecar name "a/b"', "--library"),
        ("", 'invalid sidecar name ""', "--library"),
    ],
)
def test_rejects_invalid_requests(library: Path, find: Find, request_: str, message: str, hint: str) -> None:
    entry(library)
    with pytest.raises(UsageError) as caught:
        find(request_)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_rejects_missing_library(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a directory"):
        open_catalog([tmp_path / "nowhere"], {})


def test_rejects_link_out_of_the_library(tmp_path: Path, library: Path, find: Find) -> None:
    entry(tmp_path / "elsewhere")
    (library / "agent").symlink_to(tmp_path / "elsewhere" / "agent")
    with pytest.raises(LibraryError, match="leads outside its library"):
        find("agent")


def test_invalid_entry_does_not_affect_others(library: Path, find: Find) -> None:
    entry(library)
    entry(library, name="broken", spec="  mode: sometimes\n")
    (library / "unfinished").mkdir()
    (library / "unfinished" / "template.yaml.j2").write_text("")
    (library / "notes").mkdir()
    entries = {e.name: e for e in open_catalog([library], {}).entries() if e.library == str(library)}
    assert sorted(entries) == ["agent", "broken", "unfinished"]
    broken = entries["broken"].error
    assert broken is not None and broken.where.endswith("broken/sidecar.yaml:5:9")
    assert (
        entries["unfinished"].error is not None
        and "file not found: sidecar.yaml" in entries["unfinished"].error.message
    )
    assert find("agent").name == "agent"


@pytest.mark.parametrize("text", ["metadata: [\n", "metadata: {}\n"])
def test_error_of_an_entry_does_not_keep_its_parsed_file(text: str, library: Path) -> None:
    (entry(library) / "sidecar.yaml").write_text(text)
    (error,) = [each.error for each in open_catalog([library], {}).entries() if each.error]
    assert (error.__traceback__, error.__context__) == (None, None)


def test_rejects_duplicate_entries(library: Path, find: Find) -> None:
    entry(library)
    entry(library, folder="agent@1.0.0")
    with pytest.raises(LibraryError, match=r"duplicate sidecar agent@1\.0\.0"):
        find("agent")
    entries = [e for e in open_catalog([library], {}).entries() if e.name == "agent"]
    assert [e.error is not None for e in entries] == [False, True]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("name: agent", "name: agnet", "3:18", 'directory name "agent" does not match'),
        ("1.0.0", "1.0", "3:34", "metadata.version"),
        (", summary: A sidecar for tests.", "", "3:11", "missing required field: summary"),
        ("kind: Sidecar", "kind: Sidcar", "2:7", "kind"),
        ("spec:", "spce:", "4:1", "spce: unknown field"),
        ("engine: jinja", "engine: perl", "5:11", "spec.engine"),
        ("engine: jinja", "template: ../agent/x", "5:13", "file not found"),
        ("engine: jinja", "template: ../../x", "5:13", "outside the sidecar directory"),
        ("engine: jinja", "template: /etc/passwd", "5:13", "outside the sidecar directory"),
        ("engine: jinja", "podSecurity: {level: baseline}", "5:16", "missing required field: reason"),
        ("engine: jinja", "parameters: {properties: {image: {}}}", "5:29", "image"),
        ("engine: jinja", "parameters: {properties: {a: {type: text}}}", "5:39", "type"),
        ("engine: jinja", "parameters: {properties: {a: {defualt: 1}}}", "5:33", 'did you mean "default"?'),
        ("engine: jinja", "mode: auto\n  mode: init", "6:3", "duplicate key"),
        ("engine: jinja", "mode: [", "", "YAML"),
    ],
)
def test_rejects_invalid_metadata_at_its_location(library: Path, old: str, new: str, line: str, message: str) -> None:
    folder = entry(library)
    file = folder / "sidecar.yaml"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(LibraryError) as caught:
        read_sidecar(folder, "test")
    assert message in caught.value.message or message == "YAML"
    assert caught.value.where.startswith(f"{file}:{line}")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"5", b"\x00", b"a: &a [*a]", b"x" * (1 << 20) + b"x"])
def test_rejects_files_that_are_not_metadata(library: Path, content: bytes) -> None:
    folder = entry(library)
    (folder / "sidecar.yaml").write_bytes(content)
    with pytest.raises(LibraryError) as caught:
        read_sidecar(folder, "test")
    assert str(folder / "sidecar.yaml") in caught.value.where


def test_defaults_of_metadata(library: Path) -> None:
    sidecar = read_sidecar(entry(library, spec="  parameters: {properties: {a: {type: string}}}\n"), "test")
    assert (sidecar.engine, sidecar.mode, sidecar.start, sidecar.targets) == ("jinja", "auto", "before-init", "default")
    assert sidecar.pod_security.level == "restricted"
    assert sidecar.parameters["additionalProperties"] is False


def test_shipped_sidecars_are_valid() -> None:
    for found in open_catalog([], {}).entries():
        assert found.error is None, f"{found.error and found.error.where}: {found.error}"
        assert found.folder.parent == shipped_library()


def test_long_versions_are_compared_as_numbers() -> None:
    long = "9" * 5000
    versions = [
        "1.2.0",
        "1.9.0",
        "1.10.0-9",
        "1.10.0-10",
        f"1.10.0-{long}",
        "1.10.0-a",
        "1.10.0",
        "1.010.1",
        f"{long}.0.0",
    ]
    backwards = versions[::-1]
    assert sorted(backwards, key=version_order) == versions


@pytest.mark.parametrize("version", ["", "1.x", "1..2", "1.\u00b2.0", "1.0.-1"])
def test_version_without_numbers_has_no_order(version: str) -> None:
    with pytest.raises(ValueError, match="invalid number"):
        version_order(version)


def test_library_named_like_the_shipped_one_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(shipped_library() / "logger", tmp_path / "shipped/logger")
    shutil.copy(shipped_library() / "index.json", tmp_path / "shipped")
    catalog = open_catalog([Path("shipped")])
    loggers = [each for each in catalog.entries() if each.name == "logger"]
    assert [each.error for each in loggers] == [None, None]
    assert [(each.checked, each.shadowed_by) for each in loggers] == [(False, ""), (True, "./shipped")]


@pytest.mark.parametrize("field", ["template: {}", "engine: kcl\n  template: x.k\n  modules: {{a: {}}}"])
def test_rejects_absolute_path_of_its_own_file(library: Path, field: str) -> None:
    folder = entry(library)
    (folder / "x.k").write_text("")
    file, own = folder / "sidecar.yaml", folder / "template.yaml.j2"
    file.write_text(file.read_text().replace("engine: jinja", field.format(own), 1))
    with pytest.raises(LibraryError, match="is an absolute path") as caught:
        read_sidecar(folder, "test")
    assert caught.value.where.startswith(f"{file}:")
