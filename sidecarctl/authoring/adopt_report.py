"""The report of `adopt`: what was found, what is left to do, and the next commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sidecarctl.authoring.candidate import Candidate
from sidecarctl.authoring.discover import Discovery, Group
from sidecarctl.authoring.migrate import LIBRARY, FileCheck, describe_secret, secret_parameters
from sidecarctl.authoring.test_cases import FOLDER, INPUT
from sidecarctl.authoring.test_runner import run_tests
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.composition.find import FILE_NAME
from sidecarctl.findings import Finding, Severity
from sidecarctl.kube.secret_values import MASK
from sidecarctl.report.terminal import visible
from sidecarctl.results import plural

_MAX_SHOWN = 5
# The pod template of these kinds cannot be changed.
_IMMUTABLE = ("Job",)


@dataclass(frozen=True)
class Adoption:
    """What `adopt` found and wrote.

    paths    files and directories that were searched
    home     where the composition and the library are
    written  files in that directory
    errors   what `sidecarctl test` reports for the entries that were written
    kube_version  the Kubernetes version that was given, "" for that of the composition or the newest
    """

    found: Discovery
    checks: Sequence[FileCheck]
    paths: Sequence[str]
    home: Path
    written: Sequence[str]
    errors: Sequence[Finding] = ()
    kube_version: str = ""


def find_errors(found: Discovery, home: Path) -> list[Finding]:
    """Return the errors that `sidecarctl test` reports for the written entries, such as a container without a memory limit."""
    catalog = open_catalog([home / LIBRARY])
    tested = run_tests(catalog, [group.name for group in found.groups])
    return [finding for one in tested for finding in one.findings if finding.severity is Severity.ERROR]


def render_report(adoption: Adoption) -> str:
    """Return the report as lines of text."""
    found, folder = adoption.found, adoption.home
    lines: list[str] = []
    for group in found.groups:
        lines += _describe_group(group)
    lines += [*skipped_lines(found), ""]
    unchanged = [check for check in adoption.checks if check.unchanged]
    lines.append(f"verified: {plural(len(unchanged), 'file')} of {len(adoption.checks)}: only records would be added")
    lines += _not_verified(adoption.checks)
    for group in found.groups:
        lines += _secrets(group, folder)
        if f"{LIBRARY}/{group.name}/{FOLDER}/deployment/{INPUT}" not in adoption.written:
            lines.append(f"no test case: {group.name} cannot be added to a plain Deployment; add a test case for it")
    lines += (f"wrote: {folder / path}" for path in adoption.written)
    lines += _errors(adoption.errors)
    lines += ["", *_restarts(found), "", "next:", *(f"  {command}" for command in next_commands(adoption))]
    return "".join(f"{visible(line)}\n" for line in lines)


def _not_verified(checks: Sequence[FileCheck]) -> Iterator[str]:
    """Yield each problem once, with the files that have it."""
    files: dict[str, list[str]] = {}
    for check in checks:
        for note in dict.fromkeys(check.notes):
            files.setdefault(note, []).append(check.file)
    for note, names in files.items():
        more = f" and {plural(len(names) - _MAX_SHOWN, 'more file')}" if len(names) > _MAX_SHOWN else ""
        yield f"not verified: {note}: {', '.join(names[:_MAX_SHOWN])}{more}"


def _describe_group(group: Group) -> Iterator[str]:
    yield f"{group.name}: {group.base.image}, {group.base.mode}, in {plural(group.workloads, 'workload')}"
    for member in group.members:
        own = [*group.parameters(member), *member.notes]
        alias = f" as {member.container.name}" if member.container.name != group.name else ""
        yield f"  {member.workload.label}{alias} ({member.file})" + (f": {', '.join(own)}" if own else "")


def skipped_lines(found: Discovery) -> Iterator[str]:
    """Yield what the search left out, with reasons."""
    for one in found.unmatched[:_MAX_SHOWN]:
        yield f"skipped: {one.container.name} of {one.workload.label}: no other workload runs {one.image or 'its image'}"
    if len(found.unmatched) > _MAX_SHOWN:
        yield f"skipped: {plural(len(found.unmatched) - _MAX_SHOWN, 'more container')} that only one workload has"
    if found.partial:
        yield f"skipped: {plural(found.partial, 'partial workload')}, such as kustomize patches"
    for error in found.errors:
        yield f"skipped: {error.where}: {error.message}"


def render_nothing_found(found: Discovery) -> str:
    """Return the report of a search that found no sidecar."""
    lines = [*skipped_lines(found), "no files written: no sidecar appears in two or more workloads"]
    return "".join(f"{visible(line)}\n" for line in lines)


def _secrets(group: Group, folder: Path) -> Iterator[str]:
    """Yield each secret that was left out, with the manifests that have it and the parameter that takes its place."""
    held: dict[str, list[Candidate]] = {}
    for member in group.members:
        for path in member.secrets:
            held.setdefault(describe_secret(member, path), []).append(member)
    parameters = {describe_secret(group.base, path): name for path, name in secret_parameters(group).items()}
    for secret, members in held.items():
        files = ", ".join(dict.fromkeys(member.file for member in members))
        yield f"warning: {secret} of {group.name} looks like a secret: {files}"
        instead = f"parameter {parameters[secret]}" if secret in parameters else f"the text {MASK}"
        place = folder / (f"{LIBRARY}/{group.name}/sidecar.yaml" if secret in parameters else FILE_NAME)
        yield f"  its value was not copied: {place} has {instead} in its place; refer to a Secret instead"


def _errors(errors: Sequence[Finding]) -> Iterator[str]:
    """Yield what fails `sidecarctl test`, and how to fix it."""
    if errors:
        yield ""
        yield f"warning: `sidecarctl test` fails until you fix {plural(len(errors), 'error')} in the library:"
    for error in errors:
        yield f"  {error.place}: {error.message}"
        yield f"    {error.help}"


def _restarts(found: Discovery) -> Iterator[str]:
    """Yield what applying the adopted manifests does to running pods."""
    labels = {f"{m.file} {m.workload.label}": m.workload for group in found.groups for m in group.members}
    rolled = [one for one in labels.values() if one.kind not in (*_IMMUTABLE, "Pod", "CronJob")]
    if rolled:
        yield (
            f"note: applying the adopted manifests restarts the pods of {plural(len(rolled), 'workload')}: "
            "the record is an annotation of the pod template"
        )
    fixed = [one.label for one in labels.values() if one.kind in _IMMUTABLE]
    if fixed:
        yield f"note: a Job cannot be changed in a cluster: delete and create {', '.join(fixed)}"


def next_commands(adoption: Adoption) -> list[str]:
    """Return the commands that show and apply the adoption, and test the library."""
    home = adoption.home
    composition = "" if home == Path() else f" -c {shlex.quote(str(home / FILE_NAME))}"
    files = "".join(f" -f {shlex.quote(path)}" for path in adoption.paths)
    version = f" --kube-version {shlex.quote(adoption.kube_version)}" if adoption.kube_version else ""
    # Without it, a file that fails keeps all others from being written.
    going = " --keep-going" if adoption.found.errors or any(check.failed for check in adoption.checks) else ""
    return [
        f"sidecarctl render{composition}{files} --adopt{version} --diff{going}",
        f"sidecarctl render{composition}{files} --adopt{version} -i{going}",
        "sidecarctl test" if home == Path() else f"sidecarctl test --library {shlex.quote(str(home / LIBRARY))}",
    ]
