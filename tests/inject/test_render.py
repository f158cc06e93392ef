"""The command `render`: outputs, checks, pruning, precedence, and invalid input."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import Outcome, run

COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: platform}
spec:
  rules:
  - name: web
    select: {names: ["web-*"]}
    sidecars:
    - name: logger
      parameters: {logDir: /srv/log}
"""
DEPLOYMENT = """\
# keep me
apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
spec:
  selector: {matchLabels: {app: x}}
  template:
    metadata:
      labels: {app: x}
    spec:
      containers:
      - name: app
        image: nginx:1.27.4   # pinned
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    for name in ("web-1", "web-2", "db"):
        path = tmp_path / "k8s" / ("data" if name == "db" else ".") / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(DEPLOYMENT.replace("NAME", name))
    return tmp_path


def done(repo: Path, command: str, code: int = 0, **more: str) -> Outcome:
    outcome = run(f"sidecarctl {command}", repo, stdin=more.pop("stdin", None), env=more)
    assert outcome.code == code, outcome.stderr
    assert "Traceback" not in outcome.stderr
    return outcome


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", ["add logger --set logDir=/logs", "upgrade", "remove --all"])
def test_output_directory_inside_the_input_is_not_read(command: str, repo: Path) -> None:
    done(repo, "add logger --set logDir=/logs -f k8s/data -o k8s/out/")
    done(repo, "add logger --set logDir=/logs -f k8s/web-1.yaml -i")
    done(repo, f"{command} -f k8s -o k8s/out/")
    first = tree(repo)
    assert not (repo / "k8s/out/out").exists()
    done(repo, f"{command} -f k8s -o k8s/out/")
    assert tree(repo) == first
    done(repo, f"{command} -f k8s/out -o k8s/out/")  # a directory that is named is read


def test_render_in_place_is_idempotent(repo: Path) -> None:
    done(repo, "render -f k8s -i")
    first = tree(repo)
    assert "sidecarctl.dev/sidecars" in (repo / "k8s/web-1.yaml").read_text()
    assert (repo / "k8s/data/db.yaml").read_text() == DEPLOYMENT.replace("NAME", "db")
    done(repo, "render -f k8s -i")
    assert tree(repo) == first
    assert "3 files match composition" in done(repo, "render -f k8s --check").stderr


def test_removing_a_rule_removes_its_sidecars(repo: Path) -> None:
    before = tree(repo / "k8s")
    done(repo, "render -f k8s -i")
    (repo / "sidecarctl.yaml").write_text(COMPOSITION.split("  rules:")[0] + "  rules: []\n")
    outcome = done(repo, "render -f k8s -i")
    assert "removed logger" in outcome.stderr
    assert tree(repo / "k8s") == before


def test_check_reports_outdated_files_and_writes_nothing(repo: Path) -> None:
    before = tree(repo)
    outcome = done(repo, "render -f k8s --check", 1)
    assert "Deployment/web-1: would add logger" in outcome.stderr
    assert "2 of 3 files outdated" in outcome.stderr
    assert outcome.stdout == ""
    assert tree(repo) == before


def test_diff_shows_added_lines(repo: Path) -> None:
    outcome = done(repo, "render -f k8s/web-1.yaml --diff")
    assert "+++ " in outcome.stdout
    assert "+        volumeMounts:" in outcome.stdout


def test_renders_stdin(repo: Path) -> None:
    text = DEPLOYMENT.replace("NAME", "web-9") + "---\nkind: Whatever\nx: [1, 2]\n"
    outcome = done(repo, "render", stdin=text)
    assert outcome.stdout.endswith("---\nkind: Whatever\nx: [1, 2]\n")
    assert "sidecarctl.dev/sidecars" in outcome.stdout


def test_output_directory_mirrors_the_input(repo: Path) -> None:
    done(repo, "render -f k8s -o out")
    assert set(tree(repo / "out")) == {"web-1.yaml", "web-2.yaml", "data/db.yaml", ".sidecarctl-outputs"}
    assert done(repo, "render -f k8s -o out --check").stderr == "3 files in out match composition platform\n"
    (repo / "out/web-1.yaml").write_text("old\n")
    (repo / "out/web-2.yaml").unlink()
    outcome = done(repo, "render -f k8s -o out --check", 1)
    assert "out/web-1.yaml: outdated" in outcome.stderr
    assert "out/web-2.yaml: missing" in outcome.stderr


def test_mirrors_a_directory_with_one_manifest(repo: Path) -> None:
    done(repo, "render -f k8s/data -o out")
    assert (repo / "out" / "db.yaml").is_file()


def test_prune_deletes_only_unedited_rendered_files(repo: Path) -> None:
    done(repo, "render -f k8s -o out")
    (repo / "out" / "mine.yaml").write_text("mine\n")
    for name in ("web-1.yaml", "web-2.yaml", "data/db.yaml"):
        (repo / "k8s" / name).unlink()
    (repo / "k8s" / "web-3.yaml").write_text(DEPLOYMENT.replace("NAME", "web-3"))
    (repo / "out" / "web-2.yaml").write_text("edited\n")
    assert "--prune deletes it" in done(repo, "render -f k8s -o out").stderr
    assert (repo / "out" / "web-1.yaml").exists()
    assert "stale" in done(repo, "render -f k8s -o out --prune --check", 1).stderr
    before = tree(repo / "out")
    assert "out/web-1.yaml: no longer rendered; --prune deletes it" in done(repo, "render -f k8s -o out --diff").stderr
    outcome = done(repo, "render -f k8s -o out --prune --diff")
    assert "out/web-1.yaml: to be deleted, no longer rendered" in outcome.stderr
    assert "out/web-2.yaml: no longer rendered; edited since it was written, so it is kept" in outcome.stderr
    assert tree(repo / "out") == before
    outcome = done(repo, "render -f k8s -o out --prune")
    assert "out/web-1.yaml: deleted" in outcome.stderr
    assert "edited since it was written, so it is kept" in outcome.stderr
    assert set(tree(repo / "out")) == {"web-2.yaml", "web-3.yaml", "mine.yaml", ".sidecarctl-outputs"}
    assert not (repo / "out" / "data").exists()


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        DEPLOYMENT.replace("NAME", "web-4").replace("image:", "imagePullPolicy: Sometimes\n        image:"),
    ],
)
def test_prune_keeps_everything_in_a_run_with_errors(broken: str, repo: Path) -> None:
    done(repo, "render -f k8s -o out")
    before = tree(repo / "out")
    (repo / "k8s" / "web-1.yaml").write_text(DEPLOYMENT.replace("NAME", "web-1") + f"---\n{broken}\n")
    (repo / "k8s" / "web-2.yaml").unlink()
    outcome = run("sidecarctl render -f k8s -o out --prune --keep-going", repo)
    assert outcome.code in (1, 3)
    assert "web-1.yaml: " not in outcome.stderr.replace(f"{repo}", "").split("error")[0]
    assert "out/web-2.yaml: no longer rendered; kept because of the errors" in outcome.stderr
    assert set(tree(repo / "out")) == set(before)
    outcome = run("sidecarctl render -f k8s -o out --prune --keep-going --check", repo)
    assert "stale" not in outcome.stderr
    (repo / "k8s" / "web-1.yaml").write_text(DEPLOYMENT.replace("NAME", "web-1"))
    assert "out/web-2.yaml: deleted" in done(repo, "render -f k8s -o out --prune").stderr


def test_prune_does_not_follow_links_out_of_the_output_directory(repo: Path) -> None:
    done(repo, "render -f k8s -o out")
    (repo / "elsewhere").mkdir()
    (repo / "out" / "data" / "db.yaml").rename(repo / "elsewhere" / "db.yaml")
    (repo / "out" / "data").rmdir()
    (repo / "out" / "data").symlink_to("../elsewhere")
    (repo / "k8s" / "data" / "db.yaml").unlink()
    done(repo, "render -f k8s -o out --prune")
    assert (repo / "elsewhere" / "db.yaml").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="file names cannot have line breaks")
@pytest.mark.parametrize("mark", ["\n", "\v", "\x85", "\u2028", '"'])
def test_prune_keeps_a_file_that_the_name_of_another_one_lists(repo: Path, mark: str) -> None:
    (repo / "out").mkdir()
    (repo / "out/precious.yaml").write_text("mine\n")
    digest = hashlib.sha256(b"mine\n").hexdigest()
    odd = f"x{mark}{digest}  precious.yaml"
    (repo / "k8s" / odd).write_text(DEPLOYMENT.replace("NAME", "odd"))
    (repo / "k8s" / f"{mark}.yaml").write_text(DEPLOYMENT.replace("NAME", "other"))
    done(repo, "render -f k8s -o out")
    done(repo, "render -f k8s -o out --prune")
    assert (repo / "out/precious.yaml").exists()
    (repo / "k8s" / odd).unlink()
    (repo / "k8s" / f"{mark}.yaml").unlink()
    done(repo, "render -f k8s -o out --prune")
    assert set(tree(repo / "out")) == {
        "precious.yaml",
        "web-1.yaml",
        "web-2.yaml",
        "data/db.yaml",
        ".sidecarctl-outputs",
    }


def test_prune_keeps_a_file_that_no_run_wrote(repo: Path) -> None:
    (repo / "out").mkdir()
    (repo / "out/db.yaml").write_bytes((repo / "k8s/data/db.yaml").read_bytes())
    done(repo, "render k8s/web-1.yaml k8s/data/db.yaml -o out")
    assert "db.yaml" not in (repo / "out/.sidecarctl-outputs").read_text()
    done(repo, "render k8s/web-1.yaml -o out --prune")
    assert set(tree(repo / "out")) == {"web-1.yaml", "db.yaml", ".sidecarctl-outputs"}


def test_prune_deletes_a_file_that_an_earlier_run_wrote_and_the_last_one_left_unchanged(repo: Path) -> None:
    for _ in range(2):
        done(repo, "render k8s/web-1.yaml k8s/data/db.yaml -o out")
    assert "out/db.yaml: deleted" in done(repo, "render k8s/web-1.yaml -o out --prune").stderr


def test_prune_keeps_inputs_in_the_output_directory(repo: Path) -> None:
    done(repo, "render k8s/web-1.yaml k8s/web-2.yaml -o k8s")  # both are written over
    done(repo, "render k8s/web-1.yaml -o k8s --prune")
    assert set(tree(repo / "k8s")) == {"web-1.yaml", "web-2.yaml", "data/db.yaml", ".sidecarctl-outputs"}


def test_prune_keeps_an_output_that_is_an_input_of_this_run(repo: Path) -> None:
    done(repo, "render k8s -o out")
    done(repo, "render out/data/db.yaml -o out --prune")  # the output is out/db.yaml
    assert (repo / "out/data/db.yaml").is_file()
    assert "data/db.yaml" not in (repo / "out/.sidecarctl-outputs").read_text()


def test_writes_and_lists_an_empty_output(repo: Path) -> None:
    (repo / "k8s/empty.yaml").write_text("")
    done(repo, "render k8s/web-1.yaml k8s/empty.yaml -o out")
    assert "  empty.yaml\n" in (repo / "out/.sidecarctl-outputs").read_text()
    (repo / "out/empty.yaml").unlink()
    outcome = done(repo, "render k8s/web-1.yaml k8s/empty.yaml -o out --check", 1)
    assert "out/empty.yaml: missing" in outcome.stderr


def test_prune_keeps_a_file_of_this_run_whatever_form_its_name_has_in_the_list(repo: Path) -> None:
    done(repo, "render -f k8s -o out")
    record = repo / "out/.sidecarctl-outputs"
    before = record.read_text()
    lines = [line for line in before.splitlines() if line.endswith("  web-1.yaml")]
    record.write_text(
        before + "".join(f"{line.replace('  web', f'  {form}web')}\n" for line in lines for form in ("./", "data/..//"))
    )
    done(repo, "render -f k8s -o out --prune")
    assert (repo / "out/web-1.yaml").exists()


def test_directory_in_the_place_of_an_output_is_an_error_that_says_so(repo: Path) -> None:
    (repo / "out" / "web-1.yaml").mkdir(parents=True)
    outcome = done(repo, "render -f k8s -o out", 3)
    assert "web-1.yaml is a directory; no files written" in outcome.stderr
    assert not (repo / "out" / "web-2.yaml").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a permission")
def test_link_beside_its_target_does_not_replace_it_in_the_output(repo: Path) -> None:
    (repo / "k8s" / "0.yaml").symlink_to("web-1.yaml")
    done(repo, "render -f k8s -o out")
    assert (repo / "out" / "web-1.yaml").is_file()
    assert not (repo / "out" / "0.yaml").exists()


@pytest.fixture
def linked(repo: Path) -> Path:
    """A repository whose environments have links to files of a base, and to files outside of the input."""
    (repo / "shared.yaml").write_text(DEPLOYMENT.replace("NAME", "web-3"))
    for name in ("dev", "prod"):
        (repo / "k8s" / name).mkdir()
        (repo / "k8s" / name / "web-1.yaml").symlink_to("../web-1.yaml")
        (repo / "k8s" / name / "shared.yaml").symlink_to("../../shared.yaml")
    return repo


LINKED = {f"{name}/{file}.yaml" for name in ("dev", "prod") for file in ("web-1", "shared")}


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a permission")
@pytest.mark.parametrize("command", ["render -f k8s", "add log-tail k8s"])
def test_output_directory_has_files_that_are_links_to_another_directory(command: str, linked: Path) -> None:
    done(linked, f"{command} -o out")
    outputs = tree(linked / "out")
    assert set(outputs) - {".sidecarctl-outputs"} == {"web-1.yaml", "web-2.yaml", "data/db.yaml", *LINKED}
    assert outputs["dev/web-1.yaml"] == outputs["prod/web-1.yaml"] == outputs["web-1.yaml"]
    assert outputs["dev/shared.yaml"] == outputs["prod/shared.yaml"]


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a permission")
def test_check_and_prune_know_outputs_of_links(linked: Path) -> None:
    done(linked, "render -f k8s -o out")
    assert "7 files in out match" in done(linked, "render -f k8s -o out --prune --check").stderr
    (linked / "out/prod/shared.yaml").unlink()
    assert "out/prod/shared.yaml: missing" in done(linked, "render -f k8s -o out --check", 1).stderr


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need a permission")
def test_file_that_several_paths_name_has_one_output(linked: Path) -> None:
    (linked / "same").symlink_to("k8s")
    done(linked, "render k8s k8s/dev same -o out")
    assert set(tree(linked / "out")) == {
        ".sidecarctl-outputs",
        "web-1.yaml",
        "web-2.yaml",
        "data/db.yaml",
        *LINKED,
    }


# Root can write to every file, so the test of the system is replaced.
READ_ONLY_LIST = """\
import os, sys
access = os.access
os.access = lambda path, *how, **more: not str(path).endswith(".sidecarctl-outputs") and access(path, *how, **more)
from sidecarctl.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("rule", ["web-*", "web-2"])  # without and with a changed output
def test_read_only_list_of_outputs_leaves_every_file_unchanged(repo: Path, rule: str) -> None:
    done(repo, "render -f k8s -o out")
    before = tree(repo / "out")
    (repo / "sidecarctl.yaml").write_text(COMPOSITION.replace("web-*", rule))
    (repo / "k8s/data/db.yaml").unlink()
    words = [sys.executable, "-c", READ_ONLY_LIST, "render", "-f", "k8s", "-o", "out", "--prune"]
    outcome = subprocess.run(words, cwd=repo, capture_output=True, text=True, check=False)
    assert outcome.returncode == 3
    assert "out/.sidecarctl-outputs is read-only; no files written" in outcome.stderr
    assert "deleted" not in outcome.stderr
    assert tree(repo / "out") == before


