"""`library remove` deletes a library and its entries, unless something uses it, and never what is behind a link."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sidecarctl.cli.library_compositions import find_files
from sidecarctl.cli.library_report import get_update
from sidecarctl.errors import SidecarctlError
from sidecarctl.files.directory import Directory, OutputError
from sidecarctl.vendoring import install, uninstall
from sidecarctl.vendoring.lock import LockFile, read_lock
from tests.vendoring.repository_kit import POD, commit, deep_directory, sidecarctl, snapshot, write_sidecar

COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: shop}
spec:
  libraries:
  - libraries/acme   # vendored
  - ./own
  rules: []
"""


@pytest.fixture
def added(acme: Path, shop: Path) -> Path:
    """A repository with the library acme."""
    done = sidecarctl("library add acme ../acme@v1.0.0", shop)
    assert done.code == 0, done.stderr
    return shop


def test_add_and_remove_leave_nothing(acme: Path, shop: Path) -> None:
    before = snapshot(shop)
    assert sidecarctl("library add acme ../acme", shop).code == 0
    check = sidecarctl("library remove acme --check", shop)
    assert (check.code, "would remove library acme" in check.stderr) == (1, True)
    assert snapshot(shop) != before
    done = sidecarctl("library remove acme", shop)
    assert done.code == 0, done.stderr
    assert done.stderr == "removed library acme: libraries/acme, its entry in sidecarctl.lock\n"
    assert snapshot(shop) == before
    assert not (shop / "libraries").exists()


def test_other_libraries_stay(added: Path) -> None:
    before = snapshot(added)
    assert sidecarctl("library add other ../acme", added).code == 0
    assert sidecarctl("library remove other", added).code == 0
    assert snapshot(added) == before
    assert sidecarctl("library verify", added).code == 0


def test_entries_of_compositions_go_too(added: Path) -> None:
    write_sidecar(added / "own", "mine")
    (added / "sidecarctl.yaml").write_text(COMPOSITION)
    (added / "teams").mkdir()
    (added / "teams/sidecarctl.yaml").write_text(
        COMPOSITION.replace("libraries/acme   # vendored", "../libraries/acme").replace("  - ./own\n", "")
    )
    done = sidecarctl("library remove acme", added)
    assert done.code == 0, done.stderr
    assert "its entry in sidecarctl.yaml, its entry in teams/sidecarctl.yaml" in done.stderr
    assert (added / "sidecarctl.yaml").read_text() == COMPOSITION.replace("  - libraries/acme   # vendored\n", "")
    assert "libraries" not in (added / "teams/sidecarctl.yaml").read_text()
    assert sidecarctl("render -f web.yaml", added).code == 0


@pytest.mark.parametrize("mark", ["# license\n---\n{}", "{}---\n", "{}...\n", "---\n# only\n---\n{}"])
def test_documents_without_a_value_do_not_keep_the_entry(mark: str, added: Path) -> None:
    text = mark.format(COMPOSITION.replace("  - ./own\n", ""))
    (added / "sidecarctl.yaml").write_text(text)
    done = sidecarctl("library remove acme", added)
    assert done.code == 0, done.stderr
    assert (added / "sidecarctl.yaml").read_text() == text.replace(
        "  libraries:\n  - libraries/acme   # vendored\n", ""
    )


@pytest.mark.parametrize("mark", ["{}---\n", "# head\n---\n{}", "kind: pipeline\n---\n{}"])
def test_use_in_json_among_other_documents_counts(mark: str, added: Path) -> None:
    (added / "web.yaml").write_text(json.dumps(yaml.safe_load((added / "web.yaml").read_text())) + "\n")
    assert sidecarctl("add agent -f web.yaml -i", added).code == 0
    (added / "web.yaml").write_text(mark.format((added / "web.yaml").read_text()))
    done = sidecarctl("library remove acme", added)
    assert done.code == 2
    assert "Pod/web has agent" in done.stderr


