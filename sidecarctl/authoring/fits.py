"""Which sidecars fit a workload: compares its containers with the `fits` of each sidecar's metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from sidecarctl.catalog.sidecar import Fit, Sidecar
from sidecarctl.catalog.time_limit import library_time_limit
from sidecarctl.findings import shorten
from sidecarctl.kube.workload import Container, Workload, as_list, as_mapping
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.record.annotation import read as read_record
from sidecarctl.record.paths import RecordError

_LONGEST_REASON = 1_000  # characters
_SHELLS = ("sh", "bash", "ash", "dash")
_INTERPRETERS = ("exec", "env", "tini", "dumb-init", "--")


@dataclass(frozen=True)
class Suggestion:
    """A sidecar that fits a workload.

    container   the container that it fits, "" for an init container, which a sidecar does not target
    reason      why it fits
    parameters  values of its parameters that follow from the manifest
    examples    values of further required parameters, to be replaced
    matched     the number of kinds of conditions that were met
    """

    sidecar: str
    container: str
    reason: str
    parameters: Mapping[str, str]
    examples: Mapping[str, str]
    matched: int


def suggest(workload: Workload, sidecars: Sequence[Sidecar]) -> list[Suggestion]:
    """Return the sidecars that fit a workload and that it does not have, the most specific first.

    Raise LibraryError if comparing the conditions of one exceeds the limit of time.
    """
    present = _present(workload)
    found: list[Suggestion] = []
    for sidecar in sidecars:
        with library_time_limit(f"comparing `fits` with {workload.label}", str(sidecar.file)):
            found += [] if sidecar.name in present else _fitting(workload, sidecar)
    return sorted(found, key=lambda each: -each.matched)


def _present(workload: Workload) -> set[str]:
    """Return the sidecars of the record, and the names of all containers."""
    names = {container.name for container in workload.containers}
    try:
        return names | {each.sidecar for each in read_record(workload).instances.values()}
    except RecordError:
        return names


def _fitting(workload: Workload, sidecar: Sidecar) -> Iterator[Suggestion]:
    """Yield at most one suggestion for a sidecar: the first of its `fits` whose conditions are met."""
    for fit in sidecar.fits:
        if _is_excluded(workload, fit):
            continue
        for container in workload.containers:
            values = _match(workload, container, fit) if container.role == fit.role else None
            if values is not None:
                yield _suggestion(sidecar, container, fit, values)
                return


def _suggestion(sidecar: Sidecar, container: Container, fit: Fit, values: Mapping[str, str]) -> Suggestion:
    def fill(text: str, values: Mapping[str, str] = values) -> str:
        return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), text)

    shown = {key: shorten(value, _LONGEST_REASON) for key, value in values.items()}

    return Suggestion(
        sidecar.name,
        container.name if fit.role == "app" else "",
        shorten(fill(fit.reason, shown), _LONGEST_REASON),
        {key: fill(value) for key, value in fit.parameters.items()},
        fit.examples,
        sum(map(bool, (fit.images, fit.runs, fit.mounts, fit.env, fit.annotations))),
    )


def _is_excluded(workload: Workload, fit: Fit) -> bool:
    """Return True if something in the pod makes the sidecar unnecessary or does its work already."""
    unless = fit.unless
    images = [image for one in workload.containers if (image := _image(one))]
    env = [name for one in workload.containers for name in _env(one)]
    return (
        any(_is_image(image, pattern) for image in images for pattern in unless.get("images", ()))
        or _first(env, unless.get("env", ())) is not None
        or _first(map(str, workload.annotations), unless.get("annotations", ())) is not None
    )


def _match(workload: Workload, container: Container, fit: Fit) -> dict[str, str] | None:
    """Return what the conditions matched, by placeholder; None if one of them does not hold."""
    found = {"container": container.name, "image": _image(container)}
    candidates: tuple[tuple[str, Sequence[str], Sequence[str]], ...] = (
        ("run", fit.runs, _commands(container)),
        ("mount", fit.mounts, _unread_mounts(workload, container)),
        ("variable", fit.env, _env(container)),
        ("annotation", fit.annotations, [*map(str, workload.annotations)]),
    )
    if fit.images and not any(_is_image(found["image"], pattern) for pattern in fit.images):
        return None
    for name, patterns, texts in candidates:
        if patterns:
            first = _first(texts, patterns)
            if first is None:
                return None
            found[name] = first
    return found


def _first(texts: Any, patterns: Sequence[str]) -> str | None:
    return next((text for text in texts if any(fnmatchcase(text, pattern) for pattern in patterns)), None)


def _image(container: Container) -> str:
    """Return the repository of the image, without tag and digest."""
    image = container.value.get("image")
    name = image.partition("@")[0] if isinstance(image, str) else ""
    tag = name.rfind(":")
    return name[:tag] if tag > name.rfind("/") else name


def _is_image(image: str, pattern: str) -> bool:
    """Return True if the last segments of a repository match a pattern, as many as the pattern has."""
    segments = image.split("/")
    return fnmatchcase("/".join(segments[-pattern.count("/") - 1 :]), pattern)


def _env(container: Container) -> list[str]:
    return [str(as_mapping(one).get("name")) for one in as_list(container.value.get("env"))]


def _commands(container: Container) -> list[str]:
    """Return the programs that a container runs: its first word, and those that a shell script starts."""
    value = container.value
    words = [word for key in ("command", "args") for word in as_list(value.get(key)) if isinstance(word, str)]
    if not words or not as_list(value.get("command")):
        return []
    if words[0].rpartition("/")[2] not in _SHELLS:
        return [" ".join(word for word in (words[0].rpartition("/")[2], *words[1:]))]
    lines = [part.strip() for word in words[1:] for part in re.split(r"[\n;&|]+", word)]
    return [_without_interpreters(line) for line in lines if line and not line.startswith("-")]


def _without_interpreters(line: str) -> str:
    words = line.split()
    first = next((n for n, word in enumerate(words) if not _is_before_program(word)), len(words))
    return " ".join((words[first].rpartition("/")[2], *words[first + 1 :])) if first < len(words) else ""


def _is_before_program(word: str) -> bool:
    return word in _INTERPRETERS or re.match(r"\w+=", word) is not None


def _unread_mounts(workload: Workload, container: Container) -> list[str]:
    """Return where a container mounts an emptyDir to write, that no other container of the pod mounts."""
    mounts = [
        each for each in map(as_mapping, as_list(container.value.get("volumeMounts"))) if not each.get("readOnly")
    ]
    return [
        str(mount.get("mountPath"))
        for mount in mounts
        if (name := str(mount.get("name"))) in workload.empty_dirs and workload.volume_users[name] == {container.path}
    ]
