"""Fixes that add an amount which a manifest lacks and a flag gives."""

from __future__ import annotations

from sidecarctl.errors import UsageError
from sidecarctl.findings import Finding, PathTuple
from sidecarctl.kube import quantity
from sidecarctl.validate.fix.fixes import Amounts, Fix, Given, value_at
from sidecarctl.yamltext.edits import Edit, EditRefused, Insert, Replace, dotted
from sidecarctl.yamltext.stream import Document


def read_amounts(**given: str | None) -> Amounts:
    """Return the amounts that flags give. Raises UsageError for what is none, and for nothing at all."""
    for name, amount in given.items():
        if amount is None:
            continue
        flag = f"--{name.replace('_', '-')}"
        problem = quantity.problem(amount)
        if problem:
            raise UsageError(f'"{amount}" is no quantity: it {problem}', hint="write 64Mi, 1Gi or 100m", where=flag)
        if (quantity.nano(amount) or 0) <= 0:
            raise UsageError(f'"{amount}" must be more than nothing', hint="write 64Mi, 1Gi or 100m", where=flag)
    return Amounts(**{name: (amount or "").strip() for name, amount in given.items()})


def size_limit(finding: Finding, document: Document, given: Given) -> Fix | None:
    """Give an emptyDir its sizeLimit."""
    return _set(finding, document, {(*finding.path, "sizeLimit"): given.amounts.size_limit})


def memory_limit(finding: Finding, document: Document, given: Given) -> Fix | None:
    """Give a container its memory limit."""
    return _set(finding, document, {finding.path: given.amounts.memory_limit})


def requests(finding: Finding, document: Document, given: Given) -> Fix | None:
    """Give a container the requests that it lacks. Raises EditRefused where only some of them are given."""
    known = {"cpu": given.amounts.cpu_request, "memory": given.amounts.memory_request}
    wanted = {name: known[name] for name in finding.wants}
    lacking = [f"--{name}-request" for name, amount in wanted.items() if not amount]
    if lacking and len(lacking) < len(wanted):
        raise EditRefused(f"{' and '.join(lacking)} is needed too", finding.path)
    return _set(finding, document, {(*finding.path, name): amount for name, amount in wanted.items()})


def _set(finding: Finding, document: Document, amounts: dict[PathTuple, str]) -> Fix | None:
    if not amounts or not all(amounts.values()):
        return None
    says = "set " + " and ".join(f"{_field(path)}: {amount}" for path, amount in amounts.items())
    return Fix(finding, tuple(_edit(document, path, amount, says) for path, amount in amounts.items()), says)


def _field(path: PathTuple) -> str:
    """The end of a path, from the list item on that it is in: `resources.limits.memory`."""
    last = max((depth for depth, step in enumerate(path) if isinstance(step, int)), default=-1)
    return dotted(path[last + 1 :])


def _edit(document: Document, path: PathTuple, amount: str, says: str) -> Edit:
    """Write over what stands there (a zero, an empty text), else add it."""
    there = value_at(document.value, path) is not None
    return Replace(path, amount, says) if there else Insert(path, amount, says)
