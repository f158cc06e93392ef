"""Workloads that are left out: Helm hooks and tests, opt-outs, and namespaces that opt out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import run
from tests.repository import WORKLOAD

WEB = WORKLOAD.format(name="web")
HOOK = WORKLOAD.format(name="migrate").replace(
    "  labels:\n", "  annotations:\n    helm.sh/hook: pre-upgrade\n  labels:\n", 1
)
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata:
  name: platform
spec:
  rules:
  - select:
      all: true
    sidecars:
    - log-tail
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    return tmp_path


@pytest.mark.parametrize("command", ["add log-tail", "render"])
def test_helm_hook_is_left_out_and_named(command: str, folder: Path) -> None:
    done = run(f"sidecarctl {command}", folder, stdin=WEB + "---\n" + HOOK)
    assert (done.code, done.stdout.endswith(HOOK)) == (0, True)
    assert "Deployment/migrate: skipped: Helm hook; --hooks includes it" in done.stderr
    assert "Deployment/web: added log-tail" in done.stderr


@pytest.mark.parametrize("command", ["add log-tail", "render"])
def test_hooks_includes_helm_hooks(command: str, folder: Path) -> None:
    done = run(f"sidecarctl {command} --hooks", folder, stdin=HOOK)
    assert "Deployment/migrate: added log-tail" in done.stderr


def test_hook_that_requests_sidecars_gets_them(folder: Path) -> None:
    hook = HOOK.replace("    helm.sh/hook", "    sidecarctl.dev/inject: log-tail\n    helm.sh/hook")
    assert "Deployment/migrate: added log-tail" in run("sidecarctl render", folder, stdin=hook).stderr


@pytest.mark.parametrize("level", ["workload", "template"])
def test_add_respects_the_opt_out_and_says_so(level: str, folder: Path) -> None:
    annotation = '  annotations:\n    sidecarctl.dev/inject: "false"\n  labels:\n'
    pad = "    " if level == "template" else ""
    labels = f"{pad}  labels:\n"
    at = WEB.rindex(labels) if level == "template" else WEB.index(labels)
    added = "".join(f"{pad}{line}\n" for line in annotation.splitlines())
    text = WEB[:at] + added + WEB[at + len(labels) :]
    done = run("sidecarctl add log-tail", folder, stdin=text)
    assert (done.code, done.stdout) == (0, text)
    assert 'Deployment/web: skipped: opted out by sidecarctl.dev/inject: "false"' in done.stderr
    assert "added" in run("sidecarctl add log-tail --name web", folder, stdin=text).stderr
    assert "added" not in run("sidecarctl add log-tail --name 'w*'", folder, stdin=text).stderr


NAMESPACE = (
    'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: quiet\n  annotations:\n    sidecarctl.dev/inject: "{value}"\n'
)
QUIET = WEB.replace("  name: web\n", "  name: web\n  namespace: quiet\n", 1)


@pytest.mark.parametrize("other", [True, False])
def test_render_reads_the_opt_out_of_a_namespace_in_the_same_run(other: bool, folder: Path) -> None:
    """The Namespace is in another file of the run, or in the same stream."""
    if other:
        (folder / "namespace.yaml").write_text(NAMESPACE.format(value="false"))
        (folder / "web.yaml").write_text(QUIET)
        done = run("sidecarctl render web.yaml namespace.yaml --check", folder)
        assert (done.code, "would add" in done.stderr) == (0, False)
    else:
        text = QUIET + "---\n" + NAMESPACE.format(value="false")
        assert run("sidecarctl render", folder, stdin=text).stdout == text
        assert run("sidecarctl post-render", folder, stdin=text).stdout == text
    assert "added log-tail" in run("sidecarctl render", folder, stdin=QUIET).stderr


@pytest.mark.parametrize(
    "key", ['"sidecarctl.dev\\/inject"', '"sidecarctl.dev\\u002finject"', '"sidecarctl.dev/inj\\x65ct"']
)
def test_opt_out_of_a_namespace_with_an_escaped_key_counts(key: str, folder: Path) -> None:
    text = QUIET + "---\n" + NAMESPACE.format(value="false").replace("sidecarctl.dev/inject", key)
    assert run("sidecarctl render", folder, stdin=text).stdout == text
    assert run("sidecarctl post-render", folder, stdin=text).stdout == text


def test_annotation_of_the_workload_wins_over_its_namespace(folder: Path) -> None:
    own = QUIET.replace("  labels:\n", '  annotations:\n    sidecarctl.dev/inject: "true"\n  labels:\n', 1)
    done = run("sidecarctl render", folder, stdin=NAMESPACE.format(value="false") + "---\n" + own)
    assert "Deployment/quiet/web: added log-tail" in done.stderr


def test_namespace_can_request_sidecars(folder: Path) -> None:
    (folder / "sidecarctl.yaml").write_text(COMPOSITION.replace("all: true", "names: [other]"))
    done = run("sidecarctl render", folder, stdin=NAMESPACE.format(value="log-tail") + "---\n" + QUIET)
    assert "Deployment/quiet/web: added log-tail" in done.stderr


def write_stages(folder: Path, **values: str) -> None:
    """Write a directory for each stage, with a workload and the Namespace; an empty value is no annotation."""
    for stage, value in values.items():
        (folder / stage).mkdir()
        (folder / stage / "web.yaml").write_text(QUIET)
        text = NAMESPACE.format(value=value)
        (folder / stage / "namespace.yaml").write_text(text if value else text.partition("  annotations:")[0])


@pytest.mark.parametrize("paths", ["dev prod", "prod dev", "."])
@pytest.mark.parametrize("other", ["true", ""])
def test_namespace_of_the_same_directory_decides(other: str, paths: str, folder: Path) -> None:
    write_stages(folder, dev="false", prod=other)
    done = run(f"sidecarctl render {paths} -i", folder)
    assert done.code == 0, done.stderr
    assert (folder / "dev/web.yaml").read_text() == QUIET
    assert (folder / "prod/web.yaml").read_text() != QUIET


@pytest.mark.parametrize("order", ["dev prod", "prod dev"])
def test_namespaces_that_differ_are_an_error_for_a_workload_elsewhere(order: str, folder: Path) -> None:
    write_stages(folder, dev="false", prod="true")
    (folder / "app").mkdir()
    (folder / "app/web.yaml").write_text(QUIET)
    done = run(f"sidecarctl render {order} app -i", folder)
    assert (done.code, (folder / "prod/web.yaml").read_text()) == (2, QUIET)
    assert (
        "error: Deployment/quiet/web: conflicting annotations sidecarctl.dev/inject of Namespace quiet "
        "in dev/namespace.yaml and prod/namespace.yaml" in done.stderr
    )
    own = QUIET.replace("  labels:\n", '  annotations:\n    sidecarctl.dev/inject: "true"\n  labels:\n', 1)
    (folder / "app/web.yaml").write_text(own)
    assert run(f"sidecarctl render {order} app -i", folder).code == 0


def test_namespace_in_a_directory_above_or_beside_decides(folder: Path) -> None:
    """Of the directories above the workload, the nearest one counts."""
    write_stages(folder, dev="false", prod="true")
    for path in ("dev/apps/web", "dev/apps/deep/web", "prod/apps/web"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / f"{path}.yaml").write_text(QUIET)
    (folder / "dev/apps/deep/namespace.yaml").write_text(NAMESPACE.format(value="true"))
    assert run("sidecarctl render . -i", folder).code == 0
    changed = {str(path.parent.relative_to(folder)) for path in folder.rglob("web.yaml") if path.read_text() != QUIET}
    assert changed == {"prod", "prod/apps", "dev/apps/deep"}


@pytest.mark.parametrize("text", [HOOK, NAMESPACE.format(value="false") + "---\n" + QUIET], ids=["hook", "namespace"])
def test_status_misses_nothing_where_render_adds_nothing(text: str, folder: Path) -> None:
    (folder / "web.yaml").write_text(text)
    assert run("sidecarctl render web.yaml --check", folder).code == 0
    done = run("sidecarctl status web.yaml --check", folder)
    assert (done.code, "missing" in done.stdout) == (0, False)


def test_status_misses_what_a_namespace_in_another_file_requests(folder: Path) -> None:
    (folder / "sidecarctl.yaml").write_text(COMPOSITION.replace("all: true", "names: [other]"))
    (folder / "web.yaml").write_text(QUIET)
    assert run("sidecarctl status web.yaml --check", folder).code == 0
    (folder / "namespace.yaml").write_text(NAMESPACE.format(value="log-tail"))
    done = run("sidecarctl status namespace.yaml web.yaml --check", folder)
    assert (done.code, "missing" in done.stdout) == (1, True)