# Another run finishes in the middle of this one: before the files of this one are replaced, or before its list is.
CONCURRENT = """\
import subprocess, sys
from sidecarctl.files import write
moment, lock, replace_all = sys.argv.pop(1), write.lock, write._replace_all
command = [sys.executable, "-m", "sidecarctl", "render", "k8s/data", "-o", "out/", "--quiet"]
def locked(directory):
    if not moments:
        moments.append(subprocess.run(command, check=True))
    lock(directory)
def replaced(staged):
    if moment == "files" and not moments:
        moments.append(subprocess.run(command, check=True))
    elif moment == "list":
        write.lock = locked
    replace_all(staged)
moments = []
write._replace_all = replaced
from sidecarctl.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("moment", ["files", "list"])
@pytest.mark.parametrize("listed", [False, True])
def test_concurrent_runs_list_the_outputs_of_both(repo: Path, moment: str, listed: bool) -> None:
    if listed:
        done(repo, "render k8s/web-1.yaml -o out/")
    words = [sys.executable, "-c", CONCURRENT, moment, "render", "k8s/web-2.yaml", "-o", "out/"]
    outcome = subprocess.run(words, cwd=repo, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    lines = (repo / "out/.sidecarctl-outputs").read_text().splitlines()[1:]
    assert [line.partition("  ")[2] for line in lines] == ["db.yaml", *(["web-1.yaml"] if listed else []), "web-2.yaml"]
    assert "out/db.yaml: deleted" in done(repo, "render k8s/web-1.yaml -o out/ --prune").stderr


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000 + "y", '"\\u0000"', '"\\ud800"'])
def test_name_that_no_file_can_have_leaves_the_list_of_outputs(repo: Path, name: str) -> None:
    done(repo, "render -f k8s -o out")
    record = repo / "out/.sidecarctl-outputs"
    before = record.read_text()
    record.write_text(f"{before}{'0' * 64}  {name}\n")
    done(repo, "render -f k8s -o out --prune")
    assert record.read_text() == before


@pytest.mark.parametrize("broken", [b"a: \xff\n", b"apiVersion: v1\nkind: Pod\nmetadata: {name: web-9}\na: [\n"])
def test_keep_going_replaces_outdated_outputs(broken: bytes, repo: Path) -> None:
    done(repo, "render -f k8s -o out")
    (repo / "sidecarctl.yaml").write_text(COMPOSITION.replace("web-*", "web-2"))
    (repo / "k8s/z.yaml").write_bytes(broken)
    outcome = done(repo, "render -f k8s -o out --keep-going --check", 3)
    assert "out/web-1.yaml: outdated" in outcome.stderr
    assert "1 of 3 files outdated" in outcome.stderr
    done(repo, "render -f k8s -o out --keep-going", 3)
    outputs = tree(repo / "out")
    assert outputs["web-1.yaml"] == (repo / "k8s/web-1.yaml").read_bytes()
    listed = dict(line.split("  ")[::-1] for line in outputs.pop(".sidecarctl-outputs").decode().splitlines()[1:])
    assert listed == {name: hashlib.sha256(data).hexdigest() for name, data in outputs.items()}
    assert "3 files in out match" in done(repo, "render -f k8s -o out --keep-going --check", 3).stderr


def test_prune_requires_an_output_directory(repo: Path) -> None:
    assert "--prune requires an output directory" in done(repo, "render -f k8s -i --prune", 2).stderr


@pytest.mark.parametrize("inputs", ["-f 'k8s/web-*.yaml'", "-f 'k8s/web-1*'"])
def test_output_of_a_glob_is_a_directory_with_a_list_of_outputs(repo: Path, inputs: str) -> None:
    done(repo, f"render {inputs} -o new --prune")
    first = tree(repo)
    done(repo, f"render {inputs} -o new --prune")
    assert tree(repo) == first
    (repo / "k8s/web-10.yaml").write_bytes((repo / "k8s/web-1.yaml").read_bytes().replace(b"web-1", b"web-10"))
    done(repo, f"render {inputs} -o new --prune")
    (repo / "k8s/web-10.yaml").unlink()
    done(repo, f"render {inputs} -o new --prune")
    assert tree(repo) == first


def test_prune_ignores_paths_outside_the_output_directory(repo: Path) -> None:
    (repo / "out").mkdir()
    (repo / "out" / ".sidecarctl-outputs").write_text(
        f"{'0' * 64}  ../k8s/web-1.yaml\n{'0' * 64}  {repo}/sidecarctl.yaml\n"
    )
    done(repo, "render -f k8s -o out --prune")
    assert (repo / "k8s/web-1.yaml").exists()
    assert (repo / "sidecarctl.yaml").exists()


def test_does_not_read_the_compositions_own_files_or_outputs(repo: Path) -> None:
    (repo / "sidecarctl.yaml").write_text(COMPOSITION.replace("spec:\n", "spec:\n  libraries: [lib]\n"))
    (repo / "lib" / "x").mkdir(parents=True)
    (repo / "lib" / "x" / "input.yaml").write_text(DEPLOYMENT.replace("NAME", "web-lib"))
    for _ in range(2):
        done(repo, "render -f . -o out")
    assert set(tree(repo / "out")) == {"k8s/web-1.yaml", "k8s/web-2.yaml", "k8s/data/db.yaml", ".sidecarctl-outputs"}


@pytest.mark.parametrize("output", [".", "k8s"])
def test_output_directory_with_all_inputs_is_an_error_that_says_so(repo: Path, output: str) -> None:
    outcome = done(repo, f"render k8s -o {output}", 2)
    assert "no manifests in k8s: skipped 3 files: 3 in the output directory" in outcome.stderr
    assert "choose an output directory without inputs, or use --in-place" in outcome.stderr


LAYERS = {
    "sidecarctl.yaml": COMPOSITION.replace("spec:\n", "spec:\n  include: [base.yaml]\n"),
    "base.yaml": "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: base}\nspec: {kubeVersion: '1.33'}\n",
}


def write_layers(repo: Path) -> None:
    for name, text in LAYERS.items():
        (repo / name).write_text(text)


@pytest.mark.parametrize("output", [*LAYERS, "./k8s/../base.yaml", "link.yaml"])
@pytest.mark.parametrize("option", ["", " --diff", " --keep-going"])
def test_output_that_is_a_file_of_the_composition_is_refused(repo: Path, output: str, option: str) -> None:
    write_layers(repo)
    (repo / "link.yaml").symlink_to("base.yaml")
    outcome = done(repo, f"render -f k8s/web-1.yaml -o {output}{option}", 2)
    assert f"{Path(output)} is a file of the composition: the result would replace it" in outcome.stderr
    assert "choose another output" in outcome.stderr
    assert outcome.stdout == ""
    assert {name: (repo / name).read_text() for name in LAYERS} == LAYERS


@pytest.mark.parametrize("name", ["platform.yaml", "base.yaml"])
def test_output_directory_in_which_a_file_is_one_of_the_composition_is_refused(repo: Path, name: str) -> None:
    (repo / "deploy").mkdir()
    write_layers(repo / "deploy")
    (repo / "deploy/sidecarctl.yaml").rename(repo / "deploy/platform.yaml")
    before = tree(repo / "deploy")
    (repo / "k8s" / name).write_text(DEPLOYMENT.replace("NAME", "web-3"))
    outcome = done(repo, "render -c deploy/platform.yaml -f k8s -o deploy", 2)
    assert f"deploy/{name} is a file of the composition: the result would replace it" in outcome.stderr
    assert tree(repo / "deploy") == before


@pytest.mark.parametrize("name", LAYERS)
def test_export_does_not_replace_a_file_of_the_composition(repo: Path, name: str) -> None:
    write_layers(repo)
    outcome = done(repo, f"export --to json-patch -f k8s -o {name}", 3)
    assert f"{name} already exists, and no export wrote it; no files written" in outcome.stderr
    assert {name: (repo / name).read_text() for name in LAYERS} == LAYERS


def test_directory_with_files_of_the_composition_only_is_an_error_that_says_so(repo: Path) -> None:
    (repo / "deploy").mkdir()
    (repo / "sidecarctl.yaml").rename(repo / "deploy/web.yaml")
    outcome = done(repo, "render -c deploy/web.yaml deploy", 2)
    assert "no manifests in deploy: skipped 1 file: 1 sidecarctl file" in outcome.stderr


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n---\n"])
@pytest.mark.parametrize("command", ["render", "render -o out/", "upgrade", "remove --all", "remove logger --name web"])
def test_check_of_a_file_without_an_object_fails(repo: Path, command: str, text: str) -> None:
    (repo / "empty.yaml").write_text(text)
    outcome = done(repo, f"{command} -f empty.yaml --check", 2)
    assert "nothing to check: no object in empty.yaml" in outcome.stderr
    assert "match" not in outcome.stderr


@pytest.mark.parametrize("command", ["render", "upgrade", "remove --all"])
def test_check_of_objects_without_a_workload_succeeds(repo: Path, command: str) -> None:
    (repo / "settings.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n")
    done(repo, f"{command} -f settings.yaml --check")


def test_keeps_instances_of_the_command_line_and_other_compositions(repo: Path) -> None:
    done(repo, "add proxy --set upstreamPort=8080 -f k8s/data/db.yaml -i")
    (repo / "team.yaml").write_text(COMPOSITION.replace("platform", "team").replace("web-*", "db"))
    done(repo, "render -c team.yaml -f k8s -i")
    before = (repo / "k8s/data/db.yaml").read_text()
    done(repo, "render -f k8s -i")
    assert (repo / "k8s/data/db.yaml").read_text() == before


def test_takes_over_requested_instances_of_the_command_line(repo: Path) -> None:
    done(repo, "add logger -f k8s/web-1.yaml -i")
    done(repo, "render -f k8s -i")
    text = (repo / "k8s/web-1.yaml").read_text()
    assert '"by":"platform"' in text
    assert "/srv/log" in text


def test_warns_when_taking_over_from_another_composition(repo: Path) -> None:
    done(repo, "render -f k8s -i")
    (repo / "team.yaml").write_text(COMPOSITION.replace("platform", "team"))
    assert "warning[instance-taken-over]" in done(repo, "render -c team.yaml -f k8s/web-1.yaml -i").stderr


def test_flag_overrides_environment_overrides_composition(repo: Path) -> None:
    (repo / "sidecarctl.yaml").write_text(COMPOSITION.replace("spec:\n", 'spec:\n  kubeVersion: "1.27"\n'))
    classic = '"mode":"classic"'
    assert classic in done(repo, "render -f k8s/web-1.yaml").stdout
    assert classic not in done(repo, "render -f k8s/web-1.yaml", SIDECARCTL_KUBE_VERSION="1.33").stdout
    assert classic in done(repo, "render -f k8s/web-1.yaml --kube-version 1.27", SIDECARCTL_KUBE_VERSION="1.33").stdout


def test_composition_libraries_precede_those_of_the_environment(repo: Path) -> None:
    for folder in ("own", "env", "flag"):
        sidecar = repo / folder / "logger"
        sidecar.mkdir(parents=True)
        (sidecar / "template.yaml").write_text(f"pod: {{labels: {{from: {folder}}}}}\n")
        (sidecar / "sidecar.yaml").write_text(
            "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\nmetadata: {name: logger, version: 1.0.0, summary: Test.}\n"
            "spec: {engine: plain, parameters: {properties: {logDir: {type: string}}}}\n"
        )
    (repo / "sidecarctl.yaml").write_text(COMPOSITION.replace("spec:\n", "spec:\n  libraries: [own]\n"))
    env = str(repo / "env")
    assert "from: own" in done(repo, "render -f k8s/web-1.yaml", SIDECARCTL_LIBRARY=env).stdout
    assert "from: flag" in done(repo, "render -f k8s/web-1.yaml --library flag", SIDECARCTL_LIBRARY=env).stdout
    (repo / "sidecarctl.yaml").write_text(COMPOSITION)
    assert "from: env" in done(repo, "render -f k8s/web-1.yaml", SIDECARCTL_LIBRARY=env).stdout


def test_renders_custom_kinds(repo: Path) -> None:
    (repo / "sidecarctl.yaml").write_text(
        COMPOSITION.replace("spec:\n", "spec:\n  kinds: {example.com/Widget: spec.pod}\n", 1)
    )
    widget = (
        "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: web-w}\n"
        "spec:\n  pod:\n    spec:\n      containers:\n      - name: app\n        image: nginx:1.27.4\n"
    )
    outcome = done(repo, "render", stdin=widget)
    assert "name: logger" in outcome.stdout
    assert "Widget/web-w: added logger" in outcome.stderr


def test_warns_about_a_rule_that_selects_nothing(repo: Path) -> None:
    outcome = done(repo, "render -f k8s/data")
    assert 'warning[rule-selects-nothing]: rule "web" of composition platform selects no workload' in outcome.stderr
    assert "--> sidecarctl.yaml:6:5" in outcome.stderr
    assert outcome.stdout == DEPLOYMENT.replace("NAME", "db")
    done(repo, "render -f k8s/data --fail-on warning", 1)


def test_reports_the_rule_of_an_unknown_container(repo: Path) -> None:
    (repo / "sidecarctl.yaml").write_text(COMPOSITION + "      containers: [apo]\n")
    outcome = done(repo, "render -f k8s", 2)
    assert "sidecarctl.yaml:9:7" in outcome.stderr
    assert 'did you mean "app"?' in outcome.stderr
    assert outcome.stdout == ""


def test_invalid_yaml_writes_nothing(repo: Path) -> None:
    (repo / "k8s" / "z.yaml").write_text("apiVersion: v1\nkind: Pod\nspec: [1\n")
    before = tree(repo)
    outcome = done(repo, "render -f k8s -i", 3)
    assert "k8s/z.yaml:" in outcome.stderr
    assert outcome.stdout == ""
    assert tree(repo) == before


def test_does_not_validate_unselected_workloads(repo: Path) -> None:
    path = repo / "k8s/data/db.yaml"
    path.write_text(path.read_text().replace("image:", "imge:"))
    done(repo, "render -f k8s --check", 1)
    (repo / "k8s/web-1.yaml").write_text(DEPLOYMENT.replace("NAME", "web-1").replace("image:", "imge:"))
    assert "imge" in done(repo, "render -f k8s --check", 1).stderr


def test_reports_line_of_an_invalid_annotation(repo: Path) -> None:
    text = DEPLOYMENT.replace("NAME", "web-1\n  annotations: {sidecarctl.dev/inject: loger}")
    (repo / "k8s/web-1.yaml").write_text(text)
    outcome = done(repo, "render -f k8s/web-1.yaml", 1)
    assert "error[unknown-injected-sidecar]" in outcome.stderr
    assert "k8s/web-1.yaml:6:40" in outcome.stderr
    assert outcome.stdout == ""


def test_missing_composition_names_the_option(tmp_path: Path) -> None:
    outcome = run("sidecarctl render", tmp_path, stdin="")
    assert outcome.code == 2
    assert "-c FILE" in outcome.stderr


def test_json_report_lists_changes(repo: Path) -> None:
    report = json.loads(done(repo, "render -f k8s --check --format json", 1).stdout)
    assert {change["name"] for change in report["changes"] if change["instances"]} == {"web-1", "web-2"}


def test_opting_out_removes_the_compositions_sidecars(repo: Path) -> None:
    done(repo, "render -f k8s -i")
    path = repo / "k8s/web-1.yaml"
    out = "web-1\n  annotations: {sidecarctl.dev/inject: 'false'}"
    path.write_text(path.read_text().replace("  name: web-1\n", f"  name: {out}\n", 1))
    done(repo, "render -f k8s -i")
    assert path.read_text() == DEPLOYMENT.replace("NAME", out)


def test_conflicting_rules_name_both_places(repo: Path) -> None:
    more = COMPOSITION.split("  rules:\n")[1].replace("name: web\n", "name: other\n").replace("/srv/log", "/srv/other")
    (repo / "sidecarctl.yaml").write_text(COMPOSITION + more)
    before = tree(repo)
    outcome = done(repo, "render -f k8s -i", 2)
    assert 'rule "web" (sidecarctl.yaml:9:7) and rule "other" conflict on the instance "logger"' in outcome.stderr
    assert "sidecarctl.yaml:14:7" in outcome.stderr
    assert "parameters differ: logDir" in " ".join(outcome.stderr.split())
    assert tree(repo) == before


@pytest.mark.parametrize(
    ("output", "message"), [("", "sidecar logger 1.0.0 is missing"), (" -o rendered/", "is outdated")]
)
def test_check_reports_outdated_findings_as_json(repo: Path, output: str, message: str) -> None:
    (repo / "rendered").mkdir()
    found = json.loads(done(repo, f"render -f k8s --check --format json{output}", 1).stdout)["findings"]
    assert {(each["rule"], each["severity"]) for each in found} == {("outdated", "error")}
    assert all(message in each["message"] for each in found)
    done(repo, f"render -f k8s{output or ' -i'}")
    assert json.loads(done(repo, f"render -f k8s --check --format json{output}").stdout)["findings"] == []
