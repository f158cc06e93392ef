"""Lint checks of library entries: one function for each rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sidecarctl.authoring.lint_parameters import Subject, parameter_name, undeclared_parameter, unused_parameter
from sidecarctl.authoring.lint_versions import invalid_renamed_parameter, missing_changelog_entry
from sidecarctl.authoring.trial import InjectedParts, TrialResult
from sidecarctl.catalog.entry_files import read_text
from sidecarctl.catalog.parameter_values import has_secrets
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError
from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.inject.secret_findings import mask_findings
from sidecarctl.kube.kinds import DEFAULT_KINDS
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate import pod_security as levels
from sidecarctl.validate.views import StreamView

Check = Callable[[Subject], Iterator[Finding]]


def lint(sidecar: Sidecar, outcomes: Sequence[TrialResult]) -> list[Finding]:
    """Return the findings of all checks, without duplicates and without the secrets of test cases."""
    subject = Subject(sidecar, outcomes)
    findings: dict[tuple[str, str], Finding] = {}
    for check in CHECKS:
        for finding in check(subject):
            findings.setdefault((finding.rule, finding.message), finding)
    return list(mask_findings(findings.values(), _secrets(sidecar, outcomes)))


def _secrets(sidecar: Sidecar, outcomes: Sequence[TrialResult]) -> frozenset[str]:
    if not has_secrets(sidecar.parameters):
        return frozenset()
    from sidecarctl.catalog.secret_parameters import secret_texts

    return frozenset(text for each in outcomes for text in secret_texts(each.trial.given, sidecar.parameters))


def missing_tests(subject: Subject) -> Iterator[Finding]:
    """A sidecar without test cases."""
    if not (subject.sidecar.folder / "tests").is_dir():
        yield Finding(
            "missing-tests",
            f"{subject.sidecar.name} has no test case",
            Severity.WARNING,
            place=subject.metadata_place("metadata", "name"),
            why="Without test cases, changes of the rendered output go unnoticed.",
            help="create tests/<case>/input.yaml and parameters.yaml, then run `sidecarctl test --update`",
        )


def missing_description(subject: Subject) -> Iterator[Finding]:
    """A sidecar or a parameter without a description."""
    if not subject.sidecar.description:
        yield Finding(
            "missing-description",
            f"{subject.sidecar.name} has no description",
            Severity.INFO,
            place=subject.metadata_place("metadata", "summary"),
            help="in metadata.description, describe what the sidecar does and what it requires of the app",
        )
    for row in subject.rows:
        if not row.description and not any(step in ("[]", "<name>") for step in row.path):
            yield Finding(
                "missing-description",
                f"parameter {parameter_name(row.path)} has no description",
                Severity.WARNING,
                place=subject.parameter_place(row.path),
                why="`sidecarctl show`, completion, and error messages show the description.",
                help="add a description",
            )


_PINNED = re.compile(r"(@sha256:[0-9a-f]{64}|:(?=[^:/@]*$)[^:/@]*?\d\.\d[^:/@]*)$")


def unpinned_image(subject: Subject) -> Iterator[Finding]:
    """An image without an exact version."""
    for _, container in subject.containers():
        image = str(container.get("image", ""))
        if not _PINNED.search(image):
            yield Finding(
                "unpinned-image",
                f'image "{image}" is not pinned to an exact version',
                place=subject.template_place(image),
                why="The same manifest can run a different image tomorrow.",
                help="use a full version (:1.4.2) or a digest (@sha256:…)",
                container=str(container.get("name", "")),
            )


def missing_resources(subject: Subject) -> Iterator[Finding]:
    """A container without requests or limits. Without a memory limit, it can use all memory of the node."""
    for _, container in subject.containers():
        resources = as_mapping(container.get("resources"))
        for kind, name, severity in (
            ("limits", "memory", Severity.ERROR),
            ("requests", "memory", Severity.WARNING),
            ("requests", "cpu", Severity.WARNING),
            ("limits", "cpu", Severity.INFO),
        ):
            if name not in as_mapping(resources.get(kind)):
                yield Finding(
                    "missing-resources",
                    f'container "{container.get("name")}" has no {kind}.{name}',
                    severity,
                    place=subject.template_place("resources:", "containers:"),
                    why="A sidecar runs in many pods, so its resource usage must be known and limited.",
                    help=f"set resources.{kind}.{name}; users can override it with --set resources.{kind}.{name}=…",
                )


def undefined_volume(subject: Subject) -> Iterator[Finding]:
    """A mount of an undefined volume, or a volume without mounts."""
    for own in subject.injected:
        pod = own.workload.pod
        defined = {as_mapping(volume).get("name") for volume in as_list(pod.get("volumes"))}
        everything = [*as_list(pod.get("containers")), *as_list(pod.get("initContainers"))]
        mounted = {mount.get("name") for container in everything for mount in _volume_mounts(container)}
        for _, container in own.containers:
            for mount in _volume_mounts(container):
                if mount.get("name") not in defined:
                    yield Finding(
                        "undefined-volume",
                        f'container "{container.get("name")}" mounts undefined volume "{mount.get("name")}"',
                        place=subject.template_place(str(mount.get("mountPath")), "volumeMounts:"),
                        help="add it to volumes of the fragment",
                    )
        for volume in own.volumes:
            if volume.get("name") not in mounted:
                yield Finding(
                    "undefined-volume",
                    f'volume "{volume.get("name")}" is not mounted',
                    Severity.WARNING,
                    place=subject.template_place("volumes:"),
                    help="mount it, or omit it if it is not needed",
                )


def _volume_mounts(container: object) -> list[dict[str, Any]]:
    return [mount for mount in as_list(as_mapping(container).get("volumeMounts")) if isinstance(mount, dict)]


def unbounded_volume(subject: Subject) -> Iterator[Finding]:
    """An emptyDir without sizeLimit, which can fill the disk of the node."""
    for own in subject.injected:
        for volume in own.volumes:
            if "emptyDir" in volume and not as_mapping(volume["emptyDir"]).get("sizeLimit"):
                yield Finding(
                    "unbounded-volume",
                    f'emptyDir "{volume.get("name")}" has no sizeLimit',
                    Severity.WARNING,
                    place=subject.template_place("emptyDir"),
                    why="It can fill the disk of the node, which affects all pods on it.",
                    help="set sizeLimit",
                )


def pod_security(subject: Subject) -> Iterator[Finding]:
    """A declared Pod Security level that does not match the rendered pods."""
    claimed = subject.sidecar.pod_security.level
    for own in subject.injected:
        for text in find_breaches(own, claimed):
            yield Finding(
                "pod-security-claim",
                f"violates declared Pod Security level {claimed}: {text}",
                place=subject.template_place("securityContext:", "volumes:"),
                help="fix the template, or declare the level and the reason in spec.podSecurity",
            )
    own_parts = [own for own in subject.injected if own.containers]
    if claimed != "restricted" and own_parts and not any(find_breaches(own, "restricted") for own in own_parts):
        yield Finding(
            "pod-security-claim",
            f"declared Pod Security level {claimed} is not needed: all rendered pods pass restricted",
            Severity.INFO,
            place=subject.metadata_place("spec", "podSecurity", "level"),
            help="remove spec.podSecurity, or add a test case that needs it",
        )


def probed_admin_port(subject: Subject) -> Iterator[Finding]:
    """A probe of a port that listens on localhost only, where the kubelet cannot connect."""
    reported = set()
    for finding in (f for outcome in subject.outcomes if outcome.result for f in outcome.result.findings):
        probe = next((str(step) for step in finding.path if str(step).endswith("Probe")), "")
        if finding.rule != "probe-on-localhost-server" or (finding.container, probe) in reported:
            continue
        reported.add((finding.container, probe))
        yield Finding(
            "probed-admin-port",
            finding.message,
            place=subject.template_place(probe),
            why=finding.why,
            help="probe a port that listens on all addresses",
        )


def template_failure(subject: Subject) -> Iterator[Finding]:
    """A template that never renders a fragment."""
    if any(outcome.text is not None for outcome in subject.outcomes):
        return
    for outcome in subject.outcomes:
        if isinstance(outcome.error, LibraryError):
            yield Finding(
                "template-failure",
                outcome.error.message,
                place=_parse_place(outcome.error.where, subject),
                help=outcome.error.hint or "fix the template",
            )
            return


def _parse_place(where: str, subject: Subject) -> Place:
    found = re.match(r"(.*?):(\d+)(?::(\d+))?\Z", where)
    if not found:
        return Place(where or str(subject.sidecar.template), 1, 1, 1, 1)
    line, column = int(found[2]), int(found[3] or 1)
    try:
        text = read_text(Path(found[1]), subject.sidecar.folder).splitlines()[line - 1]
    except (LibraryError, IndexError):
        text = ""
    return Place(found[1], line, column, line, max(column, len(text) + 1), text)


CHECKS: tuple[Check, ...] = (
    template_failure,
    unpinned_image,
    missing_resources,
    undefined_volume,
    unbounded_volume,
    pod_security,
    probed_admin_port,
    undeclared_parameter,
    unused_parameter,
    missing_description,
    missing_tests,
    missing_changelog_entry,
    invalid_renamed_parameter,
)


LEVELS_STRICTEST_FIRST = tuple(reversed(levels.LEVELS))


def find_breaches(own: InjectedParts, level: str) -> list[str]:
    """Return the violations of a Pod Security level by the parts of an instance, with the container name if there is
    one.
    """
    context = {path.split("/")[1]: value for path, value in own.pod.items() if path.startswith("securityContext/")}
    init = [container for role, container in own.containers if role == "init"]
    others = [container for role, container in own.containers if role != "init"]
    return standalone_breaches(others, init, own.volumes, level, context)


def standalone_breaches(
    containers: Iterable[Mapping[str, Any]],
    init: Iterable[Mapping[str, Any]],
    volumes: Iterable[Mapping[str, Any]],
    level: str,
    context: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return the violations of a Pod Security level by a pod with these parts."""
    spec = {
        "securityContext": dict(context or {}),
        "initContainers": [dict(each) for each in init],
        "containers": [dict(each) for each in containers],
        "volumes": [dict(each) for each in volumes],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "alone"}, "spec": spec}
    (view,) = StreamView([pod], DEFAULT_KINDS).pods
    found = []
    for _, breach in levels.find_violations(view, level):
        holder = next((c for c in view.containers if breach.path[: len(c.path)] == c.path), None)
        found.append(f"{holder.name}: {breach.text}" if holder is not None else breach.text)
    return found


def strictest_level(container: Mapping[str, Any], volumes: Sequence[Mapping[str, Any]]) -> tuple[str, list[str]]:
    """Return the strictest Pod Security level that a container passes, and why it fails the next stricter one."""
    reasons: list[str] = []
    for level in LEVELS_STRICTEST_FIRST:
        # The security context of the original pod is not part of the sidecar.
        found = standalone_breaches([container], [], volumes, level)
        if not found:
            return level, reasons
        reasons = found
    return LEVELS_STRICTEST_FIRST[-1], []
