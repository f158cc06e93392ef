"""A test run over a library: which entries, and for each its cases and its lint. Says nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sidecarctl.authoring.cases import cases_of, check
from sidecarctl.authoring.lint import lint
from sidecarctl.authoring.sample import shown
from sidecarctl.authoring.verdicts import Tested
from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.library.catalog import SHIPPED, Catalog, Entry


def run(catalog: Catalog, names: Sequence[str], *, update: bool = False) -> Iterator[Tested]:
    """Yield each entry after its test: those of the libraries that were named, of the shipped one only where none was.

    Raises UsageError for an unknown name.
    """
    for entry in _chosen(catalog, names):
        if entry.sidecar is None:
            yield Tested(entry, error=entry.error)
            continue
        sidecar = entry.sidecar
        verdicts = tuple(check(sidecar, case, update) for case in cases_of(sidecar))
        outcomes = [shown(sidecar), *(verdict.outcome for verdict in verdicts if verdict.outcome is not None)]
        yield Tested(entry, verdicts, tuple(lint(sidecar, outcomes)))


def _chosen(catalog: Catalog, names: Sequence[str]) -> list[Entry]:
    own = any(label != SHIPPED for label, _ in catalog.folders)
    entries = [entry for entry in catalog.entries() if not (own and entry.library == SHIPPED)]
    for name in names:
        if not any(_means(name, entry) for entry in entries):
            known = sorted({entry.name for entry in entries})
            hint = did_you_mean(name.partition("@")[0], known) or f"sidecars there are: {', '.join(known) or 'none'}"
            raise UsageError(f"unknown sidecar {name!r}", hint=hint)
    return [entry for entry in entries if not names or any(_means(name, entry) for name in names)]


def _means(name: str, entry: Entry) -> bool:
    wanted, _, version = name.partition("@")
    return entry.name == wanted and (not version or (entry.sidecar is not None and entry.sidecar.version == version))
