"""The report of a run that delivers: for people on standard error, for programs on standard output; and how the run ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sidecarctl import __version__
from sidecarctl.cli import talk
from sidecarctl.cli.delivery import Delivery, Done
from sidecarctl.cli.printing import write_stdout
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, SidecarctlError, UsageError
from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.report.model import Report, WorkloadChange


def report(
    delivery: Delivery,
    done: Sequence[Done],
    findings: Sequence[Finding],
    changes: Sequence[WorkloadChange],
    held_back: bool,
) -> None:
    """Say what was found and done; to another program as the report that it asked for."""
    if delivery.format != "text":
        verdict = _verdict(delivery, done) if delivery.check else ()
        print_report(delivery, [*findings, *verdict], changes, [one.source.name for one in done])
        return
    talk.say_findings([f for f in findings if not delivery.quiet or f.severity is Severity.ERROR])
    if delivery.quiet:
        return
    nothing = not findings and not any(one.result.changes for one in done if one.result)
    if delivery.mirror and not delivery.verbose:
        changes = [change for change in changes if change.changed or change.skipped]
    talk.say_changes(changes, verbose=delivery.verbose, held_back=held_back)
    if nothing and delivery.idle and not held_back:
        talk.say(delivery.idle)


def _verdict(delivery: Delivery, done: Sequence[Done]) -> Iterator[Finding]:
    """What `--check` found to change, for a program that reads findings and no exit codes."""
    from sidecarctl.report.outdated import RULE, outdated

    for one in done:
        if one.result is None or one.result.failed or not one.outdated:
            continue
        if one.present is None:
            yield from outdated(one.result.changes, "run the same command without --check")
        else:
            name = one.source.name
            place = Place(name, 1, 1, 1, 1)
            yield Finding(
                RULE, f"what is made of {name} is out of date", help="run the same command without --check", place=place
            )


def print_report(
    delivery: Delivery, findings: Sequence[Finding], changes: Sequence[WorkloadChange], files: Sequence[str]
) -> None:
    """Write a report for another program to standard output."""
    from sidecarctl.report import machine

    whole = Report(
        __version__,
        tuple(findings),
        (),
        tuple(changes),
        tuple(files),
        root=str(Path.cwd()),
        fail_on=delivery.severity(),
    )
    write_stdout([machine.render(whole, delivery.format)])


def nothing_to_do(done: Sequence[Done]) -> SidecarctlError:
    """An input without a workload is more likely a mistake than a wish."""
    names = ", ".join(one.source.name for one in done[:3]) + (", ..." if len(done) > 3 else "")
    return UsageError(
        f"no workload found in {names}: nothing was added",
        hint="a workload is a Pod, Deployment, StatefulSet, DaemonSet, Job, CronJob or another kind with a pod template",
    )


def exit_code(
    delivery: Delivery, done: Sequence[Done], findings: Sequence[Finding], errors: Sequence[SidecarctlError]
) -> int:
    """Return how the run ends."""
    if errors:
        return max(error.exit_code for error in errors)
    limit = delivery.severity()
    if any(one.result is not None and one.result.failed for one in done) and delivery.fail_on != "never":
        return EXIT_FINDINGS
    if limit is not None and any(finding.severity.rank <= limit.rank for finding in findings):
        return EXIT_FINDINGS
    if delivery.check and any(one.outdated for one in done):
        return EXIT_FINDINGS
    return EXIT_OK
