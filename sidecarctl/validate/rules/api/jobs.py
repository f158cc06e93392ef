"""Rules about Jobs and CronJobs: names, completions, retries, managers, schedules, and time zones."""

from __future__ import annotations

from sidecarctl.errors import did_you_mean
from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.cron import check_schedule, check_time_zone, time_zones
from sidecarctl.kube.versions import enabled
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.validate.fields import CRON_JOB, JOB, completions_of, job_spec
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ObjectView

_MAX_PARALLELISM = 100_000
_MANY_COMPLETIONS = 100_000
_PARALLEL_WITH_MANY = 10_000
_FAILED_WITH_MANY = 10_000
_MANAGER_LENGTH = 63
_MANAGER_PATH = lazy_pattern(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")


@rule(
    "job-name-too-long",
    Severity.ERROR,
    scope="object",
    kinds=("Job",),
    fix="Use at most 63 characters.",
)
def job_name_too_long(obj: ObjectView, ctx: Context) -> Problems:
    """A Job name is longer than a label value can be.

    The API server writes the name into the job-name label of the Job's pods and then rejects the label. A Job with
    `manualSelector` does not get this label.
    """
    if (obj.group, obj.kind) != JOB or obj.get("spec", "manualSelector") is True:
        return
    name = obj.text("metadata", "name")
    if len(name) > names.LABEL_LENGTH and not names.check_dns_subdomain(name):
        message = f"Job name too long: {len(name)} characters (limit: {names.LABEL_LENGTH})"
        yield problem(obj.at("metadata", "name"), message)


@rule(
    "invalid-indexed-job",
    Severity.ERROR,
    scope="object",
    kinds=("Job", "CronJob"),
    fix="Set completions, use a parallelism of at most 100,000, and shorten the Job name.",
)
def invalid_indexed_job(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid indexed Job.

    An indexed Job requires completions, and its parallelism is at most 100,000. The host name of each pod is the Job
    name, a hyphen, and the index, and the API server checks that the last one is a DNS label.
    """
    spec = job_spec(obj)
    if spec is None or spec.value.get("completionMode") != "Indexed":
        return
    completions, parallelism = completions_of(obj, spec), spec.number("parallelism")
    if completions is None and spec.value.get("completions") is None:
        yield problem(spec.at("completionMode"), "completionMode: Indexed requires completions")
    if parallelism is not None and parallelism > _MAX_PARALLELISM:
        message = f"invalid parallelism {parallelism}: at most {_MAX_PARALLELISM} in an indexed Job"
        yield problem(spec.at("parallelism"), message)
    name = obj.text("metadata", "name")
    if obj.kind == "Job" and name and completions is not None and completions > 0:
        last = f"{name}-{completions - 1}"
        if (
            not names.check_dns_subdomain(name)
            and len(name) <= names.LABEL_LENGTH
            and (fault := names.check_dns_label(last))
        ):
            yield problem(obj.at("metadata", "name"), f"invalid pod host name {quote(last)}: {fault}")


@rule(
    "invalid-backoff-per-index",
    Severity.ERROR,
    scope="object",
    kinds=("Job", "CronJob"),
    since="1.29",
    fix="Set `completionMode: Indexed`, and set backoffLimitPerIndex together with maxFailedIndexes.",
)
def invalid_backoff_per_index(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid per-index retry limit of a Job.

    backoffLimitPerIndex and maxFailedIndexes only apply to indexed Jobs, and maxFailedIndexes counts the indexes that
    exceed backoffLimitPerIndex. With more than 100,000 completions the API server requires a maxFailedIndexes of at
    most 10,000 and a parallelism of at most 10,000.
    """
    spec = job_spec(obj)
    if spec is None:
        return
    limit, failed = spec.value.get("backoffLimitPerIndex"), spec.value.get("maxFailedIndexes")
    if limit is None and failed is None:
        return
    if limit is None:
        yield problem(spec.at("backoffLimitPerIndex"), "maxFailedIndexes requires backoffLimitPerIndex")
    mode = spec.value.get("completionMode")
    if mode in (None, "NonIndexed"):
        for field in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.value.get(field) is not None:
                yield problem(spec.at(field), f"{field} requires completionMode: Indexed", on_key=True)
    if mode != "Indexed":
        return
    completions, parallelism = completions_of(obj, spec), spec.number("parallelism")
    most = spec.number("maxFailedIndexes")
    if most is not None:
        if completions is not None and most > completions:
            message = f"invalid maxFailedIndexes {most}: more than the {completions} completions"
            yield problem(spec.at("maxFailedIndexes"), message, help="Use a number up to completions.")
        elif most > _MAX_PARALLELISM:
            yield problem(spec.at("maxFailedIndexes"), f"invalid maxFailedIndexes {most} (limit: {_MAX_PARALLELISM})")
    if completions is None or completions <= _MANY_COMPLETIONS or limit is None:
        return
    many = f"with {completions} completions"
    if failed is None:
        yield problem(spec.at("maxFailedIndexes"), f"maxFailedIndexes is required {many}")
    elif most is not None and _FAILED_WITH_MANY < most <= min(completions, _MAX_PARALLELISM):
        message = f"invalid maxFailedIndexes {most}: at most {_FAILED_WITH_MANY} {many}"
        yield problem(spec.at("maxFailedIndexes"), message, help="Lower maxFailedIndexes.")
    if parallelism is not None and _PARALLEL_WITH_MANY < parallelism <= _MAX_PARALLELISM:
        message = f"invalid parallelism {parallelism}: at most {_PARALLEL_WITH_MANY} {many}"
        yield problem(spec.at("parallelism"), message, help="Lower parallelism.")


@rule(
    "invalid-job-manager",
    Severity.ERROR,
    scope="object",
    kinds=("Job", "CronJob"),
    since="1.32",
    fix="Use `<domain>/<name>` with at most 63 characters in total.",
)
def invalid_job_manager(obj: ObjectView, ctx: Context) -> Problems:
    """The managedBy value of a Job is not a domain and a name.

    `managedBy` makes the Job controller of Kubernetes leave the Job to another controller, which is identified by a
    domain and a path.
    """
    spec = job_spec(obj)
    manager = spec.value.get("managedBy") if spec else None
    if spec is None or not isinstance(manager, str) or not enabled("job-managed-by", ctx.kube_version):
        return
    if fault := _check_manager(manager):
        yield problem(spec.at("managedBy"), f"invalid managedBy {quote(manager)}: {fault}")


def _check_manager(manager: str) -> str | None:
    domain, _, path = manager.partition("/")
    if not domain or not path:
        return "use the form <domain>/<name>"
    if fault := names.check_dns_subdomain(domain):
        return f"invalid domain ({fault})"
    if not _MANAGER_PATH.fullmatch(path):
        return "the name contains characters that are not allowed in a URL path"
    length = len(manager.encode("utf-8", "surrogatepass"))
    return f"{length} characters long (limit: {_MANAGER_LENGTH})" if length > _MANAGER_LENGTH else None


@rule(
    "invalid-cron-schedule",
    Severity.ERROR,
    scope="object",
    kinds=("CronJob",),
    fix='Use five fields such as "30 4 * * 1-5", or a name such as @daily.',
)
def invalid_cron_schedule(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid schedule of a CronJob.

    A schedule has five fields: minute (0-59), hour (0-23), day of the month (1-31), month (1-12 or jan-dec), and day of
    the week (0-6 or sun-sat, but not 7). Each is `*`, a value, a range, or a list, with an optional step after a slash.
    There are no fields for seconds and years.
    """
    if (obj.group, obj.kind) != CRON_JOB:
        return
    schedule = obj.get("spec", "schedule")
    if isinstance(schedule, str) and schedule and (fault := check_schedule(schedule)):
        yield problem(obj.at("spec", "schedule"), f"invalid schedule {quote(schedule)}: {fault}")


@rule(
    "invalid-time-zone",
    Severity.ERROR,
    scope="object",
    kinds=("CronJob",),
    fix="Set timeZone to a name from the IANA time zone database, such as Europe/Berlin.",
)
def invalid_time_zone(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid time zone of a CronJob.

    Kubernetes interprets the schedule in the time zone of the field `timeZone`, or else of the cluster. A time zone in
    the schedule itself (TZ=) is not supported. The API server rejects it since Kubernetes 1.29, and in earlier versions
    only together with `timeZone`.
    """
    if (obj.group, obj.kind) != CRON_JOB:
        return
    schedule, zone = obj.text("spec", "schedule"), obj.get("spec", "timeZone")
    if "TZ" in schedule and (ctx.since("1.29") or zone is not None):
        yield problem(obj.at("spec", "schedule"), "time zone in schedule is not supported")
    if isinstance(zone, str) and (fault := check_time_zone(zone)):
        hint = did_you_mean(zone, time_zones())
        yield problem(obj.at("spec", "timeZone"), f"invalid time zone {quote(zone)}: {fault}", help=hint)
