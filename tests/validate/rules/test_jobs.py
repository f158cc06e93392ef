"""Jobs and CronJobs: indexes, tries, policies, schedules."""

from __future__ import annotations

import pytest
from object_cases import CONTAINER, INIT, Case, cron_job, findings, job, places, template

from sidecarctl.kube.cron import check_schedule

INDEXED = {"completionMode": "Indexed", "completions": 5}


def failing(**rule: object) -> dict[str, object]:
    return job(podFailurePolicy={"rules": [{"action": "FailJob", **rule}]})


def exits(**codes: object) -> dict[str, object]:
    return failing(onExitCodes={"operator": "In", "values": [1], **codes})


def succeeding(**rule: object) -> dict[str, object]:
    return job(**INDEXED, successPolicy={"rules": [rule]})


NUMBERS = ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
LIMITS = ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
RULE = "spec.podFailurePolicy.rules[0]"
SUCCESS = "spec.successPolicy.rules[0]"

CASES = [
    *(Case(name, "negative-number", job(**{name: -1}), f"spec.{name}", job(**{name: 0})) for name in NUMBERS),
    *(Case(name, "negative-number", cron_job(**{name: -1}), f"spec.{name}", cron_job(**{name: 0})) for name in LIMITS),
    Case(
        "of a CronJob's Jobs",
        "negative-number",
        cron_job(job_spec={"backoffLimit": -1}),
        "spec.jobTemplate.spec.backoffLimit",
    ),
    Case(
        "without completions",
        "invalid-indexed-job",
        job(completionMode="Indexed", parallelism=2),
        "spec.completionMode",
        job(completionMode="Indexed"),
    ),
    Case(
        "of a CronJob, which has no default",
        "invalid-indexed-job",
        cron_job(job_spec={"completionMode": "Indexed"}),
        "spec.jobTemplate.spec.completionMode",
        cron_job(job_spec=INDEXED),
    ),
    Case(
        "a high parallelism",
        "invalid-indexed-job",
        job(**INDEXED, parallelism=100_001),
        "spec.parallelism",
        job(**INDEXED, parallelism=100_000),
    ),
    Case(
        "a pod host name that is too long",
        "invalid-indexed-job",
        job({"name": "a" * 61}, completionMode="Indexed", completions=11),
        "metadata.name",
        job({"name": "a" * 61}, completionMode="Indexed", completions=10),
    ),
    Case(
        "a name with 64 characters",
        "job-name-too-long",
        job({"name": "a" * 64}),
        "metadata.name",
        job({"name": "a" * 64}, manualSelector=True, selector={"matchLabels": {"app": "web"}}),
    ),
    Case(
        "not indexed",
        "invalid-backoff-per-index",
        job(backoffLimitPerIndex=1),
        "spec.backoffLimitPerIndex",
        job(**INDEXED, backoffLimitPerIndex=1, maxFailedIndexes=5),
    ),
    Case(
        "maxFailedIndexes without backoffLimitPerIndex",
        "invalid-backoff-per-index",
        job(**INDEXED, maxFailedIndexes=1),
        "spec.backoffLimitPerIndex",
    ),
    Case(
        "more maxFailedIndexes than completions",
        "invalid-backoff-per-index",
        job(**INDEXED, backoffLimitPerIndex=1, maxFailedIndexes=6),
        "spec.maxFailedIndexes",
    ),
    Case(
        "many completions without maxFailedIndexes",
        "invalid-backoff-per-index",
        job(completionMode="Indexed", completions=100_001, backoffLimitPerIndex=1, parallelism=1),
        "spec.maxFailedIndexes",
        job(completionMode="Indexed", completions=100_000, backoffLimitPerIndex=1, parallelism=1),
    ),
    Case(
        "many completions with a high parallelism",
        "invalid-backoff-per-index",
        job(
            completionMode="Indexed",
            completions=100_001,
            backoffLimitPerIndex=1,
            maxFailedIndexes=10_000,
            parallelism=10_001,
        ),
        "spec.parallelism",
    ),
    Case(
        "many completions with a high maxFailedIndexes",
        "invalid-backoff-per-index",
        job(
            completionMode="Indexed",
            completions=100_001,
            backoffLimitPerIndex=1,
            maxFailedIndexes=10_001,
            parallelism=1,
        ),
        "spec.maxFailedIndexes",
    ),
    Case(
        "no domain", "invalid-job-manager", job(managedBy="kueue"), "spec.managedBy", job(managedBy="example.com/kueue")
    ),
    Case(
        "too long",
        "invalid-job-manager",
        job(managedBy="example.com/" + "a" * 52),
        "spec.managedBy",
        job(managedBy="example.com/" + "a" * 51),
    ),
    Case(
        "exit code 0 with operator In",
        "invalid-pod-failure-policy",
        exits(values=[0, 1]),
        f"{RULE}.onExitCodes.values[0]",
        exits(),
    ),
    Case(
        "in order",
        "invalid-pod-failure-policy",
        exits(values=[2, 1]),
        f"{RULE}.onExitCodes.values",
        exits(operator="NotIn", values=[0, 1, 2]),
    ),
    Case("each once", "invalid-pod-failure-policy", exits(values=[1, 1]), f"{RULE}.onExitCodes.values[1]"),
    Case("none", "invalid-pod-failure-policy", exits(values=[]), f"{RULE}.onExitCodes.values"),
    Case(
        "an unknown container",
        "invalid-pod-failure-policy",
        exits(containerName="logger"),
        f"{RULE}.onExitCodes.containerName",
        exits(containerName="app"),
    ),
    Case(
        "FailIndex without tries by index",
        "invalid-pod-failure-policy",
        failing(action="FailIndex", onExitCodes={"operator": "In", "values": [1]}),
        f"{RULE}.action",
    ),
    Case(
        "codes and conditions",
        "invalid-pod-failure-policy",
        failing(onExitCodes={"operator": "In", "values": [1]}, onPodConditions=[{"type": "DisruptionTarget"}]),
        RULE,
        failing(onExitCodes=None, onPodConditions=[{"type": "DisruptionTarget"}]),
    ),
    Case("neither codes nor conditions", "invalid-pod-failure-policy", failing(), RULE),
    Case(
        "a condition's type",
        "invalid-pod-failure-policy",
        failing(onPodConditions=[{"type": "a b"}]),
        f"{RULE}.onPodConditions[0].type",
    ),
    Case(
        "too many rules",
        "invalid-pod-failure-policy",
        job(podFailurePolicy={"rules": [{"action": "Ignore", "onPodConditions": [{"type": "A"}]}] * 21}),
        "spec.podFailurePolicy.rules",
        job(podFailurePolicy={"rules": [{"action": "Ignore", "onPodConditions": [{"type": "A"}]}] * 20}),
    ),
    Case(
        "TerminatingOrFailed with a podFailurePolicy",
        "invalid-pod-replacement-policy",
        {**exits(), "spec": {**exits()["spec"], "podReplacementPolicy": "TerminatingOrFailed"}},
        "spec.podReplacementPolicy",
        {**exits(), "spec": {**exits()["spec"], "podReplacementPolicy": "Failed"}},
    ),
    Case(
        "not indexed",
        "invalid-success-policy",
        job(successPolicy={"rules": [{"succeededCount": 1}]}),
        "spec.successPolicy",
        succeeding(succeededCount=1),
    ),
    Case("no rules", "invalid-success-policy", job(**INDEXED, successPolicy={"rules": []}), "spec.successPolicy.rules"),
    Case("an empty rule", "invalid-success-policy", succeeding(), SUCCESS),
    Case(
        "an index that does not exist",
        "invalid-success-policy",
        succeeding(succeededIndexes="0,5"),
        f"{SUCCESS}.succeededIndexes",
        succeeding(succeededIndexes="0-2,4", succeededCount=4),
    ),
    Case("in order", "invalid-success-policy", succeeding(succeededIndexes="2,1"), f"{SUCCESS}.succeededIndexes"),
    Case("no index", "invalid-success-policy", succeeding(succeededIndexes="1 - 2"), f"{SUCCESS}.succeededIndexes"),
    Case(
        "a count above succeededIndexes",
        "invalid-success-policy",
        succeeding(succeededIndexes="0-1", succeededCount=3),
        f"{SUCCESS}.succeededCount",
    ),
    Case("more than there are", "invalid-success-policy", succeeding(succeededCount=6), f"{SUCCESS}.succeededCount"),
    Case(
        "hour 24",
        "invalid-cron-schedule",
        cron_job(schedule="0 24 * * *"),
        "spec.schedule",
        cron_job(schedule="0 23 * * *"),
    ),
    Case("a zone in the schedule", "invalid-time-zone", cron_job(schedule="TZ=UTC 0 1 * * *"), "spec.schedule"),
    Case(
        "an unknown time zone",
        "invalid-time-zone",
        cron_job(timeZone="Berlin time"),
        "spec.timeZone",
        cron_job(timeZone="Europe/Berlin"),
    ),
    Case(
        "a misspelled time zone",
        "invalid-time-zone",
        cron_job(timeZone="Europe/Berln"),
        "spec.timeZone",
        cron_job(timeZone="America/Argentina/Buenos_Aires"),
    ),
    Case(
        "the time zone Local",
        "invalid-time-zone",
        cron_job(timeZone="Local"),
        "spec.timeZone",
        cron_job(timeZone="UTC"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_finds_bad_case_and_accepts_good_case(case: Case) -> None:
    assert places(case, case.bad) == [case.at]
    assert not case.good or not findings(case.good, case.version)


def test_accepts_zone_in_schedule_before_1_29_without_time_zone_field() -> None:
    assert findings(cron_job(schedule="TZ=UTC 0 1 * * *"), "1.28") == []
    assert findings(cron_job(schedule="TZ=UTC 0 1 * * *", timeZone="UTC"), "1.28")


def test_misspelled_zone_gets_suggestion() -> None:
    (found,) = findings(cron_job(timeZone="europe/berlin"))
    assert "Europe/Berlin" in found.help


def test_exit_codes_can_refer_to_init_containers() -> None:
    own = exits(containerName="setup")
    assert findings(own)
    own["spec"] = {
        **own["spec"],
        "template": template(restartPolicy="Never", initContainers=[INIT], containers=[CONTAINER]),
    }
    assert findings(own) == []


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "*/5 0-23/2 1,15 jan-DEC sun",
        "? ? ? ? ?",
        "0 0 31 2 *",
        "@daily",
        "@every 1h30m",
        "5/10 * * * *",
        " 0 0 * * 0 ",
    ],
)
def test_accepts_valid_schedules(schedule: str) -> None:
    assert check_schedule(schedule) is None


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("* * * *", "expected 5 fields"),
        ("0 * * * * *", "got 6"),
        ("60 * * * *", 'invalid minute "60" (maximum: 59)'),
        ("* * 0 * *", "minimum: 1"),
        ("* * * * 7", 'invalid day of the week "7"'),
        ("* * * foo *", "not a number or name"),
        ("*/0 * * * *", "step must be 1 or more"),
        ("5-1 * * * *", "start is after end"),
        ("1-2-3 * * * *", "too many hyphens"),
        ("1/2/3 * * * *", "too many slashes"),
        ("@reboot", "unknown name"),
        ("@every day", "unknown name"),
        ("TZ=UTC", "no fields after the time zone"),
    ],
)
def test_explains_invalid_schedule(schedule: str, said: str) -> None:
    assert said in (check_schedule(schedule) or "")
