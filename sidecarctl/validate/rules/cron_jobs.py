"""Rules about CronJobs: when they run."""

from __future__ import annotations

from sidecarctl.errors import did_you_mean
from sidecarctl.findings import Severity, quote
from sidecarctl.kube.zones import zones
from sidecarctl.validate.controllers import CRON_JOB
from sidecarctl.validate.cron import schedule_fault, zone_fault
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ObjectView


@rule(
    "cron-schedule",
    Severity.ERROR,
    scope="object",
    kinds=("CronJob",),
    fix='Write five fields, like "30 4 * * 1-5", or a name like @daily.',
)
def cron_schedule(one: ObjectView, ctx: Context) -> Problems:
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
    "time-zone",
    Severity.ERROR,
    scope="object",
    kinds=("CronJob",),
    fix="Name the zone in timeZone, as the IANA database has it: Europe/Berlin.",
)
def time_zone(one: ObjectView, ctx: Context) -> Problems:
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
        hint = did_you_mean(zone, zones())
        yield problem(one.at("spec", "timeZone"), f"{quote(zone)} is no time zone: it {fault}", help=hint)
