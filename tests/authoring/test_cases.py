"""Tests of `sidecarctl test`: passing, failing, and updated test cases, and expected errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecarctl import limits
from sidecarctl.authoring import test_cases
from sidecarctl.authoring.trial import Trial, TrialResult, run_trial
from sidecarctl.catalog.sidecar import read_sidecar
from tests.authoring.library_kit import INPUT, TEMPLATE, command, entry

CASE = "tests/pod/input.yaml"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    entry(tmp_path / "lib", **{CASE: INPUT})
    return tmp_path


def test_case_without_expected_output_fails(library: Path) -> None:
    done = command("test --library lib", library)
    assert done.code == 1
    assert "missing pod: no expected.yaml; to create it, use --update" in done.stdout


def test_update_writes_the_expected_output(library: Path) -> None:
    assert command("test --library lib --update", library).code == 0
    assert "image: registry.example/agent:1.0.0" in (library / "lib/agent/tests/pod/expected.yaml").read_text()
    done = command("test --library lib", library)
    assert (done.code, done.stdout) == (0, "agent@1.0.0\n  ok      pod\n1 sidecar in lib: 1 case, 1 passed\n")


def test_changed_template_fails_with_a_diff(library: Path) -> None:
    command("test --library lib --update", library)
    entry(library / "lib", template=TEMPLATE.replace("1.0.0", "1.1.0"))
    done = command("test --library lib", library)
    assert done.code == 1
    assert "-    image: registry.example/agent:1.0.0\n+    image: registry.example/agent:1.1.0" in done.stdout


def test_unexpected_error_fails_even_with_update(library: Path) -> None:
    (library / "lib/agent/tests/pod/parameters.yaml").write_text("logDri: /x\n")
    for words in ("test --library lib", "test --library lib --update"):
        done = command(words, library)
        assert done.code == 1
        assert 'unknown parameter "logDri"' in done.stdout
        assert not (library / "lib/agent/tests/pod/expected.yaml").exists()


def test_case_can_expect_an_error(library: Path) -> None:
    entry(library / "lib", template='{{ fail("the port is taken; set port") }}\n')
    refused = library / "lib/agent/tests/pod/refused.txt"
    refused.write_text("")
    assert command("test --library lib --update", library).stdout.count("written")
    assert "the port is taken" in refused.read_text()
    assert "  ok      pod" in command("test --library lib", library).stdout
    entry(library / "lib", template=TEMPLATE)
    done = command("test --library lib", library)
    assert done.code == 1
    assert "expected an error" in done.stdout


def test_case_options_apply_and_invalid_ones_are_located(library: Path) -> None:
    options = library / "lib/agent/tests/pod/case.yaml"
    options.write_text('kubeVersion: "1.27"\nas: second\n')
    command("test --library lib --update", library)
    expected = (library / "lib/agent/tests/pod/expected.yaml").read_text()
    assert '"second":{"sidecar":"agent","version":"1.0.0","mode":"classic"' in expected
    options.write_text("kubVersion: 1.27\n")
    done = command("test --library lib", library)
    assert done.code == 1
    assert "case.yaml:1:1" in done.stdout
    assert 'did you mean "kubeVersion"' in done.stdout


def test_message_with_a_lone_surrogate_is_written_as_an_escape(library: Path) -> None:
    entry(library / "lib", template='{{ fail("x\\ud800y") }}')
    case = library / "lib/agent/tests/pod"
    (case / "expected.yaml").unlink(missing_ok=True)
    (case / "refused.txt").write_text("")
    assert command("test --library lib --update", library).code == 1  # the example of the sidecar fails too
    assert "x\\ud800y" in (case / "refused.txt").read_text()


def test_only_named_libraries_and_sidecars_are_tested(library: Path) -> None:
    entry(library / "lib", "other", **{CASE: INPUT})
    done = command("test other --library lib --update", library)
    assert "1 sidecar in lib: 1 case" in done.stdout
    assert command("test othr --library lib", library).code == 2


def test_invalid_entry_fails_the_run_at_its_location(library: Path) -> None:
    entry(library / "lib", "bad", spec="  engin: jinja\n")
    done = command("test --library lib --update", library)
    assert done.code == 1
    assert "lib/bad/sidecar.yaml:9:3" in done.stdout
    assert "written pod" in done.stdout


def own_entry(library: Path, name: str = "agent") -> None:
    entry(library, name, **{CASE: INPUT})
    (library / name / "tests/pod/expected.yaml").write_text("")


def test_own_library_is_tested_instead_of_the_shipped_one(tmp_path: Path) -> None:
    own_entry(tmp_path / "sidecars")
    done = command("test", tmp_path)
    assert done.code == 1
    assert done.stdout.endswith("1 sidecar in sidecars: 1 case, 0 passed, 1 failed\n")


def test_libraries_of_the_composition_are_tested_from_any_directory(tmp_path: Path) -> None:
    own_entry(tmp_path / "team")
    own_entry(tmp_path / "sidecars", "other")
    (tmp_path / "sidecarctl.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nmetadata: {name: a}\n"
        "spec: {libraries: [team], rules: []}\n"
    )
    (tmp_path / "deep").mkdir()
    for folder in (tmp_path, tmp_path / "deep"):
        done = command("test", folder)
        assert "agent@1.0.0" in done.stdout
        assert "other@1.0.0" in done.stdout
        assert "2 sidecars in " in done.stdout


def test_current_directory_is_tested_if_it_is_a_library(tmp_path: Path) -> None:
    own_entry(tmp_path)
    assert "1 sidecar in .: 1 case" in command("test", tmp_path).stdout


def test_without_a_library_nothing_is_tested(tmp_path: Path) -> None:
    own_entry(tmp_path / "platform")
    done = command("test", tmp_path)
    assert done.code == 2
    assert "no library to test" in done.stderr
    assert "use --library platform" in done.stderr
    assert "this directory is a sidecar: use --library .." in command("test", tmp_path / "platform/agent").stderr
    (tmp_path / "empty").mkdir()
    done = command("test --library empty", tmp_path)
    assert done.code == 2
    assert "no sidecars in empty" in done.stderr


def test_vendored_libraries_are_not_tested(tmp_path: Path) -> None:
    own_entry(tmp_path / "libraries/acme")
    (tmp_path / "sidecarctl.lock").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: LibraryLock\nlibraries:\n- name: acme\n  source: ../acme\n"
        f"  commit: {'a' * 40}\n  digest: sha256:{'a' * 64}\n"
    )
    assert "acme" in command("list agent", tmp_path).stdout
    assert command("test", tmp_path).code == 2


def test_every_command_finds_the_library_where_new_writes(tmp_path: Path) -> None:
    assert command("new agent", tmp_path).code == 0
    assert "agent" in command("list agent", tmp_path).stdout
    (tmp_path / "pod.yaml").write_text(INPUT)
    assert "added agent 0.1.0" in command("add agent -f pod.yaml", tmp_path).stderr


def test_new_writes_beside_the_sidecars_of_the_current_directory(tmp_path: Path) -> None:
    own_entry(tmp_path)
    done = command("new second", tmp_path)
    assert "created second\n" in done.stderr
    assert (tmp_path / "second/sidecar.yaml").is_file()


def test_update_does_not_write_through_a_link_out_of_the_sidecar(tmp_path: Path) -> None:
    own_entry(tmp_path / "library")
    expected = tmp_path / "library/agent/tests/pod/expected.yaml"
    expected.unlink()
    expected.symlink_to(tmp_path / "outside.yaml")
    done = command("test --update --library library", tmp_path)
    assert done.code != 0
    assert "leads out of" in done.stderr
    assert not (tmp_path / "outside.yaml").exists()


def test_examples_share_one_limit_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = {f"tests/c{number}/input.yaml": INPUT for number in range(5)}
    home = entry(tmp_path, template="{{ nothing }}", **cases)
    sidecar, tried = read_sidecar(home, "test"), []

    def run_slowly(trial: Trial) -> TrialResult:
        tried.append(trial)
        return run_trial(trial)

    monkeypatch.setattr(test_cases, "run_trial", run_slowly)
    monkeypatch.setattr(test_cases, "monotonic", lambda: len(tried) * limits.SECONDS.value / 2)
    assert test_cases.run_example(sidecar).error is not None
    assert len(tried) == 2
