"""The operations on the text of one file: add, upgrade, remove, and render a composition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from sidecarctl.catalog.catalog import Catalog, open_catalog
from sidecarctl.composition.annotations import INJECT, read_namespaces
from sidecarctl.composition.request import Request, order_requests
from sidecarctl.errors import SidecarctlError
from sidecarctl.inject.companion_search import ALONE, Beside
from sidecarctl.inject.document import RepairOptions
from sidecarctl.inject.document_addition import add_sidecars, repair_chains
from sidecarctl.inject.document_removal import DocumentResult, concerns_removal, may_have_instance, remove_instances
from sidecarctl.inject.process import DocumentFilter, Step, process_documents
from sidecarctl.inject.process import Options as Options
from sidecarctl.inject.process import ProcessedDocuments as ProcessedDocuments
from sidecarctl.inject.text_run import Result as Result
from sidecarctl.inject.text_run import join_results
from sidecarctl.inject.text_run import run as run
from sidecarctl.kube.fronts import concerns_retargeting
from sidecarctl.kube.workload import may_hold
from sidecarctl.lazy_dataclass import replace
from sidecarctl.validate.rule_selection import Severities, no_severities
from sidecarctl.yamltext.stream import Document, split_readable

if TYPE_CHECKING:
    from sidecarctl.composition.select import Selection
    from sidecarctl.inject.reconcile import DocumentTasks
    from sidecarctl.inject.upgrade_instances import UpgradeRequest


FindCatalog = Callable[[], Catalog]


def make_add_step(requests: Sequence[Request], options: Options) -> Step:
    """Return the step that adds sidecars to a document's workloads."""
    ordered = order_requests(requests)
    return lambda document, companions, following: add_sidecars(
        document,
        companions,
        ordered,
        options.kube_version,
        options.kinds,
        following=following,
        workloads_filter=options.workloads,
    )


def make_upgrade_step(wanted: UpgradeRequest, options: Options) -> Step:
    """Return the step that upgrades the instances of a document's workloads."""
    from sidecarctl.inject.upgrade_instances import upgrade_instances

    return lambda document, companions, following: upgrade_instances(
        document,
        companions,
        wanted,
        options.kube_version,
        options.kinds,
        following=following,
        workloads_filter=options.workloads,
    )


def make_remove_step(names: Sequence[str] | None, options: Options, find_catalog: FindCatalog = open_catalog) -> Step:
    """Return the step that removes instances from a document's workloads; None removes all.

    `find_catalog` returns the libraries. They are needed if a sidecar that stays forwarded traffic to one that goes.
    """
    again = RepairOptions(find_catalog, "fail", options.kube_version, options.kinds)

    def step(document: Document, companions: Sequence[Document], following: str | None) -> DocumentResult:
        result = remove_instances(
            document, companions, names, options.kinds, following=following, workloads_filter=options.workloads
        )
        return repair_chains(result, (document, *companions), again, following)

    return step


def add(text: str, requests: Sequence[Request], options: Options, file: str = "-") -> Result:
    """Add sidecars to every workload of a text."""
    return run(text, make_add_step(requests, options), options, file)


def remove(
    text: str,
    names: Sequence[str] | None,
    options: Options,
    file: str = "-",
    beside: Beside = ALONE,
    find_catalog: FindCatalog = open_catalog,
) -> Result:
    """Remove instances from every workload of a text; None removes all. For `find_catalog`, see `make_remove_step`.

    Errors that were there before do not count, and documents without a record are not even parsed.
    """
    if not may_have_instance(text, names):
        return Result(text, original=text)
    options = _for_removal(options)
    step = make_remove_step(names, options, find_catalog)
    return run(text, step, options, file, lambda one: concerns_removal(one, names), beside)


def remove_from_documents(
    documents: Iterable[Document],
    names: Sequence[str] | None,
    options: Options,
    find_catalog: FindCatalog = open_catalog,
) -> Iterator[ProcessedDocuments]:
    """Remove instances from a stream of documents, as `remove` does from a text."""
    options = _for_removal(options)
    step = make_remove_step(names, options, find_catalog)
    return process_documents(documents, step, options, lambda one: concerns_removal(one, names))


def _for_removal(options: Options) -> Options:
    """Return the options of a removal, which neither errors of the input nor an invalid composition prevent."""

    def severities(file: str) -> Severities:
        try:
            return options.severities(file)
        except SidecarctlError:
            return no_severities(file)

    return replace(options, checks_input=False, severities=severities)


def render(text: str, chosen: Selection, options: Options, file: str = "-", beside: Beside = ALONE) -> Result:
    """Apply a composition to a text. Workloads that it neither selects nor owns are not validated.

    `chosen` knows the Namespaces of the run; those of the text count too.
    """
    if not chosen.namespaces and may_hold(text, INJECT):
        chosen = replace(chosen, namespaces=read_namespaces(split_readable(text, file, [])))
    selects, step, rules = _prepare_composition(chosen, options)
    return replace(run(text, step, options, file, selects, beside), rules=frozenset(rules))


def render_documents(
    documents: Iterable[Document], chosen: Selection, options: Options, leave: DocumentFilter | None = None
) -> ProcessedDocuments:
    """Apply a composition to split documents, except those that `leave` selects.

    If a finding is an error, discard the documents. Raises InputError for invalid YAML.
    """
    documents = list(documents)
    if namespaces := read_namespaces(documents):
        chosen = replace(chosen, namespaces=namespaces)
    selects, step, rules = _prepare_composition(chosen, options)

    def wanted(document: Document) -> bool:
        return not (leave and leave(document)) and selects(document)

    whole = join_results(process_documents(documents, step, options, wanted))
    for error in whole.errors:
        raise error
    enabled = chosen.composition.retarget
    if concerns_retargeting((each.text for each in (*documents, *whole.documents)), enabled=enabled):
        from sidecarctl.inject.retarget import retarget_run as retarget

        whole = retarget(documents, whole, options.kinds, enabled=enabled)
    return replace(whole, rules=frozenset(rules))


def _prepare_composition(chosen: Selection, options: Options) -> tuple[DocumentFilter, Step, set[int]]:
    """Return the filter and the step for a composition, and a set that collects the numbers of the rules that selected."""
    from sidecarctl.inject.reconcile import find_tasks, reconcile

    name, rules = chosen.composition.name, set[int]()
    todo: dict[int, DocumentTasks] = {}

    def selects(document: Document) -> bool:
        tasks = find_tasks(document, chosen.choose, name, options.kinds, options.workloads)
        rules.update(tasks.rules)
        todo[id(document)] = tasks
        return not tasks.idle or bool(tasks.skipped)

    def step(document: Document, companions: Sequence[Document], following: str | None) -> DocumentResult:
        tasks = todo.pop(id(document))
        return reconcile(document, companions, tasks, options.kube_version, options.kinds, following=following)

    return selects, step, rules
