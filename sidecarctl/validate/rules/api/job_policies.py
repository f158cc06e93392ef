"""Rules about the policies of a Job: pod failure, success, and pod replacement."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import completions_of, entries, job_spec, listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, ObjectView, View

_MAX_RULES = 20
_EXIT_CODES = 255
_CONDITIONS = 20
_INDEXES_LENGTH = 64 * 1024


@rule(
    "invalid-pod-failure-policy",
    Severity.ERROR,
    scope="object",
    kinds=("Job", "CronJob"),
    fix="Set either onExitCodes, with sorted and unique values, or onPodConditions on each rule.",
)
def invalid_pod_failure_policy(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid podFailurePolicy of a Job.

    A policy has at most 20 rules. Each rule matches either exit codes of an existing container or pod conditions. Exit
    codes are sorted and unique, at most 255, and without 0 for the operator In, because 0 is not a failure. FailIndex
    requires backoffLimitPerIndex.
    """
    spec = job_spec(obj)
    policy = spec.value.get("podFailurePolicy") if spec else None
    if spec is None or not isinstance(policy, dict):
        return
    rules = policy.get("rules")
    if isinstance(rules, list) and len(rules) > _MAX_RULES:
        where = spec.at("podFailurePolicy", "rules")
        yield problem(where, f"too many rules: {len(rules)} (limit: {_MAX_RULES})", on_key=True)
    for index, entry in listed(policy, "rules"):
        yield from _check_failure_rule(spec, entry, spec.at("podFailurePolicy", "rules", index))


def _check_failure_rule(spec: View, entry: Data, where: PathTuple) -> Problems:
    codes, conditions = entry.get("onExitCodes"), entry.get("onPodConditions")
    if entry.get("action") == "FailIndex" and spec.value.get("backoffLimitPerIndex") is None:
        yield problem((*where, "action"), "action FailIndex requires backoffLimitPerIndex")
    if codes is not None and conditions:
        yield problem(where, "both onExitCodes and onPodConditions are set")
    elif codes is None and not conditions and entry.keys() <= {"action", "onExitCodes", "onPodConditions"}:
        yield problem(where, "missing onExitCodes or onPodConditions")
    if isinstance(codes, dict):
        yield from _check_exit_codes(spec, codes, (*where, "onExitCodes"))
    if isinstance(conditions, list) and len(conditions) > _CONDITIONS:
        message = f"too many pod conditions: {len(conditions)} (limit: {_CONDITIONS})"
        yield problem((*where, "onPodConditions"), message, on_key=True)
    for index, pattern in listed(entry, "onPodConditions"):
        name = pattern.get("type")
        if isinstance(name, str) and name and (fault := names.check_qualified_name(name)):
            at = (*where, "onPodConditions", index, "type")
            yield problem(at, f"invalid condition type {quote(name)}: {fault}")


def _check_exit_codes(spec: View, codes: Data, where: PathTuple) -> Problems:
    name = codes.get("containerName")
    if isinstance(name, str):
        pod = as_mapping(spec.get("template", "spec"))
        known = [item.get("name") for field in ("containers", "initContainers") for _, item in listed(pod, field)]
        if name not in known:
            yield problem((*where, "containerName"), f"unknown container {quote(name)}")
    values = codes.get("values")
    if values == []:
        yield problem((*where, "values"), "no exit codes")
    if not isinstance(values, list):
        return
    if len(values) > _EXIT_CODES:
        message = f"too many exit codes: {len(values)} (limit: {_EXIT_CODES})"
        yield problem((*where, "values"), message, on_key=True)
    numbers = [0 if value is None else value for value in values]
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
        return
    seen = set()
    for index, number in enumerate(numbers):
        if number == 0 and codes.get("operator") == "In":
            yield problem((*where, "values", index), "exit code 0 is success and is not supported with operator In")
        if number in seen:
            yield problem((*where, "values", index), f"duplicate exit code {number}")
        seen.add(number)
    if numbers != sorted(numbers):
        yield problem((*where, "values"), "exit codes are not sorted", on_key=True)


