"""Read and validate the metadata of a sidecar (`sidecar.yaml`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sidecarctl.catalog.entry_files import METADATA_FILE, YamlFile, path_exists, read_yaml
from sidecarctl.catalog.json_schema import SchemaFault, SchemaProblem, find_problems, path_text
from sidecarctl.catalog.next_steps import read_next_steps
from sidecarctl.errors import LibraryError
from sidecarctl.files.sources import data_directory, read_small
from sidecarctl.lazy_dataclass import dataclass, field

DEFAULT_TEMPLATES = {"jinja": "template.yaml.j2", "kcl": "template.k", "plain": "template.yaml"}


@dataclass(frozen=True)
class PodSecurity:
    """The Pod Security level that the sidecar needs, and the reason if it is not `restricted`."""

    level: str = "restricted"
    reason: str = ""


@dataclass(frozen=True)
class Substitution:
    """A substitution of the plain engine: the value at `path` in the fragment is taken from a parameter or another
    input.
    """

    path: str
    source: str


@dataclass(frozen=True)
class Fit:
    """Conditions under which the sidecar fits a workload; all that are given must hold, each for one of its patterns.

    role        of the container that they describe: "app" or "init"
    mounts      paths of emptyDir volumes that no other container mounts
    unless      patterns of images, variables (env), and annotations anywhere in the pod that exclude it
    reason      why it fits, with placeholders
    parameters  values that follow from the manifest, with placeholders
    examples    values of further required parameters
    """

    reason: str
    role: str = "app"
    images: Sequence[str] = ()
    runs: Sequence[str] = ()
    mounts: Sequence[str] = ()
    env: Sequence[str] = ()
    annotations: Sequence[str] = ()
    unless: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Sidecar:
    """A library entry. `parameters` is a JSON Schema; `library` is the label of its library.

    `renamed_parameters` maps former names of parameters to their current ones, `app_variables` variables of the app to the
    parameters that take the value that the app itself needs.
    """

    name: str
    version: str
    summary: str
    description: str
    homepage: str
    keywords: tuple[str, ...]
    engine: str
    mode: str
    start: str
    starts_after: tuple[str, ...]
    targets: str
    pod_security: PodSecurity
    does_not: tuple[str, ...]
    admin_ports: tuple[int, ...]
    parameters: Mapping[str, Any]
    folder: Path
    template: Path
    library: str
    substitutions: tuple[Substitution, ...] = ()
    modules: Mapping[str, Path] = field(default_factory=dict)
    next_steps: str = ""
    renamed_parameters: Mapping[str, str] = field(default_factory=dict)
    app_variables: Mapping[str, str] = field(default_factory=dict)
    fits: tuple[Fit, ...] = ()

    @property
    def file(self) -> Path:
        """The path of the metadata file."""
        return self.folder / METADATA_FILE

    @property
    def is_shipped(self) -> bool:
        """Whether it is part of sidecarctl, and so can be trusted like its code."""
        return self.folder.parent == data_directory("library")

    @property
    def mentions_fronts(self) -> bool:
        """False if its template certainly declares no `fronts`."""
        try:
            return b"fronts" in read_small(self.template)
        except OSError:
            return True

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@cache
def load_schema(name: str) -> Any:
    """Return a shipped JSON Schema by name ("sidecar", "fragment")."""
    return json.loads((data_directory("schemas") / f"{name}.schema.json").read_text(encoding="utf-8"))


def find_format_problems(schema: str, value: object) -> list[SchemaProblem]:
    """Return the violations of a shipped JSON Schema. That there are too many to list in time is one of them."""
    try:
        return find_problems(load_schema(schema), value)
    except SchemaFault as fault:
        return [SchemaProblem((), str(fault))]


def read_sidecar(folder: Path, library: str, *, checked: bool = False, known: Any = None) -> Sidecar:
    """Return the sidecar in a directory. Raise LibraryError with `file:line:column` for invalid metadata.

    `checked` skips validation against the schema, and `known` is the content of an unmodified file. The directory must be named
    `logger` or `logger@1.0.0`, so that a sidecar can be found without reading others.
    """
    file = folder / METADATA_FILE
    source = YamlFile(str(file), "", None, known) if known else read_yaml(file, folder)
    if source.value is None:
        raise LibraryError(
            f"{METADATA_FILE} is empty",
            where=str(folder / METADATA_FILE),
            hint="add apiVersion, kind, metadata, and spec",
        )
    found = [] if checked else find_format_problems("sidecar", source.value)
    if found:
        lines = [str(problem) for problem in found]
        raise LibraryError(
            "; ".join(lines[:5]) + (f" (and {len(lines) - 5} more)" if len(lines) > 5 else ""),
            where=source.place(found[0].path, found[0].on_key),
            hint="for all fields, run `sidecarctl schema sidecar`",
        )
    try:
        return _build(source, folder, library)
    except SchemaFault as fault:
        raise LibraryError(f"invalid parameter schema: {fault}", where=str(file)) from None


def _build(source: YamlFile, folder: Path, library: str) -> Sidecar:
    metadata: Mapping[str, Any] = source.value["metadata"]
    spec: Mapping[str, Any] = source.value.get("spec") or {}
    name, version = metadata["name"], metadata["version"]
    if folder.name not in (name, f"{name}@{version}"):
        raise LibraryError(
            f'directory name "{folder.name}" does not match sidecar {name}@{version}',
            where=source.place(("metadata", "name" if folder.name.split("@")[0] != name else "version")),
            hint=f'rename the directory to "{name}" or "{name}@{version}"',
        )
    engine = spec.get("engine", "jinja")
    security = spec.get("podSecurity", {})
    return Sidecar(
        name=name,
        version=version,
        summary=metadata["summary"],
        description=metadata.get("description", "").strip(),
        homepage=metadata.get("homepage", ""),
        keywords=tuple(metadata.get("keywords", ())),
        engine=engine,
        mode=spec.get("mode", "auto"),
        start=spec.get("start", "before-init"),
        starts_after=tuple(spec.get("startsAfter", ())),
        targets=spec.get("targets", "default"),
        pod_security=PodSecurity(security.get("level", "restricted"), security.get("reason", "")),
        does_not=tuple(spec.get("doesNot", ())),
        admin_ports=tuple(spec.get("adminPorts", ())),
        parameters={"type": "object", "additionalProperties": False, **(spec.get("parameters") or {})},
        folder=folder,
        template=_resolve_path(source, folder, spec.get("template", DEFAULT_TEMPLATES[engine]), ("spec", "template")),
        library=library,
        substitutions=tuple(_build_substitution(each) for each in spec.get("substitutions", ())),
        modules={
            key: _resolve_path(source, folder, path, ("spec", "modules", key))
            for key, path in spec.get("modules", {}).items()
        },
        next_steps=read_next_steps(source, metadata.get("nextSteps", "").strip(), spec.get("parameters") or {}),
        renamed_parameters=dict(spec.get("renamedParameters", {})),
        app_variables=_read_app_variables(source, spec),
        fits=tuple(Fit(**each) for each in metadata.get("fits", ())),
    )


def _read_app_variables(source: YamlFile, spec: Mapping[str, Any]) -> Mapping[str, str]:
    """Return `appVariables`. Raises LibraryError for a parameter that is not declared."""
    declared = (spec.get("parameters") or {}).get("properties", {})
    for variable, name in spec.get("appVariables", {}).items():
        if name not in declared:
            raise LibraryError(
                f'invalid appVariables: unknown parameter "{name}"',
                where=source.place(("spec", "appVariables", variable)),
                hint="use the name of a parameter of the sidecar",
            )
    return dict(spec.get("appVariables", {}))


def _build_substitution(each: Mapping[str, str]) -> Substitution:
    return Substitution(each["path"], f"params.{each['parameter']}" if "parameter" in each else each["input"])


def _resolve_path(source: YamlFile, folder: Path, text: str, path: tuple[str, ...]) -> Path:
    """Return a path in the directory of the entry. Raise LibraryError if it leads outside, also by a symbolic link."""
    wanted = folder / text
    try:
        real = wanted.resolve()
        fine = real.is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        fine = False
    if not fine:
        raise LibraryError(
            f'{path_text(path)}: "{text}" is outside the sidecar directory',
            where=source.place(path),
            hint="use a file in the sidecar directory",
        )
    if Path(text).is_absolute() or not wanted.is_relative_to(folder):
        raise LibraryError(
            f'{path_text(path)}: "{text}" is an absolute path',
            where=source.place(path),
            hint="use a path relative to the sidecar directory",
        )
    if not path_exists(wanted):
        raise LibraryError(
            f'{path_text(path)}: file not found: "{text}"',
            where=source.place(path),
            hint="create the file, or use the name of an existing one",
        )
    return wanted
