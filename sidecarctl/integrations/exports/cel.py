"""Render CEL (https://kubernetes.io/docs/reference/using-api/cel/): literals, glob conditions, and patch expressions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from typing import Any

from sidecarctl.inject.pod_settings import DEFAULT_GRACE_SECONDS
from sidecarctl.integrations.exports.injection import Injection, pointer
from sidecarctl.kube.kinds import Steps
from sidecarctl.kube.workload import DEFAULT_CONTAINER_ANNOTATION, RECORD_ANNOTATION

_INDENT = "  "
_WIDTH = 100
# CEL loops have no index, so the number of containers searched for targets is fixed.
MAX_TARGET_CONTAINERS = 16


def literal(value: Any, indent: str = "") -> str:
    """Return a value as a CEL literal, wrapped over several lines if long.

    CEL lists and maps hold values of one type, so mixed values are wrapped in `dyn()`. `indent` is the current indentation.
    """
    if isinstance(value, dict):
        same_type = _have_same_type(list(value.values()))
        return _render_members("{", [(f"{_quote(key)}: ", each) for key, each in value.items()], "}", same_type, indent)
    if isinstance(value, (list, tuple)):
        same_type = _have_same_type(list(value))
        return _render_members("[", [("", each) for each in value], "]", same_type, indent)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return _quote(value) if isinstance(value, str) else json.dumps(value)


def _render_members(opening: str, members: list[tuple[str, Any]], closing: str, same_type: bool, indent: str) -> str:
    def render(inner: str) -> list[str]:
        return [key + (literal(v, inner) if same_type else f"dyn({literal(v, inner)})") for key, v in members]

    flat = opening + ", ".join(render("")) + closing
    if len(indent) + len(flat) <= _WIDTH and "\n" not in flat:
        return flat
    inner = indent + _INDENT
    return opening + "\n" + ",\n".join(inner + each for each in render(inner)) + "\n" + indent + closing


def _have_same_type(values: list[Any]) -> bool:
    return len({_type_name(each) for each in values}) < 2


def _type_name(value: Any) -> str:
    """Return the CEL type of a literal."""
    if isinstance(value, dict):
        kinds = {_type_name(each) for each in value.values()}
        return f"map({kinds.pop() if len(kinds) == 1 else 'dyn'})"
    if isinstance(value, (list, tuple)):
        kinds = {_type_name(each) for each in value}
        return f"list({kinds.pop() if len(kinds) == 1 else 'dyn'})"
    return type(value).__name__


def _quote(value: str) -> str:
    """Return a CEL string literal. JSON and CEL use the same escapes except for surrogate pairs."""
    return json.dumps(value, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def strings(values: Iterable[str]) -> str:
    """Return a CEL list of strings."""
    return "[" + ", ".join(_quote(each) for each in values) + "]"


def matches(subject: str, globs: Iterable[str]) -> str:
    """Return the condition that a string matches one of the globs, with the semantics of `render`."""
    globs = tuple(globs)
    if all(not re.search(r"[*?\[]", each) for each in globs):
        return f"{subject} in {strings(globs)}"
    return f"{subject}.matches({_quote('(?s)^(' + '|'.join(_regex(each) for each in globs) + ')$')})"


_NOTHING = r"[^\x00-\x{10FFFF}]"


def _regex(glob: str) -> str:
    """Translate a glob to RE2, the regular expression syntax of the API server."""
    body = translate(glob)
    found = re.fullmatch(r"\(\?s:(.*)\)\\[Zz]", body, re.DOTALL)
    text = found[1] if found else body
    # RE2 has neither atomic groups, which newer Python versions use, nor lookaheads: `(?!)` stands for an empty range.
    return re.sub(r"\(\?>(.*?)\)", r"(?:\1)", text).replace("\\-", "-").replace("(?!)", _NOTHING)


@dataclass(frozen=True)
class PodTemplate:
    """Paths of the pod template fields of a workload kind, in CEL and as JSON pointers."""

    steps: Steps

    @property
    def spec(self) -> str:
        return ".".join(("object", *self.steps, "spec"))

    def optional(self, *fields: str) -> str:
        """Return the CEL path of a field that may be absent, as an optional value."""
        return ".".join(("object", *self.steps)) + "".join(f".?{each}" for each in fields)

    def path(self, *fields: str) -> str:
        return pointer((*self.steps, *fields))


def patch_expression(injection: Injection, pod: PodTemplate, earlier: Sequence[Injection]) -> str:
    """Return the expression that adds one sidecar, or no patch if any of its names, paths, or ports is in use."""
    patches = [
        *_metadata_patches(pod, "labels", injection.fragment.labels),
        *_metadata_patches(pod, "annotations", injection.annotations),
        *_pod_setting_patches(injection, pod),
        *_init_container_patches(injection, pod, earlier),
        *_append_patches(pod, "containers", injection.containers),
        *_append_patches(pod, "volumes", injection.fragment.volumes),
        *_target_patches(injection, pod, "env", injection.fragment.env),
        *_target_patches(injection, pod, "volumeMounts", injection.fragment.volume_mounts),
    ]
    return f"{_no_conflict_condition(injection, pod)}\n? ({_join_patches(patches)})\n: []\n"


def _join_patches(patches: Sequence[str]) -> str:
    return "\n+ ".join(patches) if patches else "[]"


def _add(path: str, value: str) -> str:
    return f'JSONPatch{{op: "add", path: {path}, value: {value}}}'


def _no_conflict_condition(injection: Injection, pod: PodTemplate) -> str:
    """Return the condition that nothing the sidecar adds exists yet."""
    names = strings(injection.container_names)
    spec, fragment = pod.spec, injection.fragment
    conditions = []
    if injection.container_names:
        conditions += [
            f"!{spec}.containers.exists(c, c.name in {names})",
            f"!{spec}.?initContainers.orValue([]).exists(c, c.name in {names})",
        ]
    if fragment.volumes:
        volumes = strings(str(each["name"]) for each in fragment.volumes)
        conditions.append(f"!{spec}.?volumes.orValue([]).exists(v, v.name in {volumes})")
    ports = sorted(
        {p["containerPort"] for c in fragment.containers for p in c.get("ports", ()) if "containerPort" in p}
    )
    if ports:
        used = f"c.?ports.orValue([]).exists(p, p.containerPort in {literal(ports)})"
        conditions.append(f"!{spec}.containers.exists(c, {used})")
    target = _target_condition(injection, pod, "c")
    for field, key, items in (
        ("volumeMounts", "mountPath", fragment.volume_mounts),
        ("env", "name", fragment.env),
    ):
        if items:
            taken = f"c.?{field}.orValue([]).exists(i, i.{key} in {strings(str(each[key]) for each in items)})"
            conditions.append(f"!{spec}.containers.exists(c, {target} && {taken})")
    if fragment.volume_mounts or fragment.env:
        every = f"{spec}.containers.filter(c, {target})"
        conditions.append(f"size({every}) == size({_target_indices(injection, pod)})")
    for field, wanted in (("labels", fragment.labels), ("annotations", injection.annotations)):
        for key, value in wanted.items():
            found = f"{pod.optional('metadata', field)}[?{literal(key)}]"
            conditions.append(f"{found}.orValue({literal(value)}) == {literal(value)}")
    conditions.append(f"!({_is_recorded(injection, pod)})")
    return "(" + "\n&& ".join(conditions) + ")"


def _is_recorded(injection: Injection, pod: PodTemplate) -> str:
    """Return the condition that `render` or `add` has already added this instance."""
    record = f"{pod.optional('metadata', 'annotations')}[?{literal(RECORD_ANNOTATION)}]"
    return f'{record}.orValue("").contains({literal(chr(34) + injection.name + chr(34) + ":{")})'


def _target_condition(injection: Injection, pod: PodTemplate, variable: str) -> str:
    if injection.request.containers:
        return matches(f"{variable}.name", injection.request.containers)
    if injection.request.sidecar.targets == "all":
        return "true"
    annotation = f"{pod.optional('metadata', 'annotations')}[?{literal(DEFAULT_CONTAINER_ANNOTATION)}]"
    return f"{variable}.name == {annotation}.orValue({pod.spec}.containers[0].name)"


def _metadata_patches(pod: PodTemplate, field: str, wanted: Mapping[str, str]) -> Iterator[str]:
    if wanted:
        each = [_add(literal(pod.path("metadata", field, key)), literal(value)) for key, value in wanted.items()]
        whole = _add(literal(pod.path("metadata", field)), literal(dict(wanted)))
        neither = _add(literal(pod.path("metadata")), literal({field: dict(wanted)}))
        yield (
            f"({pod.optional('metadata', field)}.hasValue() ? [{', '.join(each)}]\n"
            f"  : {pod.optional('metadata')}.hasValue() ? [{whole}] : [{neither}])"
        )


def _pod_setting_patches(injection: Injection, pod: PodTemplate) -> Iterator[str]:
    """Yield patches for pod-level settings that the workload does not set.

    The API server defaults the grace period to 30 seconds, so 30 counts as not set.
    """
    context, grace = injection.fragment.security_context, injection.fragment.termination_grace_period_seconds
    if context:
        whole = _add(literal(pod.path("spec", "securityContext")), literal(dict(context)))
        each = [
            f"({pod.optional('spec', 'securityContext', key)}.hasValue() ? [] : "
            f"[{_add(literal(pod.path('spec', 'securityContext', key)), literal(value))}])"
            for key, value in context.items()
        ]
        yield f"({pod.optional('spec', 'securityContext')}.hasValue() ? {' + '.join(each)} : [{whole}])"
    if injection.fragment.share_process_namespace:
        patch = _add(literal(pod.path("spec", "shareProcessNamespace")), literal(True))
        yield f"({pod.optional('spec', 'shareProcessNamespace')}.hasValue() ? [] : [{patch}])"
    if grace is not None and grace > DEFAULT_GRACE_SECONDS:
        present = f"{pod.optional('spec', 'terminationGracePeriodSeconds')}.orValue({DEFAULT_GRACE_SECONDS})"
        patch = _add(literal(pod.path("spec", "terminationGracePeriodSeconds")), literal(grace))
        yield f"({present} == {DEFAULT_GRACE_SECONDS} ? [{patch}] : [])"


def _init_container_patches(injection: Injection, pod: PodTemplate, earlier: Sequence[Injection]) -> Iterator[str]:
    if not injection.init:
        return
    if not injection.at_start:
        yield from _append_patches(pod, "initContainers", injection.init)
        return
    before = dict.fromkeys(name for one in earlier if one.at_start and one.init for name in one.container_names)
    base = f"size({pod.spec}.initContainers.filter(c, c.name in {strings(before)}))" if before else ""
    list_path = pod.path("spec", "initContainers") + "/"
    # The list may not exist before the first insertion; the count of earlier init containers is then 0.
    base = f"({pod.optional('spec', 'initContainers')}.hasValue() ? {base} : 0)" if base else ""
    each = [
        _add(
            f"{literal(list_path)} + string({base} + {number})" if base else literal(f"{list_path}{number}"),
            literal(dict(item)),
        )
        for number, item in enumerate(injection.init)
    ]
    yield _create_list_patch(pod, "initContainers")
    yield _render_patches(each)


def _append_patches(pod: PodTemplate, field: str, items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield patches that append items to a list of the pod."""
    if items:
        path = literal(pod.path("spec", field, "-"))
        if field != "containers":
            yield _create_list_patch(pod, field)
        yield _render_patches([_add(path, literal(dict(item))) for item in items])


