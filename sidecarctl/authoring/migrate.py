"""Write a composition and a library that reproduce discovered sidecars, and report which files stay unchanged.

To check a file, the composition is applied with `adopt`; only records may be added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecarctl.authoring.discover import Candidate, Discovery, Group, looks_secret
from sidecarctl.authoring.test_cases import EXPECTED, FOLDER, INPUT, MANIFEST
from sidecarctl.authoring.trial import Trial as Attempt
from sidecarctl.authoring.trial import run_trial
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.sidecar import read_sidecar
from sidecarctl.composition.find import FILE_NAME
from sidecarctl.composition.model import load_composition
from sidecarctl.composition.select import resolve_selection
from sidecarctl.errors import SidecarctlError, UsageError
from sidecarctl.files.write import Write, write_all
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options
from sidecarctl.kube.names import to_dns_label
from sidecarctl.kube.workload import RECORD_ANNOTATION, as_list, as_mapping
from sidecarctl.results import plural
from sidecarctl.yamltext import emit

LIBRARY = "sidecars"
VERSION = "0.1.0"


@dataclass(frozen=True)
class FileCheck:
    """The result of applying the composition to one file: unchanged except for records, or the differences."""

    file: str
    unchanged: bool
    notes: tuple[str, ...] = ()


def build_files(found: Discovery, name: str) -> dict[str, str]:
    """Return the files that reproduce the discovered sidecars, by path in the target directory."""
    out = {FILE_NAME: emit.document(build_composition(found, to_dns_label(name) or "workloads"))}
    for group in found.groups:
        out[f"{LIBRARY}/{group.name}/sidecar.yaml"] = emit.document(_sidecar(group))
        out[f"{LIBRARY}/{group.name}/template.yaml"] = emit.document(_fragment(group))
    return out


def build_composition(found: Discovery, name: str) -> dict[str, Any]:
    """Return the composition, with one rule for all workloads of one kind and namespace that need the same sidecars."""
    rules: list[dict[str, Any]] = []
    for group in found.groups:
        for member in group.members:
            wish = _wish(group, member)
            workload = member.workload
            select: dict[str, Any] = {"kinds": [workload.kind], "names": [workload.name]}
            if workload.namespace:
                select["namespaces"] = [workload.namespace]
            matching = next(
                (rule for rule in rules if rule["sidecars"] == [wish] and _same_scope(rule["select"], select)), None
            )
            if matching is None:
                rules.append({"select": select, "sidecars": [wish]})
            elif workload.name not in matching["select"]["names"]:
                matching["select"]["names"].append(workload.name)
    return {
        "apiVersion": "sidecarctl.dev/v1alpha1",
        "kind": "Composition",
        "metadata": {"name": name},
        "spec": {"libraries": [f"./{LIBRARY}"], "rules": rules},
    }


def _same_scope(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("kinds", "namespaces"))


def _wish(group: Group, member: Candidate) -> dict[str, Any]:
    wish: dict[str, Any] = {"name": group.name}
    if member.container.name != group.name:
        wish["as"] = member.container.name
    if member.targets:
        wish["containers"] = list(member.targets)
    parameters = group.parameters(member)
    return {**wish, "parameters": parameters} if parameters else wish


def _sidecar(group: Group) -> dict[str, Any]:
    base = group.base
    substitutions: list[dict[str, str]] = [{"path": "containers[0].name", "input": "instance"}]
    properties: dict[str, Any] = {}
    for what, path, words in (
        ("volumes", "volumes", "Volumes that the sidecar adds to the pod."),
        ("mounts", "app.volumeMounts", "Volume mounts that the sidecar adds to the app."),
    ):
        if what in group.varying:
            value = list(getattr(base, what))
            properties[what] = {"type": "array", "items": {"type": "object"}, "default": value, "description": words}
            substitutions.append({"path": path, "parameter": what})
    return {
        "apiVersion": "sidecarctl.dev/v1alpha1",
        "kind": "Sidecar",
        "metadata": {
            "name": group.name,
            "version": VERSION,
            "summary": f"Runs {base.image} beside the app."[:120],
            "description": f"Found in {plural(len(group.members), 'workload')}. The template is based on {base.workload.label}.",
        },
        "spec": {
            "engine": "plain",
            "mode": base.mode,
            "start": "after-init" if base.after_init else "before-init",
            "podSecurity": {"level": "privileged", "reason": "Converted from manifests without changes."},
            "substitutions": substitutions,
            "parameters": {"additionalProperties": False, "properties": properties},
        },
    }


def _fragment(group: Group) -> dict[str, Any]:
    base = group.base
    fragment: dict[str, Any] = {"containers": [{"name": group.name, **base.shape}]}
    if base.volumes or "volumes" in group.varying:
        fragment["volumes"] = list(base.volumes)
    if base.mounts or "mounts" in group.varying:
        fragment["app"] = {"volumeMounts": list(base.mounts)}
    return fragment


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files. Raise UsageError if one already exists."""
    for path in texts:
        if (folder / path).exists():
            raise UsageError(
                f"{folder / path} already exists", hint="move it, or choose another directory with -o <dir>"
            )
    write_all(Write(folder / path, text) for path, text in texts.items())