def test_library_in_use_is_kept(added: Path) -> None:
    (added / "sidecarctl.yaml").write_text(
        COMPOSITION.replace("  - ./own\n", "").replace(
            "  rules: []\n", "  rules:\n  - {name: front, select: {all: true}, sidecars: [agent]}\n"
        )
    )
    assert sidecarctl("add agent -f web.yaml -i", added).code == 0
    before = snapshot(added)
    done = sidecarctl("library remove acme", added)
    assert done.code == 2
    assert 'rule "front" adds agent; Pod/web has agent' in done.stderr
    assert snapshot(added) == before
    assert sidecarctl("library remove acme --force", added).code == 0
    (added / "sidecarctl.yaml").unlink()
    assert sidecarctl("remove agent -f web.yaml -i", added).code == 0


RULE = COMPOSITION.replace("  - ./own\n", "").replace("rules: []", "rules: [{select: {all: true}, sidecars: [agent]}]")


def test_library_with_an_invalid_sidecar_in_use_is_kept(acme: Path, shop: Path) -> None:
    (acme / "agent" / "sidecar.yaml").write_text("apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\n")
    commit(acme)
    assert sidecarctl("library add acme ../acme@main", shop).code == 0
    (shop / "sidecarctl.yaml").write_text(RULE)
    before = snapshot(shop)
    done = sidecarctl("library remove acme", shop)
    assert (done.code, "rule 1 adds agent" in done.stderr) == (2, True), done.stderr
    assert snapshot(shop) == before
    assert sidecarctl("library remove acme --force", shop).code == 0


@pytest.mark.parametrize(
    ("file", "text"),
    {
        "byte order mark": ("sidecarctl.yaml", f"\ufeff{RULE}"),
        "JSON": ("sidecarctl.yaml", json.dumps(yaml.safe_load(RULE), indent=2)),
        "JSON with escaped slashes": (
            "sidecarctl.yaml",
            json.dumps(yaml.safe_load(RULE), indent=2).replace("/", "\\/"),
        ),
        "JSON with escaped letters": (
            "sidecarctl.yaml",
            json.dumps(yaml.safe_load(RULE)).replace('"s', '"\\u0073').replace('"C', '"\\u0043'),
        ),
        "escaped letters": (
            "sidecarctl.yaml",
            RULE.replace("sidecarctl.dev/v1alpha1", '"\\x73idecarctl\\U0000002edev\\/v1alpha1"').replace(
                "kind: Composition", '"kind": "Compo\\\n  sit\\u0069on"'
            ),
        ),
        "flow style": ("sidecarctl.yaml", yaml.safe_dump(yaml.safe_load(RULE), default_flow_style=True, width=1000)),
        "indented": ("sidecarctl.yaml", textwrap.indent(RULE, "  ")),
        "ignored by Git": ("ignored.yaml", RULE),
        "hidden directory": (".deploy/prod.yaml", RULE.replace("libraries/", "../libraries/")),
        "other suffix": ("prod.txt", RULE),
    }.values(),
)
def test_use_counts_in_every_form_and_place_of_a_composition(file: str, text: str, added: Path) -> None:
    (added / ".gitignore").write_text("ignored.yaml\n")
    path = added / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    done = sidecarctl(f"render -c {file} -f web.yaml", added)
    assert done.code == 0, done.stderr
    done = sidecarctl("library remove acme", added)
    assert (done.code, "rule 1 adds agent" in done.stderr) == (2, True), done.stderr
    assert path.read_text() == text
    assert sidecarctl("library remove acme --force", added).code == 0
    assert "libraries" not in yaml.safe_load(path.read_text().removeprefix("\ufeff"))["spec"]


def test_composition_of_another_repository_is_no_use(added: Path) -> None:
    for directory in ("node_modules/a", "worktree"):
        (added / directory).mkdir(parents=True)
        (added / directory / "sidecarctl.yaml").write_text(
            RULE.replace("  libraries:\n  - libraries/acme   # vendored\n", "")
        )
    (added / "worktree/.git").write_text("gitdir: elsewhere\n")
    done = sidecarctl("library remove acme", added)
    assert done.code == 0, done.stderr


@pytest.mark.parametrize("others", ["", ", ./own"])
def test_entry_of_an_environment_goes_too(others: str, added: Path) -> None:
    write_sidecar(added / "own", "mine")
    text = COMPOSITION.replace("libraries/acme   # vendored", "libraries/acme")
    text += f"  environments:\n    prod: {{libraries: [libraries/acme{others}]}}\n    test:\n      libraries:\n      - libraries/acme\n"
    (added / "sidecarctl.yaml").write_text(text)
    done = sidecarctl("library remove acme", added)
    assert done.code == 0, done.stderr
    assert "acme" not in (added / "sidecarctl.yaml").read_text()
    for environment in ("prod", "test"):
        done = sidecarctl(f"render --env {environment} -f web.yaml", added)
        assert done.code == 0, done.stderr


