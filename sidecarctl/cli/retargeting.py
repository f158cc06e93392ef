"""Objects around the pods of a run, in whichever file: change the ports that bypass a sidecar in front of the app."""

from __future__ import annotations

from collections.abc import Sequence

from sidecarctl.cli.delivery import Delivery, Done, fail_with
from sidecarctl.errors import SidecarctlError
from sidecarctl.findings import Finding
from sidecarctl.inject.retarget import retarget
from sidecarctl.lazy_dataclass import replace
from sidecarctl.results import Retargeted
from sidecarctl.validate.grade import grade
from sidecarctl.yamltext.stream import Document, join, split_readable


def retarget_files(delivery: Delivery, done: list[Done]) -> tuple[list[Done], Sequence[Retargeted], Sequence[Finding]]:
    """Return the results of a run with changed ports, the changes, and findings about what was left alone.

    With --keep-going, a file can have failed: its workloads stay as they are, and no object of it changes. A file that cannot
    be split, and has a port to change, fails: its text could not be joined again.
    """
    whole = [one for one in done if one.result and not one.result.failed]
    before = [each for one in whole for each in split_readable(one.read.text, one.source.name, [])]
    broken: dict[str, list[SidecarctlError]] = {one.source.name: [] for one in whole}
    parts = [
        list(split_readable(one.result.text, one.source.name, broken[one.source.name])) for one in whole if one.result
    ]
    names = {one.source.name for one in whole}
    failed = [one for one in done if one.source.name not in names]
    same = [each for one in failed for each in split_readable(one.read.text, one.source.name, [])]
    result = retarget(
        [*before, *same],
        [*(each for part in parts for each in part), *same],
        delivery.settings.kinds,
        enabled=delivery.retarget,
    )
    rest = iter(result.documents)
    out: dict[str, Done] = {}
    for one, part in zip(whole, parts):
        documents = [next(rest) for _ in part]
        if not one.result or all(new is old for new, old in zip(documents, part)):
            continue
        errors = broken[one.source.name]
        out[one.source.name] = (
            replace(one, result=None, error=errors[0])
            if errors
            else replace(one, result=replace(one.result, text=join(documents)))
        )
    names -= {name for name, one in out.items() if one.error}
    changes = [each for each in result.changes if not each.file or each.file in names]
    lost = {each.file for each in result.changes if each.file and each.action != "recorded"} - names
    if lost:
        # The records of these ports, and other ports that they are about, are in other files.
        concerned = [one for one in whole if one.source.name in out or (one.result and "retargeted" in one.read.text)]
        shared = (out.get(one.source.name, one) for one in concerned)
        out = {one.source.name: one if one.error else fail_with(one, min(lost), "ports and records") for one in shared}
        changes = []
    return [out.get(one.source.name, one) for one in done], changes, _graded(delivery, before, result.findings)


def _graded(delivery: Delivery, documents: Sequence[Document], findings: Sequence[Finding]) -> list[Finding]:
    """Return findings with the severities of their files."""
    homes = {document.file: document for document in documents}
    out: list[Finding] = []
    for finding in findings:
        file = finding.place.file if finding.place else ""
        out += grade(homes[file], [finding], delivery.settings.severities(file)) if file in homes else [finding]
    return out