def build_cases(folder: Path, found: Discovery) -> dict[str, str]:
    """Return a test case for each sidecar that can be added to a plain Deployment, with its current output."""
    out: dict[str, str] = {}
    for group in found.groups:
        library = folder / LIBRARY
        text = run_trial(Attempt(read_sidecar(library / group.name, str(library)), MANIFEST)).text
        if text is not None:
            case = f"{LIBRARY}/{group.name}/{FOLDER}/deployment"
            out |= {f"{case}/{INPUT}": MANIFEST, f"{case}/{EXPECTED}": text}
    return out


def check_files(folder: Path, texts: Iterable[tuple[str, str]], options: Options) -> list[FileCheck]:
    """Apply the composition with `adopt` to manifests and report which of them get records only."""
    written = load_composition(folder / FILE_NAME)
    chosen = resolve_selection(written, open_catalog(list(written.libraries)), options.kube_version, adopt=True)
    out = []
    for file, text in texts:
        try:
            result = pipeline.render(text, chosen, options, file)
        except SidecarctlError as error:
            out.append(FileCheck(file, False, (error.message,)))
            continue
        if not result.changes and not result.failed:
            continue
        problems = [f.message for f in result.findings if f.severity.value == "error" or f.rule == "adopted-differs"]
        record_only = _only_record_added(text, result.text)
        notes = (*problems, *(() if record_only else ("lines other than the record would change",)))
        out.append(FileCheck(file, record_only and not notes, notes))
    return out


def _only_record_added(before: str, after: str) -> bool:
    """Return True if all lines are kept and only the record and the keys that contain it are added."""
    old, new = before.splitlines(), after.splitlines()
    position = 0
    for line in new:
        if position < len(old) and line == old[position]:
            position += 1
        elif RECORD_ANNOTATION not in line and line.strip() not in ("annotations:", "metadata:"):
            return False
    return position == len(old)


def _secrets(group: Group) -> list[str]:
    """Return the names of variables with likely secret values, which are now in the library too."""
    entries = (as_mapping(entry) for entry in as_list(group.base.shape.get("env")))
    return [str(entry["name"]) for entry in entries if entry.get("value") and looks_secret(str(entry.get("name")))]


def render_report(found: Discovery, checks: Sequence[FileCheck], written: Sequence[str], folder: Path) -> str:
    """Return the discovered sidecars, the check results, and the next commands."""
    lines: list[str] = []
    for group in found.groups:
        lines.append(
            f"{group.name}: {group.base.image}, {group.base.mode}, in {plural(len(group.members), 'workload')}"
        )
        for member in group.members:
            own = [*group.parameters(member), *member.notes]
            alias = f" as {member.container.name}" if member.container.name != group.name else ""
            details = f": {', '.join(own)}" if own else ""
            lines.append(f"  {member.workload.label}{alias} ({member.file}){details}")
    for one in found.unmatched:
        lines.append(f"skipped: {one.container.name} of {one.workload.label}: no other workload runs {one.image}")
    unchanged = [check for check in checks if check.unchanged]
    if found.groups:
        lines += ["", f"verified: {plural(len(unchanged), 'file')} of {len(checks)}: only records would be added"]
    for check in checks:
        lines += [f"not verified: {check.file}: {note}" for note in check.notes]
    for group in found.groups:
        template = folder / LIBRARY / group.name / "template.yaml"
        lines += [
            f"warning: {name} of {group.name} may be a secret, and {template} contains its value; refer to a Secret instead"
            for name in _secrets(group)
        ]
        if f"{LIBRARY}/{group.name}/{FOLDER}/deployment/{INPUT}" not in written:
            lines.append(f"no test case: {group.name} cannot be added to a plain Deployment; add a test case for it")
    lines += [f"created: {folder / path}" for path in written]
    if found.groups:
        lines += [
            "",
            "next:",
            f"  sidecarctl render -c {folder / FILE_NAME} -f {folder} --adopt --diff",
            f"  sidecarctl render -c {folder / FILE_NAME} -f {folder} --adopt -i",
            f"  sidecarctl test --library {folder / LIBRARY}",
        ]
    return "".join(f"{line}\n" for line in lines)
