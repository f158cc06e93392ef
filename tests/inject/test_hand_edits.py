"""People edit what sidecarctl wrote: rename containers, change kinds, move mounts. Later commands find everything again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.calls import count_calls
from tests.command import Outcome, run

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: registry.example/web:3.2.0
"""
CONTAINER = "containers:\n- name: {name}\n  image: busybox:1.36.1\n"


def sidecar(folder: Path, name: str, template: str, mode: str = "native", version: str = "") -> None:
    """Write a sidecar to the library `library`; with a version, beside other versions."""
    home = folder / "library" / (f"{name}@{version}" if version else name)
    home.mkdir(parents=True, exist_ok=True)
    (home / "sidecar.yaml").write_text(
        "apiVersion: sidecarctl.dev/v1alpha1\nkind: Sidecar\n"
        f"metadata: {{name: {name}, version: {version or '1.0.0'}, summary: One.}}\nspec: {{engine: plain, mode: {mode}}}\n"
    )
    (home / "template.yaml").write_text(CONTAINER.format(name=name) + template)


def call(folder: Path, words: str, text: str, code: int = 0) -> Outcome:
    own = " --library library" if (folder / "library").exists() and not words.startswith("remove") else ""
    outcome = run(f"sidecarctl {words}{own}", folder, stdin=text)
    assert outcome.code == code, outcome.stderr
    return outcome


# ---- renamed containers ------------------------------------------------------------------------------------------


def test_what_a_renamed_container_keeps_is_a_warning(tmp_path: Path) -> None:
    added = call(tmp_path, "add auto-instrumentation --set language=java", WEB).stdout
    renamed = added.replace("- name: web\n", "- name: app\n")
    for words in ("remove auto-instrumentation", "upgrade"):
        done = call(tmp_path, words, renamed)
        assert 'warning[recorded-container-missing]: container "web" is gone' in done.stderr
        assert "JAVA_TOOL_OPTIONS" in done.stderr
        assert "in web" not in done.stderr


def test_variables_of_the_app_stay_after_the_container_of_the_sidecar_is_gone(tmp_path: Path) -> None:
    own = (
        WEB
        + "      - name: worker\n        image: worker:1\n        env:\n        - {name: JAVA_TOOL_OPTIONS, value: mine}\n"
    )
    added = call(tmp_path, "add auto-instrumentation --set language=java", own).stdout
    start, end = added.index("      - name: web\n"), added.index("      - name: worker\n")
    removed = call(tmp_path, "remove auto-instrumentation -q", added[:start] + added[end:]).stdout
    assert "{name: JAVA_TOOL_OPTIONS, value: mine}" in removed


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("words", ["remove", "add", "upgrade", "upgrade --on-conflict keep"])
def test_variable_of_a_person_with_the_name_of_one_of_the_sidecar_is_not_lost(
    words: str, before: bool, tmp_path: Path
) -> None:
    sidecar(tmp_path, "agent", "app: {env: [{name: A, value: $(A) more}]}\n")
    added = call(tmp_path, "add agent", WEB).stdout
    own, mine = "        - name: A\n          value: $(A) more\n", "        - name: A  # mine\n          value: one\n"
    edited = added.replace(own, mine + own if before else own + mine)
    assert edited != added
    done = call(tmp_path, words.replace(" ", " agent ", 1) if " " in words else f"{words} agent", edited, 1)
    assert (done.stdout, 'container "web" has the variable A twice' in done.stderr) == ("", True)


@pytest.mark.parametrize("words", ["remove", "add", "upgrade"])
def test_pull_secret_of_a_person_with_the_name_of_one_of_the_sidecar_is_not_lost(words: str, tmp_path: Path) -> None:
    sidecar(tmp_path, "agent", "pod: {imagePullSecrets: [{name: registry}]}\n")
    added = call(tmp_path, "add agent", WEB).stdout
    own = "- name: registry\n"
    edited = added.replace(own, f"- name: registry  # mine\n      {own}")
    done = call(tmp_path, f"{words} agent", edited, 1)
    assert (done.stdout, "the pod has the pull secret registry twice" in done.stderr) == ("", True)