@pytest.mark.parametrize("below", ["{}", "environments: {{prod: {{{}}}}}"])
def test_defaults_are_a_use(below: str, added: Path) -> None:
    text = COMPOSITION.replace("  - ./own\n", "") + "  " + below.format("defaults: {agent: {}}") + "\n"
    (added / "sidecarctl.yaml").write_text(text)
    done = sidecarctl("library remove acme", added)
    assert (done.code, "spec.defaults has parameters of agent" in done.stderr) == (2, True), done.stderr


def test_request_of_an_annotation_is_a_use(added: Path) -> None:
    file = added / "web.yaml"
    file.write_text(
        file.read_text().replace("{name: web}", "{name: web, annotations: {sidecarctl.dev/inject: agent}}", 1)
    )
    assert "Pod/web has agent" in sidecarctl("library remove acme", added).stderr


FRONT = "{name: front, select: {all: true}, sidecars: [agent]}"
NAMED = "{name: front, sidecars: [agent]}"
SELECTS = "rules: [{name: front, select: {all: true}, sidecars: [logger]}]"
PARTS = {
    "environment of an included file": (
        {
            "sidecarctl.yaml": f"include: [base.yaml]\n{SELECTS}",
            "base.yaml": f"environments: {{prod: {{rules: [{NAMED}]}}}}",
        },
        "--env prod",
    ),
    "environment after an invalid one": (
        {"sidecarctl.yaml": f"environments:\n  dev: {{libraries: [not-there]}}\n  prod: {{rules: [{FRONT}]}}"},
        "--env prod",
    ),
    "rule that is complete with an environment": (
        {"shop.yaml": f"rules: [{{name: front, select: {{all: true}}}}]\nenvironments: {{prod: {{rules: [{NAMED}]}}}}"},
        "--env prod -c shop.yaml",
    ),
    "rule that an environment enables": (
        {
            "sidecarctl.yaml": f"rules: [{FRONT[:-1]}, enabled: false}}]\n"
            "environments: {prod: {rules: [{name: front, enabled: true}]}}"
        },
        "--env prod",
    ),
    "included file of another directory": (
        {"sidecarctl.yaml": "include: [../base.yaml]", "../base.yaml": f"environments: {{prod: {{rules: [{FRONT}]}}}}"},
        "--env prod",
    ),
}


@pytest.mark.parametrize("part", PARTS)
def test_use_in_a_part_of_a_composition_counts(part: str, added: Path) -> None:
    files, options = PARTS[part]
    for name, spec in files.items():
        head = "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: shop}\nspec:\n"
        (added / name).write_text(head + textwrap.indent(spec, "  "))
    rendered = sidecarctl(f"render {options} -f web.yaml", added)
    assert (rendered.code, "name: agent" in rendered.stdout) == (0, True), rendered.stderr
    done = sidecarctl("library remove acme", added)
    assert (done.code, "adds agent" in done.stderr) == (2, True), done.stderr
    assert (added / "libraries/acme").is_dir()


@pytest.mark.parametrize("key", ["sidecarctl.dev/inject", '"sidecarctl.dev\\/inject"', '"sidecarctl.dev\\u002finject"'])
def test_request_of_a_namespace_is_a_use(key: str, added: Path) -> None:
    annotations = f"annotations: {{{key}: 'logger, agent'}}"
    (added / "ns.yaml").write_text(f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop, {annotations}}}\n")
    done = sidecarctl("library remove acme", added)
    assert (done.code, "Namespace/shop requests agent" in done.stderr) == (2, True), done.stderr


