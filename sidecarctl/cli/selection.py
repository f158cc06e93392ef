"""Errors for input without a workload, or without one that the options select: what there is, and what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sidecarctl.cli.inputs import Inputs
from sidecarctl.composition.workload_filter import WorkloadFilter
from sidecarctl.errors import InputError, SidecarctlError, UsageError, did_you_mean
from sidecarctl.files.sources import Read, Source
from sidecarctl.findings import list_first
from sidecarctl.inject.pipeline import Options
from sidecarctl.kube.kinds import Kinds, group_of, has_no_workload
from sidecarctl.kube.unknown_kinds import UnknownKind, find_unknown_kinds, may_be_unknown
from sidecarctl.kube.workload import Workload, as_mapping, objects, workloads
from sidecarctl.record.annotation import read as read_record
from sidecarctl.record.paths import RecordError
from sidecarctl.yamltext.stream import Document, split_readable

_LISTED = 10
_NAMED = 3


def no_workload_error(names: Sequence[str]) -> SidecarctlError:
    """Return the error for input without a workload, which is more likely a mistake than intended."""
    shown = ", ".join("stdin" if name == "-" else name for name in names[:3]) + (", ..." if len(names) > 3 else "")
    return UsageError(
        f"no workload found in {shown}",
        hint="a workload is a Pod, Deployment, StatefulSet, DaemonSet, Job, CronJob, or another kind with a pod template",
    )


def nothing_checked_error(inputs: Inputs) -> SidecarctlError | None:
    """Return the error for a check of input without an object, None if there is one: a check of nothing is not a success."""
    documents = (each for source, read in inputs.sources for each in split_readable(read.text, source.name, []))
    if any(map(_has_object, documents)):
        return None
    names = ["stdin" if source.path is None else source.name for source, _ in inputs.sources]
    return UsageError(
        f"nothing to check: no object in {list_first(names, _NAMED)}", hint="check that the file has a manifest"
    )


def _has_object(document: Document) -> bool:
    try:
        return any("apiVersion" in value or "kind" in value for value, _ in objects(document.value))
    except InputError:
        return True


def nothing_found_error(inputs: Inputs, settings: Options) -> SidecarctlError:
    """Return the error for input without a workload, or without one that is selected."""
    selected = None if settings.workloads.selects_all else nothing_selected_error(inputs, settings)
    return selected or no_workload_error([source.name for source, _ in inputs.sources])


def nothing_selected_error(inputs: Inputs, settings: Options) -> SidecarctlError | None:
    """Return the error for input of whose workloads none matches, None for input without workloads or with a match."""
    found = list(find_workloads(inputs, settings.kinds))
    if not found or any(map(settings.workloads.matches, found)):
        return None
    labels = list(dict.fromkeys(one.label for one in found))
    shown = list_first(labels, _LISTED)
    return UsageError(
        f"no workload matches {settings.workloads.text}",
        hint=f"{_suggest(settings.workloads, found)}the input has {shown}",
    )


def find_instances(inputs: Inputs, kinds: Kinds) -> dict[str, None]:
    """Return the names of the instances in the records of the input, and of their sidecars, in order."""
    found: dict[str, None] = {}
    for workload in find_workloads(inputs, kinds):
        try:
            record = read_record(workload)
        except RecordError:
            continue
        for one in record.instances.values():
            found.update({one.name: None, one.sidecar: None})
    return found


def describe_missing_instances(names: Sequence[str], inputs: Inputs, kinds: Kinds) -> str:
    """Return that there is no instance of the given names, with what was probably meant or with what there is."""
    found = list(find_instances(inputs, kinds))
    hints = list(dict.fromkeys(hint for name in names if (hint := did_you_mean(name, found))))
    there_is = f"the input has {', '.join(found[:_LISTED])}" if found else ""
    hint = " ".join(hints) or there_is
    return f"no instance of {' or '.join(names)} found" + (f"; {hint}" if hint else "")


def describe_unknown_kinds(inputs: Inputs, kinds: Kinds) -> Iterator[str]:
    """Yield a line for each kind that runs containers but has no known pod template, with its objects."""
    lines: dict[str, list[str]] = {}
    for source, read in inputs.sources:
        if not may_be_unknown(read.text, kinds):
            continue
        for document in split_readable(read.text, source.name, []):
            if may_be_unknown(document.text, kinds):
                for one in _unknown_kinds(document, kinds):
                    lines.setdefault(_advise(one), []).append(f"{one.kind}/{one.name or '(no name)'}")
    for advice, names in lines.items():
        yield f"not changed: {list_first(names, _NAMED)}: {advice}"


def _unknown_kinds(document: Document, kinds: Kinds) -> Iterator[UnknownKind]:
    try:
        yield from find_unknown_kinds(document.value, kinds)
    except InputError:
        return


def _advise(one: UnknownKind) -> str:
    if one.reason:
        return one.reason
    path = ".".join("*" if isinstance(step, int) else step for step in one.template)
    group = f"{group_of(one.api_version)}/" if group_of(one.api_version) else ""
    return f"unknown kind with a pod template; add `{group}{one.kind}: {path}` to spec.kinds of the composition"


def find_workloads(inputs: Inputs, kinds: Kinds) -> Iterator[Workload]:
    """Yield the workloads of the input, without those of documents that cannot be read."""
    for source, read in inputs.sources:
        yield from _workloads_of(source, read, kinds)


def count_workloads(source: Source, read: Read, kinds: Kinds) -> int:
    """Return the number of workloads in a file."""
    return sum(1 for _ in _workloads_of(source, read, kinds))


def _workloads_of(source: Source, read: Read, kinds: Kinds) -> Iterator[Workload]:
    for document in split_readable(read.text, source.name, []):
        if has_no_workload(document.text, kinds):
            continue
        try:
            yield from workloads(document.value, kinds)
        except InputError:
            continue


def find_configuration(inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Yield kind and name of each Secret and ConfigMap that the input has, or that a SealedSecret or ExternalSecret makes."""
    for source, read in inputs.sources:
        if "Secret" not in read.text and "ConfigMap" not in read.text:
            continue
        for document in split_readable(read.text, source.name, []):
            try:
                found = list(objects(document.value))
            except InputError:
                continue
            for value, _ in found:
                kind = str(value.get("kind"))
                name = str(as_mapping(value.get("metadata")).get("name"))
                if kind == "ConfigMap" or kind.endswith("Secret"):
                    yield ("ConfigMap" if kind == "ConfigMap" else "Secret"), name


def _suggest(wanted: WorkloadFilter, found: Sequence[Workload]) -> str:
    for words, known in (
        (wanted.names, [one.name for one in found]),
        (wanted.kinds, [one.kind for one in found]),
        (wanted.namespaces, [one.namespace for one in found if one.namespace]),
    ):
        for word in words:
            hint = "" if word in known else did_you_mean(word, known)
            if hint:
                return f"{hint} "
    return ""
