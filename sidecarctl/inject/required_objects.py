"""Secrets and ConfigMaps that a sidecar refers to and does not bring along, with the commands that create them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.results import create_step

_TLS = ("tls.crt", "tls.key")
_REGISTRY = "docker-registry"
# Kind: the fields of a reference in a volume, in a projected volume, in a variable, and in envFrom.
_FIELDS = {
    "Secret": ("secret", "secretName", "secretKeyRef", "secretRef"),
    "ConfigMap": ("configMap", "name", "configMapKeyRef", "configMapRef"),
}

# Kind and name: the option that sets each key, by key.
_Found = dict[tuple[str, str], dict[str, str]]


def describe_required_objects(fragment: Fragment, namespace: str) -> list[str]:
    """Return a line for each object that must exist in the cluster: `Create the Secret web-tls: kubectl create ...`.

    Optional references are left out, and the fragment's own documents. The keys of a Secret that is mounted as a whole are
    not known; those of a certificate are assumed if the fragment names them.
    """
    found: _Found = {}
    for volume in fragment.volumes:
        for source in (volume, *as_list(as_mapping(volume.get("projected")).get("sources"))):
            _add_volume(found, as_mapping(source))
    for container in (*fragment.containers, *fragment.init_containers, {"env": list(fragment.env)}):
        _add_variables(found, container)
    for secret in fragment.image_pull_secrets:
        found.setdefault(("Secret", str(secret.get("name"))), {})[_REGISTRY] = ""
    whole = [key for key, keys in found.items() if key[0] == "Secret" and not keys]
    if len(whole) == 1 and all(key in str((fragment.documents, fragment.containers)) for key in _TLS):
        found[whole[0]] = dict.fromkeys(_TLS, "file")
    own = {(each.get("kind"), as_mapping(each.get("metadata")).get("name")) for each in fragment.documents}
    return [
        f"{create_step(kind, name)} {_command(kind, name, keys, namespace)}"
        for (kind, name), keys in found.items()
        if name and (kind, name) not in own
    ]


def _add_volume(found: _Found, source: Mapping[str, Any]) -> None:
    for kind, (field, name, *_) in _FIELDS.items():
        reference = as_mapping(source.get(field))
        if reference and reference.get("optional") is not True:
            # A projected Secret is named by `name`.
            keys = found.setdefault((kind, str(reference.get(name) or reference.get("name") or "")), {})
            keys.update({str(as_mapping(item).get("key")): "file" for item in as_list(reference.get("items"))})


def _add_variables(found: _Found, container: Mapping[str, Any]) -> None:
    for kind, key, reference in _references(container):
        if reference.get("optional") is not True:
            keys = found.setdefault((kind, str(reference.get("name") or "")), {})
            if key:
                keys.setdefault(key, "literal")


def _references(container: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield kind, key ("" for all), and reference of the variables of a container."""
    for kind, (_, _, of_key, of_all) in _FIELDS.items():
        for variable in as_list(container.get("env")):
            reference = as_mapping(as_mapping(as_mapping(variable).get("valueFrom")).get(of_key))
            if reference:
                yield kind, str(reference.get("key")), reference
        for source in as_list(container.get("envFrom")):
            reference = as_mapping(as_mapping(source).get(of_all))
            if reference:
                yield kind, "", reference


def _command(kind: str, name: str, keys: Mapping[str, str], namespace: str) -> str:
    words = ["kubectl", "create", *(["secret"] if kind == "Secret" else ["configmap"])]
    if _REGISTRY in keys:
        kind_of, options = _REGISTRY, "--docker-server=<registry> --docker-username=<user> --docker-password=<password>"
    elif kind == "Secret" and set(keys) == {*_TLS}:
        kind_of, options = "tls", "--cert=<path> --key=<path>"
    else:
        kind_of = "generic" if kind == "Secret" else ""
        options = " ".join(
            f"--from-file={shlex.quote(key)}=<path>" if how == "file" else f"--from-literal={shlex.quote(key)}=<value>"
            for key, how in keys.items()
        )
    words += [kind_of] if kind_of else []
    words += [shlex.quote(name), *(["-n", shlex.quote(namespace)] if namespace else [])]
    return f"{' '.join(words)} {options or '--from-file=<path>'}"
