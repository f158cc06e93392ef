"""The lock file of vendored libraries: where each library comes from, its commit, and the digest of its files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sidecarctl.catalog.entry_files import read_yaml
from sidecarctl.catalog.schema_comment import format_schema_comment
from sidecarctl.catalog.sidecar import find_format_problems
from sidecarctl.errors import UsageError
from sidecarctl.files.directory import OutputError
from sidecarctl.files.sources import Stamp, stamp_of
from sidecarctl.files.write import Write
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.report.terminal import visible
from sidecarctl.vendoring.library_files import name_problem
from sidecarctl.vendoring.source import credentials_error, has_credentials
from sidecarctl.yamltext import emit

LIBRARIES = "libraries"
UNCHANGED = "nothing was changed"  # how messages of failed commands end
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\Z")
_URL_REST = lazy_pattern("(?s)://.*")  # it can have credentials, in any field
_NOTE = "# Written by `sidecarctl library`. Do not edit the directories that it lists.\n"
_HEAD = {"apiVersion": "sidecarctl.dev/v1alpha1", "kind": "LibraryLock"}
_KEYS = ("name", "source", "ref", "kind", "path", "commit", "manifest", "digest")


@dataclass(frozen=True)
class LockedLibrary:
    """A vendored library.

    source    URL of a Git repository, or the path of a repository or an OCI archive relative to the lock file
    ref       the branch, tag, or commit that was asked for; "" for the default branch
    kind      what the ref was: "branch" or "tag"; "" for others, and if an earlier version wrote the entry
    path      the directory of the library within the source; "" for its root
    commit    commit of the Git repository; "" for an OCI archive
    manifest  digest of the OCI manifest; "" for a Git repository
    digest    digest of the names and contents of all files
    """

    name: str
    source: str
    digest: str
    ref: str = ""
    path: str = ""
    commit: str = ""
    manifest: str = ""
    kind: str = ""

    @property
    def revision(self) -> str:
        """The commit or the manifest, in short form."""
        return self.commit[:12] or self.manifest.removeprefix("sha256:")[:12]

    def directory(self, home: Path) -> Path:
        """Return the directory of the library, next to the lock file in `home`."""
        return home / LIBRARIES / self.name


def check_name(name: str) -> None:
    """Raise UsageError for the name of a library that its directory or the lock file cannot have."""
    problem = "" if _NAME.match(name) else "use lowercase letters, digits, and hyphens, at most 63"
    problem = problem or name_problem(name)
    if problem:
        raise UsageError(f'invalid library name "{visible(name)}": {problem}', hint="choose another name")


def check_no_link(path: Path) -> None:
    """Raise UsageError for a symbolic link: what is elsewhere is neither written nor deleted."""
    if path.is_symlink():
        raise UsageError(f"{path} is a symbolic link", hint="replace the link with what it points to, or delete it")


@dataclass(frozen=True)
class LockFile:
    """A lock file and its libraries by name. `stamp` tells whether another run changed it since it was read."""

    path: Path
    libraries: Mapping[str, LockedLibrary]
    stamp: Stamp

    @property
    def home(self) -> Path:
        """The directory of the lock file."""
        return self.path.parent

    def check_unchanged(self) -> None:
        """Raise OutputError if another run changed the file since it was read."""
        found = self.path.stat() if self.path.exists() else None
        if stamp_of(found) != self.stamp:
            raise OutputError(f"{self.path} changed since it was read; {UNCHANGED}", hint="run again")

    def with_libraries(self, libraries: Iterable[LockedLibrary]) -> Write:
        """Return the write that gives the file other libraries, and that fails if the file changed since it was read.

        Raises UsageError for a symbolic link.
        """
        check_no_link(self.path)
        return Write(self.path, format_lock(libraries), self.stamp, root=self.path.parent)


def read_lock(file: Path) -> LockFile:
    """Return a lock file, one without libraries if it does not exist. Raise UsageError for an invalid file."""
    if not file.exists():
        return LockFile(file, {}, stamp_of(None))
    stamp = stamp_of(file.stat())
    source = read_yaml(file, file.parent)
    problems = find_format_problems("lock", source.value)
    if problems:
        raise UsageError(
            _URL_REST.sub("://...", "; ".join(map(str, problems[:5]))),
            where=source.place(problems[0].path, problems[0].on_key),
            hint="restore the file from Git, or resolve its merge conflict and run `sidecarctl library update`",
        )
    found = [LockedLibrary(**each) for each in source.value["libraries"]]
    names = [each.name for each in found]
    for index, each in enumerate(found):
        if has_credentials(each.source):
            raise credentials_error(source.place(("libraries", index, "source")))
    for index, name in enumerate(names):
        if name in names[:index]:
            raise UsageError(
                f'duplicate library "{name}"',
                where=source.place(("libraries", index, "name")),
                hint="delete one of the two entries",
            )
    return LockFile(file, {each.name: each for each in found}, stamp)


def format_lock(libraries: Iterable[LockedLibrary]) -> str:
    """Return the text of a lock file, sorted by name."""
    data: dict[str, Any] = {**_HEAD, "libraries": [_data(one) for one in sorted(libraries, key=lambda one: one.name)]}
    return format_schema_comment("lock") + _NOTE + emit.document(data)


def _data(library: LockedLibrary) -> Mapping[str, str]:
    return {key: getattr(library, key) for key in _KEYS if getattr(library, key)}
