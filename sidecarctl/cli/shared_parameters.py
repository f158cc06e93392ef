"""Options that set parameters of all sidecars at once: a mirror of the registry, pull policy and secrets, security context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from sidecarctl.cli.options import SIDECARS, Option
from sidecarctl.errors import UsageError
from sidecarctl.lazy_dataclass import dataclass, field, replace

if TYPE_CHECKING:
    from sidecarctl.composition.request import ParameterChanges


@dataclass(frozen=True)
class SharedFlags:
    """Parameters of all sidecars of a run: a group of options. A parameter that one sidecar sets itself ranks above."""

    registry: Annotated[
        str | None,
        Option(
            ("--registry",),
            "Pull the images of all sidecars from this mirror, such as mirror.example.com/hub.",
            "HOST[/PATH]",
            panel=SIDECARS,
        ),
    ] = None
    image_pull_policy: Annotated[
        str | None,
        Option(
            ("--image-pull-policy",),
            "imagePullPolicy of all sidecars.",
            "POLICY",
            choices=("Always", "IfNotPresent", "Never"),
            panel=SIDECARS,
        ),
    ] = None
    image_pull_secret: Annotated[
        list[str],
        Option(
            ("--image-pull-secret",),
            "Secret with registry credentials for the pods. Repeatable.",
            "NAME",
            panel=SIDECARS,
        ),
    ] = field(default_factory=list)
    security_context: Annotated[
        list[str],
        Option(
            ("--security-context",),
            "Field of the securityContext of all sidecars; null removes it: runAsUser=null. Repeatable.",
            "KEY=VALUE",
            panel=SIDECARS,
        ),
    ] = field(default_factory=list)


def shared_parameters(flags: SharedFlags) -> dict[str, Any]:
    """Return the common parameters that the options set. Raises UsageError for an invalid --security-context."""
    given = {
        "registry": flags.registry,
        "imagePullPolicy": flags.image_pull_policy,
        "imagePullSecrets": list(flags.image_pull_secret),
        "securityContext": _security_context(flags.security_context),
    }
    return {name: value for name, value in given.items() if value}


def _security_context(texts: Sequence[str]) -> dict[str, Any]:
    from sidecarctl.catalog.assignments import RawText, assign, parse_assignment

    context: dict[str, Any] = {}
    for text in texts:
        _, key, value = parse_assignment(text, ("securityContext",), "--security-context")
        assign(context, key, RawText(value))
    return context


def with_position(changes: ParameterChanges, text: str) -> ParameterChanges:
    """Return changes that also set the parameter `position`: first, last, before=NAME, or after=NAME. Raises UsageError."""
    word, _, name = text.partition("=")
    if text not in ("first", "last") and (word not in ("before", "after") or not name):
        raise UsageError(f'invalid position "{text}"', hint="use first, last, before=CONTAINER, or after=CONTAINER")
    given = {**changes.given, "position": {word: name} if name else text}
    return replace(changes, given=given, origins={**changes.origins, "position": "--position"})
