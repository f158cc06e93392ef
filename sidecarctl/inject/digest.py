"""The digest of an instance: tells whether anything that was written has been edited since, without the library."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sidecarctl.kube.workload import Workload, as_mapping
from sidecarctl.record.annotation import Added
from sidecarctl.record.paths import find_settings, index_items
from sidecarctl.sha256 import sha256

_LENGTH = 8
# Fields that refer to a ConfigMap or Secret by name.
_REFERENCES = ("name", "secretName")


def compute_digest(workload: Workload, added: Added, companions: Sequence[Mapping[str, Any]]) -> str:
    """Return a digest of what an instance added to a workload, and of its companions, as 8 hexadecimal digits.

    Names, namespaces, labels, and annotations of companions do not count: kustomize and Helm change them.
    """
    named = (as_mapping(document.get("metadata")).get("name") for document in companions)
    names = {name: f"#{number}" for number, name in enumerate(named) if isinstance(name, str)}
    content = {
        "pod": _without_names(list(_content(workload, added)), names),
        "documents": [{k: v for k, v in document.items() if k != "metadata"} for document in companions],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


def _content(workload: Workload, added: Added) -> Any:
    """Yield everything that an instance added; None for what is missing."""
    containers = {each.name: each.value for each in reversed(workload.containers)}
    for field, names in (
        ("initContainers", added.init_containers),
        ("containers", added.containers),
        ("volumes", added.volumes),
    ):
        yield field, list(_find_all(workload.pod.get(field), "name", names))
    for field, key, holders in (("volumeMounts", "mountPath", added.volume_mounts), ("env", "name", added.env)):
        for container in sorted(holders):
            yield field, container, list(_find_all(containers.get(container, {}).get(field), key, holders[container]))
    for field, keys in (("annotations", added.annotations), ("labels", added.labels)):
        yield field, [as_mapping(workload.metadata.get(field)).get(key) for key in sorted(keys)]
    settings = find_settings(workload.pod, added.pod)
    for text in sorted(added.pod):
        yield text, settings[text][1] if text in settings else None


def _find_all(items: Any, key: str, values: Iterable[str]) -> Iterator[Any]:
    indices = index_items(items, key)
    yield from (items[indices[value]] if value in indices else None for value in sorted(values))


def _without_names(value: Any, names: Mapping[str, str]) -> Any:
    """Return a value with numbers instead of the names of companions."""
    if isinstance(value, dict):
        return {
            key: names[item]
            if key in _REFERENCES and isinstance(item, str) and item in names
            else _without_names(item, names)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_without_names(item, names) for item in value]
    return value
