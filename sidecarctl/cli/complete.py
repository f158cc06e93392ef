"""Shell completion: sidecar names, parameters, versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sidecarctl.errors import SidecarctlError

if TYPE_CHECKING:
    from sidecarctl.library.catalog import Catalog


def sidecars(ctx: object, incomplete: str) -> list[tuple[str, str]]:
    """Sidecar names with their summaries."""
    return [
        (entry.name, entry.known.summary)
        for entry in _catalog(ctx).entries()
        if entry.known and not entry.shadowed_by and entry.name.startswith(incomplete)
    ]


def parameters(ctx: object, incomplete: str) -> list[tuple[str, str]]:
    """`KEY=` for the parameters of the sidecars that stand on the command line, `KEY=VALUE` for those of few values."""
    from sidecarctl.authoring.choices import assignments

    catalog, found = _catalog(ctx), []
    for name in _given(ctx, "sidecars"):
        try:
            found.append(catalog.find(name))
        except SidecarctlError:
            continue
    return assignments(found, incomplete)


def _given(ctx: object, name: str) -> list[str]:
    """What stands on the command line already. While an option's value is typed, click has not sorted the other words yet."""
    found = getattr(ctx, "params", {}).get(name) or (getattr(ctx, "args", []) if name == "sidecars" else [])
    return [str(word) for word in found]


def _catalog(ctx: object) -> Catalog:
    from sidecarctl.library.catalog import open_catalog

    try:
        return open_catalog([Path(folder) for folder in _given(ctx, "library")])
    except SidecarctlError:
        return open_catalog()


def versions(incomplete: str) -> list[str]:
    """Kubernetes versions."""
    from sidecarctl.kube.versions import SUPPORTED

    return [version for version in reversed(SUPPORTED) if version.startswith(incomplete)]


def schemas(incomplete: str) -> list[str]:
    """Names of the JSON Schemas, and of the sidecars that have one for their parameters."""
    from sidecarctl.authoring.schemas import VALUES, shipped
    from sidecarctl.library.catalog import open_catalog

    names = (*shipped(), VALUES, *open_catalog().names())
    return [name for name in names if name.startswith(incomplete)]


def environments(incomplete: str) -> list[str]:
    """Environments of the nearest composition, its own includes left out."""
    from pathlib import Path

    from sidecarctl.compose.composition import discover
    from sidecarctl.compose.layers import read_file

    try:
        path = discover(Path())
        names = read_file(path).environments if path else {}
    except SidecarctlError:
        return []
    return sorted(name for name in names if name.startswith(incomplete))


def rules(incomplete: str) -> list[tuple[str, str]]:
    """Names of rules, with what they find."""
    from sidecarctl.validate.registry import rules as known

    return [(name, one.what) for name, one in known().items() if name.startswith(incomplete)]
