"""Build what an export consists of: the injections of each rule, output files, and the header comment."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import count, takewhile
from typing import Any

from sidecarctl import __version__
from sidecarctl.catalog.fragment import Fragment
from sidecarctl.catalog.render import Inputs, render
from sidecarctl.composition.model import Rule
from sidecarctl.composition.request import Request
from sidecarctl.composition.select import Selection
from sidecarctl.errors import SidecarctlError, UsageError
from sidecarctl.inject.companions import OWNER_ANNOTATION
from sidecarctl.inject.instance_edits import build_config_hashes, make_native
from sidecarctl.inject.placement import resolve_mode
from sidecarctl.kube.names import to_dns_label
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.report.terminal import visible
from sidecarctl.yamltext import emit

_WIDTH = 110


@dataclass(frozen=True)
class ExportFile:
    """A file of an export: its name in the output directory, and whether it can be joined with others into one YAML
    stream.
    """

    name: str
    text: str
    stream: bool = True


COMPANIONS = "companions.yaml"
REFUSED_BY_RENDER = "`render` reports an error"


def render_header(engine: str, composition: str, differences: Iterable[str], use: str) -> str:
    """Return the header comment: what the file is, how to use it, and each difference from `sidecarctl render`.

    What could control a terminal or end the comment is escaped: some lines quote a template or a composition.
    """
    lines = textwrap.wrap(f"The composition {composition} for {engine}, by sidecarctl {__version__}. {use}", _WIDTH)
    lines.append("")
    lines += ["What differs from `sidecarctl render`:"]
    for difference in dict.fromkeys(differences):
        lines += textwrap.wrap(f"- {difference}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return "".join(visible(f"# {line}".rstrip()) + "\n" for line in lines)


def render_companions(composition: str, objects: Sequence[Mapping[str, Any]]) -> list[ExportFile]:
    """Return the file with the companions, none if there are none."""
    comment = f"# The companions of the composition {composition}, by sidecarctl {__version__}.\n"
    return [ExportFile(COMPANIONS, render_stream(comment, objects))] if objects else []


_HEADER = lazy_pattern(r"The (?:companions of the )?composition .+, by sidecarctl \d")


def is_export(text: str) -> bool:
    """Return whether a text, or its beginning, has the header comment of an export."""
    comment = takewhile(lambda line: line.startswith("#"), text.splitlines())
    return _HEADER.match(" ".join(line[1:].strip() for line in comment)) is not None


def render_stream(comment: str, objects: Sequence[Mapping[str, Any]]) -> str:
    """Return objects as a YAML stream below a comment."""
    return comment + "".join("---\n" + emit.document(each) for each in objects)


def pointer(path: Sequence[str | int]) -> str:
    """Return a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def name_for(composition: str, rule: Rule) -> str:
    """Return the start of the names of objects for a rule. Those of two rules can be equal: `My Rule` and `my-rule`."""
    label = to_dns_label(rule.label.removeprefix("rule ").strip('"')) or "rule"
    return f"{composition}-{label}"


def make_distinct(names: Sequence[str]) -> list[str]:
    """Return the names with a number after each that an earlier one equals. All other names stay."""
    taken, seen = set(names), set[str]()
    out = []
    for name in names:
        new = next(one for one in (f"{name}-{n}" for n in count(2)) if one not in taken) if name in seen else name
        seen.add(name)
        taken.add(new)
        out.append(new)
    return out


_PROBE_WORKLOAD_A: Mapping[str, Any] = {
    "name": "web",
    "namespace": "",
    "labels": {},
    "annotations": {},
}
_PROBE_WORKLOAD_B: Mapping[str, Any] = {
    "name": "other",
    "namespace": "elsewhere",
    "labels": {"app": "other", "tier": "back"},
    "annotations": {"example.org/note": "yes"},
}
# Kinds for which the same template must render the same: workloads that run until they are deleted, and Jobs.
_KINDS, _JOB_KINDS = ("Deployment", "StatefulSet"), ("Job", "CronJob")
_PROBE_TARGET_A: Mapping[str, Any] = {
    "name": "app",
    "image": "",
    "ports": [],
    "env": [],
    "mounts": [],
    "runAsUser": None,
}
_PROBE_TARGET_B: Mapping[str, Any] = {
    "name": "main",
    "image": "registry.example.org/main:2",
    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
    "env": ["MODE"],
    "mounts": [{"name": "data", "mountPath": "/data", "readOnly": False, "subPath": "", "later": False}],
    "runAsUser": None,  # a policy gives the sidecar one user for all workloads, its default
}


@dataclass(frozen=True)
class Injection:
    """One sidecar of a rule, identical for every workload.

    `init` and `containers` are the entries of initContainers and containers in the pod.
    """

    request: Request
    mode: str
    fragment: Fragment
    init: tuple[Mapping[str, Any], ...]
    containers: tuple[Mapping[str, Any], ...]
    annotations: Mapping[str, str]
    companions: tuple[dict[str, Any], ...]

    @property
    def name(self) -> str:
        """The instance name."""
        return self.request.instance

    @property
    def at_start(self) -> bool:
        """True if its init containers go before those of the app."""
        return self.request.sidecar.start != "after-init"

    @property
    def container_names(self) -> tuple[str, ...]:
        """The names of all its containers."""
        return tuple(str(each["name"]) for each in (*self.init, *self.containers))


