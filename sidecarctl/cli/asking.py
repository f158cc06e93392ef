"""From options to requests: sidecars by name, their parameters from --values and --set, instance names, modes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sidecarctl.compose.request import Request, asked_for
from sidecarctl.errors import InputError
from sidecarctl.files.sources import decode
from sidecarctl.library.catalog import Catalog, open_catalog


def catalog(libraries: Sequence[str]) -> Catalog:
    """Return the libraries in their order of search."""
    return open_catalog([Path(folder) for folder in libraries])


def requests(
    names: Sequence[str],
    libraries: Sequence[str],
    sets: Sequence[str],
    values: Sequence[str],
    containers: Sequence[str],
    as_name: str | None,
    mode: str | None,
    adopt: bool = False,
    keep_qos: bool = False,
) -> list[Request]:
    """Return one request per sidecar named. Raises UsageError."""
    found = catalog(libraries)
    own_names = [found.find(name).name for name in names]
    return asked_for(
        found,
        names,
        *_given(own_names, sets, values),
        instance=as_name or "",
        mode=mode or "",
        containers=containers,
        adopt=adopt,
        keep_qos=keep_qos,
    )


def _given(
    names: Sequence[str], sets: Sequence[str], values: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, str]]]:
    """Parameters by sidecar: files in their order, then --set; and where each of them was given."""
    from sidecarctl.library.assignments import merge, parse_set, read_values
    from sidecarctl.library.origins import of_sets, of_values

    given: dict[str, dict[str, Any]] = {}
    origins: dict[str, dict[str, str]] = {}
    for file in values:
        try:
            text = decode(Path(file).read_bytes(), file)
        except OSError as problem:
            raise InputError(f"{file} can't be read: {problem.strerror or problem}", hint="check --values") from None
        for name, parameters in read_values(text, file, names).items():
            given[name] = merge(given.get(name, {}), parameters)
        origins = merge(origins, of_values(text, file))
    for name, parameters in parse_set(sets, names).items():
        given[name] = merge(given.get(name, {}), parameters)
    return given, merge(origins, of_sets(sets, names))
