"""Properties of fixes over random workloads in random YAML styles: lossless and idempotent."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecarctl.errors import InputError
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.validate.check_files import SourceText, Verdict, validate_texts
from sidecarctl.validate.fix import apply
from sidecarctl.validate.fix.apply import FixResult
from sidecarctl.validate.fix.fixers import FixContext, FixValues
from sidecarctl.validate.fix.table import propose_fixes
from sidecarctl.validate.rule_selection import select_rules
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.nodes import trail
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import split
from tests.manifests import stream, workload
from tests.yamltext.random_yaml import Handwriting

SELECTION = select_rules()
VALUES = FixValues("1Gi", "64Mi", "10m", "32Mi")
NUMBERS = ("8080", "0644", "1.0", "1_000", "0x1F", "1e3", "+7", "-.5", "0o17", "yes", "off", "True", "n")
SEEDS = st.integers(min_value=0, max_value=2**32)
QUICK = settings(
    max_examples=int(os.environ.get("SIDECARCTL_EXAMPLES", "120")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
Object = dict[str, Any]


def objects(rng: Random) -> list[Object]:
    return [workload(rng, f"app-{number}") for number in range(rng.choice((1, 1, 2)))]


def pod_of(value: Object) -> Object:
    spec: Object = value["spec"]
    if value["kind"] == "Pod":
        return spec
    spec = spec["jobTemplate"]["spec"] if value["kind"] == "CronJob" else spec
    found: Object = spec["template"]["spec"]
    return found


def with_numbers(rng: Random, values: list[Object]) -> tuple[str, str]:
    """Return manifests with numbers in string fields, and the same manifests with the numbers quoted."""
    for number, value in enumerate(values):
        for index, container in enumerate(pod_of(value)["containers"]):
            field = rng.choice(("env", "args", "both", "none"))
            if field in ("env", "both"):
                container["env"] = [{"name": "A", "value": f"@{number}{index}@"}, {"name": "B", "value": "x"}]
            if field in ("args", "both"):
                container["args"] = ["--port", f"@{number}{index}@"]
    text = stream(rng, values)
    words = {mark: rng.choice(NUMBERS) for mark in re.findall(r"@\d+@", text)}
    placed = re.compile(r"""(["']?)(@\d+@)\1""")
    return (
        placed.sub(lambda found: words[found.group(2)], text),
        placed.sub(lambda found: f'"{words[found.group(2)]}"', text),
    )


def with_duplicates(rng: Random, values: list[Object]) -> list[Object]:
    """Add duplicate items to some lists."""
    for value in values:
        pod = pod_of(value)
        lists = [pod.get("volumes")]
        lists += [one.get(field) for one in pod["containers"] for field in ("env", "ports", "volumeMounts")]
        for items in lists:
            if items and rng.random() < 0.5:
                items.append(rng.choice(items))
    return values


def fix(text: str, amounts: FixValues = FixValues()) -> FixResult:
    return apply.fix_texts([SourceText(text, "in.yaml")], SELECTION, amounts)


def validate(text: str) -> Verdict:
    return validate_texts([SourceText(text, "in.yaml")], SELECTION)


def errors(verdict: Verdict) -> list[str]:
    return sorted(one.rule for one in verdict.findings if one.severity is Severity.ERROR)


def values_of(text: str) -> list[object]:
    return [document.value for document in split(text)]


@QUICK
@given(SEEDS)
def test_quoting_changes_only_the_number(seed: int) -> None:
    rng = Random(seed)
    text, wanted = with_numbers(rng, objects(rng))
    assert fix(text).texts[0].text == wanted


@QUICK
@given(SEEDS)
def test_quotes_number_or_gives_reason_in_documents_with_anchors(seed: int) -> None:
    rng = Random(seed)
    text = Handwriting(rng).document()
    document = next(split(text))
    try:
        root = document.root
    except InputError:
        return
    for path, value in _scalars(document.value, ()):
        if type(value) not in (bool, int, float):
            continue
        fixes, refused = propose_fixes(
            document, [Finding("wrong-type", "", path=path, expected=("string",))], FixContext("1.37")
        )
        assert len(fixes) + len(refused) == 1
        for one in fixes:
            node = trail(root, path)[-1]
            before, number, after = (
                document.text[: node.start],
                document.text[node.start : node.end],
                document.text[node.end :],
            )
            wanted = f'{before}"{number}"{after}'
            try:
                assert splice(document.text, root, one.edits).text == wanted
            except EditRefused as refusal:
                assert "*" in document.text
                assert refusal.message


def _scalars(value: Any, path: PathTuple) -> Iterator[tuple[PathTuple, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _scalars(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _scalars(item, (*path, index))
    else:
        yield path, value


@QUICK
@given(SEEDS)
def test_removing_duplicates_keeps_other_items_and_comments(seed: int) -> None:
    rng = Random(seed)
    text = stream(rng, with_duplicates(rng, objects(rng)))
    outcome = fix(text)
    new = outcome.texts[0].text
    assert new.count("#") == text.count("#")
    rest = iter(text)
    assert all(character in rest for character in new)
    kept = [one for one in outcome.verdict.findings if one.autofix]
    assert all(one.autofix and "comment" in one.autofix.refused for one in kept)
    if not kept:
        assert values_of(new) == [_single(value) for value in values_of(text)]


def _single(value: Any) -> Any:
    """Return data without duplicate items in lists of mappings."""
    if isinstance(value, dict):
        return {key: _single(item) for key, item in value.items()}
    if isinstance(value, list):
        once = [item for index, item in enumerate(value) if not isinstance(item, dict) or item not in value[:index]]
        return [_single(item) for item in once]
    return value


@QUICK
@given(SEEDS)
def test_setting_values_only_inserts_text(seed: int) -> None:
    rng = Random(seed)
    text = stream(rng, objects(rng))
    outcome = fix(text, VALUES)
    new = outcome.texts[0].text
    assert [line for line in new.splitlines() if line.strip().startswith("#")] == [
        line for line in text.splitlines() if line.strip().startswith("#")
    ]
    # Exception: an empty value that receives content.
    bare = re.sub(r"(?<=[:\s])(\[\]|\{\}|null|~)", "", text)
    rest = iter("".join(new.split()))
    assert all(character in rest for character in "".join(bare.split()))
    assert not any(one.rule == "unbounded-emptydir" for one in outcome.verdict.findings)


@QUICK
@given(SEEDS)
def test_fixing_is_idempotent_and_causes_no_errors(seed: int) -> None:
    rng = Random(seed)
    text, _ = with_numbers(rng, with_duplicates(rng, objects(rng)))
    once = fix(text, VALUES)
    again = fix(once.texts[0].text, VALUES)
    assert (again.texts, again.done) == (once.texts, ())
    before = errors(validate(text))
    assert all(errors(once.verdict).count(rule) <= before.count(rule) for rule in before)
    assert set(errors(once.verdict)) <= set(before)


@QUICK
@given(SEEDS)
def test_report_marks_findings_that_fix_fixes(seed: int) -> None:
    rng = Random(seed)
    text, _ = with_numbers(rng, with_duplicates(rng, objects(rng)))
    texts = [SourceText(text, "in.yaml")]
    marked = apply.describe_fixes(texts, validate_texts(texts, SELECTION), SELECTION, VALUES)
    fixable = [one for one in marked.findings if one.fixable]
    done = fix(text, VALUES).done
    # A fix can uncover findings that are fixed next.
    assert len(fixable) <= len(done)
    assert bool(fixable) == bool(done)
