"""Runs Git to fetch one commit. Nothing of the repository is checked out, so no hook, filter, or submodule can run.

The configuration of the user and the system applies, because it has what a private repository needs: credential helpers,
proxies, certificates, and SSH settings. What could run a program or reach another place is overridden.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from sidecarctl import limits
from sidecarctl.errors import InputError, UsageError, did_you_mean
from sidecarctl.files.signals import defer_signals, temporary_directory
from sidecarctl.findings import list_first
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.report.terminal import visible
from sidecarctl.vendoring.process_usage import directory_size, session_memory
from sidecarctl.vendoring.source import COMMIT, Source

_CONFIG = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.attributesFile=/dev/null", "core.commitGraph=false"),
    *("fetch.recurseSubmodules=no", "submodule.recurse=false", "fetch.unpackLimit=1", "fetch.writeCommitGraph=false"),
    *("transfer.bundleURI=false", "gc.auto=0", "maintenance.auto=false", "protocol.version=2"),
)
# Variables that name another repository, for example in a hook that runs sidecarctl.
_OF_A_REPOSITORY = re.compile(
    r"GIT_(DIR|WORK_TREE|COMMON_DIR|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|NAMESPACE|PREFIX|SHALLOW_FILE"
    r"|GRAFT_FILE|NO_REPLACE_OBJECTS|REPLACE_REF_BASE|CEILING_DIRECTORIES|TRACE.*|TEMPLATE_DIR|EXEC_PATH)\Z"
)
_FETCHED = "refs/sidecarctl/fetched"
_POLL = 0.02
_ERROR_BYTES = 64 << 10
_MESSAGE_BYTES = 16 << 20  # of the server and of Git
_LIST_BYTES = 4 << 20


@dataclass(frozen=True)
class Fetched:
    """A commit in a temporary repository.

    kind      what the ref was: "branch", "tag", "commit", or "" for the default branch
    deadline  when the time of Git for this library ends
    """

    repository: Path
    commit: str
    kind: str
    deadline: float


class _GitError(InputError):
    """Git itself failed, with a message."""


@dataclass(frozen=True)
class _Git:
    """A temporary bare repository and what Git may do in it."""

    repository: Path
    source: Source
    deadline: float

    def run(self, *words: str, input: bytes = b"", most: int = _LIST_BYTES, limit: limits.Limit | None = None) -> bytes:
        """Run a Git command and return its output. Raise InputError if it fails or exceeds a limit.

        most   bytes of output
        limit  the limit that `most` comes from, for the error
        """
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(input)
            given.seek(0)
            command = ["git", *(word for each in _CONFIG for word in ("-c", each)), *words]
            started: list[subprocess.Popen[bytes]] = []
            try:
                with defer_signals():
                    started.append(self._start(command, given, out, err))
                self._watch(started[0], out.fileno(), err.fileno(), most, limit)
            finally:
                for process in started:
                    _stop(process)
            out.seek(0)
            err.seek(0)
            if started[0].returncode:
                raise self._failed(err.read(_ERROR_BYTES).decode("utf-8", "replace"))
            return out.read()

    def _start(self, command: list[str], given: IO[bytes], out: IO[bytes], err: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command,
                cwd=self.repository,
                env=self._environment(),
                stdin=given,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except OSError:
            raise UsageError("git not found", hint="install Git, and make sure that it is on the PATH") from None

    def _watch(
        self, process: subprocess.Popen[bytes], out: int, err: int, most: int, limit_of_output: limits.Limit | None
    ) -> None:
        """Wait for a process, and raise InputError when it exceeds a limit of time, size, memory, or output."""
        ended = False
        while not ended:
            ended = process.poll() is not None
            if time.monotonic() > self.deadline:
                limit = limits.FETCH_SECONDS
                raise InputError(f"{self.source.url}: Git took longer than {limit.value:,} seconds", hint=limit.way_out)
            if directory_size(self.repository) > limits.FETCH_SIZE.value:
                limit = limits.FETCH_SIZE
                raise InputError(f"{self.source.url}: the repository is too large", hint=limit.way_out)
            if os.fstat(err).st_size > _MESSAGE_BYTES:
                raise InputError(
                    f"{self.source.url}: the server sends messages without end", hint="use another repository"
                )
            if session_memory(process.pid) > limits.MEMORY.value << 20:
                limit = limits.MEMORY
                raise InputError(
                    f"{self.source.url}: Git took more than {limit.value:,} MiB of memory", hint=limit.way_out
                )
            if os.fstat(out).st_size > most:
                raise InputError(
                    f"{self.source.url}: the repository has too many files or refs",
                    hint="name the directory of the library with --path"
                    + (f"; {limit_of_output.way_out}" if limit_of_output else ""),
                )
            if not ended:
                time.sleep(_POLL)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not _OF_A_REPOSITORY.match(name)}
        return {
            **kept,
            "GIT_DIR": str(self.repository),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": "file" if _is_local(self.source) else "https:ssh",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_DEFAULT_HASH": "sha1",
            "LC_ALL": "C",
        }

    def _failed(self, stderr: str) -> _GitError:
        """Return the error for what Git printed, without credentials and control characters."""
        lines = [line for line in stderr.splitlines() if line.strip()]
        told = [line for line in lines if line.startswith(("fatal: ", "error: ", "remote: "))] or lines[-1:]
        text = re.sub(r"://[^/@\s]*@", "://", "; ".join(line.partition(": ")[2] or line for line in told[:3]))
        if "mismatched algorithms" in text:
            return _GitError(
                f"{self.source.url} has SHA-256 objects, which are not supported",
                hint="use a repository with SHA-1 objects, or an OCI archive",
            )
        return _GitError(
            f"git cannot read {self.source.url}: {visible(text.strip())[:500] or 'no message'}",
            hint="check the URL and your access: `git ls-remote` with this URL must work without a prompt",
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process with its children, if it still runs."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (AttributeError, OSError):
            process.kill()
        process.wait()


def _is_local(source: Source) -> bool:
    return source.local or source.url.startswith("file:")


@contextmanager
def fetch(source: Source) -> Iterator[Fetched]:
    """Fetch the commit of a source into a temporary repository. Raise InputError or UsageError."""
    deadline = time.monotonic() + limits.FETCH_SECONDS.value
    with _temporary(source, deadline) as git:
        ref, kind = _resolve(git, source)
        yield Fetched(git.repository, _fetch(git, ref), kind, deadline)


@contextmanager
def _temporary(source: Source, deadline: float) -> Iterator[_Git]:
    with temporary_directory() as directory:
        repository = directory / "repository"
        repository.mkdir()
        git = _Git(repository, source, deadline)
        git.run("init", "--quiet", "--bare", "--template=", str(repository))
        yield git


def _resolve(git: _Git, source: Source) -> tuple[str, str]:
    """Return the full ref to fetch, and what it is. Raise UsageError if the repository does not have it."""
    if not source.ref:
        found = _list_refs(git, "HEAD")
        if "HEAD" not in found:
            raise UsageError(f"{source.url} has no default branch", hint="add a branch or tag to the URL: URL@REF")
        return "HEAD", ""
    if COMMIT.match(source.ref):  # never a branch or tag, which could have the name of any commit
        return source.ref, "commit"
    tag, branch = f"refs/tags/{source.ref}", f"refs/heads/{source.ref}"
    found = _list_refs(git, tag, branch)
    if tag in found:
        return tag, "tag"
    if branch in found:
        return branch, "branch"
    names = [name.split("/", 2)[2] for name in _list_refs(git) if name.startswith(("refs/tags/", "refs/heads/"))]
    names = sorted({name.removesuffix("^{}") for name in names})
    raise UsageError(
        f'{source.url} has no branch or tag "{source.ref}"',
        hint=visible(
            did_you_mean(source.ref, names) or (f"it has {list_first(names, 10)}" if names else "it has none")
        ),
    )


def _list_refs(git: _Git, *patterns: str) -> dict[str, str]:
    """Return the refs of the repository by full name, only those of the exact names if some are given."""
    out = git.run("ls-remote", "--", git.source.url, *patterns).decode("utf-8", "replace")
    pairs = (line.split("\t", 1)[::-1] for line in out.split("\n") if "\t" in line)
    return {name: commit for name, commit in pairs if not patterns or name in patterns}


def _fetch(git: _Git, ref: str) -> str:
    """Fetch a ref, and return its commit. From a server that serves no single commits, fetch all branches and tags."""
    fetch = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
    url, name = git.source.url, _FETCHED
    try:
        git.run(*fetch, "--depth=1", "--", url, f"{ref}:{_FETCHED}")
    except InputError:
        if not COMMIT.match(ref):
            raise
        git.run(*fetch, "--", url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        name = ref
    try:
        if COMMIT.match(ref) and _read_object(git, name) != ref:
            raise _no_commit(url, ref)
        found = _read_object(git, f"{name}^{{commit}}")
    except _GitError:
        raise _no_commit(url, ref) from None
    if not COMMIT.match(found):
        raise InputError(f"{url}: Git did not return a commit")
    return found


def _read_object(git: _Git, name: str) -> str:
    """Return the object that a name stands for. Raise InputError if there is none."""
    return git.run("rev-parse", "--verify", "--quiet", "--end-of-options", name).decode().strip()


def _no_commit(url: str, ref: str) -> UsageError:
    """Return the error for a ref that was fetched, or is a commit that all branches and tags do not have."""
    if COMMIT.match(ref):
        return UsageError(f"{url} has no commit {ref}", hint="name a commit of one of its branches or tags")
    short = ref.removeprefix("refs/tags/").removeprefix("refs/heads/")
    return UsageError(f'"{short}" of {url} is not a commit', hint="name a branch, a commit, or a tag of a commit")


def is_rewritten(source: Source, known: str, commit: str, deadline: float) -> bool | None:
    """Return whether the history of a branch at `commit` lacks the commit `known`.

    Return None if it cannot be determined, for example because the server gives another commit now.
    """
    try:
        with _temporary(source, deadline) as git:
            ref, _ = _resolve(git, source)
            git.run(
                *("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--filter=tree:0"),
                *("--", source.url, f"{ref}:{_FETCHED}"),
            )
            history = git.run("rev-list", _FETCHED, most=64 << 20).decode().split()
            return known not in history if history[:1] == [commit] else None
    except (InputError, UsageError):
        return None


def list_tree(fetched: Fetched, source: Source, path: str) -> bytes:
    """Return what `git ls-tree -r -z -l` prints for a directory. Raise UsageError if the commit does not have it."""
    git = _Git(fetched.repository, source, fetched.deadline)
    tree = f"{fetched.commit}:{path}"
    try:
        if git.run("cat-file", "-t", tree).strip() == b"tree":
            words, limit = ("ls-tree", "-r", "-z", "-l", "--full-tree", tree), limits.LIBRARY_FILES
            return git.run(*words, most=limit.value * 400, limit=limit)
    except _GitError:
        pass
    raise UsageError(f'{source.url} has no directory "{path}"', hint="check --path")


def read_blobs(fetched: Fetched, source: Source, names: Sequence[str], size: int) -> list[bytes]:
    """Return the contents of blobs by their object names. `size` is the sum of their sizes in bytes."""
    git = _Git(fetched.repository, source, fetched.deadline)
    given = "".join(f"{name}\n" for name in names).encode()
    out = git.run("cat-file", "--batch", input=given, most=size + 200 * (len(names) + 1))
    contents: list[bytes] = []
    at = 0
    for name in names:
        end = out.index(b"\n", at)
        found, kind, length = ([*out[at:end].decode().split(" "), "", ""])[:3]
        if found != name or kind != "blob":
            raise InputError(f"{source.url}: Git did not return the object {name}")
        contents.append(out[end + 1 : end + 1 + int(length)])
        at = end + 2 + int(length)
    return contents
