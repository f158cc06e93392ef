"""Tests of changelogs: which entries an upgrade shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from library_kit import entry

from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.changelog import ChangelogEntry, changes_between, read_changelog
from sidecarctl.errors import LibraryError

TEXT = """\
# Changelog

Some words about the format.

## [Unreleased]

- Not a version yet.

## [2.0.0](https://example.com/2.0.0) - 2026-11-02

### Changed

- The default port is 9000.

## 1.10.0 - Unreleased

- Ten comes after nine.

## 1.9.0 - 2026-03-01
- First line without a blank line above.

## 1.0.0

[2.0.0]: https://example.com/2.0.0
"""


def write(library: Path, text: str, version: str = "2.0.0") -> Path:
    return entry(library, version=version, jinja="containers: []\n", **{"CHANGELOG.md": text})


def test_reads_versions_dates_and_text_newest_first(library: Path) -> None:
    assert read_changelog(write(library, TEXT)) == (
        ChangelogEntry("2.0.0", "2026-11-02", ("### Changed", "", "- The default port is 9000.")),
        ChangelogEntry("1.10.0", "", ("- Ten comes after nine.",)),
        ChangelogEntry("1.9.0", "2026-03-01", ("- First line without a blank line above.",)),
        ChangelogEntry("1.0.0"),
    )


def test_version_can_have_more_digits_than_python_converts(library: Path) -> None:
    long = f"1.0.{'9' * 5000}"
    found = read_changelog(write(library, f"## 1.0.0\n\n- One.\n\n## {long}\n\n- Many.\n"))
    assert [one.version for one in found] == [long, "1.0.0"]


def test_windows_line_ends_are_no_part_of_the_text(library: Path) -> None:
    folder = write(library, "")
    (folder / "CHANGELOG.md").write_bytes(b"## 1.0.0 - 2026-01-01\r\n\r\n- One.\r\n")
    assert read_changelog(folder) == (ChangelogEntry("1.0.0", "2026-01-01", ("- One.",)),)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("1.0.0", "", ["2.0.0", "1.10.0", "1.9.0"]),
        ("1.9.0", "1.10.0", ["1.10.0"]),
        ("1.9.5", "", ["2.0.0", "1.10.0"]),
        ("2.0.0", "", []),
        ("2.0.0", "1.0.0", []),
        ("2.0.0-rc.1", "", ["2.0.0"]),
    ],
)
def test_changes_between_two_versions(library: Path, old: str, new: str, expected: list[str]) -> None:
    write(library, TEXT)
    sidecar = open_catalog([library], {}).find("agent")
    assert [one.version for one in changes_between(sidecar, old, new)] == expected


def test_sidecar_without_changelog_has_no_changes(library: Path) -> None:
    entry(library)
    assert changes_between(open_catalog([library], {}).find("agent"), "0.1.0") == ()


def test_unreadable_changelog_is_an_error_of_the_library(library: Path) -> None:
    folder = write(library, "")
    (folder / "CHANGELOG.md").write_bytes(b"## 1.0.0\n\xff\n")
    with pytest.raises(LibraryError, match=r"CHANGELOG\.md is not valid UTF-8"):
        read_changelog(folder)


def test_changelog_outside_the_sidecar_is_refused(library: Path, tmp_path: Path) -> None:
    folder = entry(library)
    (tmp_path / "secret.md").write_text("## 1.0.0\n- secret\n", "utf-8")
    (folder / "CHANGELOG.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(LibraryError, match="outside the sidecar directory"):
        read_changelog(folder)
