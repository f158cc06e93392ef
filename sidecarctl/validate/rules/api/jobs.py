"""Rules about Jobs, and the Jobs of CronJobs: completion by index, who manages them, how many tries."""

from __future__ import annotations

import re

from sidecarctl.errors import did_you_mean
from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.cron import schedule_fault, time_zones, zone_fault
from sidecarctl.kube.versions import enabled
from sidecarctl.validate.fields import CRON_JOB, JOB, completions_of, job_spec
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ObjectView

_PARALLEL = 100_000
_MANY_COMPLETIONS = 100_000
_PARALLEL_WITH_MANY = 10_000
_FAILED_WITH_MANY = 10_000
_MANAGER_LENGTH = 63
_MANAGER_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")


@rule(
    "job-name-too-long",
    Severity.ERROR,
    scope="object",
    kinds=("Job",),
    fix="Use at most 63 characters.",
)
def job_name_too_long(one: ObjectView, ctx: Context) -> Problems:
    """A Job's name is longer than a label's value can be.

    The API server writes the name into the label job-name of the Job's pods, and then refuses the label. A Job with
    `manualSelector` gets no such label.
    """
    if (one.group, one.kind) != JOB or one.get("spec", "manualSelector") is True:
        return
    name = one.text("metadata", "name")
    if len(name) > names.LABEL_LENGTH and not names.dns_subdomain(name):
        message = f"the name has {len(name)} characters, and becomes a label of at most {names.LABEL_LENGTH}"
        yield problem(one.at("metadata", "name"), message)


@rule(
    "invalid-indexed-job",
    Severity.ERROR,
    scope="object",
    kinds=("Job", "CronJob"),
    fix="Say how many completions there are, at most 100,000 of them at a time, and keep the Job's name short.",
)
def invalid_indexed_job(one: ObjectView, ctx: Context) -> Problems:
    """An indexed Job does not say how many indexes there are, or has too many, or too long a name.

    Each index is a pod whose host name is the Job's name, a dash and the index; the API server checks that the last
    one is still a DNS label, and that no more than 100,000 run at once.
    """
    spec = job_spec(one)
    if spec is None or spec.value.get("completionMode") != "Indexed":
        return
    completions, parallelism = completions_of(one, spec), spec.number("parallelism")
    if completions is None and spec.value.get("completions") is None:
        yield problem(spec.at("completionMode"), "an indexed Job needs completions")
    if parallelism is not None and parallelism > _PARALLEL:
        message = f"parallelism is {parallelism}, and can be at most {_PARALLEL} in an indexed Job"
        yield problem(spec.at("parallelism"), message)
    name = one.text("metadata", "name")
    if one.kind == "Job" and name and completions is not None and completions > 0:
        last = f"{name}-{completions - 1}"
        if not names.dns_subdomain(name) and len(name) <= names.LABEL_LENGTH and (fault := names.dns_label(last)):
            yield problem(one.at("metadata", "name"), f"a pod would be called {quote(last)}: it {fault}")


@rule(
    "invalid-backoff-per-index",
    Severity.ERROR,
    scope="object",
    kinds=("Job", "CronJob"),
    since="1.29",
    fix="Make the Job indexed, and set backoffLimitPerIndex where you set maxFailedIndexes.",
)
def invalid_backoff_per_index(one: ObjectView, ctx: Context) -> Problems:
    """A limit of tries per index is set for a Job that it does not fit.

    Only indexed Jobs count by index, and maxFailedIndexes counts the indexes that ran out of tries. With more than
    100,000 completions the API server wants maxFailedIndexes, at most 10,000, and at most 10,000 pods at once.
    """
    spec = job_spec(one)
    if spec is None:
        return
    limit, failed = spec.value.get("backoffLimitPerIndex"), spec.value.get("maxFailedIndexes")
    if limit is None and failed is None:
        return
    if limit is None:
        yield problem(spec.at("backoffLimitPerIndex"), "maxFailedIndexes needs a backoffLimitPerIndex beside it")
    mode = spec.value.get("completionMode")
    if mode in (None, "NonIndexed"):
        for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.value.get(field) is not None:
                yield problem(spec.at(field), f"{field} is for indexed Jobs", on_key=True)
    if mode != "Indexed":
        return
    completions, parallelism = completions_of(one, spec), spec.number("parallelism")
    most = spec.number("maxFailedIndexes")
    if most is not None:
        if completions is not None and most > completions:
            message = f"maxFailedIndexes is {most}, and there are {completions} completions"
            yield problem(spec.at("maxFailedIndexes"), message, help="Use at most as many as completions.")
        elif most > _PARALLEL:
            yield problem(spec.at("maxFailedIndexes"), f"maxFailedIndexes is {most}, and can be at most {_PARALLEL}")
    if completions is None or completions <= _MANY_COMPLETIONS or limit is None:
        return
    many = f"with {completions} completions"
    if failed is None:
        yield problem(spec.at("maxFailedIndexes"), f"{many} the Job needs maxFailedIndexes")
    elif most is not None and _FAILED_WITH_MANY < most <= min(completions, _PARALLEL):
        message = f"{many} maxFailedIndexes can be at most {_FAILED_WITH_MANY}"
        yield problem(spec.at("maxFailedIndexes"), message, help="Lower it.")
    if parallelism is not None and _PARALLEL_WITH_MANY < parallelism <= _PARALLEL:
        message = f"{many} parallelism can be at most {_PARALLEL_WITH_MANY}"
        yield problem(spec.at("parallelism"), message, help="Lower it.")


