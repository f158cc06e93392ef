"""Rules about NetworkPolicies: peers, address blocks, and ports."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.ip_addresses import check_cidr, is_strict_subnet
from sidecarctl.kube.workload import as_list
from sidecarctl.validate.fields import check_selector, entries, texts
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.rules.api.containers import LARGEST_PORT
from sidecarctl.validate.views import Data, ObjectView

_PEER_FIELDS = frozenset(("podSelector", "namespaceSelector", "ipBlock"))
_WAYS = (("ingress", "from"), ("egress", "to"))


def _is_network_policy(obj: ObjectView) -> bool:
    return obj.group == "networking.k8s.io"


@rule(
    "invalid-network-peer",
    Severity.ERROR,
    scope="object",
    kinds=("NetworkPolicy",),
    fix="Set ipBlock, or one or both of podSelector and namespaceSelector.",
)
def invalid_network_peer(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid peer or selector of a NetworkPolicy.

    A peer is a block of addresses, or a selection of pods and namespaces. An exception is a smaller block in the block.
    """
    if not _is_network_policy(obj):
        return
    yield from check_selector(obj.spec.get("podSelector"), obj.at("spec", "podSelector"))
    if len(as_list(obj.spec.get("policyTypes"))) > 2:
        yield problem(obj.at("spec", "policyTypes"), "more than two policyTypes", help="Use Ingress and Egress once.")
    for way, side in _WAYS:
        for index, entry in entries(obj.spec, way):
            for number, peer in entries(entry, side):
                yield from _check_peer(peer, obj.at("spec", way, index, side, number), ctx)


def _check_peer(peer: Data, where: PathTuple, ctx: Context) -> Problems:
    own = [field for field in _PEER_FIELDS if peer.get(field) is not None]
    if not own and peer.keys() <= _PEER_FIELDS:
        yield problem(where, f"missing one of {', '.join(sorted(_PEER_FIELDS))}")
    elif "ipBlock" in own and len(own) > 1:
        yield problem((*where, "ipBlock"), "ipBlock can't be combined with selectors", on_key=True)
    for field in ("podSelector", "namespaceSelector"):
        yield from check_selector(peer.get(field), (*where, field))
    block = peer.get("ipBlock")
    if not isinstance(block, dict) or not block.get("cidr") or not isinstance(block["cidr"], str):
        return
    cidr = block["cidr"]
    strict = ctx.since("1.36")
    fault = check_cidr(cidr, strict=strict)
    if fault:
        yield problem((*where, "ipBlock", "cidr"), f"invalid CIDR {quote(cidr)}: {fault}")
    for index, text in texts(block, "except"):
        at = (*where, "ipBlock", "except", index)
        if why := check_cidr(text, strict=strict):
            yield problem(at, f"invalid CIDR {quote(text)}: {why}")
        elif not check_cidr(cidr, strict=False) and not is_strict_subnet(text, cidr):
            yield problem(at, f"invalid exception {quote(text)}: must be a smaller block in {cidr}")


@rule(
    "invalid-network-policy-port",
    Severity.ERROR,
    scope="object",
    kinds=("NetworkPolicy",),
    fix="Use a port number from 1 to 65535 or a port name. Use endPort only with a number.",
)
def invalid_network_policy_port(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid port of a NetworkPolicy.

    A port is a number or the name of a container port. endPort requires a number and is not below it.
    """
    if not _is_network_policy(obj):
        return
    for way, _ in _WAYS:
        for index, entry in entries(obj.spec, way):
            for number, port in entries(entry, "ports"):
                yield from _check_port(port, obj.at("spec", way, index, "ports", number))


def _check_port(port: Data, where: PathTuple) -> Problems:
    first, last = port.get("port"), port.get("endPort")
    if isinstance(first, str):
        if fault := names.check_port_name(first):
            yield problem((*where, "port"), f"invalid port name {quote(first)}: {fault}")
    elif first.__class__ is int and not 1 <= first <= LARGEST_PORT:
        yield problem((*where, "port"), f"invalid port {first}: use a number from 1 to {LARGEST_PORT}")
    if last.__class__ is not int:
        return
    if first.__class__ is not int:
        yield problem((*where, "endPort"), "endPort requires a port number", on_key=True)
    elif not first <= last or not 1 <= last <= LARGEST_PORT:
        yield problem((*where, "endPort"), f"invalid endPort {last}: use a number from {first} to {LARGEST_PORT}")
