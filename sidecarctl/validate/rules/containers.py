"""Rules about containers as such: that there are any, their names and images."""

from __future__ import annotations

from sidecarctl.findings import Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.validate.parts import blank
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ContainerView, PodView


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
    "container-name",
    Severity.ERROR,
    scope="container",
    fix='Use at most 63 of a-z, 0-9 and "-", with a letter or digit at both ends.',
)
def container_name(container: ContainerView, ctx: Context) -> Problems:
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
    "container-image",
    Severity.ERROR,
    scope="container",
    fix="Name the image, with its exact version.",
)
def container_image(container: ContainerView, ctx: Context) -> Problems:
    """A container names no image.

    The schema lets it pass, for the sake of patches, but the API server refuses the pod.
    """
    if blank(container.value.get("image")):
        yield problem(container.at("image"), "the container names no image")


@rule(
    "image-white-space",
    Severity.ERROR,
    scope="container",
    fix="Remove the white space.",
)
def image_white_space(container: ContainerView, ctx: Context) -> Problems:
    """An image's name begins or ends with white space.

    The API server refuses such a Pod. It takes a Deployment or another workload with it, and then refuses
    each of its pods.
    """
    image = container.value.get("image")
    if isinstance(image, str) and image and (image[0].isspace() or image[-1].isspace()):
        yield problem(container.at("image"), f"the image {quote(image)} begins or ends with white space")