@rule(
    "invalid-success-policy",
    Severity.ERROR,
    scope="object",
    kinds=("Job", "CronJob"),
    since="1.31",
    fix="Use sorted indexes below completions, such as 0-2,4, and a succeededCount up to the number of indexes.",
)
def invalid_success_policy(obj: ObjectView, ctx: Context) -> Problems:
    """Invalid successPolicy of a Job.

    A success policy names the indexes, or the number of indexes, that must succeed. The API server rejects it for a Job
    that is not indexed, without rules or with more than 20 rules, with indexes that do not exist, and with counts that
    can't be reached.
    """
    spec = job_spec(obj)
    policy = spec.value.get("successPolicy") if spec else None
    if spec is None or not isinstance(policy, dict):
        return
    where = spec.at("successPolicy")
    if spec.value.get("completionMode") in (None, "NonIndexed"):
        yield problem(
            where, "successPolicy requires completionMode: Indexed", on_key=True, help="Set `completionMode: Indexed`."
        )
        return
    rules = policy.get("rules")
    if isinstance(rules, list) and not 0 < len(rules) <= _MAX_RULES:
        message = f"expected 1 to {_MAX_RULES} rules, got {len(rules)}"
        yield problem((*where, "rules"), message, on_key=True)
    completions = completions_of(obj, spec)
    for index, entry in entries(policy, "rules"):
        yield from _check_success_rule(entry, (*where, "rules", index), completions)


def _check_success_rule(entry: Data, where: PathTuple, completions: int | None) -> Problems:
    indexes, count = entry.get("succeededIndexes"), entry.get("succeededCount")
    if indexes is None and count is None and entry.keys() <= {"succeededIndexes", "succeededCount"}:
        yield problem(where, "missing succeededIndexes or succeededCount")
    if completions is None:
        return
    total: int | None = None
    if isinstance(indexes, str):
        found = _count_indexes(indexes, completions)
        if isinstance(found, str):
            yield problem((*where, "succeededIndexes"), f"invalid succeededIndexes {quote(indexes)}: {found}")
            total = 0
        else:
            total = found
        if len(indexes) > _INDEXES_LENGTH:
            message = f"succeededIndexes too long: {len(indexes)} characters (limit: {_INDEXES_LENGTH})"
            yield problem((*where, "succeededIndexes"), message)
    if not isinstance(count, int) or isinstance(count, bool):
        return
    if count < 0:
        yield problem((*where, "succeededCount"), f"invalid succeededCount {count}: must not be negative")
    elif count > completions:
        message = f"invalid succeededCount {count}: more than the {completions} completions"
        yield problem((*where, "succeededCount"), message)
    elif total and count > total:
        message = f"invalid succeededCount {count}: more than the {total} indexes in succeededIndexes"
        yield problem((*where, "succeededCount"), message)


def _count_indexes(indexes: str, completions: int) -> int | str:
    """Return how many indexes a text such as "0-2,4" names, or why it is invalid."""
    if not indexes:
        return 0
    last, total = None, 0
    for part in indexes.split(","):
        ends = part.split("-")
        if len(ends) > 2 or not all(_is_number(end) for end in ends):
            return f"{quote(part)} is not an index or a range"
        first, end = int(ends[0]), int(ends[-1])
        if end >= completions or first >= completions:
            return f"the last index is {completions - 1} with {completions} completions"
        if (len(ends) == 2 and first >= end) or (last is not None and last >= first):
            return "indexes are not sorted"
        last, total = end, total + end - first + 1
    return total


def _is_number(text: str) -> bool:
    digits = text[1:] if text.startswith("+") else text
    return digits.isascii() and digits.isdigit() and len(digits) < 19


@rule(
    "invalid-pod-replacement-policy",
    Severity.ERROR,
    scope="object",
    kinds=("Job", "CronJob"),
    since="1.29",
    fix="Use Failed, or remove podReplacementPolicy. The default with a podFailurePolicy is Failed.",
)
def invalid_pod_replacement_policy(obj: ObjectView, ctx: Context) -> Problems:
    """A Job with a podFailurePolicy replaces terminating pods.

    The exit code is only known when a pod has terminated, so the API server accepts only `Failed` together with a
    podFailurePolicy.
    """
    spec = job_spec(obj)
    if spec is None or spec.value.get("podReplacementPolicy") != "TerminatingOrFailed":
        return
    if isinstance(spec.value.get("podFailurePolicy"), dict):
        message = "podFailurePolicy requires podReplacementPolicy: Failed"
        yield problem(spec.at("podReplacementPolicy"), message)
