"""Laws for arbitrary bytes: the result keeps all laws, or an error has a position. One function for each layer.

Each function takes an input and a seed for its choices, and returns its outcome as a short text, so that a search can
recognize new outcomes. Any other exception, BugError included, is a bug in sidecarctl.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from random import Random
from xml.etree import ElementTree

from sidecarctl import __version__
from sidecarctl.catalog.catalog import Catalog, open_catalog
from sidecarctl.catalog.parameters import resolve
from sidecarctl.composition.model import Composition
from sidecarctl.composition.request import Request
from sidecarctl.composition.select import Selection, resolve_selection
from sidecarctl.errors import BugError, InputError, SidecarctlError, UsageError
from sidecarctl.files.sources import decode
from sidecarctl.findings import Finding, Severity
from sidecarctl.inject import pipeline, pod_graph
from sidecarctl.inject import status as statuses
from sidecarctl.inject.pipeline import Options, Result
from sidecarctl.integrations import krm as plugin
from sidecarctl.record.annotation import RecordError
from sidecarctl.report import diff, machine, status, summary, text
from sidecarctl.report.graph import svg, tree
from sidecarctl.results import Report
from sidecarctl.validate.check_files import SourceText, validate_texts
from sidecarctl.validate.fix.apply import fix_texts
from sidecarctl.validate.fix.fixers import FixValues
from sidecarctl.validate.rule_selection import select_rules
from sidecarctl.yamltext.edits import EditRefused
from sidecarctl.yamltext.lines import BREAK
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document, join, split
from tests.fuzz.sequences import MODES, parameters_of_cases, run_sequence
from tests.yamltext.random_yaml import random_inserts, random_removals
from tests.yamltext.splice_laws import exists, is_subsequence, undo_inserts, without_displaced

FILE = "fuzz.yaml"
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_PLACED = re.compile(re.escape(FILE) + r":\d+(:\d+)?\Z")
_EMPTY = re.compile(r"\[\s*\]|\{\s*\}|[Nn]ull|NULL|~")
_OPTIONS = (Options(), Options(kube_version="1.27"), Options(validate="ignore"), Options(facts=False))


class Broken(AssertionError):
    """A law is broken."""


def _check(holds: object, law: str) -> None:
    if not holds:
        raise Broken(law)


def text_layer(data: bytes, seed: int) -> str:
    """Decode, split, and parse; apply edits and undo them."""
    rng = Random(seed)
    try:
        whole = decode(data, FILE)
        documents = list(split(whole, FILE))
    except InputError as error:
        return _error_outline(error)
    _check(join(documents) == whole, "joined documents equal the text")
    return " ".join(sorted({_check_edits(document, rng) for document in documents[:4]}))


def _check_edits(document: Document, rng: Random) -> str:
    try:
        root = document.root
    except InputError as error:
        return _error_outline(error)
    given = document.text
    if root is None or not isinstance(root.value, (dict, list)):
        return "scalar"
    inserts = [one for one in random_inserts(rng, root) if not exists(root.value, one.path)]
    fixed = rng.random()
    outcome = "edited"
    try:
        done = splice(given, root, inserts, lambda _p, keys, _k: round(fixed * len(keys)))
    except EditRefused as error:
        outcome = _error_outline(error, placed=False)
    else:
        kept = without_displaced(given, root, done.displaced) if done.displaced else given
        _check(is_subsequence(kept, done.text), "inserting keeps every byte")
        try:
            back = splice(done.text, done.root, undo_inserts(root, inserts, done)).text
        except EditRefused as error:
            outcome = f"not undone: {_error_outline(error, placed=False)}"
        else:
            _check(back == given, "removing restores the text")
    edits = random_removals(rng, root)
    edits += [
        one for one in inserts if not any(one.path[: len(e.path)] == e.path for e in edits) and rng.random() < 0.5
    ]
    try:
        splice(given, root, edits)
    except EditRefused as error:
        outcome += _error_outline(error, placed=False)
    return outcome


@cache
def _catalog() -> Catalog:
    return open_catalog([], {})


@cache
def _request(name: str) -> Request:
    sidecar = _catalog().find(name)
    return Request(sidecar, resolve(sidecar, parameters_of_cases()[name][0]), mode=MODES.get(name, ("",))[0])


def _requests(rng: Random) -> list[Request]:
    return [_request(name) for name in rng.sample(sorted(parameters_of_cases()), rng.choice((1, 1, 2)))]


def pipeline_layer(data: bytes, seed: int) -> str:
    """Run `add` twice, then `remove`."""
    rng = Random(seed)
    requests, options = _requests(rng), rng.choice(_OPTIONS)
    try:
        given = decode(data, FILE)
        done = pipeline.add(given, requests, options, FILE)
    except UsageError as error:
        return f"usage {_outline(error.message)}"
    except InputError as error:
        return _error_outline(error)
    _check_positions(done.findings, given)
    _check_report(done, rng)
    if "sidecarctl.dev" in given:
        return _check_recorded(given, done, requests, options)
    if done.failed:
        _check(done.text == given, "failed documents are unchanged")
        return f"failed {_rules(done.findings)}"
    bare = _EMPTY.sub("", given)
    _check(
        is_subsequence(given, done.text) or is_subsequence("".join(bare.split()), "".join(done.text.split())),
        "add only inserts",
    )
    _check(pipeline.add(done.text, requests, options, FILE).text == done.text, "adding again changes nothing")
    _check(pipeline.remove(done.text, None, options, FILE).text == given, "remove restores the text")
    return f"done {len(done.changes)} {done.changed} {_rules(done.findings)}"


def _check_recorded(given: str, done: Result, requests: list[Request], options: Options) -> str:
    """Check an input that has a record or appears to have one. A wrong record is corrected once."""
    if not done.failed:
        again = pipeline.add(done.text, requests, options, FILE)
        if not again.failed and again.text != done.text:
            third = pipeline.add(again.text, requests, options, FILE)
            _check(third.failed or third.text == again.text, "repeated adds converge")
    gone = pipeline.remove(given, None, options, FILE)
    _check_positions(gone.findings, given)
    _check(not gone.failed or gone.text == given, "failed documents are unchanged")
    return f"recorded {_rules(done.findings)} {_rules(gone.findings)}"


_FIX_VALUES = FixValues("1Gi", "64Mi", "10m", "32Mi")


def reports_layer(data: bytes, seed: int) -> str:
    """Run `validate` in two of its formats, `validate --fix`, `status`, and `graph`."""
    rng = Random(seed)
    try:
        given = decode(data, FILE)
    except InputError as error:
        return _error_outline(error)
    level = rng.choice((None, "baseline", "restricted"))
    verdict = validate_texts([SourceText(given, FILE)], select_rules(pod_security=level, select=["all"]))
    _check_positions(verdict.findings, given)
    report = Report(__version__, verdict.findings, verdict.ignored, (), (FILE,), root="/", fail_on=Severity.ERROR)
    for format_name in rng.sample(machine.FORMATS, 2):
        _check_format(machine.render_report(report, format_name), format_name)
    _check_printable(text.render_findings(verdict.findings, color=False, width=rng.choice((0, 20, 100))))
    fixed = fix_texts([SourceText(given, FILE)], select_rules(select=["all"]), _FIX_VALUES).texts
    _check(not fix_texts(fixed, select_rules(select=["all"]), _FIX_VALUES).done, "fixing again changes nothing")
    try:
        found = statuses.collect_status(given, _catalog(), Options(), FILE)
        _check_printable(status.render_text(found, color=False, width=80))
        json.loads(status.render_json(found, __version__))
    except UsageError as error:
        return f"usage {_outline(error.message)}"
    except InputError as error:
        return _error_outline(error)
    try:
        drawn = list(pod_graph.read_pods(given, Options(), FILE))
    except (InputError, RecordError) as error:
        return _outline(error.message)
    _check_printable(tree.render_tree(drawn, color=False, width=60))
    _check_printable(tree.render_mermaid(drawn))
    _check_printable(tree.render_pod_sections(drawn))
    if drawn:
        ElementTree.fromstring(svg.render_svg(drawn))
    return f"reported {_rules(verdict.findings)} {len(found)} {len(drawn)}"


@cache
def _selection(options: Options) -> Selection:
    return resolve_selection(Composition("fuzz", FILE, ()), _catalog(), options.kube_version)


def krm_layer(data: bytes, seed: int) -> str:
    """Run the KRM function. An input that is not a ResourceList becomes the items of one."""
    rng = Random(seed)
    if rng.random() < 0.5:
        items = data.split(b"\n---\n")
        lines = [b"- " + item.strip(b"\n").replace(b"\n", b"\n  ") for item in items if item.strip()]
        data = b"apiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n" + b"\n".join(lines) + b"\n"
        data += b"functionConfig:\n  apiVersion: sidecarctl.dev/v1alpha1\n  kind: Composition\n  metadata: {name: x}\n"
        data += b"  spec: {rules: [{sidecars: [{name: logger}]}]}\n"
    outcome = plugin.run(data, lambda given: _prepare(given))
    _check(not isinstance(outcome.error, BugError), f"no internal error: {outcome.error}")
    _check(next(split(outcome.text)).value, "the output is a ResourceList")
    return f"krm {outcome.code} {_rules(outcome.findings)} {_outline(outcome.error.message) if outcome.error else ''}"


def _prepare(given: Composition | None) -> tuple[Selection, Options]:
    if given is None:
        return _selection(Options()), Options()
    if given.libraries:
        raise UsageError("no libraries in a fuzz run")
    return resolve_selection(given, _catalog(), Options().kube_version), Options()


def sequences_layer(data: bytes, seed: int) -> str:
    """Run a sequence of commands. The input is the seed of the manifests and the commands."""
    return run_sequence(data + bytes([seed]))


LAYERS: dict[str, Callable[[bytes, int], str]] = {
    "text": text_layer,
    "pipeline": pipeline_layer,
    "reports": reports_layer,
    "krm": krm_layer,
    "sequences": sequences_layer,
}


def _error_outline(error: SidecarctlError, placed: bool = True) -> str:
    """Return the outline of an error. The error must not be a BugError, and must have a position."""
    if isinstance(error, BugError):
        raise error
    _check(error.message, "an error has a message")
    _check(not placed or _PLACED.search(error.where), f"an error has a position: {error.message!r} in {error.where!r}")
    return _outline(error.message)


def _outline(message: str) -> str:
    """Return a message without the parts that come from the input."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|[*&]\S+|\d+|[^\x20-\x7e]+", "_", message)[:80]


