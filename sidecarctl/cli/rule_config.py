"""What compositions configure for every command: severities of rules, kinds, excluded paths, and libraries."""

from __future__ import annotations

import os
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sidecarctl.cli import console
from sidecarctl.composition.find import Report, find_composition_file
from sidecarctl.errors import SidecarctlError
from sidecarctl.files.patterns import Exclude
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.validate.rule_selection import Severities

if TYPE_CHECKING:
    from sidecarctl.composition.model import Composition


def nearest_kinds(*, required: bool = True) -> Kinds:
    """Return the kinds with a pod template, with those of the nearest composition.

    An invalid composition is an error, unless it is not `required`.
    """
    composition = nearest_composition(required)
    return composition.kinds if composition else DEFAULT_KINDS


def nearest_exclude(*, required: bool = True) -> tuple[Exclude, ...]:
    """Return the exclude patterns of the nearest composition."""
    composition = nearest_composition(required)
    return composition.exclude if composition else ()


@cache
def nearest_composition(required: bool = True) -> Composition | None:
    """Return the nearest composition; None if there is none, or if it is invalid and not `required`."""
    path = find_composition_file(Path(), console.report_foreign)
    if path is None:
        return None
    from sidecarctl.composition.model import load_composition

    try:
        return load_composition(path)
    except SidecarctlError:
        if required:
            raise
        return None


def severities_for(file: str, report: Report = console.report_foreign) -> Severities:
    """Return the severities that apply to a manifest; for stdin, those of the working directory.

    They come from the nearest sidecarctl.yaml in the directory of the manifest or above. Raises UsageError, with the
    file and line, if that is not a valid composition or names an unknown rule.
    """
    return _nearest(_directory(file, os.getcwd()), report)  # noqa: PTH109 - Path.cwd() takes ten times as long


@lru_cache(maxsize=64)
def _directory(file: str, working_directory: str) -> Path:
    """Return the directory of a manifest without links; looked up for every document of a file."""
    return Path(working_directory, file).resolve().parent


@cache
def _nearest(directory: Path, report: Report) -> Severities:
    path = find_composition_file(directory, report)
    return _read_once(path) if path else {}


@cache
def _read_once(path: Path) -> Severities:
    from sidecarctl.composition.severities import read_severities

    return read_severities(path)
