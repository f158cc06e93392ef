"""`sidecarctl list --for PATH`: sidecars that fit the workloads of manifests, each with a command that was tried."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from sidecarctl import watchdog
from sidecarctl.authoring.fits import Suggestion, suggest
from sidecarctl.authoring.new_composition import Example
from sidecarctl.catalog.catalog import Catalog
from sidecarctl.cli.inputs import Inputs
from sidecarctl.composition.request import ParameterChanges, Request, build_requests
from sidecarctl.errors import SidecarctlError
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options
from sidecarctl.kube.kinds import has_no_workload
from sidecarctl.kube.workload import Workload, workloads
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.report.json_text import to_json
from sidecarctl.report.terminal import paint, visible, wrap
from sidecarctl.results import plural
from sidecarctl.yamltext.stream import Document, split_readable


@dataclass(frozen=True)
class Offer:
    """A suggestion for a workload with the command line that adds the sidecar."""

    file: str
    workload: str
    suggestion: Suggestion
    command: str


def find_offers(
    inputs: Inputs, catalog: Catalog, libraries: Sequence[str], settings: Options
) -> tuple[list[Offer], int]:
    """Return the offers in the order of the manifests, and the number of workloads.

    A sidecar whose command would fail or change nothing is not offered.
    """
    offers: list[Offer] = []
    count = 0
    for source, read in inputs.sources:
        found = list(_workloads(read.text, source.name, settings))
        count += len(found)
        with watchdog.one_step(source.name):
            offers += _offers(found, source.name, catalog, libraries, settings)
    return offers, count


def find_first_offer(inputs: Inputs, catalog: Catalog, settings: Options) -> Offer | None:
    """Return the first of the offers, None if there is none."""
    for source, read in inputs.sources:
        found = list(_workloads(read.text, source.name, settings))
        with watchdog.one_step(source.name):
            first = next(_offers(found, source.name, catalog, (), settings), None)
        if first:
            return first
    return None


def _offers(
    found: Sequence[tuple[Document, Workload]], file: str, catalog: Catalog, libraries: Sequence[str], settings: Options
) -> Iterator[Offer]:
    """Yield the offers for the workloads of a file."""
    sidecars = [one.sidecar for one in catalog.entries() if one.is_default and one.sidecar and one.sidecar.fits]
    for document, workload in found:
        # Of a List, the object alone: to add to the whole List for each of its workloads takes too long.
        text = to_json(workload.value) if workload.path else document.text
        for suggestion in suggest(workload, sidecars):
            if _works(text, suggestion, catalog, settings):
                command = _command(file, workload, suggestion, libraries, alone=len(found) == 1)
                yield Offer(file, workload.label, suggestion, command)


def _workloads(text: str, name: str, settings: Options) -> Iterator[tuple[Document, Workload]]:
    for document in split_readable(text, name, []):
        if has_no_workload(document.text, settings.kinds):
            continue
        try:
            for workload in workloads(document.value, settings.kinds):
                yield document, workload
        except SidecarctlError:
            continue


def _works(text: str, suggestion: Suggestion, catalog: Catalog, settings: Options) -> bool:
    """Return True if adding the sidecar to a document changes it without an error."""
    try:
        result = pipeline.add(text, _requests(suggestion, catalog), settings)
    except SidecarctlError:
        return False
    return result.changed and not result.failed


def _requests(suggestion: Suggestion, catalog: Catalog) -> list[Request]:
    given = dict[str, object]({**suggestion.parameters, **suggestion.examples})
    changes = {suggestion.sidecar: ParameterChanges(_parsed(suggestion.sidecar, given), {})}
    containers = [suggestion.container] if suggestion.container else []
    return build_requests(catalog, [suggestion.sidecar], changes, containers=containers)


def as_example(offer: Offer, catalog: Catalog) -> Example:
    """Return an offer as an example of a rule."""
    (request,) = _requests(offer.suggestion, catalog)
    kind, _, name = offer.workload.partition("/")
    return Example(kind, name.rpartition("/")[2], request.sidecar.name, dict(request.parameters.recorded))


def _parsed(sidecar: str, given: Mapping[str, object]) -> dict[str, object]:
    """Return parameters as `--set` reads them."""
    from sidecarctl.catalog.assignments import parse_set

    return dict(parse_set([f"{key}={value}" for key, value in given.items()], [sidecar]).get(sidecar, {}))


def _command(file: str, workload: Workload, suggestion: Suggestion, libraries: Sequence[str], *, alone: bool) -> str:
    words = ["sidecarctl", "add", suggestion.sidecar, "-f", file]
    words += [word for library in libraries for word in ("--library", library)]
    if not alone:
        words += ["--kind", workload.kind, "--name", workload.name]
        words += ["-n", workload.namespace] if workload.namespace else []
    if suggestion.container and sum(one.role == "app" for one in workload.containers) > 1:
        words += ["--container", suggestion.container]
    for key, value in {**suggestion.parameters, **suggestion.examples}.items():
        words += ["--set", f"{key}={value}"]
    return shlex.join(words)


def render_offers(offers: Sequence[Offer], count: int, *, color: bool, width: int) -> str:
    """Return the offers by workload, and a summary."""
    lines: list[str] = []
    heading = ""
    for offer in offers:
        file = "stdin" if offer.file == "-" else offer.file
        own = f"{visible(offer.workload)}  {visible(file)}"
        if own != heading:
            lines += ["", own] if heading else [own]
            heading = own
        one = offer.suggestion
        first, *more = wrap(visible(f"{one.sidecar}: {one.reason}"), width, "  ", "    ")
        lines += [first.replace(one.sidecar, paint(one.sidecar, "bold", color), 1), *more]
        lines.append(f"    {visible(offer.command)}")
        if one.examples:
            values = "values" if len(one.examples) > 1 else "value"
            lines.append(f"    replace the example {values} of {visible(', '.join(one.examples))}")
    workloads = plural(count, "workload")
    if not offers:
        return f"no suggestions for {workloads}; `sidecarctl list` lists all sidecars\n"
    fitted = len({(offer.file, offer.workload) for offer in offers})
    lines += ["", f"{plural(len(offers), 'suggestion')} for {fitted} of {workloads}"]
    return "".join(f"{line}\n" for line in lines)


def offers_data(offers: Sequence[Offer]) -> str:
    """Return the offers as JSON."""
    rows = [
        {
            "file": offer.file,
            "workload": offer.workload,
            "sidecar": offer.suggestion.sidecar,
            "container": offer.suggestion.container or None,
            "reason": offer.suggestion.reason,
            "parameters": dict(offer.suggestion.parameters),
            "examples": dict(offer.suggestion.examples),
            "command": offer.command,
        }
        for offer in offers
    ]
    return to_json(rows)
