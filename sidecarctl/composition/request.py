"""Requests: one sidecar with its parameters, mode, and targets under an instance name; and the order of requests."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sidecarctl.catalog import common_parameters
from sidecarctl.catalog.assignments import MISSING, Origins, hide_value, merge, split_key, value_at
from sidecarctl.catalog.catalog import Catalog
from sidecarctl.catalog.parameters import Parameters, has_secrets, resolve
from sidecarctl.catalog.renamed_parameters import carry_over, current_path, put_at
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError, SidecarctlError, UsageError, did_you_mean
from sidecarctl.kube import names, versions
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.record.check import MAX_INSTANCES

if TYPE_CHECKING:
    from sidecarctl.record.annotation import Instance

MODES = ("auto", "native", "classic", "init")


_NATIVE_BY_DEFAULT = "1.29"


def declared_mode(mode: str, kube_version: str) -> str:
    """Return native, classic, or init for a mode that a sidecar declares.

    `auto` is native if the Kubernetes version enables native sidecars by default (KEP-753: beta in 1.29).
    """
    if mode != "auto":
        return mode
    return "native" if versions.at_least(kube_version, _NATIVE_BY_DEFAULT) else "classic"


@dataclass(frozen=True)
class ParameterChanges:
    """Changes of recorded parameters: values to set, dotted keys to return to their defaults, and `reset` for all.

    `shared` are values for all sidecars, below `given`.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    origins: Origins = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    reset: bool = False
    shared: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters after the changes."""
        kept = {} if self.reset else copy.deepcopy(dict(recorded))
        for key in self.unset:
            _remove_key(kept, split_key(key))
        if "position" in self.given:
            kept.pop("position", None)  # before and after exclude each other
        return merge(kept, self.given)


def _remove_key(parameters: dict[str, Any], steps: Sequence[str | int]) -> None:
    """Remove the value at the steps, and mappings that become empty."""
    holders: list[tuple[Any, str | int]] = []
    here: Any = parameters
    for step in steps:
        if not (isinstance(here, dict) and step in here):
            return
        holders.append((here, step))
        here = here[step]
    for holder, step in reversed(holders):
        del holder[step]
        if holder:
            break


@dataclass(frozen=True)
class Request:
    """One sidecar to add or upgrade.

    mode        auto, native, classic, or init; "" for the sidecar's default
    containers  names or globs of the target containers; empty for the sidecar's `targets`
    by          the composition that requests it, empty for the command line; recorded
    origin      the source of the request in messages: "the command line", 'rule "front"'
    where       the place of the request in messages, `file:line:column`
    keep_qos    set requests equal to limits if the pod is Guaranteed, to keep its QoS class
    adopt       adopt a container of the instance's name that sidecarctl did not add
    changes     changes of the recorded parameters of an instance that exists; None if `parameters` are all there are
    on_conflict fail, keep, overwrite, or enforce: what to do with edits of a person that an upgrade changes too
    catalog     the libraries, to find the recorded version
    invalid     why a new instance cannot have these parameters
    upstream    the port that a sidecar in front of the app forwards to; 0 if it follows from the pod
    """

    sidecar: Sidecar
    parameters: Parameters
    instance: str = ""
    mode: str = ""
    containers: tuple[str, ...] = ()
    by: str = ""
    origin: str = field(default="the command line", compare=False)
    where: str = field(default="", compare=False)
    adopt: bool = field(default=False, compare=False)
    keep_qos: bool = False
    changes: ParameterChanges | None = field(default=None, compare=False)
    on_conflict: str = field(default="fail", compare=False)
    catalog: Catalog | None = field(default=None, compare=False, repr=False)
    invalid: UsageError | None = field(default=None, compare=False, repr=False)
    upstream: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        name = self.instance or self.sidecar.name
        object.__setattr__(self, "instance", name)
        problem = names.check_dns_label(name)
        if problem:
            suggestion = names.to_dns_label(name)
            raise UsageError(
                f'invalid instance name "{name}": {problem}',
                hint=f"use {suggestion}" if suggestion else "",
            )
        if self.mode and self.mode not in MODES:
            raise UsageError(f'unknown mode "{self.mode}"', hint=f"use one of {', '.join(MODES)}")

    def check(self) -> None:
        """Raise UsageError if a new instance cannot have the parameters."""
        if self.invalid is not None:
            raise copy.copy(self.invalid)  # whoever catches it adds the workload

    def is_recorded(self, instance: Instance | None) -> bool:
        """Return True if the record has the instance with the requested version and parameters."""
        return (
            instance is not None
            and (instance.sidecar, instance.version) == (self.sidecar.name, self.sidecar.version)
            and instance.parameters == self._expected(instance).recorded
        )

    def _expected(self, instance: Instance) -> Parameters:
        has_containers = instance.added.containers or instance.added.init_containers
        return self.parameters if has_containers else self.parameters.without_shared()

    def for_instance(self, instance: Instance, kube_version: str) -> Request:
        """Return the request for an instance that exists: what is not given stays as it is recorded.

        The mode follows the one that a version declares, if the instance has that of its version for the target version.

        Raises UsageError for an invalid parameter.
        """
        if self.changes is None or instance.sidecar != self.sidecar.name:
            return self
        recorded = carry_over(instance.parameters, self.sidecar.renamed_parameters)
        return replace(
            self,
            parameters=_resolve_upgrade(self.sidecar, self.changes, recorded, instance.version),
            mode=self.mode or ("" if self._has_other_mode(instance, kube_version) else instance.mode),
            containers=self.containers or instance.containers,
            by=instance.by or self.by,
            keep_qos=self.keep_qos or instance.keep_qos,
        )

    def _has_other_mode(self, instance: Instance, kube_version: str) -> bool:
        """Return whether an instance has the mode that its version declares, and this version declares another one."""
        try:
            former = self.find_recorded(instance)
        except SidecarctlError:  # the libraries do not have its version, or it is invalid now
            return False
        if former is None or former.mode == self.sidecar.mode:
            return False
        return instance.mode == declared_mode(former.mode, kube_version)

    def without_changes(self, instance: Instance, kube_version: str) -> Request:
        """Return the request with the recorded parameters alone. Raises UsageError if they are invalid."""
        parameters = resolve(self.sidecar, carry_over(instance.parameters, self.sidecar.renamed_parameters))
        return replace(
            self.for_instance(instance, kube_version), parameters=parameters, upstream=_recorded_upstream(instance)
        )

    def recorded(self, instance: Instance) -> Request | None:
        """Return the request that wrote an instance, None if the libraries do not have its version or it is invalid now."""
        try:
            sidecar = self.find_recorded(instance)
            if sidecar is None or (not instance.digest and self.changes and has_secrets(sidecar.parameters)):
                return None
            parameters = resolve(sidecar, merge(dict(instance.parameters), self.given_secrets(instance)))
        except SidecarctlError:
            return None
        return Request(
            sidecar,
            parameters,
            instance.name,
            instance.mode,
            instance.containers,
            instance.by,
            keep_qos=instance.keep_qos,
            upstream=_recorded_upstream(instance),
        )

    def given_secrets(self, instance: Instance) -> dict[str, Any]:
        """Return the values that are given now for the secret parameters that an instance was given: they may be the same."""
        given: Mapping[str, Any] = self.changes.given if self.changes else self.parameters.values
        found: dict[str, Any] = {}
        for path in instance.secrets:
            value = value_at(given, current_path(path, self.sidecar.renamed_parameters))
            if path and value is not MISSING:
                put_at(found, path, value)
        return found

    def has_secrets(self, instance: Instance) -> bool:
        """Return True if the sidecar can write a secret, or the recorded version, if the libraries have it."""
        from sidecarctl.catalog.secret_fields import may_write_secrets

        try:
            versions = (self.sidecar, self.find_recorded(instance))
        except SidecarctlError:
            versions = (self.sidecar, None)
        return any(may_write_secrets(each, instance.parameters) for each in versions if each)

    def find_recorded(self, instance: Instance) -> Sidecar | None:
        """Return the recorded version of an instance's sidecar, None without libraries. Raises SidecarctlError if it is missing."""
        if (self.sidecar.name, self.sidecar.version) == (instance.sidecar, instance.version):
            return self.sidecar
        return self.catalog.find(f"{instance.sidecar}@{instance.version}") if self.catalog else None


