"""Makes the volumes of a pod on disk as the kubelet makes them: owners, modes, and links."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STAMP = "..2026_11_20_10_00_00.0000000001"


@dataclass(frozen=True)
class Objects:
    """What the volumes refer to: data of ConfigMaps and Secrets by name, and the fields of the downward API."""

    config_maps: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    token: bytes = b"token of the service account"


@dataclass(frozen=True)
class File:
    """One file of a volume."""

    data: bytes
    mode: int = 0o644
    owner: int = 0


def make_volume(folder: Path, volume: Mapping[str, Any], objects: Objects, spec: Mapping[str, Any]) -> Path:
    """Make one volume below `folder`, for a pod with `spec`. Return its directory."""
    path = folder / volume["name"]
    group = (spec.get("securityContext") or {}).get("fsGroup")
    path.mkdir(parents=True)
    os.chown(path, 0, group or 0)
    path.chmod(0o2777 if group else 0o777)  # world-writable without a sticky bit; setgid with fsGroup
    if "emptyDir" not in volume:
        project(path, _files(volume, objects, spec), group)
    return path


def project(path: Path, files: Mapping[str, File], group: int | None = None) -> None:
    """Write files as the kubelet's atomic writer does: in a directory with a date, behind a link that is replaced.

    Call it again on the same directory to update the files.
    """
    link = path / "..data"
    previous = str(link.readlink()) if link.is_symlink() else None
    stamp = f"{previous}1" if previous else STAMP
    folder = path / stamp
    folder.mkdir()
    folder.chmod(0o755)
    for name, made in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(made.data)
        os.chown(file, made.owner, group or 0)
        file.chmod(made.mode | 0o440 if group else made.mode)
    (path / "..data_tmp").symlink_to(stamp)
    (path / "..data_tmp").rename(link)
    for name in files:
        top = name.split("/", 1)[0]
        if not (path / top).is_symlink():
            (path / top).symlink_to(f"..data/{top}")
    if previous:
        shutil.rmtree(path / previous)


def _files(volume: Mapping[str, Any], objects: Objects, spec: Mapping[str, Any]) -> dict[str, File]:
    (kind,) = (key for key in volume if key != "name")
    source = volume[kind]
    mode = source.get("defaultMode", 0o644)
    if kind != "projected":
        return _source(kind, source, source.get("secretName", source.get("name")), objects, mode)
    files: dict[str, File] = {}
    for each in source["sources"]:
        ((part, body),) = each.items()
        if part == "serviceAccountToken":
            files[body.get("path", "token")] = _token(objects.token, spec, mode)
        else:
            files |= _source(part, body, body.get("name"), objects, mode)
    return files


def _source(kind: str, source: Mapping[str, Any], name: Any, objects: Objects, mode: int) -> dict[str, File]:
    if kind == "downwardAPI":
        items = source["items"]
        return {item["path"]: File(objects.fields[item["fieldRef"]["fieldPath"]].encode(), mode) for item in items}
    held = {"configMap": objects.config_maps, "secret": objects.secrets}[kind]
    if name not in held:
        if source.get("optional"):
            return {}
        raise KeyError(f"the pod mounts the {kind} {name}, which does not exist")
    data = held[name]
    if source.get("items"):
        return {item["path"]: File(data[item["key"]], item.get("mode", mode)) for item in source["items"]}
    return {key: File(value, mode) for key, value in data.items()}


def _token(data: bytes, spec: Mapping[str, Any], mode: int) -> File:
    """Return the token file. Its owner is the user of the containers if they all have the same, else root."""
    if (spec.get("securityContext") or {}).get("fsGroup"):
        return File(data, 0o600)
    pod_user = (spec.get("securityContext") or {}).get("runAsUser")
    containers = [*spec.get("initContainers", []), *spec["containers"]]
    users = {(each.get("securityContext") or {}).get("runAsUser", pod_user) for each in containers}
    if len(users) == 1 and None not in users:
        return File(data, 0o600, users.pop())
    return File(data, mode)