# ---- other kinds and names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_companion_is_found_after_the_kind_of_its_workload_changed(kind: str, tmp_path: Path) -> None:
    changed = call(tmp_path, "add logger -q", WEB).stdout.replace("kind: Deployment", f"kind: {kind}")
    upgraded = call(tmp_path, "upgrade -q --set logger.logDir=/other", changed)
    assert (upgraded.stdout.count("kind: ConfigMap"), upgraded.stderr) == (1, "")
    for text in (changed, upgraded.stdout):
        assert call(tmp_path, "remove logger -q", text).stdout == WEB.replace("kind: Deployment", f"kind: {kind}")


def test_add_does_not_replace_another_sidecar_of_the_instance(tmp_path: Path) -> None:
    added = call(tmp_path, "add logger --as proxy -q", WEB).stdout
    refused = call(tmp_path, "add proxy", added, 2)
    assert "instance proxy is sidecar logger, not proxy" in refused.stderr
    assert "--as" in refused.stderr


def test_companions_renamed_with_their_workloads_cost_the_same_each(tmp_path: Path) -> None:
    from sidecarctl.inject.displaced_companions import gather_companions
    from sidecarctl.kube.kinds import DEFAULT_KINDS
    from sidecarctl.yamltext.stream import split

    added = call(tmp_path, "add logger -q", WEB).stdout.split("---\n")

    def count(size: int) -> int:
        copies = [
            [each.replace("name: web", f"name: p-web{number}").replace("/web/", f"/web{number}/") for each in added]
            for number in range(size)
        ]
        sorted_by_kind = [each[1] for each in copies] + [each[0] for each in copies]
        documents = list(split("---\n".join(sorted_by_kind), "-"))
        for each in documents:
            assert each.value
        gathered = list[object]()
        calls = count_calls(lambda: gathered.extend(gather_companions(documents, DEFAULT_KINDS)))
        assert [each is documents[size] for each in gathered].index(True) == 0
        return sum(calls.values())

    assert count(40) <= 5 * count(10)


# ---- mounts and volumes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["native", "classic"])
@pytest.mark.parametrize("command", ["", "upgrade -q --set log-tail.refresh_interval=5"])
def test_a_mount_that_a_person_moved_goes_with_its_volume(mode: str, command: str, tmp_path: Path) -> None:
    added = call(tmp_path, f"add log-tail -q --mode {mode}", WEB).stdout
    app = added.index("- name: web\n")
    moved = added[:app] + added[app:].replace("mountPath: /var/log/app", "mountPath: /logs", 1)
    text = call(tmp_path, command, moved).stdout if command else moved
    assert call(tmp_path, "remove log-tail -q", text).stdout == WEB


def test_a_volume_stays_for_the_mount_that_another_sidecar_gave_the_app(tmp_path: Path) -> None:
    volume = "volumes:\n- {name: shared, emptyDir: {}}\n"
    sidecar(tmp_path, "one", volume)
    sidecar(tmp_path, "two", f"{volume}app:\n  volumeMounts:\n  - {{name: shared, mountPath: /k}}\n")
    added = call(tmp_path, "add one two -q", WEB).stdout
    left = call(tmp_path, "remove one -q", added).stdout
    assert "name: shared" in left
    assert call(tmp_path, "remove two -q", left).stdout == WEB


def test_an_init_container_that_a_conflict_keeps_is_removed_with_its_sidecar(tmp_path: Path) -> None:
    init = "initContainers:\n- name: one-init\n  image: busybox:1.36.1\n  args: [first]\n"
    sidecar(tmp_path, "one", init)
    edited = call(tmp_path, "add one -q", WEB).stdout.replace("- first", "- second")
    assert "- second" in edited
    sidecar(tmp_path, "one", "")
    kept = call(tmp_path, "upgrade one -q --on-conflict keep", edited).stdout
    assert "name: one-init" in kept
    assert call(tmp_path, "remove one -q", kept).stdout == WEB


def test_what_a_conflict_kept_is_removed_with_its_sidecar_also_after_another_upgrade(tmp_path: Path) -> None:
    sidecar(tmp_path, "one", "pod: {terminationGracePeriodSeconds: 60}\n", version="1.0.0")
    edited = call(tmp_path, "add one -q", WEB).stdout.replace("GracePeriodSeconds: 60", "GracePeriodSeconds: 90")
    sidecar(tmp_path, "one", "", version="1.1.0")
    kept = call(tmp_path, "upgrade one -q --on-conflict keep", edited).stdout
    sidecar(tmp_path, "one", "pod: {labels: {a: b}}\n", version="1.2.0")
    upgraded = call(tmp_path, "upgrade one -q", kept).stdout
    assert "GracePeriodSeconds: 90" in upgraded and "a: b" in upgraded
    assert call(tmp_path, "upgrade one -q", upgraded).stdout == upgraded
    assert call(tmp_path, "remove one -q", upgraded).stdout == WEB


