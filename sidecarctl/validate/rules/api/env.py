"""Rules about environment variables: their names, and where their values come from."""

from __future__ import annotations

from collections.abc import Callable

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.versions import enabled
from sidecarctl.validate.fields import blank, chosen, env_value_sources, listed, strange, volumes_by_name
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.rules.api.volumes import SOURCES
from sidecarctl.validate.views import ContainerView, Data

_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_FROM = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
_KEY_REFS = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}


@rule(
    "invalid-env-name",
    Severity.ERROR,
    needs=("env",),
    scope="container",
    fix="Name it with letters, digits and _, and put its value into `value`.",
)
def invalid_env_name(container: ContainerView, ctx: Context) -> Problems:
    """An environment variable has a name that it can't have.

    The API server refuses an empty name and one with "=". Before Kubernetes 1.32 it also refuses a digit in
    front and everything but letters, digits, "_", "-" and ".".
    """
    for index, variable in listed(container.value, "env"):
        name = variable.get("name")
        if isinstance(name, str) and (fault := names.env_name(name, ctx.kube_version)):
            yield problem(container.at("env", index, "name"), f"{quote(name)} is no name for a variable: it {fault}")


@rule(
    "invalid-env-source",
    Severity.ERROR,
    needs=("env",),
    scope="container",
    fix="Give the variable either `value` or one source in `valueFrom`.",
)
def invalid_env_source(container: ContainerView, ctx: Context) -> Problems:
    """An environment variable has no source for its value, or more than one.

    `valueFrom` holds exactly one of fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef and, since
    Kubernetes 1.35, fileKeyRef, and then `value` is empty. The API server refuses anything else.
    """
    for index, variable in listed(container.value, "env"):
        source = variable.get("valueFrom")
        if not isinstance(source, dict):
            continue
        found = chosen(source, _SOURCES)
        where = container.at("env", index, "valueFrom")
        if "fileKeyRef" in found and not enabled("env-files", ctx.kube_version):
            if ctx.since("1.34"):
                yield problem((*where, "fileKeyRef"), "Kubernetes drops fileKeyRef before 1.35, where it is off")
        elif len(found) > 1:
            yield problem(where, f"there must be one source, and there are {len(found)}: {', '.join(found)}")
        elif found and variable.get("value"):
            yield problem(where, f"the value is given already, so it can't come from {found[0]} too", on_key=True)
        elif not found and not strange(source, frozenset(_SOURCES)):
            yield problem(where, f"it names no source; there must be one of {', '.join(_SOURCES)}")


@rule(
    "invalid-env-key-ref",
    Severity.ERROR,
    needs=("env",),
    scope="container",
    fix="Give it the name of the ConfigMap or Secret and one of its keys.",
)
def invalid_env_key_ref(container: ContainerView, ctx: Context) -> Problems:
    """A variable comes from a key of a ConfigMap or Secret that can't be named so.

    The schema lets a missing name pass, but the API server refuses it, and names that no such object can have.
    """
    for source, where in env_value_sources(container):
        for field, kind in _KEY_REFS.items():
            ref = source.get(field)
            if isinstance(ref, dict):
                yield from _named(ref, (*where, field), kind, names.dns_subdomain)
                key = ref.get("key")
                if isinstance(key, str) and (fault := names.config_map_key(key)):
                    yield problem((*where, field, "key"), f"{quote(key)} is no key of a {kind}: it {fault}")


@rule(
    "invalid-env-from",
    Severity.ERROR,
    needs=("envFrom",),
    scope="container",
    fix="Give each item either a configMapRef or a secretRef, with a name.",
)
def invalid_env_from(container: ContainerView, ctx: Context) -> Problems:
    """An item of envFrom does not name exactly one ConfigMap or Secret.

    The API server refuses it, as it does names that no such object can have and prefixes that no variable's name
    can begin with.
    """
    items = container.value.get("envFrom")
    for index, item in enumerate(items if isinstance(items, list) else ()):
        where = container.at("envFrom", index)
        if item is None:
            yield problem(where, "this item is empty; there must be a configMapRef or a secretRef")
        if not isinstance(item, dict):
            continue
        prefix = item.get("prefix")
        if prefix and isinstance(prefix, str) and (fault := names.env_name(prefix, ctx.kube_version)):
            yield problem((*where, "prefix"), f"no variable's name can begin with {quote(prefix)}: it {fault}")
        found = chosen(item, tuple(_FROM))
        if len(found) > 1:
            yield problem(where, "there must be one source, and there are two: configMapRef and secretRef")
        elif not found and not strange(item, frozenset(("prefix", *_FROM))):
            yield problem(where, "it names no source; there must be a configMapRef or a secretRef")
        for field in found:
            if isinstance(item[field], dict):
                yield from _named(item[field], (*where, field), _FROM[field], _name_or_beginning)


@rule(
    "invalid-env-file-ref",
    Severity.ERROR,
    needs=("env",),
    scope="container",
    since="1.35",
    fix="Name an emptyDir of the pod, a path in it without .., and a key.",
)
def invalid_env_file_ref(container: ContainerView, ctx: Context) -> Problems:
    """A variable comes from a file that can't be there.

    The file stands in an emptyDir volume of the pod, at a relative path that does not leave it. The API server
    refuses other volumes, paths with ".." and keys that are no names of variables.
    """
    for source, where in env_value_sources(container):
        ref = source.get("fileKeyRef")
        if not isinstance(ref, dict):
            continue
        key, path, volume = ref.get("key"), ref.get("path"), ref.get("volumeName")
        at = (*where, "fileKeyRef")
        if isinstance(key, str) and (fault := names.env_name(key, ctx.kube_version)):
            yield problem((*at, "key"), f"{quote(key)} is no name for a variable: it {fault}")
        if path == "":
            yield problem((*at, "path"), "the path of the file is empty")
        elif isinstance(path, str) and ".." in path.split("/"):
            yield problem((*at, "path"), f'the path {quote(path)} must not contain ".."')
        if not isinstance(volume, str):
            continue
        found = volumes_by_name(container.pod).get(volume)
        if found is None:
            fault = names.dns_label(volume)
            message = f"{quote(volume)} is no name of a volume: it {fault}" if fault else ""
            yield problem((*at, "volumeName"), message or f"the pod has no volume {quote(volume)}")
        elif found.get("emptyDir") is None and chosen(found, SOURCES):
            yield problem((*at, "volumeName"), f"the volume {quote(volume)} is no emptyDir")


def _named(ref: Data, where: PathTuple, kind: str, fault_of: Callable[[str], str | None]) -> Problems:
    """Check the name in a reference to a ConfigMap or Secret."""
    name = ref.get("name")
    if blank(name):
        yield Problem((*where, "name"), f"it does not say which {kind}")
    elif isinstance(name, str) and (fault := fault_of(name)):
        yield Problem((*where, "name"), f"{quote(name)} is no name of a {kind}: it {fault}")


def _name_or_beginning(name: str) -> str | None:
    """In envFrom the server takes what a generated name could begin with: a dash at the end is fine there."""
    return names.dns_subdomain(name[:-1] + "a" if len(name) > 1 and name.endswith("-") else name)
