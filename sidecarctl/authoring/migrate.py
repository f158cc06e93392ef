"""From what was discovered to files: a composition and library entries that reproduce it, and a report of what is sure.

What is sure was tried: the composition is applied with `adopt`, and nothing but the records may change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sidecarctl.authoring.discover import Discovery, Found, Group
from sidecarctl.authoring.extract import looks_secret
from sidecarctl.authoring.test_cases import EXPECTED, FOLDER, INPUT, MANIFEST
from sidecarctl.authoring.trial import Trial as Attempt
from sidecarctl.authoring.trial import attempt
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.sidecar import read_sidecar
from sidecarctl.composition.model import FILE_NAME, load_composition
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
class Trial:
    """One file with the composition applied. `sure` where nothing but records changes; `notes` say what is not so."""

    file: str
    sure: bool
    notes: tuple[str, ...] = ()


def files(found: Discovery, name: str) -> dict[str, str]:
    """Return the files that reproduce what was discovered, by their paths below the folder."""
    out = {FILE_NAME: emit.document(composition(found, to_dns_label(name) or "workloads"))}
    for group in found.groups:
        out[f"{LIBRARY}/{group.name}/sidecar.yaml"] = emit.document(_sidecar(group))
        out[f"{LIBRARY}/{group.name}/template.yaml"] = emit.document(_fragment(group))
    return out


def composition(found: Discovery, name: str) -> dict[str, Any]:
    """Return the composition: a rule for all workloads of one kind and namespace that want the same."""
    rules: list[dict[str, Any]] = []
    for group in found.groups:
        for member in group.members:
            wish = _wish(group, member)
            workload = member.workload
            select: dict[str, Any] = {"kinds": [workload.kind], "names": [workload.name]}
            if workload.namespace:
                select["namespaces"] = [workload.namespace]
            alike = next(
                (rule for rule in rules if rule["sidecars"] == [wish] and _alike(rule["select"], select)), None
            )
            if alike is None:
                rules.append({"select": select, "sidecars": [wish]})
            elif workload.name not in alike["select"]["names"]:
                alike["select"]["names"].append(workload.name)
    return {
        "apiVersion": "sidecarctl.dev/v1alpha1",
        "kind": "Composition",
        "metadata": {"name": name},
        "spec": {"libraries": [f"./{LIBRARY}"], "rules": rules},
    }


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ("kinds", "namespaces"))


def _wish(group: Group, member: Found) -> dict[str, Any]:
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
        ("volumes", "volumes", "Volumes of the pod that go with the sidecar."),
        ("mounts", "app.volumeMounts", "Mounts that the app gets."),
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
            "description": f"Found in {plural(len(group.members), 'workload')}; the template is that of {base.workload.label}.",
        },
        "spec": {
            "engine": "plain",
            "mode": base.mode,
            "start": "after-init" if base.late else "before-init",
            "podSecurity": {"level": "privileged", "reason": "Taken over as it was written by hand."},
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


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files. Raises UsageError where one of them is there already."""
    for path in texts:
        if (folder / path).exists():
            raise UsageError(f"{folder / path} is there already", hint="move it away, or write elsewhere with -o DIR")
    write_all(Write(folder / path, text) for path, text in texts.items())


def cases(folder: Path, found: Discovery) -> dict[str, str]:
    """Return a case for each written sidecar that a plain Deployment takes, with what comes of it today."""
    out: dict[str, str] = {}
    for group in found.groups:
        library = folder / LIBRARY
        text = attempt(Attempt(read_sidecar(library / group.name, str(library)), MANIFEST)).text
        if text is not None:
            case = f"{LIBRARY}/{group.name}/{FOLDER}/deployment"
            out |= {f"{case}/{INPUT}": MANIFEST, f"{case}/{EXPECTED}": text}
    return out


def tried(folder: Path, texts: Iterable[tuple[str, str]], options: Options) -> list[Trial]:
    """Apply the written composition with `adopt` to texts, and tell where nothing but records changes."""
    written = load_composition(folder / FILE_NAME)
    chosen = resolve_selection(written, open_catalog(list(written.libraries)), options.kube_version)
    chosen = replace(chosen, adopt=True, _requests={}, _choices={})
    out = []
    for file, text in texts:
        try:
            result = pipeline.render(text, chosen, options, file)
        except SidecarctlError as error:
            out.append(Trial(file, False, (error.message,)))
            continue
        if not result.changes and not result.failed:
            continue
        told = [f.message for f in result.findings if f.severity.value == "error" or f.rule == "adopted-differs"]
        pure = _kept(text, result.text)
        notes = (*told, *(() if pure else ("more than the record would change",)))
        out.append(Trial(file, pure and not notes, notes))
    return out


def _kept(before: str, after: str) -> bool:
    """True where every line stands as it stood, and what came is only the record and the keys that hold it."""
    old, new = before.splitlines(), after.splitlines()
    position = 0
    for line in new:
        if position < len(old) and line == old[position]:
            position += 1
        elif RECORD_ANNOTATION not in line and line.strip() not in ("annotations:", "metadata:"):
            return False
    return position == len(old)


def _secrets(group: Group) -> list[str]:
    """Names of variables whose values would have been better in a Secret, and now stand in the library too."""
    entries = (as_mapping(entry) for entry in as_list(group.base.shape.get("env")))
    return [str(entry["name"]) for entry in entries if entry.get("value") and looks_secret(str(entry.get("name")))]


def report(found: Discovery, trials: Sequence[Trial], written: Sequence[str], folder: Path) -> str:
    """Return what was found, how sure it is, and the next commands."""
    lines: list[str] = []
    for group in found.groups:
        lines.append(
            f"{group.name}: {group.base.image}, {group.base.mode}, in {plural(len(group.members), 'workload')}"
        )
        for member in group.members:
            own = [*group.parameters(member), *member.notes]
            alias = f" as {member.container.name}" if member.container.name != group.name else ""
            told = f": {', '.join(own)}" if own else ""
            lines.append(f"  {member.workload.label}{alias} ({member.file}){told}")
    for one in found.single:
        lines.append(f"left alone: {one.container.name} of {one.workload.label}: no other workload runs {one.image}")
    sure = [trial for trial in trials if trial.sure]
    if found.groups:
        lines += ["", f"sure: {plural(len(sure), 'file')} of {len(trials)}: only the records would change"]
    for trial in trials:
        lines += [f"not sure: {trial.file}: {note}" for note in trial.notes]
    for group in found.groups:
        template = folder / LIBRARY / group.name / "template.yaml"
        lines += [
            f"warning: {name} of {group.name} looks like a secret, and its value stands in {template} now: refer to a Secret"
            for name in _secrets(group)
        ]
        if f"{LIBRARY}/{group.name}/{FOLDER}/deployment/{INPUT}" not in written:
            lines.append(f"no case: {group.name} does not go with a plain Deployment: write one of your own")
    lines += [f"written: {folder / path}" for path in written]
    if found.groups:
        lines += [
            "",
            "next:",
            f"  sidecarctl render -c {folder / FILE_NAME} -f {folder} --adopt --diff",
            f"  sidecarctl render -c {folder / FILE_NAME} -f {folder} --adopt -i",
            f"  sidecarctl test --library {folder / LIBRARY}",
        ]
    return "".join(f"{line}\n" for line in lines)
