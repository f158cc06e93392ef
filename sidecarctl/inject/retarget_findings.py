"""What is reported about ports in objects around a pod that are left alone."""

from __future__ import annotations

from collections.abc import Collection

from sidecarctl.findings import Finding, PathTuple, Place, Severity
from sidecarctl.inject.retarget_entries import RetargetedPod, parse_former, split_key
from sidecarctl.kube.fronts import find_chain
from sidecarctl.validate.surroundings import Reference, resolve_number

RULE = "retarget-skipped"
_EACH_BY_ITSELF = "run the command for each environment by itself"


def make_finding(label: str, path: PathTuple, message: str, help: str, place: Place) -> Finding:
    """Return the warning about an object or workload."""
    return Finding(RULE, message, Severity.WARNING, path, help=help, workload=label, place=place)


def describe_other_formers(reference: Reference, former: str, others: Collection[str]) -> tuple[str, str]:
    """Return message and help for a port of which workloads remember different former texts; `former` is restored."""
    known = " and ".join(sorted(each or "no port" for each in {former, *others}))
    return (
        f"{reference.object.label}: workloads remember different former ports of {reference.path[-1]}: {known}",
        f"check that {former or 'no port'}, which is restored, is right; {_EACH_BY_ITSELF}",
    )


def describe_forgotten(reference: Reference, former: str, kept: str) -> tuple[str, str]:
    """Return message and help for an object whose former port is not remembered, but that of another one of its name."""
    return (
        f"{reference.object.label}: another object of this name has another port, so `remove` restores {kept or 'no port'}, "
        f"not {former or 'no port'}",
        _EACH_BY_ITSELF,
    )


def describe_absent(pod: RetargetedPod, key: str) -> tuple[str, str] | None:
    """Return message and help for an object that is in no input file, None if its port is right."""
    former, written = pod.known[key]
    kind, name, _ = split_key(key)
    chain = find_chain(pod.record.fronts, resolve_number(parse_former(former) or 0, pod.view))
    if resolve_number(written, pod.view) in [front.port for front in (chain[-1:] or pod.record.fronts)]:
        return None
    port = chain[-1].port if chain else former or "its former value"
    return (
        f"{kind} {name} with this port is not in the input, so it still leads to port {written}",
        f"name the file that has it too, or set the port to {port}",
    )
