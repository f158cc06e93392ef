"""Chains of sidecars in front of one app port: which upstream each gets, and which arrangements are refused."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.catalog.render import Inputs, render
from sidecarctl.composition.request import Request
from sidecarctl.findings import Finding
from sidecarctl.kube.fronts import STAGES, Front, find_app_port, find_upstream, fragment_fronts
from sidecarctl.kube.workload import Workload
from sidecarctl.lazy_dataclass import replace
from sidecarctl.record.annotation import Instance, Record
from sidecarctl.record.paths import record_path

UPSTREAM = "upstreamPort"
RULE = "broken-proxy-chain"


def place_in_chain(fragment: Fragment, request: Request, record: Record, inputs: Inputs) -> Fragment:
    """Return the fragment of a sidecar in front of the app with its place in the chain, unless `upstreamPort` is set.

    Raises what `render` raises.
    """
    if len(fragment.fronts) != 1 or not is_chainable(request):
        return fragment
    (own,) = fragment_fronts(request.instance, fragment.fronts)
    upstream = request.upstream or _choose_upstream(record, own)
    if upstream in (own.upstream, own.port):  # two of one port are a port conflict
        return fragment
    parameters = replace(request.parameters, values={**request.parameters.values, UPSTREAM: upstream})
    return render(request.sidecar, parameters, inputs)


def is_chainable(request: Request) -> bool:
    """Return True if the upstream of a sidecar follows from the pod: it has the parameter, and it is not set."""
    return UPSTREAM in request.parameters.values and UPSTREAM not in request.parameters.recorded


def _choose_upstream(record: Record, own: Front) -> int:
    """Return the upstream of a front whose sidecar would forward to the app."""
    fronts: list[Front] = []
    for name in dict.fromkeys((*record.instances, own.instance)):
        fronts += [own] if name == own.instance else record.instances[name].fronts[:1]
    return find_upstream(fronts, own, find_app_port([each for each in fronts if each is not own], own.upstream))


def find_misplaced(record: Record, before: Record) -> str:
    """Return an instance whose upstream follows from the pod but is another one, "" if there is none.

    `before` is the record before the run: a front that is gone, or has another port, tells where its traffic went.
    """
    fronts, found = record.fronts, list[Front]()
    for front in fronts:
        instance = record.instances[front.instance]
        if len(instance.fronts) == 1 and UPSTREAM not in instance.parameters:
            known = before.fronts if front in before.fronts else fronts
            if find_upstream(fronts, front, find_app_port(known, front.upstream)) != front.upstream:
                found.append(front)
    ports = {front.port for front in fronts}
    # Those behind which a front is gone come first: others are placed by them.
    return min(found, key=lambda front: front.upstream in ports).instance if found else ""


def find_chain_problems(workload: Workload, record: Record, before: Record) -> Iterator[Finding]:
    """Yield an error for fronts that share an upstream, that are in the wrong order, or that forward to a removed front."""
    fronts = record.fronts
    for number, front in enumerate(fronts):
        for other in fronts[:number]:
            if other.upstream == front.upstream:
                yield _shared_upstream(workload, other, front)
        inner = next((each for each in fronts if each.port == front.upstream), None)
        if (
            inner is not None
            and inner.stage == "tls"
            and "upstreamTls" not in record.instances[front.instance].parameters
        ):
            yield _finding(
                workload,
                f"{front.instance} sends plain HTTP to port {inner.port} of {inner.instance}, which expects TLS",
                "let only one of them terminate TLS"
                if front.stage == "tls"
                else f"omit {UPSTREAM} of {front.instance}: TLS comes first, then the login, then other proxies",
            )
        gone = next((each for each in before.fronts if each.port == front.upstream), None)
        if gone is not None and inner is None:
            yield _finding(
                workload,
                f"{front.instance} forwards to port {gone.port} of {gone.instance}, which no longer listens there",
                _help_for_gone(record.instances[front.instance]),
            )


def _help_for_gone(instance: Instance) -> str:
    more = f" --unset {UPSTREAM}" if UPSTREAM in instance.parameters else ""
    if instance.secrets:
        return f"remove {instance.name} too, and add it again with its secret parameters"
    return f"remove {instance.name} too, or run `sidecarctl upgrade {instance.name}{more}` first"


def _shared_upstream(workload: Workload, one: Front, two: Front) -> Finding:
    """Return the error for two fronts that forward to the same port: one of them is bypassed."""
    first, last = sorted((one, two), key=lambda each: STAGES.index(each.stage))
    what = f"so clients of {last.instance} bypass "
    what += f"the login of {first.instance}" if first.stage == "login" else first.instance
    if first.stage == last.stage:
        what = "so clients of one bypass the other"
    return _finding(
        workload,
        f"{last.instance} and {first.instance} both forward to port {first.upstream}, {what}",
        f"omit {UPSTREAM} of {last.instance}, or set it to {first.port}, the port of {first.instance}",
    )


def _finding(workload: Workload, message: str, help: str) -> Finding:
    return Finding(RULE, message, path=record_path(workload), help=help, on_key=True, workload=workload.label)
