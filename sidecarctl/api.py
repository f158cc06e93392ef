"""The Python API: the commands as functions on texts. Reads no files but libraries and compositions.

    import sidecarctl

    result = sidecarctl.add(text, ["logger"], {"logger": {"logDir": "/srv/log"}})
    if not result.failed:
        write(result.text)

A program that processes many texts keeps a `Session`, which reads each sidecar once:

    session = sidecarctl.Session()
    results = [session.add(text, ["logger"]) for text in texts]

Every function raises a SidecarctlError for invalid arguments and invalid YAML. Problems in a manifest are findings of the
result. You can call them in several threads: one call runs at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from sidecarctl.api_arguments import (
    check_choice,
    check_flag,
    check_manifest,
    check_parameters,
    check_path,
    check_paths,
    check_word,
    check_words,
)
from sidecarctl.api_lock import one_at_a_time
from sidecarctl.catalog.catalog import Catalog, open_catalog, split_requests
from sidecarctl.composition.model import load_composition
from sidecarctl.composition.request import ParameterChanges, build_requests
from sidecarctl.composition.select import resolve_selection
from sidecarctl.composition.severities import severities_of
from sidecarctl.composition.workload_filter import WorkloadFilter
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options, Result
from sidecarctl.inject.upgrade_instances import UpgradeRequest
from sidecarctl.kube import versions
from sidecarctl.kube.fronts import concerns_retargeting
from sidecarctl.lazy_dataclass import replace
from sidecarctl.validate.check_files import SourceText, Verdict, validate_texts
from sidecarctl.validate.rule_selection import select_rules
from sidecarctl.yamltext.stream import join, split_readable

__all__ = ["Result", "Session", "Verdict", "add", "check", "remove", "render", "upgrade"]

PathText = str | PathLike[str]
_POLICIES = ("fail", "keep", "overwrite", "enforce")


class Session:
    """The libraries of several calls, opened once. A session does not notice later changes of them, except in templates."""

    @one_at_a_time
    def __init__(self, libraries: Sequence[PathText] = ()) -> None:
        """Open libraries: these directories, those of SIDECARCTL_LIBRARY, and the shipped library, in this order."""
        self._libraries = check_paths("libraries", libraries)
        self._catalogs: dict[tuple[Path, ...], Catalog] = {}

    def _catalog(self, more: Sequence[Path] = ()) -> Catalog:
        libraries = (*self._libraries, *more)
        if libraries not in self._catalogs:
            self._catalogs[libraries] = open_catalog(libraries)
        return self._catalogs[libraries]

    @one_at_a_time
    def add(
        self,
        text: str,
        sidecars: Sequence[str],
        parameters: Mapping[str, Mapping[str, object]] | None = None,
        *,
        instance: str = "",
        mode: str = "",
        containers: Sequence[str] = (),
        adopt: bool = False,
        keep_qos: bool = False,
        on_conflict: str = "fail",
        retarget: bool = False,
        hooks: bool = False,
        kube_version: str = versions.NEWEST,
        file: str = "-",
    ) -> Result:
        """Add sidecars to every workload of a text; upgrade instances that exist already.

        Workloads that opted out by annotation are left out, as by the command.

        parameters  values by sidecar name; recorded parameters that are not given stay
        on_conflict fail, keep, overwrite, or enforce: what to do with edited fields that an upgrade changes too
        retarget    change Services and NetworkPolicies of the text that bypass a sidecar in front of the app
        hooks       add sidecars to Helm hooks too
        file        the file name in findings
        """
        options, text = _read_arguments(text, kube_version, file)
        options = replace(options, workloads=WorkloadFilter(hooks=check_flag("hooks", hooks), opt_out=True))
        catalog = self._catalog()
        requests = build_requests(
            catalog,
            check_words("sidecars", sidecars),
            _read_changes(parameters, catalog),
            instance=check_word("instance", instance),
            mode=check_word("mode", mode),
            containers=check_words("containers", containers),
            adopt=check_flag("adopt", adopt),
            keep_qos=check_flag("keep_qos", keep_qos),
            on_conflict=check_choice("on_conflict", on_conflict, _POLICIES),
        )
        enabled = check_flag("retarget", retarget)
        return _retarget(pipeline.add(text, requests, options, file), options, file, enabled=enabled)

    @one_at_a_time
    def upgrade(
        self,
        text: str,
        sidecars: Sequence[str] = (),
        parameters: Mapping[str, Mapping[str, object]] | None = None,
        *,
        on_conflict: str = "fail",
        retarget: bool = False,
        kube_version: str = versions.NEWEST,
        file: str = "-",
    ) -> Result:
        """Upgrade the instances of a text, by instance or sidecar name (`logger`, `logger@1.1.0`); all by default.

        parameters  values by sidecar name; recorded parameters that are not given stay
        on_conflict fail, keep, overwrite, or enforce: what to do with edited fields that the upgrade changes too
        """
        options, text = _read_arguments(text, kube_version, file)
        enabled, catalog = check_flag("retarget", retarget), self._catalog()
        wanted = UpgradeRequest(
            catalog,
            split_requests(check_words("sidecars", sidecars)),
            _read_changes(parameters, catalog),
            check_choice("on_conflict", on_conflict, _POLICIES),
        )
        result = pipeline.run(text, pipeline.make_upgrade_step(wanted, options), options, file)
        return _retarget(result, options, file, enabled=enabled)

    @one_at_a_time
    def remove(
        self, text: str, names: Sequence[str] | None = None, *, kube_version: str = versions.NEWEST, file: str = "-"
    ) -> Result:
        """Remove instances, by instance or sidecar name, from every workload of a text; None removes all."""
        options, text = _read_arguments(text, kube_version, file)
        wanted = None if names is None else check_words("names", names)
        return _retarget(pipeline.remove(text, wanted, options, file, find_catalog=self._catalog), options, file)

    @one_at_a_time
    def render(
        self,
        text: str,
        composition: PathText,
        *,
        environment: str = "",
        hooks: bool = False,
        kube_version: str = "",
        file: str = "-",
    ) -> Result:
        """Apply the composition in a file to every workload of a text; to Helm hooks only with `hooks`."""
        wanted = load_composition(check_path("composition", composition), check_word("environment", environment))
        version = check_word("kube_version", kube_version) or wanted.kube_version or versions.NEWEST
        options, text = _read_arguments(text, version, file)
        selection = resolve_selection(wanted, self._catalog(wanted.libraries), options.kube_version)
        severities = severities_of(wanted)
        options = replace(
            options,
            kinds=wanted.kinds,
            workloads=WorkloadFilter(hooks=check_flag("hooks", hooks)),
            severities=lambda file: severities,
        )
        return _retarget(pipeline.render(text, selection, options, file), options, file, enabled=wanted.retarget)

    @one_at_a_time
    def check(
        self,
        text: str,
        *,
        kube_version: str = versions.NEWEST,
        pod_security: str = "privileged",
        select: Sequence[str] = (),
        ignore: Sequence[str] = (),
        file: str = "-",
    ) -> Verdict:
        """Validate a text; `pod_security` is LEVEL or LEVEL:VERSION."""
        _, text = _read_arguments(text, kube_version, file)
        rules = select_rules(
            kube_version=kube_version,
            pod_security=check_word("pod_security", pod_security),
            select=check_words("select", select),
            ignore=check_words("ignore", ignore),
        )
        return validate_texts([SourceText(text, file)], rules)


def add(
    text: str,
    sidecars: Sequence[str],
    parameters: Mapping[str, Mapping[str, object]] | None = None,
    *,
    libraries: Sequence[PathText] = (),
    instance: str = "",
    mode: str = "",
    containers: Sequence[str] = (),
    adopt: bool = False,
    keep_qos: bool = False,
    on_conflict: str = "fail",
    retarget: bool = False,
    hooks: bool = False,
    kube_version: str = versions.NEWEST,
    file: str = "-",
) -> Result:
    """Call `Session.add` once; `libraries` are searched before SIDECARCTL_LIBRARY and the shipped library."""
    return Session(libraries).add(
        text,
        sidecars,
        parameters,
        instance=instance,
        mode=mode,
        containers=containers,
        adopt=adopt,
        keep_qos=keep_qos,
        on_conflict=on_conflict,
        retarget=retarget,
        hooks=hooks,
        kube_version=kube_version,
        file=file,
    )


def upgrade(
    text: str,
    sidecars: Sequence[str] = (),
    parameters: Mapping[str, Mapping[str, object]] | None = None,
    *,
    libraries: Sequence[PathText] = (),
    on_conflict: str = "fail",
    retarget: bool = False,
    kube_version: str = versions.NEWEST,
    file: str = "-",
) -> Result:
    """Call `Session.upgrade` once; `libraries` are searched before SIDECARCTL_LIBRARY and the shipped library."""
    return Session(libraries).upgrade(
        text,
        sidecars,
        parameters,
        on_conflict=on_conflict,
        retarget=retarget,
        kube_version=kube_version,
        file=file,
    )


def remove(
    text: str, names: Sequence[str] | None = None, *, kube_version: str = versions.NEWEST, file: str = "-"
) -> Result:
    """Call `Session.remove` once."""
    return Session().remove(text, names, kube_version=kube_version, file=file)


def render(
    text: str,
    composition: PathText,
    *,
    environment: str = "",
    libraries: Sequence[PathText] = (),
    hooks: bool = False,
    kube_version: str = "",
    file: str = "-",
) -> Result:
    """Call `Session.render` once; `libraries` are searched before those of the composition."""
    return Session(libraries).render(
        text, composition, environment=environment, hooks=hooks, kube_version=kube_version, file=file
    )


def check(
    text: str,
    *,
    kube_version: str = versions.NEWEST,
    pod_security: str = "privileged",
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    file: str = "-",
) -> Verdict:
    """Call `Session.check` once."""
    return Session().check(
        text, kube_version=kube_version, pod_security=pod_security, select=select, ignore=ignore, file=file
    )


def _read_arguments(text: str, kube_version: str, file: str) -> tuple[Options, str]:
    """Return the options of a run and its text. Raises SidecarctlError for invalid arguments."""
    version = versions.parse_version(check_word("kube_version", kube_version))
    return Options(version), check_manifest(text, check_word("file", file))


def _read_changes(
    parameters: Mapping[str, Mapping[str, object]] | None, catalog: Catalog
) -> dict[str, ParameterChanges]:
    if parameters is None:  # most calls: the names need a look at the directories of the libraries
        return {}
    return {name: ParameterChanges(given) for name, given in check_parameters(parameters, catalog.names()).items()}


def _retarget(result: Result, options: Options, file: str, *, enabled: bool = False) -> Result:
    """Return a result with changed ports in objects around the pods."""
    if result.failed or not concerns_retargeting((result.original, result.text), enabled=enabled):
        return result
    from sidecarctl.inject.retarget import retarget

    before, after = (list(split_readable(text, file, [])) for text in (result.original, result.text))
    done = retarget(before, after, options.kinds, enabled=enabled)
    return replace(result, text=join(done.documents), findings=(*result.findings, *done.findings))