@dataclass(frozen=True)
class RuleInjections:
    """A rule and its injections, in order.

    of_jobs       injections for Jobs and CronJobs, which some sidecars render differently
    jobs_refused  why Jobs and CronJobs are left out, "" if they are not
    """

    rule: Rule
    injections: tuple[Injection, ...]
    of_jobs: tuple[Injection, ...] = ()
    jobs_refused: str = ""


def collect_injections(selection: Selection) -> list[RuleInjections]:
    """Return the injections of each active rule. Raise UsageError, located at the rule, for what a policy cannot
    express.
    """
    out = []
    for _, rule in selection.active:
        for wish in rule.sidecars:
            if wish.data.get("override"):
                raise export_error(
                    rule.label,
                    f'"override" of instance "{wish.instance}" is not supported: policies are independent of each other',
                    str(wish.place),
                    "request each instance in one rule only",
                )
        requests = list(selection.requests_of(rule))
        requested = tuple(_build_injection(request, selection, _KINDS) for request in requests)
        try:
            of_jobs = tuple(_build_injection(request, selection, _JOB_KINDS) for request in requests)
        except UsageError as error:
            reason = f"{error.message.removeprefix('cannot export ')}. {REFUSED_BY_RENDER}"
            out.append(RuleInjections(rule, requested, jobs_refused=reason))
            continue
        pairs = zip(requested, of_jobs, strict=True)
        differing = next((one.name for one, other in pairs if one.companions != other.companions), None)
        reason = f"{differing} has other companions for Jobs, and an export has one of each name" if differing else ""
        out.append(RuleInjections(rule, requested, of_jobs, reason))
    _require_equal_requests(out)
    return out


def _require_equal_requests(rules: Sequence[RuleInjections]) -> None:
    """Raise UsageError if two rules request one instance with different settings: which one applies depends on the
    workload.
    """
    seen: dict[str, tuple[Rule, Injection]] = {}
    for each in rules:
        for injection in each.injections:
            rule, other = seen.setdefault(injection.name, (each.rule, injection))
            if other.request != injection.request:
                raise export_error(
                    f'instance "{injection.name}"',
                    f"{rule.label} and {each.rule.label} request different settings, and the first policy to run would apply",
                    str(each.rule.place),
                    "set a different instance name with `as` in one of the rules",
                )


def export_error(subject: str, reason: str, where: str, hint: str) -> UsageError:
    """Return the error for something that an export cannot express."""
    return UsageError(f"cannot export {subject}: {reason}", where=where, hint=hint)


def _build_injection(request: Request, selection: Selection, kinds: tuple[str, str]) -> Injection:
    mode = resolve_mode(request, selection.kube_version)
    companion = f"{selection.composition.name}-{request.instance}"
    probes = (({**workload, "kind": kind}, target) for kind, (workload, target) in zip(kinds, _PROBES))
    one, other = (_render_probe(request, mode, companion, each, selection) for each in probes)
    differing = list(_different_fields(one, other))
    if differing:
        raise export_error(
            f"sidecar {request.sidecar.name}",
            f"its rendered output depends on the workload ({', '.join(differing)})",
            request.where,
            "use `render`, `krm`, `post-render`, or --to kustomize-component, which writes one patch per workload",
        )
    own = [make_native(each) if mode == "native" else each for each in one.containers]
    companions = tuple(_share_companion(each, request) for each in one.documents)
    return Injection(
        request,
        mode,
        one,
        (*one.init_containers, *(own if mode in ("native", "init") else ())),
        tuple(own) if mode == "classic" else (),
        {**one.annotations, **build_config_hashes(request.instance, companions)},
        companions,
    )


_PROBES = ((_PROBE_WORKLOAD_A, _PROBE_TARGET_A), (_PROBE_WORKLOAD_B, _PROBE_TARGET_B))


def _render_probe(
    request: Request,
    mode: str,
    companion: str,
    probe: tuple[Mapping[str, Any], Mapping[str, Any]],
    selection: Selection,
) -> Fragment:
    workload, target = probe
    inputs = Inputs(request.instance, companion, workload, (target,), (target,), selection.kube_version, mode)
    try:
        return render(request.sidecar, request.parameters, inputs)
    except SidecarctlError as error:
        raise export_error(
            f"sidecar {request.sidecar.name}",
            f"rendering without a workload failed: {error.message}",
            request.where,
            error.hint or "set the parameters that default to values of the workload",
        ) from None


def _different_fields(one: Fragment, other: Fragment) -> Iterator[str]:
    for each in fields(Fragment):
        if getattr(one, each.name) != getattr(other, each.name):
            yield each.name.replace("_", " ")


def _share_companion(document: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """Return a companion that all workloads of a namespace share, owned by the composition."""
    metadata = dict(as_mapping(document.get("metadata")))
    annotations = {**as_mapping(metadata.pop("annotations", None)), OWNER_ANNOTATION: f"Composition/{request.by}"}
    return {**document, "metadata": {**metadata, "annotations": annotations}}
