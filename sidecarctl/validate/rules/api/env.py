"""Rules about environment variables: names and value sources."""

from __future__ import annotations

from collections.abc import Callable

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.versions import enabled
from sidecarctl.validate.fields import blank, env_value_sources, has_unknown_keys, listed, present_keys, volumes_by_name
from sidecarctl.validate.registry import Context, Problem, Problems, problem, rule
from sidecarctl.validate.rules.api.volumes import SOURCES
from sidecarctl.validate.views import ContainerView, Data

_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_ENV_FROM_KINDS = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
_KEY_REFS = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}


@rule(
    "invalid-env-name",
    Severity.ERROR,
    needs=("env",),
    scope="container",
    fix="Use letters, digits, and underscores, and put the value into `value`.",
)
def invalid_env_name(container: ContainerView, ctx: Context) -> Problems:
    """Invalid name of an environment variable.

    The API server rejects an empty name and a name that contains "=". Before Kubernetes 1.32 it also rejects a leading
    digit and any character except letters, digits, "_", "-", and ".".
    """
    for index, variable in listed(container.value, "env"):
        name = variable.get("name")
        if isinstance(name, str) and (fault := names.check_env_name(name, ctx.kube_version)):
            yield problem(
                container.at("env", index, "name"), f"invalid environment variable name {quote(name)}: {fault}"
            )


@rule(
    "invalid-env-source",
    Severity.ERROR,
    needs=("env",),
    scope="container",
    fix="Set either `value` or one source in `valueFrom`.",
)
def invalid_env_source(container: ContainerView, ctx: Context) -> Problems:
    """An environment variable has no value source, or more than one.

    `valueFrom` takes exactly one of fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, and, since Kubernetes
    1.35, fileKeyRef. `value` must then be empty. The API server rejects anything else.
    """
    for index, variable in listed(container.value, "env"):
        source = variable.get("valueFrom")
        if not isinstance(source, dict):
            continue
        found = present_keys(source, _SOURCES)
        where = container.at("env", index, "valueFrom")
        if "fileKeyRef" in found and not enabled("env-files", ctx.kube_version):
            if ctx.since("1.34"):
                yield problem(
                    (*where, "fileKeyRef"), "Kubernetes drops fileKeyRef before 1.35 unless EnvFiles is enabled"
                )
        elif len(found) > 1:
            yield problem(where, f"expected one source in valueFrom, got {len(found)}: {', '.join(found)}")
        elif found and variable.get("value"):
            yield problem(where, f"both value and valueFrom.{found[0]} are set", on_key=True)
        elif not found and not has_unknown_keys(source, frozenset(_SOURCES)):
            yield problem(where, f"no source in valueFrom, expected one of {', '.join(_SOURCES)}")


@rule(
    "invalid-env-key-ref",
    Severity.ERROR,
    needs=("env",),
    scope="container",
    fix="Set the name of the ConfigMap or Secret and one of its keys.",
)
def invalid_env_key_ref(container: ContainerView, ctx: Context) -> Problems:
    """An environment variable refers to an invalid name or key of a ConfigMap or Secret.

    The schema allows a missing name, but the API server rejects it, along with names and keys that no ConfigMap or
    Secret can have.
    """
    for source, where in env_value_sources(container):
        for field, kind in _KEY_REFS.items():
            ref = source.get(field)
            if isinstance(ref, dict):
                yield from _check_reference(ref, (*where, field), kind, names.check_dns_subdomain)
                key = ref.get("key")
                if isinstance(key, str) and (fault := names.check_config_key(key)):
                    yield problem((*where, field, "key"), f"invalid {kind} key {quote(key)}: {fault}")


@rule(
    "invalid-env-from",
    Severity.ERROR,
    needs=("envFrom",),
    scope="container",
    fix="Set either configMapRef or secretRef, with a name.",
)
def invalid_env_from(container: ContainerView, ctx: Context) -> Problems:
    """An envFrom item does not name exactly one ConfigMap or Secret.

    The API server rejects it, along with names that no ConfigMap or Secret can have and prefixes that can't start a
    variable name.
    """
    items = container.value.get("envFrom")
    for index, item in enumerate(items if isinstance(items, list) else ()):
        where = container.at("envFrom", index)
        if item is None:
            yield problem(where, "empty envFrom item, expected configMapRef or secretRef")
        if not isinstance(item, dict):
            continue
        prefix = item.get("prefix")
        if prefix and isinstance(prefix, str) and (fault := names.check_env_name(prefix, ctx.kube_version)):
            yield problem((*where, "prefix"), f"invalid environment variable prefix {quote(prefix)}: {fault}")
        found = present_keys(item, tuple(_ENV_FROM_KINDS))
        if len(found) > 1:
            yield problem(where, "both configMapRef and secretRef are set")
        elif not found and not has_unknown_keys(item, frozenset(("prefix", *_ENV_FROM_KINDS))):
            yield problem(where, "no source in envFrom item, expected configMapRef or secretRef")
        for field in found:
            if isinstance(item[field], dict):
                yield from _check_reference(item[field], (*where, field), _ENV_FROM_KINDS[field], _check_env_from_name)


@rule(
    "invalid-env-file-ref",
    Severity.ERROR,
    needs=("env",),
    scope="container",
    since="1.35",
    fix="Set volumeName to an emptyDir of the pod, path to a relative path without `..`, and key.",
)
def invalid_env_file_ref(container: ContainerView, ctx: Context) -> Problems:
    """Invalid fileKeyRef of an environment variable.

    The file is in an emptyDir volume of the pod, at a relative path inside the volume. The API server rejects other
    volumes, paths that contain "..", and keys that are not variable names.
    """
    for source, where in env_value_sources(container):
        ref = source.get("fileKeyRef")
        if not isinstance(ref, dict):
            continue
        key, path, volume = ref.get("key"), ref.get("path"), ref.get("volumeName")
        at = (*where, "fileKeyRef")
        if isinstance(key, str) and (fault := names.check_env_name(key, ctx.kube_version)):
            yield problem((*at, "key"), f"invalid environment variable name {quote(key)}: {fault}")
        if path == "":
            yield problem((*at, "path"), "file path is empty")
        elif isinstance(path, str) and ".." in path.split("/"):
            yield problem((*at, "path"), f'invalid path {quote(path)}: ".." is not allowed')
        if not isinstance(volume, str):
            continue
        found = volumes_by_name(container.pod).get(volume)
        if found is None:
            fault = names.check_dns_label(volume)
            message = f"invalid volume name {quote(volume)}: {fault}" if fault else ""
            yield problem((*at, "volumeName"), message or f"unknown volume {quote(volume)}")
        elif found.get("emptyDir") is None and present_keys(found, SOURCES):
            yield problem((*at, "volumeName"), f"volume {quote(volume)} is not an emptyDir")


def _check_reference(ref: Data, where: PathTuple, kind: str, check: Callable[[str], str | None]) -> Problems:
    """Check the name in a reference to a ConfigMap or Secret."""
    name = ref.get("name")
    if blank(name):
        yield Problem((*where, "name"), f"missing {kind} name")
    elif isinstance(name, str) and (fault := check(name)):
        yield Problem((*where, "name"), f"invalid {kind} name {quote(name)}: {fault}")


def _check_env_from_name(name: str) -> str | None:
    """Check a name as the API server does in envFrom, where a trailing hyphen is allowed as in generateName."""
    return names.check_dns_subdomain(name[:-1] + "a" if len(name) > 1 and name.endswith("-") else name)