def test_enforcing_twice_changes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "library" / "one"
    sidecar(tmp_path, "one", "")
    bare = (home / "template.yaml").read_text()
    (home / "template.yaml").write_text(bare + "  env:\n  - {name: B, value: b}\n")
    added = call(tmp_path, "add one -q", WEB).stdout
    at = added.index("        - name: B")
    edited = f"{added[:at]}        - name: NEW\n          value: new\n{added[at:]}"
    (home / "template.yaml").write_text(bare)
    enforced = call(tmp_path, "upgrade one -q --enforce", edited).stdout
    assert "env:" not in enforced
    assert call(tmp_path, "upgrade one -q --enforce", enforced).stdout == enforced


# ---- values of other types ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mount", ["name: logs", "name: logs, mountPath: 5", "name: logs, mountPath: /l, subPath: 5"])
@pytest.mark.parametrize("command", ["add log-tail --set logDir=/l", "add log-tail --as tail --set logDir=/l --adopt"])
def test_a_mount_with_odd_fields_is_no_internal_error(mount: str, command: str, tmp_path: Path) -> None:
    more = (
        f"        volumeMounts:\n        - {{{mount}}}\n"
        "      - name: tail\n        image: busybox:1.36.1\n        volumeMounts:\n        - {name: logs, mountPath: /l}\n"
        "      volumes:\n      - name: logs\n        emptyDir: {}\n"
    )
    outcome = run(f"sidecarctl {command} --fail-on never", tmp_path, stdin=WEB + more)
    assert outcome.code in (0, 1), outcome.stderr


# ---- several pod templates and Lists -----------------------------------------------------------------------------

GROUP = """\
apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
metadata:
  name: lws
spec:
  replicas: 1
  leaderWorkerTemplate:
    size: 2
    workerTemplate:
      spec:
        containers:
        - name: web
          image: registry.example/web:3.2.0
"""
LEADER = GROUP[GROUP.index("    workerTemplate") :].replace("workerTemplate", "leaderTemplate")


def _in_list(text: str) -> str:
    return "apiVersion: v1\nkind: List\nitems:\n- " + text.rstrip("\n").replace("\n", "\n  ") + "\n"


@pytest.mark.parametrize("wrap", [str, _in_list], ids=["document", "List"])
def test_another_pod_template_shares_the_companion(wrap: type, tmp_path: Path) -> None:
    indent = "  " if wrap is not str else ""
    with_leader = [each.replace("\n", f"\n{indent}").rstrip(" ") for each in ("    workerTemplate:\n", LEADER)]
    before = call(tmp_path, "add logger -q", wrap(GROUP)).stdout
    later = before.replace(
        f"{indent}    workerTemplate:\n", f"{indent}{with_leader[1]}{indent}    workerTemplate:\n", 1
    )
    added = call(tmp_path, "add logger -q", later).stdout
    assert added.count("kind: ConfigMap") == 1
    assert added.count("name: lws-logger") == 3
    removed = call(tmp_path, "remove logger -q", added).stdout
    assert "ConfigMap" not in removed and "logger" not in removed


def test_companions_in_a_list_get_no_sidecars(tmp_path: Path) -> None:
    sidecar(
        tmp_path,
        "one",
        "documents:\n- apiVersion: batch/v1\n  kind: Job\n  metadata: {name: setup}\n"
        "  spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'busybox:1.36.1'}]}}}\n",
    )
    alone = _in_list(WEB)
    done = call(tmp_path, "add one", alone)
    assert done.stdout.count("kind: Job") == 1
    again = call(tmp_path, "add one", done.stdout)
    assert again.stdout == done.stdout
    assert "Job/" not in again.stderr
    assert call(tmp_path, "remove one -q", done.stdout).stdout == alone


# ---- changed containers ------------------------------------------------------------------------------------------