def _rules(findings: tuple[Finding, ...]) -> str:
    return ",".join(sorted({finding.rule for finding in findings}))


def _check_positions(findings: tuple[Finding, ...], given: str) -> None:
    last = len(BREAK.findall(given)) + 1
    for finding in findings:
        if finding.place is None:
            _check(finding.source != "input", f"a finding has a position: {finding.rule}")
        else:
            _check(1 <= finding.place.line <= last + 1, f"a position is in the file: {finding.rule} {finding.place}")


def _check_report(done: Result, rng: Random) -> None:
    """Check that the printed report contains no control sequences."""
    if rng.random() < 0.3:
        _check_printable(text.render_findings(done.findings, color=False, width=80))
        _check_printable(summary.render_changes(done.changes, color=False, width=80, verbose=True))
        _check_printable(diff.unified_diff(done.original, done.text, FILE, terminal=True))


def _check_printable(shown: str) -> None:
    found = _CONTROLS.search(shown)
    _check(not found, f"output contains no control sequences: {found and found.group()!r}")


def _check_format(rendered: str, format_name: str) -> None:
    if format_name in ("json", "sarif", "gitlab"):
        json.loads(rendered)
    elif format_name == "junit":
        ElementTree.fromstring(rendered)
    rendered.encode("utf-8")
