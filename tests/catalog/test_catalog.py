"""Which sidecar a request means, and what is said of entries that are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from library_kit import entry

from sidecarctl.catalog.catalog import open_catalog, shipped_library, version_order
from sidecarctl.catalog.sidecar import Sidecar, read_sidecar
from sidecarctl.errors import LibraryError, UsageError

Find = Callable[[str], Sidecar]


def test_first_library_that_has_the_name_wins(tmp_path: Path) -> None:
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


def test_newest_version_of_a_library_wins(library: Path, find: Find) -> None:
    entry(library, version="1.9.0")
    entry(library, version="1.10.0", folder="agent@1.10.0")
    assert find("agent").version == "1.10.0"
    assert find("agent@1.9.0").version == "1.9.0"


def test_versions_sort_as_semantic_versions_do() -> None:
    ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-2", "1.0.0", "1.2.0", "1.10.0"]
    assert sorted(ordered, key=version_order) == ["1.0.0-2", *[v for v in ordered if v != "1.0.0-2"]]


@pytest.mark.parametrize(
    ("request_", "message", "hint"),
    [
        ("agnt", "unknown sidecar 'agnt'", 'did you mean "agent"?'),
        ("agent@2.0.0", "there is no version 2.0.0", "versions there are: 1.0.0"),
        ("agent@latest", "'latest' is not a version", "agent@1.0.0"),
        ("../agent", "'../agent' is not the name of a sidecar", "--library"),
        ("/etc", "'/etc' is not the name of a sidecar", "--library"),
        ("a/b", "'a/b' is not the name of a sidecar", "--library"),
        ("", "'' is not the name of a sidecar", "--library"),
    ],
)
def test_request_that_means_nothing_is_refused(
    library: Path, find: Find, request_: str, message: str, hint: str
) -> None:
    entry(library)
    with pytest.raises(UsageError) as caught:
        find(request_)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_library_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        open_catalog([tmp_path / "nowhere"], {})


def test_link_out_of_the_library_is_refused(tmp_path: Path, library: Path, find: Find) -> None:
    entry(tmp_path / "elsewhere")
    (library / "agent").symlink_to(tmp_path / "elsewhere" / "agent")
    with pytest.raises(LibraryError, match="leads outside its library"):
        find("agent")


def test_broken_entry_is_told_and_the_others_stay_usable(library: Path, find: Find) -> None:
    entry(library)
    entry(library, name="broken", spec="  mode: sometimes\n")
    (library / "unfinished").mkdir()
    (library / "unfinished" / "template.yaml.j2").write_text("")
    (library / "notes").mkdir()
    entries = {e.name: e for e in open_catalog([library], {}).entries() if e.library == str(library)}
    assert sorted(entries) == ["agent", "broken", "unfinished"]
    broken = entries["broken"].error
    assert broken is not None and broken.where.endswith("broken/sidecar.yaml:5:9")
    assert entries["unfinished"].error is not None and "there is no sidecar.yaml" in entries["unfinished"].error.message
    assert find("agent").name == "agent"


def test_two_entries_of_one_name_and_version_are_told(library: Path, find: Find) -> None:
    entry(library)
    entry(library, folder="agent@1.0.0")
    with pytest.raises(LibraryError, match=r"has agent@1\.0\.0 twice"):
        find("agent")
    entries = [e for e in open_catalog([library], {}).entries() if e.name == "agent"]
    assert [e.error is not None for e in entries] == [False, True]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("name: agent", "name: agnet", "3:18", "the folder is 'agent'"),
        ("1.0.0", "1.0", "3:34", "metadata.version"),
        (", summary: A sidecar for tests.", "", "3:11", '"summary" is missing'),
        ("kind: Sidecar", "kind: Sidcar", "2:7", "kind"),
        ("spec:", "spce:", "4:1", "spce: unknown key"),
        ("engine: jinja", "engine: perl", "5:11", "spec.engine"),
        ("engine: jinja", "template: ../agent/x", "5:13", "there is no"),
        ("engine: jinja", "template: ../../x", "5:13", "leads outside the folder"),
        ("engine: jinja", "template: /etc/passwd", "5:13", "leads outside the folder"),
        ("engine: jinja", "podSecurity: {level: baseline}", "5:16", '"reason" is missing'),
        ("engine: jinja", "parameters: {properties: {image: {}}}", "5:29", "image"),
        ("engine: jinja", "parameters: {properties: {a: {type: text}}}", "5:39", "type"),
        ("engine: jinja", "parameters: {properties: {a: {defualt: 1}}}", "5:33", 'did you mean "default"?'),
        ("engine: jinja", "mode: auto\n  mode: init", "6:3", "duplicate key"),
        ("engine: jinja", "mode: [", "", "YAML"),
    ],
)
def test_wrong_metadata_is_told_with_its_place(library: Path, old: str, new: str, line: str, message: str) -> None:
    folder = entry(library)
    file = folder / "sidecar.yaml"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(LibraryError) as caught:
        read_sidecar(folder, "test")
    assert message in caught.value.message or message == "YAML"
    assert caught.value.where.startswith(f"{file}:{line}")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"5", b"\x00", b"a: &a [*a]", b"x" * (1 << 20) + b"x"])
def test_file_that_is_no_metadata_is_told(library: Path, content: bytes) -> None:
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


def test_every_shipped_sidecar_can_be_read() -> None:
    for found in open_catalog([], {}).entries():
        assert found.error is None, f"{found.error and found.error.where}: {found.error}"
        assert found.folder.parent == shipped_library()