def _recorded_upstream(instance: Instance) -> int:
    """Return the port that an instance was written to forward to, 0 if that is not known."""
    return instance.fronts[0].upstream if len(instance.fronts) == 1 else 0


def _resolve_upgrade(
    sidecar: Sidecar, changes: ParameterChanges, recorded: Mapping[str, Any], version: str
) -> Parameters:
    _check_unset(sidecar, changes, recorded)
    try:
        return resolve(sidecar, changes.apply(recorded), origins=changes.origins, shared=changes.shared)
    except UsageError as error:
        unknown = [key for key in recorded if f'unknown parameter "{key}"' in error.message]
        if unknown and version != sidecar.version:
            error.hint = f"{sidecar} no longer has it: use --unset {unknown[0]}" + (
                f"; {error.hint}" if error.hint else ""
            )
        raise


def _check_unset(sidecar: Sidecar, changes: ParameterChanges, recorded: Mapping[str, Any]) -> None:
    """Raise UsageError if a parameter to return to its default is unknown."""
    if not changes.unset:
        return
    from sidecarctl.catalog.shown_keys import show_key

    known = list(dict.fromkeys([*sidecar.parameters.get("properties", {}), *common_parameters.NAMES, *recorded]))
    for key in changes.unset:
        if split_key(key, lambda own: show_key(own, sidecar.parameters))[0] not in known:
            hint = did_you_mean(key, known) or f"parameters: {', '.join(known)}"
            shown = show_key(hide_value(key), sidecar.parameters)
            raise UsageError(
                f'unknown parameter "{shown}" for sidecar {sidecar.name}', where=f"--unset {shown}", hint=hint
            )


