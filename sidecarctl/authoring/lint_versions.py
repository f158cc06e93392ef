"""Lint checks for upgrades: the changelog and renamed parameters."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.authoring.lint_parameters import Subject
from sidecarctl.catalog import common_parameters
from sidecarctl.catalog.changelog import CHANGELOG_FILE, read_changelog
from sidecarctl.catalog.renamed_parameters import MOST_RENAMES, current_name
from sidecarctl.errors import LibraryError, Suggester
from sidecarctl.findings import Finding, Severity


def missing_changelog_entry(subject: Subject) -> Iterator[Finding]:
    """A changelog without an entry for the current version. A sidecar can have no changelog."""
    sidecar = subject.sidecar
    if not (sidecar.folder / CHANGELOG_FILE).exists():
        return
    try:
        versions = [entry.version for entry in read_changelog(sidecar.folder)]
        message = f"{CHANGELOG_FILE} has no entry for version {sidecar.version}"
    except LibraryError as error:
        versions, message = [], error.message
    if sidecar.version not in versions:
        yield Finding(
            "missing-changelog-entry",
            message,
            Severity.WARNING,
            place=subject.metadata_place("metadata", "version"),
            why="`sidecarctl upgrade` prints the entries of the new versions.",
            help=f'add "## {sidecar.version} - YYYY-MM-DD" and a list of changes',
        )


def invalid_renamed_parameter(subject: Subject) -> Iterator[Finding]:
    """A renamed parameter whose old name is still declared, or whose new name is not."""
    renamed = subject.sidecar.renamed_parameters
    declared = dict.fromkeys([*(".".join(row.path) for row in subject.rows), *common_parameters.NAMES])
    suggester = Suggester()
    for old in renamed:
        new = current_name(old, renamed)
        if old in declared:
            message, help = f'renamed parameter "{old}" is still declared', "delete the parameter, or its new name here"
        elif new not in declared and new in renamed:
            message = f'"{old}" has no current name: it is renamed in a cycle or more than {MOST_RENAMES} times'
            help = "map it to the name of a declared parameter"
        elif new not in declared:
            message = f'new name of "{old}" is not declared: "{new}"'
            help = suggester.did_you_mean(new, declared) or "declare it in spec.parameters"
        else:
            continue
        yield Finding(
            "invalid-renamed-parameter",
            message,
            place=subject.metadata_place("spec", "renamedParameters", old),
            why="`sidecarctl upgrade` sets recorded values under the new name.",
            help=help,
        )