FRONT = "      containers:\n      - name: front\n        image: registry.example/front:1.0.0\n        ports: [{containerPort: 9000}]\n"
LOGIN = "oauth2-proxy --set secretName=l --set email-domain[0]=example.com --set oidc-issuer-url=https://l.example.com"


@pytest.mark.parametrize(
    "sidecar",
    ["logger --set logDir=/l", "auto-instrumentation --set language=java", "proxy", LOGIN],
    ids=lambda it: it[:6],
)
def test_container_before_that_of_the_app_does_not_take_its_place(sidecar: str, tmp_path: Path) -> None:
    web = WEB + "        ports: [{containerPort: 8080}]\n"
    added = call(tmp_path, f"add {sidecar} -q", web).stdout
    changed = added.replace("      containers:\n", FRONT)
    assert changed.count("name: front") == 1
    assert call(tmp_path, "upgrade -q", changed).stdout == changed
    assert call(tmp_path, f"add {sidecar} -q", changed).stdout == changed
    assert call(tmp_path, "remove --all -q", changed).stdout == web.replace("      containers:\n", FRONT)


def test_upgrade_knows_its_base_after_workload_or_container_were_renamed(tmp_path: Path) -> None:
    added = call(tmp_path, "add auto-instrumentation -q --set language=java", WEB).stdout
    renamed = added.replace("  name: web\nspec:", "  name: shop\nspec:")
    bumped = re.sub(r"(image: ghcr.io.*)", r"\1-alpine", renamed)
    assert bumped != renamed != added
    upgraded = call(tmp_path, "upgrade -q", bumped).stdout
    assert "-alpine\n" in upgraded
    assert "value: shop\n" in upgraded
    added = call(tmp_path, "add logger -q", WEB).stdout
    bumped = re.sub(r"(image: cr.fluentbit.*)", r"\1-debug", added.replace("- name: web\n", "- name: app\n"))
    assert "5.1.2-debug" in call(tmp_path, "upgrade -q", bumped).stdout
    odd = bumped.replace("labels: {app: web}\n      annotations", "labels: {app: web, x: [a]}\n      annotations")
    assert odd != bumped
    assert "logger" in call(tmp_path, "status", odd).stdout


def test_upgrade_keeps_variables_of_an_app_that_has_one_name_twice(tmp_path: Path) -> None:
    web = WEB + "        env:\n        - {name: A, value: '1'}\n        - {name: A, value: '2'}\n"
    added = call(tmp_path, "add auto-instrumentation -q --set language=java", web).stdout
    own = "        # needed until 2027\n        - {name: MINE, value: '3'} # ours\n"
    at = added.index("        volumeMounts:\n", added.index("- name: web\n"))
    changed = added[:at] + own + added[at:]
    upgraded = call(tmp_path, "add auto-instrumentation -q --set serviceName=shop", changed).stdout
    before, after = (
        [line for line in text.splitlines() if "sidecarctl.dev" not in line] for text in (changed, upgraded)
    )
    different = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert different == [("          value: web", "          value: shop")]


@pytest.mark.parametrize(
    ("before", "after", "given", "expected"),
    [
        ("init", "auto", "", "native"),
        ("auto", "init", "", "init"),
        ("auto", "classic", "", "classic"),
        ("init", "auto", " --mode classic", "classic"),
        ("auto", "native", " --mode classic", "classic"),
        ("native", "auto", " --mode classic", "classic"),
        ("auto", "auto", " --mode classic", "classic"),
    ],
)
@pytest.mark.parametrize("command", ["add agent", "upgrade agent"])
def test_upgrade_takes_the_mode_that_the_new_version_declares(
    command: str, before: str, after: str, given: str, expected: str, tmp_path: Path
) -> None:
    """A mode that a person chose stays."""
    sidecar(tmp_path, "agent", "", before, "1.0.0")
    old = call(tmp_path, f"add agent{given}", WEB).stdout
    sidecar(tmp_path, "agent", "", after, "2.0.0")
    upgraded = call(tmp_path, command, old)
    assert f"({expected})" in upgraded.stderr
    assert upgraded.stdout == call(tmp_path, f"add agent --mode {expected}", WEB).stdout
    assert call(tmp_path, command, upgraded.stdout).stdout == upgraded.stdout
