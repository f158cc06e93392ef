"""Rules about what ConfigMaps and Secrets hold: keys, size, and what a Secret's type needs."""

from __future__ import annotations

import base64
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
# All of these keys, by type.
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
    fix='Use letters, digits, "-", "_" and "."; folders come from the items of a volume.',
)
def invalid_config_key(one: ObjectView, ctx: Context) -> Problems:
    """A key of a ConfigMap or Secret is none, or there twice.

    Keys become file names and variables: at most 253 of letters, digits, "-", "_" and ".". In a ConfigMap data and
    binaryData have no key in common.
    """
    if one.group:
        return
    for field in _HOLDERS[one.kind]:
        for key in as_mapping(one.value.get(field)):
            if isinstance(key, str) and (fault := names.config_map_key(key)):
                yield problem(one.at(field, key), f"{quote(key)} is no key: it {fault}", on_key=True)
    if one.kind == "ConfigMap":
        other = as_mapping(one.value.get("binaryData"))
        for key in as_mapping(one.value.get("data")):
            if key in other:
                yield problem(one.at("data", key), f"{quote(key)} is in binaryData too", on_key=True)


@rule(
    "config-too-large",
    Severity.ERROR,
    scope="object",
    kinds=("ConfigMap", "Secret"),
    given=Context(options={"config-too-large": 40}),
    fix="Split it, or put the data into an image or a volume.",
)
def config_too_large(one: ObjectView, ctx: Context) -> Problems:
    """A ConfigMap or Secret holds more than 1 MiB.

    All values together count, without their keys, in bytes as the pods see them. The option `config-too-large` sets another
    limit, in bytes.
    """
    if one.group:
        return
    limit = ctx.options.get("config-too-large", _SIZE)
    values: dict[object, tuple[int, PathTuple]] = {}
    for field in _HOLDERS[one.kind]:
        encoded = field == "binaryData" or (one.kind == "Secret" and field == "data")
        for key, text in as_mapping(one.value.get(field)).items():
            if isinstance(text, str):
                bytes_of = _decoded_size(text) if encoded else len(text.encode("utf-8", "surrogatepass"))
                values[key] = (bytes_of, one.at(field, key))
    size = sum(each for each, _ in values.values())
    if size > limit:
        _, where = max(values.values(), key=lambda value: value[0])
        yield problem(where, f"the {one.kind} holds {size} bytes, and may hold {limit}", on_key=True)


def _decoded_size(text: str) -> int:
    plain = text.replace("\n", "").replace("\r", "")
    return len(plain) // 4 * 3 - plain[-2:].count("=")


@rule(
    "invalid-secret-data",
    Severity.ERROR,
    scope="object",
    kinds=("Secret",),
    fix="Add the keys, or leave the type out.",
)
def invalid_secret_data(one: ObjectView, ctx: Context) -> Problems:
    """A Secret lacks what its type promises.

    Who uses a Secret relies on its type: kubernetes.io/tls has tls.crt and tls.key, dockerconfigjson a JSON object,
    basic-auth a username or a password, ssh-auth a key, and a token the name of its service account.
    """
    own = one.value.get("type")
    if one.group or not isinstance(own, str):
        return
    data, strings = as_mapping(one.value.get("data")), as_mapping(one.value.get("stringData"))
    wanted = _KEYS.get(own, ())
    if missing := [key for key in wanted if key not in data and key not in strings]:
        yield problem(one.at("type"), f"a Secret of type {own} needs {' and '.join(missing)}")
    for key in wanted:
        if key in missing:
            continue
        if key == "ssh-privatekey" and not strings.get(key, data.get(key)):
            where = one.at("stringData" if key in strings else "data", key)
            yield problem(where, f"a Secret of type {own} needs {key}, which is empty")
        elif key in _JSON and not _is_json_object(strings.get(key), data.get(key)):
            where = one.at("stringData" if key in strings else "data", key)
            yield problem(
                where, f"{key} is no JSON object", help="Make one with `kubectl create secret docker-registry`."
            )
    if own == "kubernetes.io/basic-auth" and not {"username", "password"} & (data.keys() | strings.keys()):
        yield problem(one.at("type"), f"a Secret of type {own} needs a username or a password")
    if own == "kubernetes.io/service-account-token":
        if not as_mapping(one.metadata.get("annotations")).get(_ACCOUNT):
            yield problem(one.at("type"), f"a Secret of type {own} needs the annotation {_ACCOUNT}")


def _is_json_object(plain: object, encoded: object) -> bool:
    """True where the text, be it plain or in base64, is a JSON object or null; or can't be judged."""
    if not isinstance(plain, str):
        try:
            plain = base64.b64decode(encoded if isinstance(encoded, str) else "").decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return True
    try:
        found = json.loads(plain)
    except ValueError:
        return False
    return found is None or isinstance(found, dict)
