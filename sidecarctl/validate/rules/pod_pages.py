"""Pages of the rules about sidecars that do not fit the pod: its nodes, its network, its order, and its grace period."""

from __future__ import annotations

from sidecarctl.findings import Severity
from sidecarctl.validate.registry import declare

declare(
    "linux-sidecar-on-windows",
    Severity.ERROR,
    layer="composing",
    what="The pod runs on Windows nodes, but the image of the sidecar is for Linux.",
    why="""
        A Windows node cannot run Linux containers. A pod is bound to Windows nodes by `os.name`, by a node selector or a required
        node affinity on `kubernetes.io/os`, by a runtime class with `windows` in its name, or by a HostProcess container.
    """,
    fix="Leave the workload out, or use a sidecar with a Windows image.",
)
declare(
    "mesh-on-host-network",
    Severity.ERROR,
    layer="composing",
    what="A mesh does not inject its proxy into a pod with `hostNetwork: true`.",
    why="""
        The annotations would have no effect. In the network of the node, the proxy would redirect the traffic of the whole node.
    """,
    fix="Leave the workload out of the mesh, or remove `hostNetwork`.",
)
declare(
    "second-mesh",
    Severity.ERROR,
    layer="composing",
    what="The pod is already in another mesh.",
    why="Each mesh redirects all traffic of the pod to its own proxy, and only one of them gets it.",
    fix="Remove the pod from the other mesh first.",
)
declare(
    "host-network-ports",
    Severity.WARNING,
    layer="composing",
    what="The ports of a sidecar are opened on the node, because the pod has `hostNetwork: true`.",
    why="""
        Two pods with such a port cannot run on one node. Everything that reaches the node reaches the port.
    """,
    fix="Check that the ports are free on the nodes, and set other ports if they are not.",
)
declare(
    "target-starts-first",
    Severity.ERROR,
    layer="composing",
    what="`--container` names an init container that starts before the sidecar.",
    why="""
        Init containers start one after the other. One that starts before the sidecar finds an empty volume and no proxy.
    """,
    fix="Put the sidecar before it: `--position before=NAME`.",
)
declare(
    "shortened-sleep",
    Severity.INFO,
    layer="composing",
    what="The preStop sleep of a sidecar was shortened to fit the termination grace period of the pod.",
    why="The API server rejects a sleep that is longer than `terminationGracePeriodSeconds`.",
    fix="Raise `terminationGracePeriodSeconds` if the sidecar needs the whole time.",
)
