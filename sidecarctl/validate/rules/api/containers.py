"""Rules about containers as such: that there are any, their names and images."""

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
    fix="Give the pod a container.",
)
def no_containers(pod: PodView, ctx: Context) -> Problems:
    """A pod has no containers.

    The API server refuses a pod that has nothing to run. Init containers and sidecars among them do not count.
    """
    if pod.value.get("containers") == []:
        yield problem(pod.at("containers"), "the pod has no containers")


@rule(
    "invalid-container-name",
    Severity.ERROR,
    scope="container",
    fix='Use at most 63 of a-z, 0-9 and "-", with a letter or digit at both ends.',
)
def invalid_container_name(container: ContainerView, ctx: Context) -> Problems:
    """A container's name is no DNS label.

    The API server refuses other names: they become part of host names, cgroup paths and file names of logs.
    """
    name = container.value.get("name")
    if isinstance(name, str) and (fault := names.dns_label(name)):
        yield problem(container.at("name"), f"{quote(name)} is no name for a container: it {fault}")


@rule(
    "duplicate-container-name",
    Severity.ERROR,
    fix="Give each container a name of its own; for a sidecar use `--as NAME`.",
)
def duplicate_container_name(pod: PodView, ctx: Context) -> Problems:
    """Two containers of a pod have the same name.

    A name stands for one container in logs, status and patches, whichever list it is in, so the API server
    refuses names that stand for two.
    """
    if len(pod.containers) < 2 or len({one.name for one in pod.containers}) == len(pod.containers):
        return
    # In the order in which the server meets them: the app's containers have the first right to a name.
    rank = {"app": 0, "classic": 0, "init": 1, "sidecar": 1, "ephemeral": 2}
    seen: dict[str, ContainerView] = {}
    for container in sorted(pod.containers, key=lambda one: rank[one.role]):
        first = seen.setdefault(container.name, container)
        if first is not container and container.name:
            related = (Related("the first", first.at("name")),)
            message = f"another container is called {quote(container.name)} too"
            yield problem(container.at("name"), message, related=related)


@rule(
    "missing-image",
    Severity.ERROR,
    scope="container",
    fix="Name the image, with its exact version.",
)
def missing_image(container: ContainerView, ctx: Context) -> Problems:
    """A container names no image.

    The schema lets it pass, for the sake of patches, but the API server refuses the pod.
    """
    if blank(container.value.get("image")):
        yield problem(container.at("image"), "the container names no image")


@rule(
    "image-whitespace",
    Severity.ERROR,
    scope="container",
    fix="Remove the white space.",
)
def image_whitespace(container: ContainerView, ctx: Context) -> Problems:
    """An image's name begins or ends with white space.

    The API server refuses such a Pod. It takes a Deployment or another workload with it, and then refuses
    each of its pods.
    """
    image = container.value.get("image")
    if isinstance(image, str) and image and (image[0].isspace() or image[-1].isspace()):
        yield problem(container.at("image"), f"the image {quote(image)} begins or ends with white space")


LARGEST_PORT = 65535


@rule(
    "invalid-port-number",
    Severity.ERROR,
    needs=("ports",),
    scope="container",
    fix="Use a number from 1 to 65535.",
)
def invalid_port_number(container: ContainerView, ctx: Context) -> Problems:
    """A container's port or its hostPort is no port number.

    Ports go from 1 to 65535; the API server refuses others. A hostPort of 0 means none.
    """
    for index, port in listed(container.value, "ports"):
        for field, least in (("containerPort", 1), ("hostPort", 0)):
            number = port.get(field)
            if number.__class__ is int and not least <= number <= LARGEST_PORT:
                yield problem(container.at("ports", index, field), f"{number} is no port number")


@rule(
    "invalid-port-name",
    Severity.ERROR,
    needs=("ports",),
    scope="container",
    fix="Use at most 15 lower-case letters, digits and single dashes, with one letter at least.",
)
def invalid_port_name(container: ContainerView, ctx: Context) -> Problems:
    """A port's name is no IANA service name.

    Services and probes refer to ports by these names; the API server refuses longer ones and other characters.
    """
    for index, port in listed(container.value, "ports"):
        name = port.get("name")
        if name and isinstance(name, str) and (fault := names.port_name(name)):
            yield problem(container.at("ports", index, "name"), f"{quote(name)} is no name for a port: it {fault}")


@rule(
    "duplicate-port-name",
    Severity.ERROR,
    needs=("ports",),
    scope="container",
    fix="Give each port a name of its own.",
)
def duplicate_port_name(container: ContainerView, ctx: Context) -> Problems:
    """Two ports of a container have the same name.

    A Service or probe that uses the name could not tell which is meant, so the API server refuses it.
    """
    ports = listed(container.value, "ports")
    if len(ports) < 2:
        return
    seen: dict[str, int] = {}
    for index, port in ports:
        name = port.get("name")
        if name and isinstance(name, str) and seen.setdefault(name, index) != index:
            related = (Related("the first", container.at("ports", seen[name], "name")),)
            yield problem(
                container.at("ports", index, "name"), f"another port is called {quote(name)} too", related=related
            )


@rule(
    "host-network-port-mismatch",
    Severity.ERROR,
    needs=("hostNetwork",),
    fix="Remove the hostPort, or make it equal to the containerPort.",
)
def host_network_port_mismatch(pod: PodView, ctx: Context) -> Problems:
    """A pod in the network of its node maps a port to another one of the node.

    With `hostNetwork: true` the container listens on the node itself and nothing is mapped: the API server refuses a
    hostPort that differs.
    """
    if pod.value.get("hostNetwork") is not True:
        return
    for container in pod.by_role("app", "classic"):
        for index, port in listed(container.value, "ports"):
            number, own = port.get("hostPort"), port.get("containerPort")
            if number.__class__ is int and own.__class__ is int and number not in (0, own):
                message = f"the hostPort {number} must be the containerPort {own}, since hostNetwork is true"
                yield problem(container.at("ports", index, "hostPort"), message)


@rule(
    "host-port-conflict",
    Severity.ERROR,
    fix="Give each its own port of the node, or another protocol or hostIP.",
)
def host_port_conflict(pod: PodView, ctx: Context) -> Problems:
    """Two ports of a pod ask for the same port of the node.

    The API server refuses it within all containers of the app, and within each init container. With `hostNetwork: true`
    every port is one of the node; in a template the server only notices when it makes the pods.
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
                message = f"port {number} of the node is taken by another port of the pod"
                yield problem(where, message, related=(Related("the first", first),))


def _host_ports(container: ContainerView, *, on_node: bool) -> Iterator[tuple[int, int, Data]]:
    for index, port in listed(container.value, "ports"):
        number = port.get("hostPort") or (port.get("containerPort") if on_node else None)
        if number and number.__class__ is int:
            yield number, index, port