def _create_list_patch(pod: PodTemplate, field: str) -> str:
    """Return the patch that creates an empty list if the pod has none."""
    create = _add(literal(pod.path("spec", field)), "[]")
    return f"({pod.optional('spec', field)}.hasValue() ? [] : [{create}])"


def _render_patches(each: Sequence[str]) -> str:
    return "[\n" + ",\n".join(each) + "\n]"


def _target_indices(injection: Injection, pod: PodTemplate) -> str:
    """Return the indices of the target containers among the first ones."""
    indices = literal(list(range(MAX_TARGET_CONTAINERS)))
    condition = _target_condition(injection, pod, f"{pod.spec}.containers[i]")
    return f"{indices}.filter(i, i < size({pod.spec}.containers) && {condition})"


def _target_patches(
    injection: Injection, pod: PodTemplate, field: str, items: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield patches for each target container, addressed by index."""
    if not items:
        return
    container = f"{pod.spec}.containers[i]"
    targets = _target_indices(injection, pod)
    path = f"{literal(pod.path('spec', 'containers') + '/')} + string(i) + "
    create = _add(path + literal(f"/{field}"), "[]")
    yield f"{targets}\n  .filter(i, !has({container}.{field})).map(i, {create})"
    for item in items:
        patch = _add(path + literal(f"/{field}/-"), literal(dict(item)))
        yield f"{targets}\n  .map(i, {patch})"
