"""What an export is made of: files with a comment at their head that says what differs from `render`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sidecarctl import __version__
from sidecarctl.catalog.fragment import Fragment
from sidecarctl.catalog.render import Inputs, render
from sidecarctl.composition.model import Rule
from sidecarctl.composition.request import Request
from sidecarctl.composition.select import Selection
from sidecarctl.errors import SidecarctlError, UsageError
from sidecarctl.inject.companions import OWNER_ANNOTATION
from sidecarctl.inject.placement import resolve_mode
from sidecarctl.inject.plan import build_config_hashes, make_native
from sidecarctl.kube.workload import as_mapping
from sidecarctl.yamltext import emit

_WIDTH = 110


@dataclass(frozen=True)
class File:
    """A file of an export. `name` is where it goes in a folder; streams may be joined to one."""

    name: str
    text: str
    stream: bool = True


COMPANIONS = "companions.yaml"


def head(engine: str, composition: str, differences: Iterable[str], use: str) -> str:
    """Return the comment at the head: what this is, how it is used, and every difference from `render`."""
    lines = textwrap.wrap(f"The composition {composition} for {engine}, by sidecarctl {__version__}. {use}", _WIDTH)
    lines.append("")
    lines += ["What differs from `sidecarctl render`:"]
    for difference in dict.fromkeys(differences):
        lines += textwrap.wrap(f"- {difference}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def stream(comment: str, objects: Sequence[Mapping[str, Any]]) -> str:
    """Return objects as one stream below a comment."""
    return comment + "".join("---\n" + emit.document(each) for each in objects)


_ONE: Mapping[str, Any] = {"kind": "Deployment", "name": "one", "namespace": "", "labels": {}, "annotations": {}}
_OTHER: Mapping[str, Any] = {
    "kind": "StatefulSet",
    "name": "quite-another",
    "namespace": "elsewhere",
    "labels": {"app": "quite-another", "tier": "back"},
    "annotations": {"example.org/note": "yes"},
}
_ONE_TARGET: Mapping[str, Any] = {"name": "app", "image": "", "ports": [], "env": [], "mounts": []}
_OTHER_TARGET: Mapping[str, Any] = {
    "name": "main",
    "image": "registry.example.org/main:2",
    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
    "env": ["MODE"],
    "mounts": [{"name": "data", "mountPath": "/data", "readOnly": False, "subPath": ""}],
}


@dataclass(frozen=True)
class Injection:
    """One sidecar of a rule, the same for every workload. `init` and `containers` are as they stand in the pod."""

    request: Request
    mode: str
    fragment: Fragment
    init: tuple[Mapping[str, Any], ...]
    containers: tuple[Mapping[str, Any], ...]
    annotations: Mapping[str, str]
    companions: tuple[dict[str, Any], ...]

    @property
    def name(self) -> str:
        """The instance's name."""
        return self.request.instance

    @property
    def at_start(self) -> bool:
        """True where its init containers go before the app's own."""
        return self.request.sidecar.start != "after-init"

    @property
    def container_names(self) -> tuple[str, ...]:
        """Names of all its containers."""
        return tuple(str(each["name"]) for each in (*self.init, *self.containers))


@dataclass(frozen=True)
class RuleInjections:
    """A rule with what it injects, in order."""

    rule: Rule
    injections: tuple[Injection, ...]


def injections(chosen: Selection) -> list[RuleInjections]:
    """Return what each active rule injects. Raises UsageError, with the place of the rule, for what no policy can say."""
    out = []
    for _, rule in chosen.active:
        for wish in rule.sidecars:
            if wish.data.get("override"):
                raise _refused(
                    f"{rule.label} overrides other rules for {wish.instance}, and policies do not know of each other",
                    str(wish.place),
                    "select so that each instance is wanted by one rule",
                )
        found = tuple(_injection(request, chosen) for request in chosen.requests_of(rule))
        out.append(RuleInjections(rule, found))
    _agree(out)
    return out


def _agree(rules: Sequence[RuleInjections]) -> None:
    """Refuse two rules that want one instance differently: which one wins is told by the workload alone."""
    seen: dict[str, tuple[Rule, Injection]] = {}
    for each in rules:
        for injection in each.injections:
            rule, other = seen.setdefault(injection.name, (each.rule, injection))
            if other.request != injection.request:
                raise _refused(
                    f'{rule.label} and {each.rule.label} want the instance "{injection.name}" differently: with policies the '
                    "first to see a workload that both select would win",
                    str(each.rule.place),
                    "give one of them another name with `as`",
                )


def _refused(message: str, where: str, hint: str) -> UsageError:
    return UsageError(f"this can't be exported: {message}", where=where, hint=hint)


def _injection(request: Request, chosen: Selection) -> Injection:
    mode = resolve_mode(request, chosen.kube_version)
    companion = f"{chosen.composition.name}-{request.instance}"
    one, other = (_rendered(request, mode, companion, each, chosen) for each in _PROBES)
    differing = list(_differing(one, other))
    if differing:
        raise _refused(
            f"what {request.sidecar.name} adds depends on the workload ({', '.join(differing)}), and a policy has one text "
            "for all",
            request.where,
            "use `render`, krm or post-render for it; or --to kustomize-component, which writes a patch per workload",
        )
    own = [make_native(each) if mode == "native" else each for each in one.containers]
    companions = tuple(_owned(each, request) for each in one.documents)
    return Injection(
        request,
        mode,
        one,
        (*one.init_containers, *(own if mode in ("native", "init") else ())),
        tuple(own) if mode == "classic" else (),
        {**one.annotations, **build_config_hashes(request.instance, companions)},
        companions,
    )


_PROBES = ((_ONE, _ONE_TARGET), (_OTHER, _OTHER_TARGET))


def _rendered(
    request: Request, mode: str, companion: str, probe: tuple[Mapping[str, Any], Mapping[str, Any]], chosen: Selection
) -> Fragment:
    workload, target = probe
    inputs = Inputs(request.instance, companion, workload, (target,), (target,), chosen.kube_version, mode)
    try:
        return render(request.sidecar, request.parameters, inputs)
    except SidecarctlError as error:
        raise _refused(
            f"{request.sidecar.name} can't be rendered without a workload: {error.message}",
            request.where,
            error.hint or "give the parameters that it would take from the workload",
        ) from None


def _differing(one: Fragment, other: Fragment) -> Iterator[str]:
    for each in fields(Fragment):
        if getattr(one, each.name) != getattr(other, each.name):
            yield each.name.replace("_", " ")


def _owned(document: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """A companion that all workloads of a namespace share: its owner is the composition."""
    metadata = dict(as_mapping(document.get("metadata")))
    annotations = {**as_mapping(metadata.pop("annotations", None)), OWNER_ANNOTATION: f"Composition/{request.by}"}
    return {**document, "metadata": {**metadata, "annotations": annotations}}
