"""Rules about containers: names, images, and ports."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.validate.fields import blank, listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, Data, PodView


@rule(
    "no-containers",
    Severity.ERROR,
    fix="Add a container to `containers`.",
)
def no_containers(pod: PodView, ctx: Context) -> Problems:
    """A pod has no containers.

    The API server rejects a pod without containers. Init containers do not count, and neither do native sidecars.
    """
    if pod.value.get("containers") == []:
        yield problem(pod.at("containers"), "no containers in the pod")


@rule(
    "invalid-container-name",
    Severity.ERROR,
    scope="container",
    fix="Use at most 63 lowercase letters, digits, and hyphens. Start and end with a letter or digit.",
)
def invalid_container_name(container: ContainerView, ctx: Context) -> Problems:
    """A container name is not a DNS label.

    The API server rejects the pod: container names become part of host names, cgroup paths, and log file names.
    """
    name = container.value.get("name")
    if isinstance(name, str) and (fault := names.check_dns_label(name)):
        yield problem(container.at("name"), f"invalid container name {quote(name)}: {fault}")


@rule(
    "duplicate-container-name",
    Severity.ERROR,
    fix="Give each container a unique name. For a sidecar, use `--as NAME`.",
)
def duplicate_container_name(pod: PodView, ctx: Context) -> Problems:
    """Two containers in a pod have the same name.

    Logs, status, and patches refer to a container by its name, whichever list it is in. The API server rejects
    duplicates.
    """
    if len(pod.containers) < 2 or len({item.name for item in pod.containers}) == len(pod.containers):
        return
    # The API server checks app containers first, so the duplicate is the init or ephemeral container.
    rank = {"app": 0, "classic": 0, "init": 1, "sidecar": 1, "ephemeral": 2}
    seen: dict[str, ContainerView] = {}
    for container in sorted(pod.containers, key=lambda item: rank[item.role]):
        first = seen.setdefault(container.name, container)
        if first is not container and container.name:
            related = (Related("first defined here", first.at("name")),)
            message = f"duplicate container name {quote(container.name)}"
            yield problem(container.at("name"), message, related=related)


@rule(
    "missing-image",
    Severity.ERROR,
    scope="container",
    fix="Set `image` to an image with an exact version.",
)
def missing_image(container: ContainerView, ctx: Context) -> Problems:
    """A container has no image.

    The schema allows a missing image so that patches can leave it out, but the API server rejects the pod.
    """
    if blank(container.value.get("image")):
        name = f" {quote(container.name)}" if container.name else ""
        yield problem(container.at("image"), f"container{name} has no image")


@rule(
    "image-whitespace",
    Severity.ERROR,
    scope="container",
    fix="Remove the whitespace.",
)
def image_whitespace(container: ContainerView, ctx: Context) -> Problems:
    """An image reference starts or ends with whitespace.

    The API server rejects such a Pod. It accepts a Deployment or another workload with such an image, and then rejects
    every pod that the workload creates.
    """
    image = container.value.get("image")
    if isinstance(image, str) and image and (image[0].isspace() or image[-1].isspace()):
        yield problem(container.at("image"), f"invalid image {quote(image)}: leading or trailing whitespace")


LARGEST_PORT = 65535


@rule(
    "invalid-port-number",
    Severity.ERROR,
    needs=("ports",),
    scope="container",
    fix="Use a number from 1 to 65535.",
)
def invalid_port_number(container: ContainerView, ctx: Context) -> Problems:
    """A containerPort or hostPort is out of range.

    The API server accepts ports from 1 to 65535. A hostPort of 0 means that there is no host port.
    """
    for index, port in listed(container.value, "ports"):
        for field, least in (("containerPort", 1), ("hostPort", 0)):
            number = port.get(field)
            if number.__class__ is int and not least <= number <= LARGEST_PORT:
                yield problem(
                    container.at("ports", index, field),
                    f"invalid {field} {number}: use a number from {least} to {LARGEST_PORT}",
                )


@rule(
    "invalid-port-name",
    Severity.ERROR,
    needs=("ports",),
    scope="container",
    fix="Use at most 15 lowercase letters, digits, and single hyphens, with at least one letter.",
)
def invalid_port_name(container: ContainerView, ctx: Context) -> Problems:
    """A port name is not an IANA service name.

    Services and probes refer to ports by name. The API server rejects names that are too long or have other characters.
    """
    for index, port in listed(container.value, "ports"):
        name = port.get("name")
        if name and isinstance(name, str) and (fault := names.check_port_name(name)):
            yield problem(container.at("ports", index, "name"), f"invalid port name {quote(name)}: {fault}")


@rule(
    "duplicate-port-name",
    Severity.ERROR,
    needs=("ports",),
    scope="container",
    fix="Give each port of the container a unique name.",
)
def duplicate_port_name(container: ContainerView, ctx: Context) -> Problems:
    """Two ports of a container have the same name.

    A Service or probe that uses the name can't tell which port it refers to, so the API server rejects the pod.
    """
    ports = listed(container.value, "ports")
    if len(ports) < 2:
        return
    seen: dict[str, int] = {}
    for index, port in ports:
        name = port.get("name")
        if name and isinstance(name, str) and seen.setdefault(name, index) != index:
            related = (Related("first defined here", container.at("ports", seen[name], "name")),)
            yield problem(container.at("ports", index, "name"), f"duplicate port name {quote(name)}", related=related)


@rule(
    "host-network-port-mismatch",
    Severity.ERROR,
    needs=("hostNetwork",),
    fix="Remove hostPort, or set it to the containerPort.",
)
def host_network_port_mismatch(pod: PodView, ctx: Context) -> Problems:
    """A pod on the host network has a hostPort that differs from its containerPort.

    With `hostNetwork: true` the container listens on the node itself and no port is mapped. The API server rejects a
    hostPort that differs from the containerPort.
    """
    if pod.value.get("hostNetwork") is not True:
        return
    for container in pod.by_role("app", "classic"):
        for index, port in listed(container.value, "ports"):
            number, own = port.get("hostPort"), port.get("containerPort")
            if number.__class__ is int and own.__class__ is int and number not in (0, own):
                message = f"hostPort {number} differs from containerPort {own}, but hostNetwork is true"
                yield problem(container.at("ports", index, "hostPort"), message)


@rule(
    "host-port-conflict",
    Severity.ERROR,
    fix="Give each a different host port, protocol, or hostIP.",
)
def host_port_conflict(pod: PodView, ctx: Context) -> Problems:
    """Two ports of a pod use the same port on the node.

    The API server checks all app containers together, and each init container alone. With `hostNetwork: true` every
    container port is a port on the node. In a template, the conflict only shows when the pods are created.
    """
    on_node = pod.value.get("hostNetwork") is True
    shared: dict[tuple[str, str, int], PathTuple] = {}
    for container in pod.containers:
        if not container.value.get("ports") or container.role == "ephemeral":
            continue
        seen = shared if container.role in ("app", "classic") else {}
        for number, index, port in _host_ports(container, on_node=on_node):
            key = (str(port.get("protocol") or "TCP"), str(port.get("hostIP") or ""), number)
            where = container.at("ports", index, "hostPort" if port.get("hostPort") else "containerPort")
            first = seen.setdefault(key, where)
            if first != where:
                message = f"port {number} on the node is already used by another port of the pod"
                yield problem(where, message, related=(Related("first used here", first),))


def _host_ports(container: ContainerView, *, on_node: bool) -> Iterator[tuple[int, int, Data]]:
    for index, port in listed(container.value, "ports"):
        number = port.get("hostPort") or (port.get("containerPort") if on_node else None)
        if number and number.__class__ is int:
            yield number, index, port
