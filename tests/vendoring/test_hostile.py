"""A hostile repository or archive cannot run anything, write outside its directory, or leave a partial result."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from sidecarctl.errors import InputError, SidecarctlError, UsageError
from sidecarctl.files.directory import Directory
from sidecarctl.report.terminal import visible
from sidecarctl.vendoring.install import install
from sidecarctl.vendoring.library_files import TreeFile, choose_files, parse_tree
from sidecarctl.vendoring.source import check_path, check_ref, parse_source
from tests.calls import count_calls
from tests.vendoring.repository_kit import commit, git, sidecarctl, snapshot, write_sidecar

METADATA = TreeFile("agent/sidecar.yaml", "100644", 10, "a")
CLEAN = {"web.yaml"}


def refusal(*files: TreeFile) -> str:
    """Return the error about files next to a sidecar."""
    with pytest.raises(SidecarctlError) as caught:
        choose_files([METADATA, *files], "acme")
    return caught.value.message


def write_tree(repository: Path, entries: list[tuple[str, str, str]]) -> None:
    """Commit a tree of (mode, object, path), which `git add` would refuse to make."""
    lines = "".join(f"{mode} blob {name}\t{path}\n" for mode, name, path in entries)
    tree = git(repository, "mktree", "--missing", data=lines.encode())
    top = git(repository, "ls-tree", "HEAD") + f"\n040000 tree {tree}\tagent2\n"
    root = git(repository, "mktree", data=top.encode())
    made = git(repository, "commit-tree", root, "-m", "hostile")
    git(repository, "update-ref", "HEAD", made)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../etc/passwd", "sidecar.yaml"])
def test_symbolic_link_in_a_library_is_refused(target: str, acme: Path, shop: Path) -> None:
    (acme / "agent" / "extra").symlink_to(target)
    commit(acme)
    done = sidecarctl("library add acme ../acme", shop)
    assert (done.code, "agent/extra is a symbolic link" in done.stderr) == (3, True), done.stderr
    assert snapshot(shop).keys() == CLEAN


def test_link_as_the_directory_of_a_sidecar_is_not_followed(acme: Path, shop: Path) -> None:
    git(acme, "mv", "agent", "real")
    write_sidecar(acme, "other")
    (acme / "agent").symlink_to("real")
    commit(acme)
    assert sidecarctl("library add acme ../acme", shop).code == 0
    assert not (shop / "libraries" / "acme" / "agent").exists()


@pytest.mark.parametrize(
    "name",
    [
        *("../up", "a/../../up", ".", "a//b"),
        *(".git/config", ".GIT/config", "git~1/config", ".gi\u200ct/config", ".git./x", ".git /x"),
        *("con", "AUX.yaml", "com1.txt", "a:b", "a\\b", "end.", "end ", "qu?stion"),
        *("line\nbreak", "escape\x1b[2J", "bidi\u202etxt", "zero\u200bwidth"),
        "long" * 70,
        "\u8a9e" * 86,
    ],
)
def test_dangerous_file_name_is_refused(name: str) -> None:
    message = refusal(TreeFile(f"agent/{name}", "100644", 1, "b"))
    assert message == visible(message)


def test_two_entries_of_one_name_are_refused(acme: Path, shop: Path) -> None:
    names = [git(acme, "hash-object", "-w", "--stdin", data=data) for data in (b"reviewed", b"hostile")]
    metadata = git(acme, "rev-parse", "HEAD:agent/sidecar.yaml")
    write_tree(acme, [("100644", metadata, "sidecar.yaml"), *(("100644", name, "template.yaml") for name in names)])
    done = sidecarctl("library add acme ../acme", shop)
    assert (done.code, snapshot(shop).keys()) == (3, CLEAN), done.stderr
    assert "agent2/template.yaml is there twice" in done.stderr


@pytest.mark.parametrize("code", [0x34F, 0x115F, 0x17B4, 0x180B, 0x2800, 0x3164, 0xFE0F, 0xFFA0, 0x1D159, 0xE01EF])
def test_file_name_with_an_invisible_character_is_refused(code: int) -> None:
    for name in (chr(code), f"a{chr(code)}.yaml", f".git{chr(code)}/config"):
        message = refusal(TreeFile(f"agent/{name}", "100644", 1, "b"))
        assert "contains control or invisible characters" in message


def test_path_with_too_many_levels_is_refused(acme: Path, shop: Path) -> None:
    deepest = acme / "agent" / "/".join("a" * 99)
    deepest.mkdir(parents=True)
    (deepest / "f").write_text("")
    commit(acme)
    assert sidecarctl("library add fine ../acme", shop).code == 0
    done = sidecarctl("library verify", shop)
    assert done.code == 0, done.stderr
    before = snapshot(shop)
    (deepest / "a").mkdir()
    (deepest / "a/f").write_text("")
    commit(acme)
    for words in ("add acme ../acme", "update"):
        done = sidecarctl(f"library {words}", shop)
        assert (done.code, "... has more than 100 levels of directories" in done.stderr) == (3, True), done.stderr
    assert snapshot(shop) == before


@pytest.mark.skipif(not hasattr(os.stat_result, "st_blocks"), reason="needs the number of blocks of a file")
def test_many_branches_count_with_the_space_of_their_files(acme: Path, shop: Path) -> None:
    """Git writes a file of 41 bytes for each branch, which takes a block on the disk."""
    head = git(acme, "rev-parse", "HEAD")
    branches = "".join(f"{head} refs/heads/b{number:05}\n" for number in range(3_000))
    (acme / ".git/packed-refs").write_text(f"# pack-refs with: peeled \n{branches}")
    words = f"library add acme ../acme@{'1' * 40}"
    done = sidecarctl(words, shop, SIDECARCTL_MAX_FETCH="3000000")
    assert (done.code, "the repository is too large" in done.stderr) == (3, True), done.stderr
    assert sidecarctl(words, shop).code == 2


def test_deep_branch_leaves_no_temporary_directory(acme: Path, shop: Path, tmp_path: Path) -> None:
    """A commit that the repository lacks makes Git fetch all branches, each to a file in directories of its name."""
    head = git(acme, "rev-parse", "HEAD")
    (acme / ".git/packed-refs").write_text(f"# pack-refs with: peeled \n{head} refs/heads/{'a/' * 1600}b\n")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    commit_of_no_branch = "1" * 40
    done = sidecarctl(f"library add acme ../acme@{commit_of_no_branch}", shop, TMPDIR=str(temporary))
    assert (done.code, f"has no commit {commit_of_no_branch}" in done.stderr) == (2, True), done.stderr
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("name", ["SHA256SUMS", "sha256sums"])
def test_name_of_the_checksums_is_reserved(name: str) -> None:
    assert "reserved for the checksums" in refusal(TreeFile(f"{name}/sidecar.yaml", "100644", 1, "b"))
    choose_files([METADATA, TreeFile(f"agent/{name}", "100644", 1, "b")], "acme")


def test_names_that_differ_only_in_case_or_form_are_refused() -> None:
    assert "differ only in case" in refusal(
        TreeFile("agent/Read.md", "100644", 1, "b"), TreeFile("agent/read.md", "100644", 1, "c")
    )
    assert "differ only in case" in refusal(
        TreeFile("agent/caf\u00e9", "100644", 1, "b"), TreeFile("agent/cafe\u0301", "100644", 1, "c")
    )
    assert "differ only in case" in refusal(
        TreeFile("agent/Tests/a", "100644", 1, "b"), TreeFile("agent/tests/b", "100644", 1, "c")
    )


def test_name_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(SidecarctlError, match="is not UTF-8"):
        parse_tree(b"100644 blob 0123 1\tagent/\xff\x00", "acme")


def test_dangerous_name_in_a_real_tree_writes_nothing(acme: Path, shop: Path) -> None:
    blob = git(acme, "rev-parse", "HEAD:agent/sidecar.yaml")
    git(acme, "config", "core.protectHFS", "false")
    write_tree(acme, [("100644", blob, "sidecar.yaml"), ("100644", blob, "NUL")])
    done = sidecarctl("library add acme ../acme", shop)
    assert (done.code, 'the file name "NUL"' in done.stderr) == (3, True), done.stderr
    assert snapshot(shop).keys() == CLEAN


def test_submodule_is_refused_in_a_sidecar_and_never_fetched(acme: Path, shop: Path) -> None:
    (acme / ".gitmodules").write_text('[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch ran"\n')
    git(acme, "update-index", "--add", "--cacheinfo", f"160000,{git(acme, 'rev-parse', 'HEAD')},x")
    git(acme, "add", ".gitmodules")
    git(acme, "commit", "--quiet", "--message", "submodule")
    assert sidecarctl("library add acme ../acme", shop).code == 0
    assert not list(shop.rglob("ran")) and ".gitmodules" not in "".join(snapshot(shop))
    assert "is a submodule" in refusal(TreeFile("agent/x", "160000", 0, "b"))


def test_hooks_filters_and_attributes_do_not_run(acme: Path, shop: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    config = tmp_path / "gitconfig"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-merge", "pre-auto-gc", "fsmonitor"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (hooks / name).chmod(0o755)
    template = tmp_path / "template"
    (template / "hooks").mkdir(parents=True)
    (template / "hooks" / "reference-transaction").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (template / "hooks" / "reference-transaction").chmod(0o755)
    config.write_text(
        f"[core]\n\thooksPath = {hooks}\n\tfsmonitor = {hooks}/fsmonitor\n[init]\n\ttemplateDir = {template}\n"
        f'[filter "evil"]\n\tsmudge = touch {mark}\n\tclean = touch {mark}\n\trequired = true\n'
    )
    (acme / ".gitattributes").write_text("* filter=evil\n")
    (acme / "agent" / ".gitattributes").write_text("* filter=evil\n")
    commit(acme)
    done = sidecarctl("library add acme ../acme", shop, GIT_CONFIG_GLOBAL=str(config))
    assert done.code == 0, done.stderr
    assert not mark.exists()
    assert not list((shop / "libraries").rglob(".gitattributes"))


@pytest.mark.parametrize(
    "source",
    [
        *("-uoops", "--upload-pack=touch ran", "ext::sh -c touch% ran", "fd::17", "transport::address"),
        *("http://git.example/acme", "git://git.example/acme", "ftp://git.example/acme", "javascript://x/y"),
        *("https://git.example/acme@-x", "https://git.example/acme@a..b", "https://git.example/acme@a b"),
        *("https://git.example/acme@", "https://git.example/acme?token=1", "a\x1b[2Jb", ""),
    ],
)
def test_source_that_git_could_misread_is_refused(source: str, shop: Path) -> None:
    with pytest.raises(SidecarctlError) as caught:
        parse_source(source)
    assert caught.value.message.isprintable()
    done = sidecarctl(f"library add acme -- {shlex.quote(source)}", shop)
    assert done.code == 2
    assert snapshot(shop).keys() == CLEAN


@pytest.mark.parametrize("ref", ["-x", "a..b", "a b", "a\nb", "refs/../x", "a.lock", "@{1}", "*", "a:b", "x" * 300])
def test_dangerous_ref_is_refused(ref: str) -> None:
    with pytest.raises(SidecarctlError):
        check_ref(ref)


@pytest.mark.parametrize("kind", ["branch", "tag"])
def test_commit_is_never_a_branch_or_tag_of_its_name(kind: str, acme: Path, shop: Path) -> None:
    good = git(acme, "rev-parse", "HEAD")
    write_sidecar(acme, version="6.6.6")
    commit(acme)
    for name in (good, "ab" * 20, "ab" * 32):
        git(acme, kind, name)
    for command in (f"add one ../acme@{good}", f"add two ../acme@{good.upper()}", "update"):
        done = sidecarctl(f"library {command}", shop)
        assert done.code == 0, done.stderr
    locked = (shop / "sidecarctl.lock").read_text().replace('"', "")  # a commit that looks like a number is quoted
    assert locked.count(f"commit: {good}\n") == 2
    for ref in ("ab" * 20, "ab" * 32):
        done = sidecarctl(f"library add other ../acme@{ref}", shop)
        assert (done.code, f"has no commit {ref}" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("path", ["../x", "/etc", "a/../..", "a\\b", "a\x00b"])
def test_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(SidecarctlError):
        check_path(path)


@pytest.mark.parametrize(
    ("text", "url", "ref"),
    [
        ("https://git.example/a/b@v1", "https://git.example/a/b", "v1"),
        ("https://git.example/a/b@release/1", "https://git.example/a/b", "release/1"),
        ("https://git.example/@scope/b", "https://git.example/@scope/b", ""),
        ("ssh://git@git.example/a@v1", "ssh://git@git.example/a", "v1"),
        ("git@git.example:a/b.git@v1", "git@git.example:a/b.git", "v1"),
        ("git@git.example:a/b.git", "git@git.example:a/b.git", ""),
        ("git.example:a/b.git@release-1.2/x", "git.example:a/b.git", "release-1.2/x"),
        ("https://git.example:8443/a@v1.2/x", "https://git.example:8443/a", "v1.2/x"),
        ("https://[::1]:8443/a", "https://[::1]:8443/a", ""),
    ],
)
def test_source_is_split_into_url_and_ref(text: str, url: str, ref: str) -> None:
    source = parse_source(text)
    assert (source.url, source.ref, source.local) == (url, ref, False)


@pytest.mark.parametrize(
    "url",
    [
        "https://alice:s3cr3t@git.example/acme",
        "https://s3cr3t@git.example/acme",
        "ssh://git:s3cr3t@git.example/a",
        "https://alice:s3/s3cr3t@git.example/acme",
        "alice:s3cr3t@git.example/acme",
        "alice:s3cr3t@git.example:acme",
        "https:/alice:s3cr3t@host/acme",
        "https//alice:s3cr3t@host/acme",
        "https:s3cr3t@host/acme",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_shown(url: str, shop: Path) -> None:
    done = sidecarctl(f"library add acme {url}", shop)
    assert (done.code, "contains credentials" in done.stderr) == (2, True)
    assert "s3cr3t" not in done.stderr + done.stdout
    assert snapshot(shop).keys() == CLEAN


def write_in_lock_file(field: str, value: str, shop: Path) -> None:
    """Give a field of the only library of the lock file another value."""
    lock = shop / "sidecarctl.lock"
    text = lock.read_text()
    (line,) = [line for line in text.splitlines() if f"{field}:" in line]
    lock.write_text(text.replace(line, line.partition(f"{field}:")[0] + f"{field}: {value}"))


@pytest.mark.parametrize("command", ["list", "verify", "update", "remove acme"])
def test_credentials_in_a_lock_file_are_refused_and_not_shown(command: str, acme: Path, shop: Path) -> None:
    assert sidecarctl(f"library add acme {acme}", shop).code == 0
    write_in_lock_file("source", "https://alice:s3cr3t@git.example/acme", shop)
    done = sidecarctl(f"library {command}", shop)
    assert (done.code, "contains credentials" in done.stderr) == (2, True)
    assert "sidecarctl.lock:" in done.stderr
    assert "s3cr3t" not in done.stderr + done.stdout


@pytest.mark.parametrize("field", ["name", "digest", "commit"])
def test_credentials_in_another_field_of_a_lock_file_are_not_shown(field: str, acme: Path, shop: Path) -> None:
    assert sidecarctl(f"library add acme {acme}", shop).code == 0
    write_in_lock_file(field, "https://alice:s3cr3t@git.example/acme", shop)
    done = sidecarctl("library list", shop)
    assert (done.code, "sidecarctl.lock:" in done.stderr) == (2, True)
    assert "s3cr3t" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    "source",
    [
        "https://alice:s3cr3t@git.example/acme\r",
        "https://alice:s3cr3t@git.example/a b",
        "https::https://alice:s3cr3t@git.example/acme",
        "-https://alice:s3cr3t@git.example/acme",
        "https://git.example?token=s3cr3t",
        "https://git.example#s3cr3t",
    ],
)
def test_credentials_in_an_invalid_url_are_not_shown(source: str) -> None:
    with pytest.raises(UsageError, match="invalid library") as raised:
        parse_source(source)
    assert "s3cr3t" not in f"{raised.value.message} {raised.value.hint}"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SIDECARCTL_MAX_LIBRARY_FILES", "2", "the library has 4 files"),
        ("SIDECARCTL_MAX_LIBRARY", "100", "bytes"),
        ("SIDECARCTL_MAX_FILE", "1024", "agent/large is larger than 1 KiB"),
        ("SIDECARCTL_MAX_FETCH", "5000", "the repository is too large"),
    ],
)
def test_large_library_is_refused_with_the_variable_of_the_limit(
    variable: str, value: str, message: str, acme: Path, shop: Path
) -> None:
    if variable in ("SIDECARCTL_MAX_FILE", "SIDECARCTL_MAX_FETCH"):
        (acme / "agent" / "large").write_bytes(os.urandom(60_000))
        commit(acme)
    done = sidecarctl("library add acme ../acme", shop, **{variable: value})
    assert (done.code, message in done.stderr, variable in done.stderr) == (3, True, True), done.stderr
    assert snapshot(shop).keys() == CLEAN


def test_tree_that_repeats_itself_is_stopped(acme: Path, shop: Path) -> None:
    """Ten levels of ten entries are the same two objects each, and 10 billion paths."""
    name = git(acme, "hash-object", "-w", "--stdin", data=b"x")
    kind, mode = "blob", "100644"
    for _ in range(10):
        lines = "".join(f"{mode} {kind} {name}\td{number}\n" for number in range(10))
        name, kind, mode = git(acme, "mktree", data=lines.encode()), "tree", "040000"
    top = git(acme, "ls-tree", "HEAD") + f"\n040000 tree {name}\tbomb\n"
    root = git(acme, "mktree", data=top.encode())
    git(acme, "update-ref", "HEAD", git(acme, "commit-tree", root, "-m", "bomb"))
    done = sidecarctl("library add acme ../acme", shop)
    assert (done.code, "too many files" in done.stderr) == (3, True), done.stderr
    assert snapshot(shop).keys() == CLEAN


def test_git_that_takes_too_long_is_stopped(acme: Path, shop: Path, tmp_path: Path) -> None:
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nsleep 60\n")
    (slow / "git").chmod(0o755)
    path = f"{slow}{os.pathsep}{os.environ['PATH']}"
    done = sidecarctl("library add acme ../acme", shop, PATH=path, SIDECARCTL_MAX_FETCH_SECONDS="1")
    assert (done.code, "Git took longer than 1 seconds" in done.stderr) == (3, True), done.stderr
    assert snapshot(shop).keys() == CLEAN


FILL_MEMORY = "python3 -c 'a = bytearray(b\"x\") * (200 << 20); import time; time.sleep(60)'"
HALF_MEMORY = FILL_MEMORY.replace("200", "70")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exec yes message >&2", "sends messages without end"),
        ("exec yes output", "too many files or refs"),
        (f"exec {FILL_MEMORY}", "Git took more than 100 MiB of memory"),
        (f"{FILL_MEMORY}; true", "Git took more than 100 MiB of memory"),
        (f"{HALF_MEMORY} & {HALF_MEMORY}; true", "Git took more than 100 MiB of memory"),
    ],
)
def test_git_that_takes_much_memory_or_prints_without_end_is_stopped(
    script: str, message: str, acme: Path, shop: Path, tmp_path: Path
) -> None:
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "git").write_text(f"#!/bin/sh\n{script}\n")
    (fake / "git").chmod(0o755)
    path = f"{fake}{os.pathsep}{os.environ['PATH']}"
    done = sidecarctl("library add acme ../acme", shop, PATH=path, SIDECARCTL_MAX_MEMORY="100")
    assert (done.code, message in done.stderr) == (3, True), done.stderr
    assert snapshot(shop).keys() == CLEAN


def test_messages_of_a_server_cannot_send_control_sequences_or_show_credentials(shop: Path, tmp_path: Path) -> None:
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "git").write_text(
        "#!/bin/sh\nprintf 'fatal: \\033[2J https://alice:s3cr3t@git.example/acme refused\\n' >&2\nexit 128\n"
    )
    (fake / "git").chmod(0o755)
    path = f"{fake}{os.pathsep}{os.environ['PATH']}"
    done = sidecarctl("library add acme https://git.example/acme", shop, PATH=path)
    assert done.code == 3
    assert "\x1b" not in done.stderr and "s3cr3t" not in done.stderr


def test_variables_of_another_repository_do_not_reach_git(acme: Path, shop: Path, tmp_path: Path) -> None:
    """As in a hook, where Git sets them to the repository of the hook."""
    before = snapshot(acme)
    done = sidecarctl(
        "library add acme ../acme", shop, GIT_DIR=str(shop / ".git"), GIT_WORK_TREE=str(shop), GIT_INDEX_FILE="x"
    )
    assert done.code == 0, done.stderr
    assert snapshot(acme) == before
    assert not git(shop, "for-each-ref")


@pytest.mark.parametrize("moment", ["files", "swap", "lock"])
def test_failed_write_restores_what_was_there(
    moment: str, acme: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sidecarctl.vendoring import install as module
    from sidecarctl.vendoring.get import get_library
    from sidecarctl.vendoring.lock import read_lock

    monkeypatch.chdir(shop)
    assert sidecarctl("library add acme ../acme", shop).code == 0
    write_sidecar(acme, version="2.0.0")
    commit(acme)
    before = snapshot(shop)
    found = get_library("acme", "../acme", "", Path())

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if moment == "lock":
        monkeypatch.setattr(module, "write_all", fail)
    elif moment == "files":
        monkeypatch.setattr(Directory, "_write", fail)
    else:
        real = Directory.replace
        monkeypatch.setattr(
            Directory,
            "replace",
            lambda self, one, two: fail() if one.endswith("new.sidecarctl") else real(self, one, two),
        )
    with pytest.raises(SidecarctlError, match="No space left"):
        install([found], read_lock(Path("sidecarctl.lock")))
    monkeypatch.undo()
    assert snapshot(shop) == before
    assert [path.name for path in (shop / "libraries").iterdir()] == ["acme"]


def test_libraries_behind_a_symbolic_link_are_not_written(acme: Path, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (shop / "libraries").symlink_to(tmp_path / "elsewhere")
    done = sidecarctl("library add acme ../acme", shop)
    assert (done.code, "libraries is a symbolic link" in done.stderr) == (2, True), done.stderr
    assert not list((tmp_path / "elsewhere").iterdir())


def test_lock_file_behind_a_link_is_not_written(acme: Path, shop: Path, tmp_path: Path) -> None:
    for target in (tmp_path / "elsewhere.lock", shop / "inside.lock"):
        (shop / "sidecarctl.lock").symlink_to(target)
        done = sidecarctl("library add acme ../acme", shop)
        assert (done.code, "is a symbolic link" in done.stderr) == (2, True), done.stderr
        assert not target.exists()
        assert not (shop / "libraries/acme").exists()
        (shop / "sidecarctl.lock").unlink()


def test_repository_with_sha256_objects_is_refused_with_the_reason(shop: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q", "--object-format=sha256")
    write_sidecar(other / "logs")
    commit(other)
    done = sidecarctl("library add other ../other", shop)
    assert (done.code, "SHA-256 objects, which are not supported" in done.stderr) == (3, True), done.stderr


def test_default_format_of_objects_of_the_user_does_not_matter(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme", shop, GIT_DEFAULT_HASH="sha256").code == 0


def test_lock_file_cannot_make_git_run_something_or_lead_out(acme: Path, shop: Path) -> None:
    assert sidecarctl("library add acme ../acme@v1.0.0", shop).code == 0
    lock = shop / "sidecarctl.lock"
    good = lock.read_text()
    for old, new in (
        ("source: ../acme", "source: 'ext::sh -c touch% ran'"),
        ("source: ../acme", "source: --upload-pack=touch"),
        ("source: ../acme", "source: https://alice:s3cr3t@git.example/acme"),
        ("ref: v1.0.0", "ref: --upload-pack=touch"),
        ("ref: v1.0.0", "ref: v1.0.0\n  path: ../.."),
        ("name: acme", "name: ../acme"),
    ):
        assert old in good
        lock.write_text(good.replace(old, new))
        done = sidecarctl("library update --force", shop)
        assert done.code == 2, (new, done.stderr)
        assert "s3cr3t" not in done.stderr
    assert not list(shop.rglob("ran"))


@pytest.mark.parametrize("name", [b"my lib", b"l\xe9b"])
def test_link_to_a_path_that_the_lock_file_cannot_have_is_refused(name: bytes, acme: Path, shop: Path) -> None:
    target = acme.parent / os.fsdecode(name)
    try:
        acme.rename(target)
    except OSError:
        pytest.skip("the file system has no such names")
    acme.symlink_to(target)
    done = sidecarctl("library add acme ../acme", shop)
    assert (done.code, "spaces and control characters are not allowed" in done.stderr) == (2, True), done.stderr
    assert snapshot(shop).keys() == CLEAN


@pytest.mark.parametrize("name", ["host:acme", "-acme", "a::b", "acme@", "acme@a~b", "acme@v1"])
def test_recorded_path_is_always_a_path(name: str, acme: Path, shop: Path) -> None:
    acme.rename(shop / name)
    assert sidecarctl(f"library add acme ./{name}", shop).code == 0
    (shop / "below").mkdir()
    for directory in (shop, shop / "below"):
        done = sidecarctl("library update acme", directory)
        assert done.code == 0, done.stderr
    (shop / name).rename(shop / "gone")
    done = sidecarctl("library update acme", shop)
    assert done.code == 2
    assert "git cannot read" not in done.stderr


def test_path_that_is_too_long_is_refused_before_its_parents_are_listed() -> None:
    files = [TreeFile("agent/sidecar.yaml", "100644", 1, ""), TreeFile(f"agent/{'a/' * 2000}f", "100644", 1, "")]

    def choose() -> None:
        with pytest.raises(InputError, match="longer than 240 characters"):
            choose_files(files, "acme")

    assert count_calls(choose).total() < 1000
