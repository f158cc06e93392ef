"""Rules about a Job's policies: which failures of its pods count, when it has succeeded, when pods are replaced."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import completions_of, entries, job_spec, listed
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, ObjectView, View

_RULES = 20
_EXIT_CODES = 255
_CONDITIONS = 20
_INDEXES_LENGTH = 64 * 1024


@rule(
    "invalid-pod-failure-policy",
    Severity.ERROR,
    scope="object",
    kinds=("Job", "CronJob"),
    fix="Give each rule exit codes, in order and each once, or conditions of the pod, but not both.",
)
def invalid_pod_failure_policy(one: ObjectView, ctx: Context) -> Problems:
    """A rule of a podFailurePolicy can't be followed.

    Each of at most 20 rules looks either at exit codes of a container that exists, or at conditions of the pod. Zero
    is no failure, so In can't list it; codes are listed in order, each once, at most 255. FailIndex needs a
    backoffLimitPerIndex.
    """
    spec = job_spec(one)
    policy = spec.value.get("podFailurePolicy") if spec else None
    if spec is None or not isinstance(policy, dict):
        return
    rules = policy.get("rules")
    if isinstance(rules, list) and len(rules) > _RULES:
        where = spec.at("podFailurePolicy", "rules")
        yield problem(where, f"there may be {_RULES} rules at most, and there are {len(rules)}", on_key=True)
    for index, entry in listed(policy, "rules"):
        yield from _failure_rule(spec, entry, spec.at("podFailurePolicy", "rules", index))


def _failure_rule(spec: View, entry: Data, where: PathTuple) -> Problems:
    codes, conditions = entry.get("onExitCodes"), entry.get("onPodConditions")
    if entry.get("action") == "FailIndex" and spec.value.get("backoffLimitPerIndex") is None:
        yield problem((*where, "action"), "FailIndex needs a backoffLimitPerIndex")
    if codes is not None and conditions:
        yield problem(where, "the rule looks at exit codes and at conditions")
    elif codes is None and not conditions and entry.keys() <= {"action", "onExitCodes", "onPodConditions"}:
        yield problem(where, "the rule looks neither at exit codes nor at conditions")
    if isinstance(codes, dict):
        yield from _exit_codes(spec, codes, (*where, "onExitCodes"))
    if isinstance(conditions, list) and len(conditions) > _CONDITIONS:
        message = f"there may be {_CONDITIONS} conditions at most, and there are {len(conditions)}"
        yield problem((*where, "onPodConditions"), message, on_key=True)
    for index, pattern in listed(entry, "onPodConditions"):
        name = pattern.get("type")
        if isinstance(name, str) and name and (fault := names.qualified_name(name)):
            at = (*where, "onPodConditions", index, "type")
            yield problem(at, f"{quote(name)} is no condition of a pod: it {fault}")


def _exit_codes(spec: View, codes: Data, where: PathTuple) -> Problems:
    name = codes.get("containerName")
    if isinstance(name, str):
        pod = as_mapping(spec.get("template", "spec"))
        known = [one.get("name") for field in ("containers", "initContainers") for _, one in listed(pod, field)]
        if name not in known:
            yield problem((*where, "containerName"), f"the pod has no container {quote(name)}")
    values = codes.get("values")
    if values == []:
        yield problem((*where, "values"), "there are no exit codes")
    if not isinstance(values, list):
        return
    if len(values) > _EXIT_CODES:
        message = f"there may be {_EXIT_CODES} exit codes at most, and there are {len(values)}"
        yield problem((*where, "values"), message, on_key=True)
    numbers = [0 if value is None else value for value in values]
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
        return
    seen = set()
    for index, number in enumerate(numbers):
        if number == 0 and codes.get("operator") == "In":
            yield problem((*where, "values", index), "0 is success, and In lists failures")
        if number in seen:
            yield problem((*where, "values", index), f"{number} is there already")
        seen.add(number)
    if numbers != sorted(numbers):
        yield problem((*where, "values"), "the exit codes are not in order", on_key=True)


@rule(
    "invalid-success-policy",
    Severity.ERROR,
    scope="object",
    kinds=("Job", "CronJob"),
    since="1.31",
    fix="Name indexes below completions, in order, like 0-2,4; and a count no higher than there are.",
)
def invalid_success_policy(one: ObjectView, ctx: Context) -> Problems:
    """A successPolicy can't be met, or the Job is not indexed.

    It says which indexes, or how many, have to succeed. The API server refuses one of a Job that is not indexed, one
    without rules or with more than 20, indexes that do not exist, and counts that can't be reached.
    """
    spec = job_spec(one)
    policy = spec.value.get("successPolicy") if spec else None
    if spec is None or not isinstance(policy, dict):
        return
    where = spec.at("successPolicy")
    if spec.value.get("completionMode") in (None, "NonIndexed"):
        yield problem(where, "only an indexed Job can have a successPolicy", on_key=True, help="Make it indexed.")
        return
    rules = policy.get("rules")
    if isinstance(rules, list) and not 0 < len(rules) <= _RULES:
        message = f"there have to be 1 to {_RULES} rules, and there are {len(rules)}"
        yield problem((*where, "rules"), message, on_key=True)
    completions = completions_of(one, spec)
    for index, entry in entries(policy, "rules"):
        yield from _success_rule(entry, (*where, "rules", index), completions)


def _success_rule(entry: Data, where: PathTuple, completions: int | None) -> Problems:
    indexes, count = entry.get("succeededIndexes"), entry.get("succeededCount")
    if indexes is None and count is None and entry.keys() <= {"succeededIndexes", "succeededCount"}:
        yield problem(where, "the rule names no indexes and no count")
    if completions is None:
        return
    total: int | None = None
    if isinstance(indexes, str):
        found = _total(indexes, completions)
        if isinstance(found, str):
            yield problem((*where, "succeededIndexes"), f"the indexes {quote(indexes)} can't be read: {found}")
            total = 0
        else:
            total = found
        if len(indexes) > _INDEXES_LENGTH:
            message = f"the indexes have {len(indexes)} characters, and may have {_INDEXES_LENGTH}"
            yield problem((*where, "succeededIndexes"), message)
    if not isinstance(count, int) or isinstance(count, bool):
        return
    if count < 0:
        yield problem((*where, "succeededCount"), f"succeededCount is {count}, and can't be less than zero")
    elif count > completions:
        message = f"succeededCount is {count}, and there are {completions} completions"
        yield problem((*where, "succeededCount"), message)
    elif total and count > total:
        message = f"succeededCount is {count}, and succeededIndexes names {total}"
        yield problem((*where, "succeededCount"), message)


def _total(indexes: str, completions: int) -> int | str:
    """Return how many indexes a text like "0-2,4" names, or what is wrong with it."""
    if not indexes:
        return 0
    last, total = None, 0
    for part in indexes.split(","):
        ends = part.split("-")
        if len(ends) > 2 or not all(_is_number(end) for end in ends):
            return f"{quote(part)} is no index and no range of them"
        first, end = int(ends[0]), int(ends[-1])
        if end >= completions or first >= completions:
            return f"with {completions} completions the last index is {completions - 1}"
        if (len(ends) == 2 and first >= end) or (last is not None and last >= first):
            return "they are not in order"
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
    fix="Use Failed, or leave it out: with a podFailurePolicy that is the default.",
)
def invalid_pod_replacement_policy(one: ObjectView, ctx: Context) -> Problems:
    """Pods are replaced while they still end, and a podFailurePolicy waits for how they end.

    With a podFailurePolicy only `Failed` is taken: the exit code is known when the pod has ended.
    """
    spec = job_spec(one)
    if spec is None or spec.value.get("podReplacementPolicy") != "TerminatingOrFailed":
        return
    if isinstance(spec.value.get("podFailurePolicy"), dict):
        message = "with a podFailurePolicy the podReplacementPolicy must be Failed"
        yield problem(spec.at("podReplacementPolicy"), message)