def build_requests(
    catalog: Catalog,
    sidecars: Sequence[str],
    changes: Mapping[str, ParameterChanges],
    *,
    instance: str = "",
    mode: str = "",
    containers: Sequence[str] = (),
    adopt: bool = False,
    keep_qos: bool = False,
    on_conflict: str = "fail",
) -> list[Request]:
    """Return one request per sidecar (`logger` or `logger@1.0.0`). `changes` are by sidecar name.

    Raises UsageError for an unknown sidecar or parameter, LibraryError for an invalid sidecar. A missing parameter is an
    error only for a new instance: one that exists may have it recorded.
    """
    if len(sidecars) > MAX_INSTANCES:
        raise _too_many(len(sidecars))
    found = [catalog.find(name) for name in sidecars]
    if instance and len(found) > 1:
        raise UsageError("--as requires exactly one sidecar", hint="add the sidecars one by one")
    requests = []
    for sidecar in found:
        change = changes.get(sidecar.name, ParameterChanges())
        parameters, invalid = _resolve_new(sidecar, change)
        requests.append(
            Request(
                sidecar,
                parameters,
                instance,
                mode,
                tuple(containers),
                adopt=adopt,
                keep_qos=keep_qos,
                changes=change,
                on_conflict=on_conflict,
                catalog=catalog,
                invalid=invalid,
            )
        )
    return requests


def _resolve_new(sidecar: Sidecar, changes: ParameterChanges) -> tuple[Parameters, UsageError | None]:
    """Return the parameters of a new instance, and the error if required ones are missing or `unset` has an unknown one."""
    try:
        _check_unset(sidecar, changes, {})
        return resolve(sidecar, changes.given, origins=changes.origins, shared=changes.shared), None
    except LibraryError:
        raise
    except UsageError as error:
        lenient = replace(sidecar, parameters={**sidecar.parameters, "required": []})
        return resolve(lenient, changes.given, origins=changes.origins, shared=changes.shared), error


def _too_many(number: int, where: str = "") -> UsageError:
    return UsageError(
        f"{number:,} sidecars for one workload (limit: {MAX_INSTANCES})",
        hint="select fewer sidecars for it",
        where=where,
    )


def order_requests(requests: Sequence[Request]) -> list[Request]:
    """Return requests in their order, changed only as far as `startsAfter` requires.

    Raises UsageError for a duplicate instance name, for a cycle, and for more instances than a workload can have.
    """
    if len(requests) > MAX_INSTANCES:
        raise _too_many(len(requests), requests[MAX_INSTANCES].where)
    seen: set[str] = set()
    for request in requests:
        if request.instance in seen:
            raise UsageError(f'duplicate instance "{request.instance}"', hint="give one of them another name with --as")
        seen.add(request.instance)
    named: dict[str, list[Request]] = {}
    for request in requests:
        for name in {request.sidecar.name, request.instance}:
            named.setdefault(name, []).append(request)
    placed: dict[str, Request] = {}
    waiting: list[str] = []

    def place(request: Request) -> None:
        if request.instance in placed:
            return
        if request.instance in waiting:
            chain = " -> ".join([*waiting[waiting.index(request.instance) :], request.instance])
            raise UsageError(f"startsAfter cycle: {chain}", hint="remove one of the startsAfter entries")
        waiting.append(request.instance)
        for earlier in request.sidecar.starts_after:
            for other in named.get(earlier, ()):
                if other is not request:
                    place(other)
        waiting.pop()
        placed[request.instance] = request

    for request in requests:
        place(request)
    return list(placed.values())