@rule(
    "invalid-job-manager",
    Severity.ERROR,
    scope="object",
    kinds=("Job", "CronJob"),
    since="1.32",
    fix="Write a domain, a slash and a name: at most 63 characters together.",
)
def invalid_job_manager(one: ObjectView, ctx: Context) -> Problems:
    """A Job is managed by somebody whose name has no domain.

    `managedBy` tells Kubernetes' own controller to leave the Job to another one, which is known by a domain and a
    path.
    """
    spec = job_spec(one)
    manager = spec.value.get("managedBy") if spec else None
    if spec is None or not isinstance(manager, str) or not enabled("job-managed-by", ctx.kube_version):
        return
    if fault := _manager_fault(manager):
        yield problem(spec.at("managedBy"), f"{quote(manager)} is no name of a controller: it {fault}")


def _manager_fault(manager: str) -> str | None:
    domain, _, path = manager.partition("/")
    if not domain or not path:
        return "must have a domain, a slash and a name"
    if fault := names.dns_subdomain(domain):
        return f"has a bad domain: it {fault}"
    if not _MANAGER_PATH.fullmatch(path):
        return "has characters after the slash that addresses can't have"
    length = len(manager.encode("utf-8", "surrogatepass"))
    return f"must have at most {_MANAGER_LENGTH} characters, and has {length}" if length > _MANAGER_LENGTH else None


@rule(
    "invalid-cron-schedule",
    Severity.ERROR,
    scope="object",
    kinds=("CronJob",),
    fix='Write five fields, like "30 4 * * 1-5", or a name like @daily.',
)
def invalid_cron_schedule(one: ObjectView, ctx: Context) -> Problems:
    """A CronJob's schedule can't be read.

    It has five fields: minute (0-59), hour (0-23), day of the month (1-31), month (1-12 or jan-dec) and day of the week
    (0-6 or sun-sat; 7 is not taken), each a value, a range, a list, or `*`, with a step after a slash. There are no
    seconds and no years.
    """
    if (one.group, one.kind) != CRON_JOB:
        return
    schedule = one.get("spec", "schedule")
    if isinstance(schedule, str) and schedule and (fault := schedule_fault(schedule)):
        yield problem(one.at("spec", "schedule"), f"the schedule {quote(schedule)} {fault}")


@rule(
    "invalid-time-zone",
    Severity.ERROR,
    scope="object",
    kinds=("CronJob",),
    fix="Name the zone in timeZone, as the IANA database has it: Europe/Berlin.",
)
def invalid_time_zone(one: ObjectView, ctx: Context) -> Problems:
    """A CronJob's time zone stands in the schedule, or is none.

    The schedule counts in the time zone of the field `timeZone`, or of the cluster. A zone in the schedule itself (TZ=)
    was never meant to work, and is refused since Kubernetes 1.29, before only beside a `timeZone`.
    """
    if (one.group, one.kind) != CRON_JOB:
        return
    schedule, zone = one.text("spec", "schedule"), one.get("spec", "timeZone")
    if "TZ" in schedule and (ctx.since("1.29") or zone is not None):
        yield problem(one.at("spec", "schedule"), "the schedule can't have a time zone")
    if isinstance(zone, str) and (fault := zone_fault(zone)):
        hint = did_you_mean(zone, time_zones())
        yield problem(one.at("spec", "timeZone"), f"{quote(zone)} is no time zone: it {fault}", help=hint)
