"""The change summary: one line for each workload, wrapped where it does not fit."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecarctl.report.summary import changes_line, render_changes
from sidecarctl.report.terminal import width_of
from sidecarctl.results import ACTIONS, InstanceChange, PodFacts, WorkloadChange

PARTS = ("container logger", "volume logger-logs", "mount /var/log/app in web")
LOGGER = InstanceChange("added", "logger", "logger", "1.0.0", mode="native", parts=PARTS)
WEB = WorkloadChange(
    "Deployment",
    "web",
    file="web.yaml",
    instances=(LOGGER,),
    before=PodFacts({"cpu": "100m"}, {"memory": "128Mi"}, "Guaranteed"),
    after=PodFacts({"cpu": "150m", "memory": "64Mi"}, {"memory": "128Mi"}, "Burstable"),
    replicas=3,
    cost={"cpu": "150m", "memory": "192Mi"},
)


def shown(*changes: WorkloadChange, width: int = 80, verbose: bool = False, color: bool = False) -> str:
    return render_changes(changes, color=color, width=width, verbose=verbose)


def test_workload_is_one_line_if_it_fits() -> None:
    assert shown(WEB, width=0) == (
        "Deployment/web: added logger 1.0.0 (native): container logger, volume logger-logs, mount /var/log/app in web\n"
    )
    assert shown(WEB, width=120) == shown(WEB, width=0)


def test_dry_run_reports_what_would_change() -> None:
    removed = replace(LOGGER, action="removed", parts=(), mode="")
    text = render_changes([replace(WEB, instances=(LOGGER, removed))], color=False, width=60, dry_run=True)
    assert text == (
        "Deployment/web:\n"
        "  would add logger 1.0.0 (native)\n"
        "    container logger, volume logger-logs,\n"
        "    mount /var/log/app in web\n"
        "  would remove logger 1.0.0\n"
    )


def test_parts_move_to_a_second_line_at_80_columns() -> None:
    assert shown(WEB) == (
        "Deployment/web: added logger 1.0.0 (native)\n"
        "    container logger, volume logger-logs, mount /var/log/app in web\n"
    )


def test_each_of_several_instances_has_its_own_line() -> None:
    proxy = InstanceChange("removed", "tls", "proxy", "1.0.0")
    update = InstanceChange("updated", "metrics", "metrics", "1.2.0", previous="1.1.0", reason="port 9113 -> 9114")
    assert shown(replace(WEB, instances=(proxy, update, LOGGER))) == (
        "Deployment/web:\n"
        "  added logger 1.0.0 (native)\n"
        "    container logger, volume logger-logs, mount /var/log/app in web\n"
        "  updated metrics 1.1.0 -> 1.2.0\n"
        "    port 9113 -> 9114\n"
        "  removed proxy 1.0.0 as tls\n"
    )


def test_long_list_of_parts_wraps_after_commas() -> None:
    parts = tuple(f"mount /var/log/number-{number} in web" for number in range(6))
    text = shown(replace(WEB, instances=(replace(LOGGER, parts=parts),)))
    assert all(width_of(line) <= 80 for line in text.splitlines())
    assert re.sub(r",?\n +", ", ", text).startswith(
        "Deployment/web: added logger 1.0.0 (native), mount /var/log/number-0"
    )
    assert [line.endswith(",") for line in text.splitlines()] == [False, True, True, False]


def test_skipped_workload_has_a_reason() -> None:
    job = WorkloadChange("Job", "batch", "prod", skipped="annotated with sidecarctl.dev/inject: false")
    assert shown(job) == "Job/prod/batch: skipped: annotated with sidecarctl.dev/inject: false\n"
    assert shown(WorkloadChange("Pod", "")) == "Pod/(no name): unchanged\n"


def test_several_files_have_headings() -> None:
    other = WorkloadChange("Pod", "p", file="pod.yaml", skipped="no containers")
    assert shown(replace(WEB, instances=(replace(LOGGER, parts=()),)), other) == (
        "web.yaml\n  Deployment/web: added logger 1.0.0 (native)\npod.yaml\n  Pod/p: skipped: no containers\n"
    )


def test_verbose_shows_resources_qos_class_and_cost() -> None:
    assert shown(WEB, width=0, verbose=True).partition("\n")[2] == (
        "    requests   cpu     100m       -> 150m\n"
        "               memory  none       -> 64Mi\n"
        "    limits     memory  128Mi\n"
        "    QoS class          Guaranteed -> Burstable\n"
        "    costs cpu 150m, memory 192Mi over 3 replicas\n"
    )


def test_verbose_shows_the_resources_that_a_removal_frees() -> None:
    removal = replace(WEB, cost={"cpu": "-150m"}, replicas=1)
    assert shown(removal, verbose=True).endswith("    frees cpu 150m over 1 replica\n")


def test_color_does_not_change_the_text() -> None:
    colored = shown(WEB, verbose=True, color=True)
    assert "\x1b[32madded\x1b[0m" in colored
    assert re.sub("\x1b\\[[0-9;]*m", "", colored) == shown(WEB, verbose=True)


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ([], "no workloads"),
        ([WEB], "1 workload: 1 changed"),
        ([WEB, WorkloadChange("Pod", "p"), WorkloadChange("Job", "j", skipped="x")],
         "3 workloads: 1 changed, 1 unchanged, 1 skipped"),
    ],
)  # fmt: skip
def test_last_line_counts_workloads(changes: list[WorkloadChange], want: str) -> None:
    assert changes_line(changes) == want + "\n"


texts = st.text(max_size=12)
amounts = st.dictionaries(texts, texts, max_size=2)
facts = st.none() | st.builds(PodFacts, amounts, amounts, texts)
instances = st.builds(
    InstanceChange,
    st.sampled_from(ACTIONS),
    texts,
    texts,
    texts,
    texts,
    texts,
    st.lists(texts, max_size=3).map(tuple),
    texts,
)


@given(
    st.builds(
        WorkloadChange, texts, texts, texts, texts, st.just(1), st.lists(instances, max_size=3).map(tuple), texts,
        facts, facts, st.none() | st.just(2), amounts,
    ),
    st.integers(0, 90),
)  # fmt: skip
def test_content_cannot_send_control_sequences(change: WorkloadChange, width: int) -> None:
    text = render_changes([change, replace(change, file="other")], color=False, width=width, verbose=True)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029\ud800-\udfff]", text)
