"""Build pods from fragments, and list the findings of rules as `rule path`."""

from __future__ import annotations

import json
import textwrap

from sidecarctl.findings import Finding, Place
from sidecarctl.kube.workload import RECORD_ANNOTATION
from sidecarctl.validate.check_document import check_documents
from sidecarctl.validate.registry import Context, Rule, rules
from sidecarctl.yamltext.stream import split

LISTS = {
    "app": "containers",
    "classic": "containers",
    "init": "initContainers",
    "sidecar": "initContainers",
    "ephemeral": "ephemeralContainers",
}
# Modules with the rules that mirror ValidatePodSpec for containers and volumes.
MODULES = frozenset(
    f"sidecarctl.validate.rules.api.{name}"
    for name in (
        "containers",
        "container_roles",
        "env",
        "downward_api",
        "resources",
        "volumes",
        "volume_sources",
        "volume_claims",
        "projected_certificates",
        "projected_volumes",
        "probes",
    )
)
API_VERSIONS = {"Pod": "v1", "Deployment": "apps/v1", "StatefulSet": "apps/v1"}


def manifest(spec: str, *, kind: str = "Pod", more: str = "", annotations: dict[str, str] | None = None) -> str:
    """Return a manifest with this pod spec and at least one container; `more` goes into the workload spec."""
    spec = textwrap.dedent(spec).strip("\n") + "\n"
    if not any(line.startswith("containers:") for line in spec.splitlines()):
        spec += "containers: [{name: main, image: main}]\n"
    pod = f"metadata: {{name: web, annotations: {json.dumps(annotations or {})}}}\nspec:\n" + textwrap.indent(
        spec, "  "
    )
    head = f"apiVersion: {API_VERSIONS[kind]}\nkind: {kind}\n"
    if kind == "Pod":
        return head + pod
    own = textwrap.indent(textwrap.dedent(more).strip("\n") + "\n", "  ") if more else ""
    return f"{head}metadata: {{name: web}}\nspec:\n{own}  template:\n{textwrap.indent(pod, '    ')}"


def container(fields: str, role: str = "app", *, more: str = "", kind: str = "Pod") -> str:
    """Return a manifest with a container of a role and these fields; `more` goes into the pod spec."""
    always = "restartPolicy: Always, " if role == "sidecar" else ""
    spec = f"{LISTS[role]}: [{{name: one, {always}{fields}}}]\n{textwrap.dedent(more)}"
    if "image:" not in fields:
        spec = spec.replace("{name: one, ", "{name: one, image: one, ", 1)
    record = {"instances": {"one": {"added": {"containers": ["one"]}}}}
    annotations = {RECORD_ANNOTATION: json.dumps(record)} if role == "classic" else None
    return manifest(spec, kind=kind, annotations=annotations)


def pod_rules() -> list[Rule]:
    """Return the rules of those modules."""
    return [
        one
        for one in rules().values()
        if one.check and one.check.__module__ in MODULES and "StatefulSet" not in one.kinds
    ]


def findings(text: str, *names: str, version: str = "1.37") -> list[Finding]:
    """Return the findings of the named rules, or of all `pod_rules`, in a manifest."""
    documents = list(split(text, "web.yaml"))
    chosen = [one for one in rules().values() if one.name in names] if names else pod_rules()
    assert len(chosen) >= len(names), f"no such rule among {names}"

    def locate(number: int, path: tuple[str | int, ...], on_key: bool) -> Place:
        return documents[number].locate(path, on_key=on_key)

    return [one for _, one in check_documents([d.value for d in documents], chosen, Context(version), locate)]


def list_findings(text: str, *names: str, version: str = "1.37") -> list[str]:
    """Return findings as `rule path`, relative to the pod spec or, outside of it, to the document."""
    return sorted(f"{one.rule} {dotted(one.path)}" for one in findings(text, *names, version=version))


def places(text: str, *names: str, version: str = "1.37") -> list[str]:
    """Return findings as `rule line:column`."""
    return [
        f"{one.rule} {one.place.line}:{one.place.column}"
        for one in findings(text, *names, version=version)
        if one.place
    ]


def dotted(path: tuple[str | int, ...]) -> str:
    """Return `containers[0].name`."""
    for head in (("spec", "template", "spec"), ("spec",)):
        if path[: len(head)] == head:
            path = path[len(head) :]
            break
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
