"""Devices, pipes, and links where files are expected: nothing hangs, fills the memory, or leads out of a directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecarctl.authoring import scaffold, test_cases, test_runner
from sidecarctl.authoring.trial import Trial, TrialResult
from sidecarctl.catalog.catalog import Catalog
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.files.directory import OutputError
from tests.authoring.test_adopt import APP, BLOCK, VOLUMES
from tests.command import run
from tests.security.kit import ADD, POD, library

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
zero = pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no endless device")
SMALL = {"SIDECARCTL_MAX_INPUT": "3000000"}
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: all}
spec:
  rules: [{select: {all: true}, sidecars: [{name: log-tail, parameters: {logDir: /var/log/app}}]}]
"""
RENDER = "sidecarctl render -c sidecarctl.yaml in -o out/ --prune"


@zero
@pytest.mark.parametrize(
    "command",
    [
        "validate -f /dev/zero",
        "add log-tail --set logDir=/a -f /dev/zero -o out.yaml",
        "status /dev/zero",
        "graph /dev/zero",
        "adopt /dev/zero",
        "new mine --library lib --from-manifest /dev/zero --container web",
        "validate -f large.yaml",
        "add log-tail --set logDir=/a -f large.yaml",
    ],
)
def test_endless_or_large_input_file_is_rejected(command: str, tmp_path: Path) -> None:
    (tmp_path / "large.yaml").touch()
    os.truncate(tmp_path / "large.yaml", 20 << 30)
    done = run(f"sidecarctl {command}", tmp_path, env=SMALL)
    assert done.code == 3
    assert "log-tail" not in done.stdout
    assert "input too large: more than 3,000,000 bytes" in done.stderr
    assert "SIDECARCTL_MAX_INPUT" in done.stderr


@pytest.mark.parametrize("command", ["validate", "add log-tail --set logDir=/a", "krm", "post-render", "status"])
def test_endless_stdin_is_rejected(command: str, tmp_path: Path) -> None:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    done = run(f"sidecarctl {command}", tmp_path, stdin="a: b\n" * 4_000_000, env=SMALL)
    assert done.code == 3
    assert "log-tail" not in done.stdout
    assert "SIDECARCTL_MAX_INPUT" in done.stderr


@pytest.mark.parametrize(
    ("link", "leads", "command"),
    [
        ("sidecarctl.yaml", "outside/a.yaml", "init"),
        ("sidecarctl.yaml", "outside/a.yaml", "adopt k8s"),
        ("sidecars", "outside", "adopt k8s"),
        ("sidecars", "outside", "new agent"),
        ("sidecars", "outside", "new agent --library sidecars"),
        ("sidecars/agent", "outside/agent", "new agent"),
        ("policies/policy.yaml", "outside/a.yaml", "export --to kyverno -c c.yaml -o policies/"),
    ],
)
def test_link_in_the_repository_does_not_lead_new_files_out_of_it(
    link: str, leads: str, command: str, tmp_path: Path
) -> None:
    repository, outside = tmp_path / "repository", tmp_path / "outside"
    for folder in (outside, repository / "k8s", (repository / link).parent):
        folder.mkdir(parents=True, exist_ok=True)
    (repository / "c.yaml").write_text(COMPOSITION)
    for name in ("web", "shop"):
        (repository / f"k8s/{name}.yaml").write_text((APP + BLOCK + VOLUMES).replace("APPNAME", name))
    (repository / link).symlink_to(tmp_path / leads)
    done = run(f"sidecarctl {command}", repository)
    assert done.code == 3, done.stderr
    assert "through a symbolic link; no files written" in done.stderr
    assert not list(outside.iterdir())


