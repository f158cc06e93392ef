"""What Python programs call: the command line's own stair, on texts. Touches no file but libraries and compositions.

    import sidecarctl

    result = sidecarctl.add(text, ["logger"], {"logger": {"logDir": "/srv/log"}})
    if not result.failed:
        write(result.text)

Every function raises a SidecarctlError for wrong use and for texts that can't be read; what is wrong with a manifest is a
finding of the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.composition.model import load_composition
from sidecarctl.composition.request import build_requests
from sidecarctl.composition.select import resolve_selection
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options, Result
from sidecarctl.kube import versions
from sidecarctl.validate.check_files import Text, Verdict, validate
from sidecarctl.validate.rule_selection import choice

__all__ = ["Result", "Verdict", "add", "check", "remove", "render"]


def add(
    text: str,
    sidecars: Sequence[str],
    parameters: Mapping[str, Mapping[str, object]] | None = None,
    *,
    libraries: Sequence[str | PathLike[str]] = (),
    instance: str = "",
    mode: str = "",
    containers: Sequence[str] = (),
    adopt: bool = False,
    keep_qos: bool = False,
    kube_version: str = versions.NEWEST,
    file: str = "-",
) -> Result:
    """Add sidecars to every workload of a text; what is there already is upgraded in place.

    parameters  by sidecar name
    libraries   folders that are searched before those of SIDECARCTL_LIBRARY and the shipped one
    file        what findings call the text
    """
    catalog = open_catalog([Path(folder) for folder in libraries])
    requests = build_requests(
        catalog,
        sidecars,
        parameters or {},
        instance=instance,
        mode=mode,
        containers=containers,
        adopt=adopt,
        keep_qos=keep_qos,
    )
    return pipeline.add(text, requests, Options(versions.parse(kube_version)), file)


def remove(
    text: str, names: Sequence[str] | None = None, *, kube_version: str = versions.NEWEST, file: str = "-"
) -> Result:
    """Remove instances, by instance or sidecar name, from every workload of a text; None removes all."""
    return pipeline.remove(text, names, Options(versions.parse(kube_version)), file)


def render(
    text: str,
    composition: str | PathLike[str],
    *,
    environment: str = "",
    libraries: Sequence[str | PathLike[str]] = (),
    kube_version: str = "",
    file: str = "-",
) -> Result:
    """Bring a text to what the composition in a file wants: sidecars are added, upgraded and removed."""
    wanted = load_composition(Path(composition), environment)
    version = versions.parse(kube_version or wanted.kube_version or versions.NEWEST)
    catalog = open_catalog([*map(Path, libraries), *wanted.libraries])
    return pipeline.render(text, resolve_selection(wanted, catalog, version), Options(version, wanted.kinds), file)


def check(
    text: str,
    *,
    kube_version: str = versions.NEWEST,
    pod_security: str = "privileged",
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    file: str = "-",
) -> Verdict:
    """Check a text by structure, the API server's rules and advice; `pod_security` is LEVEL or LEVEL:VERSION."""
    chosen = choice(kube_version=kube_version, pod_security=pod_security, select=select, ignore=ignore)
    return validate([Text(text, file)], chosen)
