"""Laws for sequences of commands: add, upgrade, and remove, with every shipped sidecar, on workloads in every style."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

from sidecarctl.authoring import test_cases
from sidecarctl.catalog.catalog import Catalog, open_catalog
from sidecarctl.composition.request import ParameterChanges, build_requests
from sidecarctl.errors import BugError, UsageError
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options, Result
from sidecarctl.inject.status import collect_status
from sidecarctl.inject.upgrade_instances import UpgradeRequest
from sidecarctl.kube.workload import workloads
from sidecarctl.record import annotation as records
from sidecarctl.yamltext.stream import split
from tests.manifests import stream, workload

_OPTIONS = Options()
_LONGEST = 7
MODES = {"auto-instrumentation": ("init",)}  # supports no other
# Pieces of values that readers, writers, and the record treat differently.
_ODD = (
    *(
        "a",
        "é",
        "😀",
        "\ufffe",
        "\uffff",
        "\ufeff",
        "\u2028",
        "\x85",
        "\xa0",
        "\t",
        "\n",
        "\r\n",
        " ",
        "\\ud83d\\ude00",
        "\\n",
        "\\",
    ),
    *(
        "'",
        '"',
        ": ",
        " #",
        "- ",
        ",",
        "[",
        "}",
        "&a",
        "*a",
        "!t",
        "|",
        ">",
        "%",
        "@",
        "~",
        "---",
        "<<",
        "1e3",
        "0x1",
        "no",
    ),
)
_NEEDED_BY_OTHERS = ("hook-sleep-too-long",)


class BrokenSequence(AssertionError):
    """A law is broken after some commands."""


@cache
def _catalog() -> Catalog:
    return open_catalog([], {})


@cache
def parameters_of_cases() -> dict[str, tuple[dict[str, Any], ...]]:
    """Return the parameters of every case of every sidecar; the first are the required ones."""
    found = {}
    for entry in _catalog().entries():
        assert entry.sidecar is not None
        cases = [test_cases.read_case(entry.sidecar, case) for case in test_cases.find_cases(entry.sidecar)]
        required = test_cases.run_example(entry.sidecar).trial.given
        found[entry.name] = (dict(required), *(dict(case.given) for case in cases))
    return found


def run_sequence(seed: bytes) -> str:
    """Run random commands on random manifests, then remove every instance in random order. Return the outcome."""
    rng = Random(seed)
    start = stream(rng, [workload(rng, f"app-{number}") for number in range(rng.choice((1, 1, 1, 2)))])
    text, said = start, []
    for _ in range(rng.randint(1, _LONGEST)):
        command = rng.choice(("add", "add", "add", "upgrade", "remove"))
        try:
            done = _COMMANDS[command](text, rng)
        except UsageError as error:
            if isinstance(error, BugError):
                raise
            said.append(f"{command}: invalid use")
            continue
        if done is None:
            continue
        name, result = done
        _check(not result.failed or result.text == text, f"a failed {command} changes nothing")
        said.append(f"{command}: refused" if result.failed else f"{command} {name}")
        text = result.text
    _check(not _edited(text), "what only sidecarctl changed does not count as edited")
    whole = pipeline.remove(text, None, _OPTIONS)
    _check(not whole.failed and whole.text == start, "removing all instances at once restores the text")
    while names := _instances(text):
        name, result = _remove_one(text, rng.sample(names, len(names)))
        _check(name not in _instances(result.text), f"remove removes {name}")
        said.append(f"remove {name}")
        text = result.text
    _check(text == start, "removing all instances restores the text")
    return "; ".join(said)


def _remove_one(text: str, names: list[str]) -> tuple[str, Result]:
    """Remove one of the instances. One whose grace period another one needs cannot go before that."""
    found: list[str] = []
    for name in names:
        done = pipeline.remove(text, [name], _OPTIONS)
        if not done.failed:
            return name, done
        found += (finding.message for finding in done.findings if finding.rule not in _NEEDED_BY_OTHERS)
    raise BrokenSequence(f"an instance can be removed: {found[:2]}")


def _add(text: str, rng: Random) -> tuple[str, Result]:
    name = rng.choice(sorted(parameters_of_cases()))
    values = {**rng.choice(parameters_of_cases()[name]), **_odd_variable(rng)}
    requests = build_requests(
        _catalog(), [name], {name: ParameterChanges(values)}, mode=rng.choice(MODES.get(name, ("", "", "classic")))
    )
    done = pipeline.add(text, requests, _OPTIONS)
    if not done.failed:
        _check(pipeline.add(done.text, requests, _OPTIONS).text == done.text, f"adding {name} again changes nothing")
    return name, done


def _odd_variable(rng: Random) -> dict[str, Any]:
    """Return, one time in four, a variable of the sidecar's containers with an odd value."""
    if rng.randrange(4):
        return {}
    value = "".join(rng.choices(_ODD, k=rng.randint(1, 6)))
    return {"env": [{"name": rng.choice(("ODD", "ODD_2")), "value": value}]}


def _upgrade(text: str, rng: Random) -> tuple[str, Result] | None:
    names = sorted({name for name in _instances(text) if name in parameters_of_cases()})
    if not names:
        return None
    name = rng.choice(names)
    changes = {name: ParameterChanges({**rng.choice(parameters_of_cases()[name]), **_odd_variable(rng)})}
    step = pipeline.make_upgrade_step(UpgradeRequest(_catalog(), {name: ""}, changes, "fail"), _OPTIONS)
    return name, pipeline.run(text, step, _OPTIONS)


def _remove(text: str, rng: Random) -> tuple[str, Result] | None:
    names = _instances(text)
    if not names:
        return None
    name = rng.choice(names)
    return name, pipeline.remove(text, [name], _OPTIONS)


_COMMANDS = {"add": _add, "upgrade": _upgrade, "remove": _remove}


def _instances(text: str) -> list[str]:
    found = (records.read(one).instances for document in split(text) for one in workloads(document.value))
    return sorted({name for instances in found for name in instances})


def _edited(text: str) -> list[str]:
    found = collect_status(text, _catalog(), _OPTIONS, "manifest.yaml", None)
    return [each.name for one in found for each in one.instances if each.edited or each.edits]


def _check(holds: object, law: str) -> None:
    if not holds:
        raise BrokenSequence(law)
