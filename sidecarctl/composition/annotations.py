"""Annotations of a workload that request sidecars, set their parameters, or opt out.

    sidecarctl.dev/inject: "logger,metrics"       request sidecars
    sidecarctl.dev/inject: "false"                opt out of every rule
    sidecarctl.dev/logger.logDir: /srv/log        set a parameter of an instance, or of every instance of a sidecar

They are set on the pod template or on the workload; the pod template takes precedence. `inject` can also be set on a
Namespace of the same run, for the workloads in it that do not set it themselves; see `namespaces`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from sidecarctl.catalog.assignments import RawText, assign
from sidecarctl.errors import InputError, Suggester, UsageError
from sidecarctl.findings import Finding, PathTuple, Severity
from sidecarctl.kube.workload import Workload, as_mapping, get_own_metadata, may_hold, objects
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.record.annotation import Record
from sidecarctl.yamltext.stream import Document

PREFIX = "sidecarctl.dev/"
INJECT = PREFIX + "inject"
OPT_OUT = "false"
_OPT_IN = "true"
_PARAMETER = lazy_pattern(r"sidecarctl\.dev/([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)\.(.+)")
# Annotations of the same form that are not parameters: ignored findings, and hashes of companions.
_RESERVED = ("ignore",)
_CONFIG_HASH = "config-hash"
SchemaOf = Callable[[str], Mapping[str, Any]]
NAMED_PARAMETER = lazy_pattern(r'parameter "([^".\[]+)')


@dataclass(frozen=True)
class InjectAnnotations:
    """The requests in a workload's annotations.

    inject      the value of the inject annotation, "" if it is absent or "true"
    sidecars    the names in it: logger, logger@1.0.0
    parameters  by instance or sidecar: dotted key -> text
    """

    workload: Workload
    inject: str = ""
    sidecars: tuple[str, ...] = ()
    parameters: Mapping[str, Mapping[str, str]] | None = None

    @property
    def opts_out(self) -> bool:
        """True if no rule applies."""
        return self.inject == OPT_OUT

    def assign_parameters(
        self, instances: Mapping[str, str], recorded: Iterable[str], known: Iterable[str], schema_of: SchemaOf
    ) -> tuple[dict[str, dict[str, Any]], list[Finding]]:
        """Return parameters by instance, and findings.

        instances  requested instances with their sidecars
        recorded   instances in the workload's record
        known      names for "did you mean"
        schema_of  the schema of the parameters of an instance or a sidecar
        """
        out: dict[str, dict[str, Any]] = {}
        findings: list[Finding] = []
        suggester, names = Suggester(), list(known)
        for name, parameters in (self.parameters or {}).items():
            addressed = [name] if name in instances else [i for i, sidecar in instances.items() if sidecar == name]
            if not addressed and name not in recorded:
                suggestion = "" if name in names else suggester.did_you_mean(name, names)
                key = f"{PREFIX}{name}.{next(iter(parameters))}"
                findings.append(self._unused_finding(key, name, suggestion, schema_of(name)))
            for key, text in parameters.items():
                try:
                    for instance in addressed:
                        assign(
                            out.setdefault(instance, {}), key, RawText(text), partial(_show_own, schema_of, instance)
                        )
                except UsageError as error:
                    schema = schema_of(addressed[0])
                    findings.append(self.finding(f"{PREFIX}{name}.{key}", "invalid-inject-parameter", error, schema))
        return out, findings

    def _unused_finding(self, key: str, name: str, suggestion: str, schema: Mapping[str, Any]) -> Finding:
        shown = _show_annotation(key, schema)
        return Finding(
            "unused-parameter-annotation",
            f"annotation {shown} has no effect: {name} is not requested for this workload",
            Severity.WARNING,
            self._path(key, shown),
            True,
            help=suggestion or f"add {name} to the annotation {INJECT}",
            workload=self.workload.label,
        )

    def find_annotation(self, instance: str, sidecar: str, error: UsageError) -> str:
        """Return the annotation that most likely caused an error about a parameter of an instance, empty if none."""
        named = NAMED_PARAMETER.search(error.message)
        keys = [
            f"{PREFIX}{name}.{key}"
            for name in (instance, sidecar)
            for key in (self.parameters or {}).get(name, {})
            if named is None or key.partition(".")[0] == named[1]
        ]
        return keys[0] if keys else ""

    def finding(self, key: str, rule: str, error: UsageError, schema: Mapping[str, Any]) -> Finding:
        """Return an error in an annotation as a finding with its place. The schema says which keys can be secret."""
        shown = _show_annotation(key, schema)
        return Finding(
            rule,
            f"annotation {shown}: {error.message}",
            path=self._path(key, shown),
            help=error.hint,
            workload=self.workload.label,
        )

    def _path(self, key: str, shown: str) -> PathTuple:
        """Return the path of an annotation, or of all of them if its key is not shown."""
        holder = self.workload.template_path if key in self.workload.annotations else self.workload.path
        return (*holder, "metadata", "annotations", *([key] if shown == key else []))


def _show_own(schema_of: SchemaOf, instance: str, key: str) -> str:
    from sidecarctl.catalog.shown_keys import show_key

    return show_key(key, schema_of(instance))


def _show_annotation(key: str, schema: Mapping[str, Any]) -> str:
    from sidecarctl.catalog.shown_keys import show_key

    name, dot, parameter = key.removeprefix(PREFIX).partition(".")
    return f"{PREFIX}{name}{dot}{show_key(parameter, schema)}"


def read_namespaces(documents: Iterable[Document]) -> dict[str, str]:
    """Return the inject annotations of the Namespaces among documents, by name."""
    annotated = (document for document in documents if may_hold(document.text, INJECT))
    return {name: inject for name, inject in list_namespaces(annotated) if inject is not None}


def list_namespaces(documents: Iterable[Document]) -> Iterator[tuple[str, str | None]]:
    """Yield the name and inject annotation of each Namespace among documents, None for one without the annotation."""
    for document in documents:
        if "Namespace" not in document.text:
            continue
        try:
            every = list(objects(document.value))
        except InputError:
            continue
        for value, _ in every:
            if value.get("kind") == "Namespace" and value.get("apiVersion") == "v1":
                metadata = as_mapping(value.get("metadata"))
                annotations = as_mapping(metadata.get("annotations"))
                yield str(metadata.get("name")), _text_of(annotations[INJECT]) if INJECT in annotations else None


def _text_of(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def split_names(inject: str) -> tuple[str, ...]:
    """Return the sidecars that an inject annotation requests."""
    parts = () if inject in (_OPT_IN, OPT_OUT) else inject.split(",")
    return tuple(name for name in (part.strip() for part in parts) if name)


def read_annotations(workload: Workload, record: Record, inherited: str = "") -> InjectAnnotations | None:
    """Return the requests in a workload's annotations, None if there are none. Annotations that sidecarctl added do not count.

    `inherited` is the inject annotation of its namespace.
    """
    own, pods = get_own_metadata(workload, "annotations"), workload.annotations
    if not inherited and not any(key.startswith(PREFIX) for holder in (own, pods) for key in holder):
        return None
    text = _text_of(pods.get(INJECT, own.get(INJECT, inherited)))
    text = "" if text == _OPT_IN else text
    names = split_names(text)
    added = {key for instance in record.instances.values() for key in instance.added.annotations}
    parameters: dict[str, dict[str, str]] = {}
    for holder in (own, pods):
        for key, value in holder.items():
            match = _PARAMETER.fullmatch(key) if key.startswith(PREFIX) and key not in added else None
            if match and match[1] not in _RESERVED and match[2] != _CONFIG_HASH:
                parameters.setdefault(match[1], {})[match[2]] = str(value)
    return InjectAnnotations(workload, text, names, parameters) if text or parameters else None
