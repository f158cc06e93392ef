"""Paths in the record: from the pod template, with containers by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import PathTuple
from sidecarctl.kube.workload import RECORD_ANNOTATION, Workload, as_list, as_mapping
from sidecarctl.yamltext.errors import SyntaxProblem
from sidecarctl.yamltext.parse import parse

PULL_SECRETS = "imagePullSecrets"
_CONTAINER_LISTS = ("containers", "initContainers")


class RecordError(SidecarctlError):
    """Invalid record, for example after a manual edit."""

    exit_code = 1

    def __init__(self, message: str, path: PathTuple, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


def record_path(workload: Workload) -> PathTuple:
    """Return the path of the record from the document's root."""
    return (*workload.template_path, "metadata", "annotations", RECORD_ANNOTATION)


def encode_path(workload: Workload, path: PathTuple) -> str:
    """Return a document path in the record's form: from the pod template, containers by name."""
    rest = list(path[len(workload.template_path) :])
    if len(rest) > 2 and rest[0] == "spec" and rest[1] in _CONTAINER_LISTS and isinstance(rest[2], int):
        rest[2] = as_mapping(as_list(workload.pod.get(str(rest[1])))[rest[2]]).get("name", rest[2])
    return "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in rest)


def decode_path(workload: Workload, text: str) -> PathTuple | None:
    """Return the document path of a recorded path, None if its container no longer exists."""
    rest: list[str | int] = [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")]
    if len(rest) > 2 and rest[0] == "spec" and rest[1] in _CONTAINER_LISTS:
        container = workload.named_containers.get((str(rest[1]), str(rest[2])))
        index = container.path[-1] if container else _find_unnamed(workload, str(rest[1]), str(rest[2]))
        if index is None:
            return None
        rest[2] = index
    return (*workload.template_path, *rest)


def _find_unnamed(workload: Workload, field: str, text: str) -> int | None:
    """Return the index in a recorded path if the container there has no name, as the first one of Knative can."""
    items = as_list(workload.pod.get(field))
    index = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
    unnamed = 0 <= index < len(items) and isinstance(items[index], dict) and "name" not in items[index]
    return index if unnamed else None


def find_settings(pod: Any, texts: Iterable[str]) -> dict[str, tuple[PathTuple, Any]]:
    """Return path below the pod spec and value of each recorded setting, such as `securityContext/fsGroup`, that the pod has.

    Pull secrets are recorded by name: `imagePullSecrets/NAME`.
    """
    secrets = index_items(as_mapping(pod).get(PULL_SECRETS), "name")
    found: dict[str, tuple[PathTuple, Any]] = {}
    for text in texts:
        field, _, name = text.partition("/")
        path: PathTuple = (
            (field, secrets[name]) if field == PULL_SECRETS and name in secrets else tuple(text.split("/"))
        )
        value: Any = pod
        for step in path:
            value = value[step] if isinstance(step, int) else as_mapping(value).get(step)
        if value is not None:
            found[text] = (path, value)
    return found


def find_index(items: list[Any], key: str, value: object) -> int | None:
    """Return the index of the first mapping in a list whose `key` is `value`, None if there is none."""
    return next((i for i, item in enumerate(items) if isinstance(item, dict) and item.get(key) == value), None)


def index_items(items: object, key: str) -> dict[str, int]:
    """Map each string that a mapping in a list has at `key` to the index of the first such mapping.

    For many look-ups in one list: as many calls of `find_index` take quadratic time.
    """
    found: dict[str, int] = {}
    for index, item in enumerate(as_list(items)):
        if isinstance(item, dict) and isinstance(value := item.get(key), str):
            found.setdefault(value, index)
    return found


def parse_empty(text: str, path: PathTuple) -> Any:
    """Return the value of the recorded text of an empty collection. Raises RecordError if it is not empty."""
    try:
        root = parse(f'{{"k":{text}\n}}')  # JSON may have no space after the colon
    except (SyntaxProblem, UnicodeEncodeError):  # a lone surrogate cannot be encoded
        root = None
    value = root.value if root else None
    if not isinstance(value, dict) or list(value) != ["k"] or value["k"] not in (None, [], {}):
        raise RecordError(
            f'invalid record: "{text.strip()}" is not an empty value',
            path,
            hint=f"correct the annotation {RECORD_ANNOTATION}, or restore the manifest from version control",
        )
    return value["k"]