@pytest.fixture(params=["sidecars", "../elsewhere"])
def own_library(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The library of a test: in the repository that is the working directory, or outside of it."""
    (tmp_path / "repository/.git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "repository")
    return Path(request.param)


def test_link_that_takes_the_place_of_a_library_does_not_lead_a_new_sidecar_out(
    own_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside, read = tmp_path / "outside", scaffold.read_sidecar

    def swap(folder: Path, library: str) -> Sidecar:
        own_library.rename(outside)
        own_library.symlink_to(outside)
        return read(folder, library)

    monkeypatch.setattr(scaffold, "read_sidecar", swap)
    with pytest.raises(OutputError, match="through a symbolic link"):
        scaffold.write_files(scaffold.from_image(own_library, "agent", "busybox:1.36.1", "jinja"))
    assert not list(outside.rglob("expected.yaml"))


def test_link_that_takes_the_place_of_a_library_does_not_lead_expected_output_out(
    own_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaffold.write_files(scaffold.from_image(own_library, "agent", "busybox:1.36.1", "jinja"))
    (expected,) = own_library.rglob("expected.yaml")
    expected.write_text("old\n")
    outside, read = tmp_path / "outside", test_cases.read_case

    def swap(sidecar: Sidecar, case: test_cases.Case) -> Trial:
        own_library.rename(outside)
        own_library.symlink_to(outside)
        return read(sidecar, case)

    monkeypatch.setattr(test_cases, "read_case", swap)
    with pytest.raises(OutputError, match="through a symbolic link"):
        list(test_runner.run_tests(Catalog((("own", own_library),)), [], update=True))
    assert expected.read_text() == "old\n"


@pytest.mark.parametrize("link", ["sidecars", "sidecars/agent/tests/deployment"])
def test_link_in_the_repository_does_not_lead_expected_output_out_of_it(
    link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "repository/.git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "repository")
    scaffold.write_files(scaffold.from_image(Path("sidecars"), "agent", "busybox:1.36.1", "jinja"))
    Path(link).rename(tmp_path / "outside")
    Path(link).symlink_to(tmp_path / "outside")
    (expected,) = (tmp_path / "outside").rglob("expected.yaml")
    expected.write_text("old\n")
    done = run("sidecarctl test --update", tmp_path / "repository")
    assert done.code != 0
    assert expected.read_text() == "old\n"


@pytest.mark.parametrize("before", ["", "old\n"])
def test_expected_output_that_changes_while_its_test_case_runs_is_not_overwritten(
    before: str, own_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaffold.write_files(scaffold.from_image(own_library, "agent", "busybox:1.36.1", "jinja"))
    (expected,) = own_library.rglob("expected.yaml")
    expected.write_text(before) if before else expected.unlink()
    run_trial = test_cases.run_trial

    def change(trial: Trial) -> TrialResult:
        expected.write_text("of another program\n")
        return run_trial(trial)

    monkeypatch.setattr(test_cases, "run_trial", change)
    with pytest.raises(OutputError, match="changed since it was read"):
        list(test_runner.run_tests(Catalog((("own", own_library),)), [], update=True))
    assert expected.read_text() == "of another program\n"


@pytest.mark.parametrize("command", ["init", "adopt k8s"])
def test_composition_behind_a_link_inside_the_repository_is_written(command: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "team/k8s").mkdir(parents=True)
    for name in ("web", "shop"):
        (tmp_path / f"team/k8s/{name}.yaml").write_text((APP + BLOCK + VOLUMES).replace("APPNAME", name))
    (tmp_path / "team/sidecarctl.yaml").symlink_to(tmp_path / "shared.yaml")
    done = run(f"sidecarctl {command}", tmp_path / "team")
    assert done.code == 0, done.stderr
    assert "kind: Composition" in (tmp_path / "shared.yaml").read_text()
    assert (tmp_path / "team/sidecarctl.yaml").is_symlink()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _large(path: Path) -> None:
    path.touch()
    os.truncate(path, 20 << 30)


SPECIAL = {"pipe": _pipe, "endless device": _endless, "large file": _large}
ENTRY_FILES = ["extra", "CHANGELOG.md", "tests/case/input.yaml", "tests/case/expected.yaml", "template.yaml.j2"]


@zero
@pytest.mark.parametrize("name", ENTRY_FILES)
@pytest.mark.parametrize("special", SPECIAL)
def test_special_file_in_a_sidecar_neither_blocks_nor_is_read_whole(name: str, special: str, tmp_path: Path) -> None:
    entry = library(tmp_path)
    (entry / name).unlink(missing_ok=True)
    (entry / name).parent.mkdir(parents=True, exist_ok=True)
    if name.endswith("expected.yaml"):
        (entry / "tests/case/input.yaml").write_text(POD)
    SPECIAL[special](entry / name)
    for command in (ADD, "sidecarctl list --library lib", "sidecarctl show mine --library lib"):
        done = run(command, tmp_path, env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
        assert done.code in (0, 2), done.stderr
        assert "bug" not in done.stderr
    tested = run("sidecarctl test --library lib", tmp_path)
    assert tested.code in (0, 1, 2), tested.stderr
    assert "bug" not in tested.stderr


@zero
@pytest.mark.parametrize("name", ["index.json", "metadata.json"])
@pytest.mark.parametrize("special", SPECIAL)
def test_special_file_as_the_index_of_a_library_is_ignored(name: str, special: str, tmp_path: Path) -> None:
    library(tmp_path)
    SPECIAL[special](tmp_path / "lib" / name)
    assert run(f"{ADD} --set token=x", tmp_path).code == 0
    assert "mine" in run("sidecarctl list --library lib", tmp_path).stdout


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "pod.yaml").write_text(POD)
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    (tmp_path / "victim").write_text("keep\n")
    return tmp_path


@pytest.mark.parametrize("link", ["pod.yaml", ".sidecarctl-outputs"])
def test_link_in_the_output_directory_does_not_lead_out_of_it(link: str, repo: Path) -> None:
    (repo / "out" / link).symlink_to("../victim")
    done = run(RENDER, repo)
    assert done.code == 3
    assert f"out/{link} leads out of out through a symbolic link" in done.stderr
    assert [path.name for path in (repo / "out").iterdir()] == [link]
    assert (repo / "victim").read_text() == "keep\n"


@pytest.mark.parametrize(
    "text", [b"kind: Pod\nmetadata: [mine\n", b"# caf\xe9\nkind: Pod\n", POD.encode() + b"unknown: 1\n"]
)
def test_input_with_errors_is_not_replaced_by_the_output_of_another_one(text: bytes, repo: Path) -> None:
    (repo / "out" / "pod.yaml").write_bytes(text)
    done = run("sidecarctl add log-tail -f in -f out -o out --keep-going", repo)
    assert (done.code, "out/pod.yaml is an input with errors" in done.stderr) == (2, True), done.stderr
    assert (repo / "out" / "pod.yaml").read_bytes() == text


def test_outputs_that_a_link_makes_one_file_are_an_error(repo: Path) -> None:
    (repo / "in" / "b.yaml").write_text(POD.replace("name: web", "name: b", 1))
    (repo / "out" / "b.yaml").symlink_to("pod.yaml")
    done = run(RENDER, repo)
    assert (done.code, "have the same output out/" in done.stderr) == (2, True), done.stderr


def test_list_of_outputs_that_is_a_link_is_not_written(repo: Path) -> None:
    (repo / "out" / "notes.txt").write_text("keep\n")
    (repo / "out" / ".sidecarctl-outputs").symlink_to("notes.txt")
    done = run(RENDER, repo)
    assert (done.code, "is not a regular file" in done.stderr) == (3, True), done.stderr
    assert (repo / "out" / "notes.txt").read_text() == "keep\n"


def test_diff_does_not_show_a_file_outside_the_output_directory(repo: Path) -> None:
    (repo / "out" / "pod.yaml").symlink_to("../victim")
    done = run("sidecarctl render -c sidecarctl.yaml in -o out/ --diff", repo)
    assert done.code == 3
    assert "keep" not in done.stdout + done.stderr


def test_linked_directory_in_the_output_directory_does_not_lead_out_of_it(repo: Path) -> None:
    (repo / "in" / "sub").mkdir()
    (repo / "in" / "sub" / "b.yaml").write_text(POD.replace("name: web", "name: b", 1))
    (repo / "elsewhere").mkdir()
    (repo / "out" / "sub").symlink_to("../elsewhere")
    for command in (RENDER, "sidecarctl add log-tail --set logDir=/a in -o out/"):
        done = run(command, repo)
        assert done.code == 3
        assert "out/sub/b.yaml leads out of out" in done.stderr
    assert list((repo / "elsewhere").iterdir()) == []


def test_output_directory_can_be_a_link_and_contain_links_that_stay_inside(repo: Path) -> None:
    (repo / "out").rename(repo / "real")
    (repo / "out").symlink_to("real")
    (repo / "real" / "data").mkdir()
    (repo / "real" / "pod.yaml").symlink_to("data/pod.yaml")
    assert run(RENDER, repo).code == 0
    assert "log-tail" in (repo / "real" / "data" / "pod.yaml").read_text()
    assert (repo / "real" / "pod.yaml").is_symlink()


@zero
@pytest.mark.parametrize("name", ["pod.yaml", ".sidecarctl-outputs"])
@pytest.mark.parametrize("special", ["pipe", "endless device"])
def test_special_file_in_the_output_directory_is_an_error(special: str, name: str, repo: Path) -> None:
    SPECIAL[special](repo / "out" / name)
    done = run(RENDER, repo)
    assert done.code == 3, done.stderr
    assert "not a regular file" in done.stderr or "leads out" in done.stderr
    assert [path.name for path in (repo / "out").iterdir()] == [name]


def test_file_names_that_look_like_options_or_shell_code_are_only_names(tmp_path: Path) -> None:
    names = ["-i.yaml", "--help.yaml", "$(touch hacked).yaml", "a b.yaml", "a\nb.yaml", "`id`.yaml", "'.yaml", "*.yaml"]
    for name in names:
        (tmp_path / name).write_text(POD)
    for words in (["."], *(["-f", name] for name in names)):
        done = run(["sidecarctl", "validate", *words], tmp_path)
        assert done.code == 0, (words, done.stderr)
        assert "\nb.yaml" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@pytest.mark.parametrize("command", ["init k8s", "adopt k8s"])
def test_linked_directory_does_not_lead_a_composition_out_of_the_repository(command: str, tmp_path: Path) -> None:
    repository, outside = tmp_path / "repository", tmp_path / "outside"
    (repository / ".git").mkdir(parents=True)
    outside.mkdir()
    for name in ("web", "shop"):
        (outside / f"{name}.yaml").write_text((APP + BLOCK + VOLUMES).replace("APPNAME", name))
    if command.startswith("adopt"):  # extends the nearest composition
        (outside / "sidecarctl.yaml").write_text(COMPOSITION)
    before = {path.name: path.read_text() for path in outside.iterdir()}
    (repository / "k8s").symlink_to(outside)
    done = run(f"sidecarctl {command}", repository)
    assert (done.code, "through a symbolic link; no files written" in done.stderr) == (3, True), done.stderr
    assert {path.name: path.read_text() for path in outside.iterdir()} == before