def test_request_of_a_workload_with_an_unreadable_record_is_a_use(added: Path) -> None:
    annotations = "annotations: {sidecarctl.dev/inject: agent, sidecarctl.dev/sidecars: '{}'}"
    pod = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a, {annotations}}}\nspec: {{containers: [{{name: a, image: 'a:1'}}]}}\n"
    (added / "pod.yaml").write_text(pod)
    done = sidecarctl("library remove acme", added)
    assert (done.code, "Pod/a has agent" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("name", ["web.yaml.in", "01-assert.yaml"])
def test_request_in_a_manifest_that_only_a_composition_names_is_a_use(name: str, added: Path) -> None:
    file = added / "web.yaml"
    requesting = file.read_text().replace("{name: web}", "{name: web, annotations: {sidecarctl.dev/inject: agent}}", 1)
    (added / name).write_text(requesting)
    file.unlink()
    head = "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: shop}\n"
    (added / "sidecarctl.yaml").write_text(f"{head}spec: {{manifests: [{name}], libraries: [libraries/acme]}}\n")
    done = sidecarctl("library remove acme", added)
    assert (done.code, "Pod/web has agent" in done.stderr) == (2, True), done.stderr
    assert (added / "libraries" / "acme").is_dir()


def test_disabled_rule_is_no_use(added: Path) -> None:
    (added / "sidecarctl.yaml").write_text(RULE.replace("[{select", "[{enabled: false, select"))
    done = sidecarctl("library remove acme", added)
    assert done.code == 0, done.stderr


def test_sidecar_of_another_library_is_no_use(added: Path) -> None:
    assert sidecarctl("add log-tail -f web.yaml -i", added).code == 0
    assert sidecarctl("library remove acme", added).code == 0


def test_changed_files_are_not_deleted_without_force(added: Path) -> None:
    (added / "libraries/acme/agent/notes.txt").write_text("mine\n")
    done = sidecarctl("library remove acme", added)
    assert done.code == 2
    assert "agent/notes.txt: extra file" in done.stderr
    assert "delete them with --force" in done.stderr
    assert sidecarctl("library remove acme --force", added).code == 0


def test_missing_directory_does_not_keep_the_entry(added: Path) -> None:
    (added / "libraries/acme").rename(added.parent / "gone")
    assert sidecarctl("library remove acme", added).code == 0
    assert not (added / "sidecarctl.lock").exists()


def test_entry_of_a_composition_goes_with_a_missing_directory(added: Path) -> None:
    text = COMPOSITION.replace("  - ./own\n", "")
    (added / "sidecarctl.yaml").write_text(text)
    (added / "libraries/acme").rename(added.parent / "gone")
    done = sidecarctl("library remove acme", added)
    assert done.code == 0, done.stderr
    assert "warning: libraries/acme does not exist, so rules and manifests with its sidecars are unknown" in done.stderr
    assert "removed library acme: its entry in sidecarctl.lock, its entry in sidecarctl.yaml" in done.stderr
    assert sidecarctl("render -f web.yaml", added).code == 0


@pytest.mark.parametrize("path", ['"a\\0b"', "loop"])
def test_path_of_another_composition_that_leads_nowhere_is_not_the_library(path: str, added: Path) -> None:
    (added / "sub").mkdir()
    (added / "sub/loop").symlink_to("loop")
    (added / "sub/sidecarctl.yaml").write_text(COMPOSITION.replace("./own", path).replace("libraries/acme ", "x "))
    done = sidecarctl("library remove acme", added)
    assert done.code == 0, done.stderr


@pytest.mark.parametrize("path", ["libraries", "libraries/acme", "sidecarctl.lock"])
def test_nothing_behind_a_symbolic_link_is_deleted(path: str, added: Path) -> None:
    target = added.parent / "elsewhere"
    (added / path).rename(target)
    (added / path).symlink_to(target)
    before = snapshot(added.parent)
    done = sidecarctl("library remove acme --force", added)
    assert done.code == 2, done.stderr
    assert "is a symbolic link" in done.stderr or "sidecarctl.lock is outside" in done.stderr
    assert snapshot(added.parent) == before


def test_composition_behind_a_symbolic_link_is_not_written(added: Path) -> None:
    outside = added.parent / "outside.yaml"
    outside.write_text(COMPOSITION.replace("  - ./own\n", ""))
    (added / "sidecarctl.yaml").symlink_to(outside)
    done = sidecarctl("library remove acme --force", added)
    assert done.code == 2
    assert "sidecarctl.yaml is a symbolic link" in done.stderr
    assert (added / "libraries/acme").is_dir()
    assert "libraries/acme" in outside.read_text()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can change owners")
@pytest.mark.parametrize("foreign", ["file", "link"])
def test_composition_of_another_user_is_a_use_and_is_not_written(foreign: str, added: Path) -> None:
    file = added / "sub" / "sidecarctl.yaml"
    file.parent.mkdir()
    text = COMPOSITION.replace("libraries/acme", "../libraries/acme")
    if foreign == "link":
        file.symlink_to("target.yaml")
        (file.parent / "target.yaml").write_text(text)
        os.chown(file.parent / "target.yaml", 1234, 1234)
    else:
        file.write_text(text)
    os.chown(file, 1234, 1234, follow_symlinks=False)
    before = snapshot(added)
    done = sidecarctl("library remove acme", added)
    reason = "sub/sidecarctl.yaml belongs to another user (uid 1234) and lists it"
    assert (done.code, reason in done.stderr) == (2, True), done.stderr
    assert snapshot(added) == before
    done = sidecarctl("library remove acme --force", added)
    assert done.code == 0, done.stderr
    assert "warning: sub/sidecarctl.yaml is not changed: it belongs to another user (uid 1234)" in done.stderr
    assert "its entry in sub" not in done.stderr
    assert file.read_text() == text


def test_link_in_a_library_is_deleted_and_not_followed(added: Path) -> None:
    outside = added.parent / "outside"
    outside.mkdir()
    (outside / "keep.txt").write_text("keep\n")
    (added / "libraries/acme/agent/more").symlink_to(outside)
    assert sidecarctl("library remove acme --force", added).code == 0
    assert (outside / "keep.txt").read_text() == "keep\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [("", "expected the name of one library"), ("acem", 'did you mean "acme"?'), ("a b", "expected the name")],
)
def test_usage(words: str, message: str, added: Path) -> None:
    done = sidecarctl(f"library remove {words}", added)
    assert (done.code, message in done.stderr) == (2, True), done.stderr


