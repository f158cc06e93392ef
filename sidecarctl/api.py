"""The Python API: the commands as functions on texts. Reads no files but libraries and compositions.

    import sidecarctl

    result = sidecarctl.add(text, ["logger"], {"logger": {"logDir": "/srv/log"}})
    if not result.failed:
        write(result.text)

Every function raises a SidecarctlError for invalid arguments and invalid YAML. Problems in a manifest are findings of the
result.
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
    """Add sidecars to every workload of a text; upgrade instances that exist already.

    parameters  values by sidecar name
    libraries   directories that are searched before SIDECARCTL_LIBRARY and the shipped library
    file        the file name in findings
    """
    catalog = open_catalog([Path(directory) for directory in libraries])
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
    """Apply the composition in a file to a text: add, upgrade, and remove sidecars."""
    loaded = load_composition(Path(composition), environment)
    version = versions.parse(kube_version or loaded.kube_version or versions.NEWEST)
    catalog = open_catalog([*map(Path, libraries), *loaded.libraries])
    return pipeline.render(text, resolve_selection(loaded, catalog, version), Options(version, loaded.kinds), file)


def check(
    text: str,
    *,
    kube_version: str = versions.NEWEST,
    pod_security: str = "privileged",
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    file: str = "-",
) -> Verdict:
    """Validate a text by its schema, the API server's rules, and advice. `pod_security` is LEVEL or LEVEL:VERSION."""
    chosen = choice(kube_version=kube_version, pod_security=pod_security, select=select, ignore=ignore)
    return validate([Text(text, file)], chosen)
