"""Rules about the data of ConfigMaps and Secrets: keys, size, and Secret types."""

from __future__ import annotations

import binascii
import json

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import ObjectView

_SIZE = 1024 * 1024
_HOLDERS = {"ConfigMap": ("data", "binaryData"), "Secret": ("data", "stringData")}
_ACCOUNT = "kubernetes.io/service-account.name"
# Required keys by Secret type.
_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_JSON = frozenset((".dockercfg", ".dockerconfigjson"))


@rule(
    "invalid-config-key",
    Severity.ERROR,
    scope="object",
    kinds=("ConfigMap", "Secret"),
    fix="Use letters, digits, hyphens, underscores, and dots. To get subdirectories, use `items` in the volume.",
)
def invalid_config_key(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid or duplicate key in a ConfigMap or Secret.

    Keys become file names and environment variables: at most 253 letters, digits, hyphens, underscores, and dots. In a
    ConfigMap, a key can't be in both data and binaryData.
    """
    if obj.group:
        return
    for field in _HOLDERS[obj.kind]:
        for key in as_mapping(obj.value.get(field)):
            if isinstance(key, str) and (fault := names.check_config_key(key)):
                yield problem(obj.at(field, key), f"invalid key {quote(key)}: {fault}", on_key=True)
    if obj.kind == "ConfigMap":
        other = as_mapping(obj.value.get("binaryData"))
        for key in as_mapping(obj.value.get("data")):
            if key in other:
                yield problem(obj.at("data", key), f"key {quote(key)} is in both data and binaryData", on_key=True)


@rule(
    "config-too-large",
    Severity.ERROR,
    scope="object",
    kinds=("ConfigMap", "Secret"),
    given=Context(options={"config-too-large": 40}),
    fix="Split it, or move the data into an image or a volume.",
)
def config_too_large(obj: ObjectView, ctx: Context) -> Problems:
    """A ConfigMap or Secret is larger than 1 MiB.

    All values count, without their keys, in bytes as seen in the pod. To set another limit in bytes, use the option
    `config-too-large`.
    """
    if obj.group:
        return
    limit = ctx.options.get("config-too-large", _SIZE)
    values: dict[object, tuple[int, PathTuple]] = {}
    for field in _HOLDERS[obj.kind]:
        encoded = field == "binaryData" or (obj.kind == "Secret" and field == "data")
        for key, text in as_mapping(obj.value.get(field)).items():
            if isinstance(text, str):
                size_of = _decoded_size(text) if encoded else len(text.encode("utf-8", "surrogatepass"))
                values[key] = (size_of, obj.at(field, key))
    size = sum(each for each, _ in values.values())
    if size > limit:
        _, where = max(values.values(), key=lambda value: value[0])
        yield problem(where, f"{obj.kind} too large: {size} bytes (limit: {limit})", on_key=True)


def _decoded_size(text: str) -> int:
    plain = text.replace("\n", "").replace("\r", "")
    return len(plain) // 4 * 3 - plain[-2:].count("=")


@rule(
    "invalid-secret-data",
    Severity.ERROR,
    scope="object",
    kinds=("Secret",),
    fix="Add the keys, or remove the type.",
)
def invalid_secret_data(obj: ObjectView, ctx: Context) -> Problems:
    """A Secret lacks the data that its type requires.

    Users of a Secret rely on its type. kubernetes.io/tls requires tls.crt and tls.key, dockerconfigjson a JSON object,
    basic-auth a username or a password, ssh-auth a private key, and service-account-token the name of its service
    account.
    """
    secret_type = obj.value.get("type")
    if obj.group or not isinstance(secret_type, str):
        return
    data, strings = as_mapping(obj.value.get("data")), as_mapping(obj.value.get("stringData"))
    required = _KEYS.get(secret_type, ())
    if missing := [key for key in required if key not in data and key not in strings]:
        yield problem(obj.at("type"), f"Secret of type {secret_type} requires {' and '.join(missing)}")
    for key in required:
        if key in missing:
            continue
        if key == "ssh-privatekey" and not strings.get(key, data.get(key)):
            where = obj.at("stringData" if key in strings else "data", key)
            yield problem(where, f"Secret of type {secret_type} requires a value for {key}")
        elif key in _JSON and not _is_json_object(strings.get(key), data.get(key)):
            where = obj.at("stringData" if key in strings else "data", key)
            yield problem(
                where,
                f"{key} is not a JSON object",
                help="Create the Secret with `kubectl create secret docker-registry`.",
            )
    if secret_type == "kubernetes.io/basic-auth" and not {"username", "password"} & (data.keys() | strings.keys()):
        yield problem(obj.at("type"), f"Secret of type {secret_type} requires username or password")
    if secret_type == "kubernetes.io/service-account-token":
        if not as_mapping(obj.metadata.get("annotations")).get(_ACCOUNT):
            yield problem(obj.at("type"), f"Secret of type {secret_type} requires the annotation {_ACCOUNT}")


def _is_json_object(plain: object, encoded: object) -> bool:
    """Return True if a plain or base64 text is a JSON object or null, or can't be decoded."""
    if not isinstance(plain, str):
        try:
            import base64  # most runs have no such Secret

            plain = base64.b64decode(encoded if isinstance(encoded, str) else "").decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return True
    try:
        found = json.loads(plain)
    except (ValueError, RecursionError):
        return False
    return found is None or isinstance(found, dict)