def test_failed_write_restores_the_library(added: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(writes: object) -> None:
        raise OutputError("disk full")

    before = snapshot(added)
    monkeypatch.setattr(uninstall, "write_all", fail)
    lock = read_lock(added / "sidecarctl.lock")
    with pytest.raises(OutputError):
        uninstall.uninstall(lock.libraries["acme"], lock, ())
    assert snapshot(added) == before


def _remove(lock: LockFile) -> None:
    uninstall.uninstall(lock.libraries["acme"], lock, ())


def _update(lock: LockFile) -> None:
    install.install([get_update(lock.libraries["acme"], None, Path()).found], lock)


@pytest.mark.parametrize("change", [_remove, _update])
@pytest.mark.parametrize("failing", ["deletion", "renaming"])
def test_old_files_that_cannot_be_deleted_or_renamed_back_are_named(
    change: Callable[[LockFile], None], failing: str, added: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def refuse(directory: Directory, name: str, target: str = "") -> None:
        raise PermissionError(13, "Permission denied")

    def fail(*_: object) -> None:
        raise OutputError("disk full")

    kept = Directory.replace

    def replace(directory: Directory, name: str, target: str) -> None:
        (refuse if target == "acme" and name.endswith(".old.sidecarctl") else kept)(directory, name, target)

    if failing == "deletion":
        monkeypatch.setattr(Directory, "delete", refuse)
    else:
        monkeypatch.setattr(Directory, "replace", replace)
        for module in (install, uninstall):
            monkeypatch.setattr(module, "write_all", fail)
    monkeypatch.chdir(added)
    lock = read_lock(Path("sidecarctl.lock"))
    with pytest.raises(OutputError, match="cannot delete" if failing == "deletion" else "cannot restore") as caught:
        change(lock)
    (old,) = (added / "libraries").glob(".acme.*.old.sidecarctl")
    assert old.name in caught.value.message
    assert "nothing was changed" not in caught.value.message


@pytest.mark.parametrize("words", ["remove acme --force", "update --force", "verify"])
def test_deep_directories_in_a_library_are_an_error_and_nothing_changes(words: str, added: Path) -> None:
    (added / "libraries/acme" / "/".join("a" * 120)).mkdir(parents=True)
    before = snapshot(added)
    done = sidecarctl(f"library {words}", added)
    assert (done.code != 0, "nested too deeply: more than 100 levels" in done.stderr + done.stdout) == (True, True)
    assert snapshot(added) == before
    assert (added / "libraries/acme" / "/".join("a" * 120)).is_dir()


USING = POD.replace("{name: web}", "{name: web, annotations: {sidecarctl.dev/inject: agent}}", 1)
UNREADABLE = {
    "too many patterns": (".gitignore", b"x\n" * 5001),
    "kustomization that is too large": ("apps/kustomization.yaml", b"#" * 1_100_000),
    "invalid byte": ("web.yaml", USING.encode() + b"# \xff\n"),
    "invalid syntax": ("web.yaml", USING.encode() + b"  x: [\n"),
    "invalid syntax and markup in quotes": ("web.yaml", USING.encode() + b'  restartPolicy: "{{ a }}"\n<<<<<<< HEAD\n'),
    "invalid record": ("web.yaml", USING.replace("inject: agent", "sidecars: '{}'").encode()),
    "invalid composition": ("prod.yaml", RULE.encode() + b"  x: [\n"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_library_is_kept_while_its_uses_are_unknown(case: str, added: Path) -> None:
    name, data = UNREADABLE[case]
    if name != "prod.yaml":
        (added / "web.yaml").write_text(USING)
    (added / name).parent.mkdir(exist_ok=True)
    (added / name).write_bytes(data)
    before = snapshot(added)
    done = sidecarctl("library remove acme", added)
    assert (done.code, "uses of library acme are unknown: " in done.stderr) == (3, True), done.stderr
    assert snapshot(added) == before
    done = sidecarctl("library remove acme --force", added)
    assert done.code == 0, done.stderr


def test_uses_in_a_directory_that_cannot_be_read_are_unknown(added: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = added / ".closed"
    closed.mkdir()
    exists, scan = Path.exists, os.scandir

    def refuse(path: Path) -> bool:
        """As for a directory without permission before Python 3.14."""
        if path.parent == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path)

    def list_directory(path: str) -> object:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(Path, "exists", refuse)
    monkeypatch.setattr(os, "scandir", list_directory)
    errors: list[SidecarctlError] = []
    assert list(find_files(added, (), errors)) == []
    assert [error.message for error in errors] == [f"cannot read directory {closed}: Permission denied"]


def test_uses_in_directories_that_are_nested_too_deeply_are_unknown(added: Path) -> None:
    (added / "web").mkdir()
    (added / "web/sidecarctl.yaml").write_text(
        COMPOSITION.replace("libraries/acme   # vendored", "../libraries/acme").replace("  - ./own\n", "")
    )
    with deep_directory(added / "libraries/z", 1200):
        done = sidecarctl("library remove acme", added)
        expected = "unknown: directories below libraries are nested too deeply: more than 100 levels\n"
        assert (done.code, expected in done.stderr) == (3, True), done.stderr
        done = sidecarctl("library remove acme --force", added)
        assert (done.code, "its entry in web/sidecarctl.yaml" in done.stderr) == (0, True), done.stderr


def test_repository_without_manifests_does_not_keep_a_library(added: Path) -> None:
    (added / "web.yaml").unlink()
    (added / "README.md").write_text(f"```yaml\n{RULE}```\n- [\n")
    (added / "broken.yaml").write_text("kind: [\n")
    done = sidecarctl("library remove acme", added)
    assert done.code == 0, done.stderr


@pytest.mark.parametrize(
    "spec", ["libraries: [../libraries/other]", "environments: {prod: {libraries: [../libraries/other]}}"]
)
def test_use_counts_with_the_libraries_of_its_composition(spec: str, added: Path) -> None:
    assert sidecarctl("library add other ../acme", added).code == 0
    (added / "env").mkdir()
    file = added / "env/prod.yaml"
    file.write_text(RULE.partition("  libraries:")[0] + f"  {spec}\n  rules:{RULE.partition('  rules:')[2]}")
    done = sidecarctl("library remove other", added)
    assert (done.code, "rule 1 adds agent" in done.stderr) == (2, True), done.stderr
    assert "libraries/other" in file.read_text()


def test_version_of_defaults_leads_to_its_library(added: Path) -> None:
    write_sidecar(added / "own", "agent", "99.0.0")
    (sidecar,) = (added / "libraries/acme").rglob("agent*/sidecar.yaml")
    version = yaml.safe_load(sidecar.read_text())["metadata"]["version"]
    (added / "sidecarctl.yaml").write_text(
        COMPOSITION.partition("  libraries:")[0]
        + f"  libraries: [own, libraries/acme]\n  defaults: {{agent: {{version: {version}}}}}\n"
        + "  rules: [{select: {all: true}, sidecars: [agent]}]\n"
    )
    done = sidecarctl("library remove acme", added)
    assert (done.code, "spec.defaults has parameters of agent" in done.stderr) == (2, True), done.stderr


def test_request_counts_with_the_libraries_of_every_composition(added: Path) -> None:
    assert sidecarctl("library add other ../acme", added).code == 0
    (added / "prod.yaml").write_text(
        COMPOSITION.replace("libraries/acme", "libraries/other").replace("  - ./own\n", "")
    )
    (added / "web.yaml").write_text(USING)
    done = sidecarctl("library remove other", added)
    assert (done.code, "Pod/web has agent" in done.stderr) == (2, True), done.stderr


EMPTY = COMPOSITION.partition("spec:")[0] + "spec: {}\n"


@pytest.mark.parametrize(
    ("file", "spec"),
    [
        ("sidecarctl.yaml", "{environments: {prod: {kinds: {acme.io/App: spec.template}}}}"),
        ("apps/sidecarctl.yaml", "{kinds: {acme.io/App: spec.template}}"),
    ],
)
def test_record_in_a_custom_kind_of_any_composition_is_a_use(file: str, spec: str, added: Path) -> None:
    app = added / "apps/app.yaml"
    app.parent.mkdir()
    app.write_text(
        "apiVersion: acme.io/v1\nkind: App\nmetadata: {name: web}\nspec:\n  template:\n"
        "    metadata: {annotations: {sidecarctl.dev/inject: agent}}\n"
        "    spec: {containers: [{name: web, image: 'x:1'}]}\n"
    )
    (added / file).write_text(
        f"apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {{name: shop}}\nspec: {spec}\n"
    )
    outcome = sidecarctl("library remove acme", added)
    assert outcome.code == 2
    assert "App/web has agent" in outcome.stderr


@pytest.fixture
def team(acme: Path, shop: Path) -> Path:
    """A directory of a repository with a composition, and with the library next to it."""
    (shop / "team").mkdir()
    (shop / "team/sidecarctl.yaml").write_text(EMPTY)
    done = sidecarctl("library add acme ../../acme", shop / "team")
    assert done.code == 0, done.stderr
    return shop / "team"


@pytest.mark.parametrize("spec", ["{}", "{manifests: [../apps]}"])
def test_manifest_outside_the_directory_of_the_lock_file_is_a_use(spec: str, team: Path) -> None:
    (team / "sidecarctl.yaml").write_text(EMPTY.replace("{}", spec))
    (team.parent / "apps").mkdir()
    (team.parent / "apps/web.yaml").write_text(USING)
    before = snapshot(team.parent)
    done = sidecarctl("library remove acme", team)
    assert (done.code, "Pod/web has agent" in done.stderr) == (2, True), done.stderr
    assert snapshot(team.parent) == before


def test_composition_outside_the_directory_of_the_lock_file_is_a_use(team: Path) -> None:
    file = team.parent / "apps/sidecarctl.yaml"
    file.parent.mkdir()
    file.write_text(RULE.replace("libraries/acme", "../team/libraries/acme"))
    before = snapshot(team.parent)
    done = sidecarctl("library remove acme", team)
    assert (done.code, done.stderr.count("rule 1 adds agent")) == (2, 1), done.stderr
    assert snapshot(team.parent) == before
    assert sidecarctl("library remove acme --force", team).code == 0
    assert "libraries" not in yaml.safe_load(file.read_text())["spec"]


def test_use_next_to_the_lock_file_in_a_hidden_directory_counts_once(team: Path) -> None:
    hidden = team.rename(team.parent / ".team")
    (hidden / "web.yaml").write_text(USING)
    (hidden / "sidecarctl.yaml").write_text(RULE)
    done = sidecarctl("library remove acme", hidden)
    assert (done.code, done.stderr.count("adds agent"), done.stderr.count("has agent")) == (2, 1, 1), done.stderr


def test_without_a_repository_only_what_is_below_the_lock_file_is_a_use(team: Path) -> None:
    (team.parent / ".git").rename(team.parent / "git")
    (team.parent / "web.yaml").write_text(USING)
    done = sidecarctl("library remove acme", team)
    assert done.code == 0, done.stderr
