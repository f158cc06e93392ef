"""The laws of fixes, over random workloads in random handwriting: nothing else changes, and fixing twice is fixing once."""

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
from sidecarctl.validate.check_files import Text, Verdict, validate
from sidecarctl.validate.fix import apply
from sidecarctl.validate.fix.apply import Outcome
from sidecarctl.validate.fix.fixers import Amounts, Given
from sidecarctl.validate.fix.table import proposed
from sidecarctl.validate.rule_selection import choice
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.nodes import trail
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import split
from tests.manifests import stream, workload
from tests.yamltext.random_yaml import Handwriting

CHOSEN = choice()
AMOUNTS = Amounts("1Gi", "64Mi", "10m", "32Mi")
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
    """Manifests where numbers stand for strings, and the same with each of them in quotes."""
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


def doubled(rng: Random, values: list[Object]) -> list[Object]:
    """Say something twice in some lists."""
    for value in values:
        pod = pod_of(value)
        lists = [pod.get("volumes")]
        lists += [one.get(field) for one in pod["containers"] for field in ("env", "ports", "volumeMounts")]
        for items in lists:
            if items and rng.random() < 0.5:
                items.append(rng.choice(items))
    return values


def fix(text: str, amounts: Amounts = Amounts()) -> Outcome:
    return apply.fix([Text(text, "in.yaml")], CHOSEN, amounts)


def judge(text: str) -> Verdict:
    return validate([Text(text, "in.yaml")], CHOSEN)


def errors(verdict: Verdict) -> list[str]:
    return sorted(one.rule for one in verdict.findings if one.severity is Severity.ERROR)


def values_of(text: str) -> list[object]:
    return [document.value for document in split(text)]


@QUICK
@given(SEEDS)
def test_quoting_changes_no_other_byte(seed: int) -> None:
    rng = Random(seed)
    text, wanted = with_numbers(rng, objects(rng))
    assert fix(text).texts[0].text == wanted


@QUICK
@given(SEEDS)
def test_among_anchors_a_number_is_quoted_where_it_stands_or_left_with_a_reason(seed: int) -> None:
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
        fixes, refused = proposed(document, [Finding("wrong-type", "", path=path, expected=("string",))], Given("1.37"))
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
def test_dropping_an_item_gives_what_was_there_before_it_and_loses_no_comment(seed: int) -> None:
    rng = Random(seed)
    text = stream(rng, doubled(rng, objects(rng)))
    outcome = fix(text)
    new = outcome.texts[0].text
    assert new.count("#") == text.count("#")
    rest = iter(text)
    assert all(character in rest for character in new)
    kept = [one for one in outcome.verdict.findings if one.remedy]
    assert all(one.remedy and "comment" in one.remedy.refused for one in kept)
    if not kept:
        assert values_of(new) == [_single(value) for value in values_of(text)]


def _single(value: Any) -> Any:
    """Data without what stands twice in one list of mappings."""
    if isinstance(value, dict):
        return {key: _single(item) for key, item in value.items()}
    if isinstance(value, list):
        once = [item for index, item in enumerate(value) if not isinstance(item, dict) or item not in value[:index]]
        return [_single(item) for item in once]
    return value


@QUICK
@given(SEEDS)
def test_amounts_are_only_inserted(seed: int) -> None:
    rng = Random(seed)
    text = stream(rng, objects(rng))
    outcome = fix(text, AMOUNTS)
    new = outcome.texts[0].text
    assert [line for line in new.splitlines() if line.strip().startswith("#")] == [
        line for line in text.splitlines() if line.strip().startswith("#")
    ]
    # The one exception: an empty value that has to hold something.
    bare = re.sub(r"(?<=[:\s])(\[\]|\{\}|null|~)", "", text)
    rest = iter("".join(new.split()))
    assert all(character in rest for character in "".join(bare.split()))
    assert not any(one.rule == "unbounded-emptydir" for one in outcome.verdict.findings)


@QUICK
@given(SEEDS)
def test_fixing_twice_is_fixing_once_and_brings_no_error(seed: int) -> None:
    rng = Random(seed)
    text, _ = with_numbers(rng, doubled(rng, objects(rng)))
    once = fix(text, AMOUNTS)
    again = fix(once.texts[0].text, AMOUNTS)
    assert (again.texts, again.done) == (once.texts, ())
    before = errors(judge(text))
    assert all(errors(once.verdict).count(rule) <= before.count(rule) for rule in before)
    assert set(errors(once.verdict)) <= set(before)


@QUICK
@given(SEEDS)
def test_what_a_report_marks_is_what_is_fixed(seed: int) -> None:
    rng = Random(seed)
    text, _ = with_numbers(rng, doubled(rng, objects(rng)))
    texts = [Text(text, "in.yaml")]
    marked = apply.marked(texts, validate(texts, CHOSEN), CHOSEN, AMOUNTS)
    fixable = [one for one in marked.findings if one.fixable]
    done = fix(text, AMOUNTS).done
    # More may be done: what a fix brings up is fixed next.
    assert len(fixable) <= len(done)
    assert bool(fixable) == bool(done)
