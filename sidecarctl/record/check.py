"""Check the text of a record: a record is input like any other, and decides what is removed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from math import isinf
from typing import Any, NoReturn

from sidecarctl.kube.fronts import MAX_FRONTS, is_front
from sidecarctl.kube.names import check_dns_label, check_env_name, check_qualified_name
from sidecarctl.kube.versions import NEWEST
from sidecarctl.kube.workload import MAX_RECORD, RECORD_ANNOTATION
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.yamltext.scalars import reads_as_itself
from sidecarctl.yamltext.style import cache_by_content

VERSIONS = (1, 2)
_LONGEST_NUMBER = 100
MAX_INSTANCES = 500  # of one workload
_MODES = ("native", "classic", "init")
# Names of RBAC objects can have colons.
_DOCUMENT = lazy_pattern(r"[A-Z][A-Za-z0-9]{0,62}/[a-z0-9]([-a-z0-9.:]{0,251}[a-z0-9])?")
# The pod settings that a sidecar can add.
_POD_SETTINGS = lazy_pattern(
    r"securityContext/[A-Za-z]+|shareProcessNamespace|terminationGracePeriodSeconds"
    r"|imagePullSecrets/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
)
# `Service/web/http`, and a port as it was written: a number or a name, possibly quoted.
_RETARGETED = lazy_pattern(r"[A-Z][A-Za-z0-9]{0,62}(/[-A-Za-z0-9_.]{1,253}){2,6}")
_FORMER_PORT = lazy_pattern(r"|0|[1-9][0-9]{0,4}|[a-z0-9-]*[a-z][a-z0-9-]*|\"[a-z0-9-]{1,63}\"|'[a-z0-9-]{1,63}'")


def parse_record(text: object) -> dict[str, Any]:
    """Return the data of a record. Raises ValueError for anything that sidecarctl does not write."""
    if not isinstance(text, str):
        raise ValueError("expected a string with a JSON object")
    if len(text) > MAX_RECORD:
        raise ValueError(f"it has {len(text):,} bytes (limit: {MAX_RECORD:,})")
    data = json.loads(
        text, object_pairs_hook=_unique, parse_constant=_reject_constant, parse_int=_parse_int, parse_float=_parse_float
    )
    if not isinstance(data, dict) or not isinstance(data.get("instances"), dict):
        raise ValueError("expected a JSON object with `instances`")
    version = data.get("v")
    if type(version) is not int or version not in VERSIONS:
        raise ValueError(f"unsupported version {json.dumps(version)} (supported: 1 and 2)")
    if len(data["instances"]) > MAX_INSTANCES:
        raise ValueError(f"it has {len(data['instances']):,} instances (limit: {MAX_INSTANCES:,})")
    taken = set[tuple[str, str]]()
    for name, instance in data["instances"].items():
        _check_instance(instance, name, version)
        _check_overlap(instance.get("added", {}) if version == 1 else instance, taken)
    fronts = sum(len(instance.get("fronts", [])) for instance in data["instances"].values())
    if fronts > MAX_FRONTS:
        raise ValueError(f"it has {fronts:,} fronts (limit: {MAX_FRONTS})")
    was = data.get("was", {})
    if not isinstance(was, dict) or not all(isinstance(each, str) for each in was.values()):
        raise ValueError("was: expected a mapping of strings")
    _check_retargeted(data.get("retargeted", {}))
    return data


def is_former_port(text: str) -> bool:
    """Return True if a text is a port as people write it, which a record can hold; "" for a port that is not set.

    A number is decimal, and a plain name is a string for every reader of YAML: `0x1f90` and `1e3` are neither.
    """
    if _FORMER_PORT.fullmatch(text) is None:
        return False
    return not text or text[0] in "\"'" or text.isdecimal() or reads_as_itself(text)


def is_retarget_key(key: str) -> bool:
    """Return True if a record can hold a changed port under a key: `Service/web/http`."""
    return _RETARGETED.fullmatch(key) is not None


def _check_retargeted(entries: Any) -> None:
    """Reject entries that `remove` could not restore: each has a key, the former text, and the port that was written."""
    if not isinstance(entries, dict) or not all(
        isinstance(each, list) and len(each) == 2 and isinstance(each[0], str) and type(each[1]) in (int, str)
        for each in entries.values()
    ):
        raise ValueError("retargeted: expected a mapping of pairs: the former text and the port")
    for key, (former, _) in entries.items():
        if not is_retarget_key(key) or not is_former_port(former):
            raise ValueError(f"retargeted: invalid entry {json.dumps(key)}")


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise ValueError(f"duplicate key {json.dumps(key)}")
        out[key] = value
    return out


def _parse_int(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"number with {len(text)} digits")
    return int(text)


def _parse_float(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError(f"the number {text[:_LONGEST_NUMBER]} is too large")
    return number


def _reject_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON value")


def check_entry(key: str, text: str) -> str | None:
    """Return why a record cannot hold an entry under a key such as `labels` or `volumeMounts`, or None."""
    return _CHECKS[key](text)


@cache_by_content  # a run that adds sidecars reads the entries of earlier ones again
def _check_instance(data: Any, name: str, version: int) -> None:
    """Raise ValueError for an entry that sidecarctl does not write."""
    where = f"instance {json.dumps(name)}"
    if check_dns_label(name):
        raise ValueError(f"invalid instance name {json.dumps(name)}: {check_dns_label(name)}")
    if not isinstance(data, dict):
        raise ValueError(f"{where}: expected a mapping")
    sidecar = data.get("sidecar", name)
    if not isinstance(sidecar, str) or check_dns_label(sidecar):
        raise ValueError(f"{where}: invalid sidecar name {json.dumps(sidecar)}")
    for key in ("version", "by", "digest"):
        if not isinstance(data.get(key, ""), str):
            raise ValueError(f"{where}: {key}: expected a string")
    if data.get("mode", "native") not in _MODES:
        raise ValueError(f"{where}: unknown mode {json.dumps(data['mode'])}")
    if not isinstance(data.get("parameters", {}), dict):
        raise ValueError(f"{where}: parameters: expected a mapping")
    fronts = data.get("fronts", [])
    if not isinstance(fronts, list) or not all(map(is_front, fronts)):
        raise ValueError(f"{where}: fronts: expected a list of [upstream, port] or [upstream, port, stage]")
    added = data.get("added", {}) if version == 1 else data
    if not isinstance(added, dict):
        raise ValueError(f"{where}: added: expected a mapping")
    for key in ("containers" if version == 1 else "targets", "after"):
        _check_names(where, key, data.get(key, []), lambda text: None)
    _check_names(where, "inherited", data.get("inherited", []), check_dns_label)
    secrets = data.get("secrets", [])
    if not isinstance(secrets, list):
        raise ValueError(f"{where}: secrets: expected a list of paths")
    for path in secrets:
        _check_names(where, "secrets", path, lambda text: None)
    for key, check in _CHECKS.items():
        value = added.get(key, {} if key in _BY_CONTAINER else [])
        if key in _BY_CONTAINER:
            if not isinstance(value, dict):
                raise ValueError(f"{where}: {key}: expected a mapping of lists")
            for container, names in value.items():
                _check_names(where, f"{key} of {json.dumps(container)}", names, check)
        else:
            _check_names(where, key, value, check)


def _check_names(where: str, key: str, names: Any, check: Callable[[str], str | None]) -> None:
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise ValueError(f"{where}: {key}: expected a list of strings")
    for each in names:
        if problem := check(each):
            raise ValueError(f"{where}: {key}: invalid entry {json.dumps(each)}: {problem}")


def _check_annotation(key: str) -> str | None:
    return "it is the record" if key == RECORD_ANNOTATION else check_qualified_name(key)


def _check_mount_path(path: str) -> str | None:
    return None if path and path.isprintable() else "use a path of printable characters"


_BY_CONTAINER = ("volumeMounts", "env")
_CHECKS: Mapping[str, Callable[[str], str | None]] = {
    "containers": check_dns_label,
    "initContainers": check_dns_label,
    "volumes": check_dns_label,
    "volumeMounts": _check_mount_path,
    "env": lambda name: check_env_name(name, NEWEST),
    "annotations": _check_annotation,
    "labels": check_qualified_name,
    "pod": lambda text: None if _POD_SETTINGS.fullmatch(text) else "sidecars do not add it",
    "documents": lambda text: None if _DOCUMENT.fullmatch(text) else "expected Kind/name",
}


def _check_overlap(added: Mapping[str, Any], taken: set[tuple[str, str]]) -> None:
    """Reject an item that is listed twice. Several instances may need the same variable, annotation, label, or setting."""
    for key in ("containers", "initContainers", "volumes"):
        for each in added.get(key, ()):
            if (key, each) in taken:
                raise ValueError(f"{key}: {json.dumps(each)} is listed twice")
            taken.add((key, each))
