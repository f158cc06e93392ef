"""Write a composition and a library that reproduce discovered sidecars, and find out which files stay unchanged.

To check a file, the composition is applied with `adopt`; only records may be added.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecarctl.authoring.candidate import Candidate
from sidecarctl.authoring.discover import Discovery, Group, find_owned
from sidecarctl.authoring.parameter_names import unused_parameter_name
from sidecarctl.authoring.test_cases import EXPECTED, FOLDER, INPUT, MANIFEST
from sidecarctl.authoring.trial import Trial as Attempt
from sidecarctl.authoring.trial import run_trial
from sidecarctl.catalog.catalog import DEFAULT_LIBRARY
from sidecarctl.catalog.changelog import CHANGELOG_FILE
from sidecarctl.catalog.schema_comment import format_schema_comment
from sidecarctl.catalog.sidecar import read_sidecar
from sidecarctl.composition.edit import edit_composition
from sidecarctl.composition.find import FILE_NAME
from sidecarctl.composition.select import Selection
from sidecarctl.errors import InputError, SidecarctlError, UsageError
from sidecarctl.files.patterns import output_root
from sidecarctl.files.signals import end_on_signals, temporary_directory
from sidecarctl.files.sources import NO_FILE, Stamp
from sidecarctl.files.write import Write, write_all
from sidecarctl.findings import PathTuple
from sidecarctl.inject import pipeline
from sidecarctl.inject.pipeline import Options
from sidecarctl.kube.names import to_dns_label
from sidecarctl.kube.workload import RECORD_ANNOTATION, as_list, as_mapping, workloads
from sidecarctl.record import annotation as records
from sidecarctl.results import field_text, plural
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import Edit, Insert
from sidecarctl.yamltext.stream import split_readable

LIBRARY = DEFAULT_LIBRARY
VERSION = "0.1.0"
CHANGELOG = f"# Changelog\n\n## {VERSION} - Unreleased\n\n- Adopted from manifests.\n"


@dataclass(frozen=True)
class FileCheck:
    """The result of applying the composition to one file: unchanged except for records, or the differences.

    failed  the composition cannot be applied
    """

    file: str
    unchanged: bool
    notes: tuple[str, ...] = ()
    failed: bool = False


def build_files(found: Discovery, name: str, present: str | None = None) -> dict[str, str]:
    """Return the files that reproduce the discovered sidecars, by path in the target directory.

    `present` is the text of a composition that is extended. Raise EditRefused if it cannot be.
    """
    composition = build_composition(found, to_dns_label(name) or "workloads")
    text = format_schema_comment("composition") + emit.document(composition)
    out = {FILE_NAME: text if present is None else extend_composition(present, composition)}
    for group in found.groups:
        out[f"{LIBRARY}/{group.name}/sidecar.yaml"] = format_schema_comment("sidecar") + emit.document(_sidecar(group))
        out[f"{LIBRARY}/{group.name}/template.yaml"] = emit.document(_fragment(group))
        out[f"{LIBRARY}/{group.name}/{CHANGELOG_FILE}"] = CHANGELOG
    return out


def extend_composition(text: str, other: Mapping[str, Any]) -> str:
    """Return the text of a composition with the rules and the library of another one added at the end."""
    return edit_composition(text, FILE_NAME, lambda value: _additions(value, other))


def _additions(value: object, other: Mapping[str, Any]) -> list[Edit]:
    """Return the edits that add the rules and the library of another composition to one."""
    spec = as_mapping(as_mapping(value).get("spec"))
    edits: list[Edit] = []
    for field in ("libraries", "rules"):
        present = as_list(spec.get(field))
        wanted = [item for item in other["spec"][field] if item not in present]
        if field in spec:
            edits += (Insert(("spec", field, len(present)), item) for item in wanted)
        elif wanted:
            edits.append(Insert(("spec", field), wanted))
    return edits


def build_composition(found: Discovery, name: str) -> dict[str, Any]:
    """Return the composition, with one rule for all workloads of one kind and namespace that need the same sidecars.

    Rules select workloads by name. Of several with one name, such as those of two environments, the most common wins.
    """
    rules: list[dict[str, Any]] = []
    for group in found.groups:
        for wish, member in _common_wishes(group):
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


def _common_wishes(group: Group) -> Iterator[tuple[dict[str, Any], Candidate]]:
    """Yield what each workload needs, once for each name."""
    named: dict[tuple[str, ...], list[Candidate]] = {}
    for member in group.members:
        workload = member.workload
        key = (workload.kind, workload.namespace, workload.name, member.container.name)
        named.setdefault(key, []).append(member)
    for members in named.values():
        wishes = [_wish(group, member) for member in members]
        yield max(zip(wishes, members), key=lambda each: wishes.count(each[0]))


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
    for secret, name in secret_parameters(group).items():
        properties[name] = {
            "type": "string",
            "writeOnly": True,
            "default": _value_at(base.shape, secret),
            "description": f"Value of the {describe_secret(base, secret)}.",
        }
        substitutions.append({"path": _substitution_path(secret), "parameter": name})
    return {
        "apiVersion": "sidecarctl.dev/v1alpha1",
        "kind": "Sidecar",
        "metadata": {
            "name": group.name,
            "version": VERSION,
            "summary": f"Runs {base.image} beside the app."[:120],
            "description": f"Found in {plural(group.workloads, 'workload')}. The template is based on {base.workload.label}.",
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


def secret_parameters(group: Group) -> dict[PathTuple, str]:
    """Return the names of the parameters that take the place of secrets, by path in the container."""
    parameters: dict[PathTuple, str] = {}
    for path in group.base.secrets:
        taken = {"volumes", "mounts", *parameters.values()}
        parameters[path] = unused_parameter_name(describe_secret(group.base, path).split()[-1], taken)
    return parameters


def describe_secret(member: Candidate, path: PathTuple) -> str:
    """Return what holds a secret: `variable LOKI_PASSWORD`, `argument --password`, or the path in the container."""
    holder, value = _value_at(member.shape, path[:-1]), str(_value_at(member.shape, path))
    if path[-1] == "value" and isinstance(holder, dict) and holder.get("name"):
        return f"{'variable' if path[0] == 'env' else 'header'} {holder['name']}"
    if isinstance(holder, list) and isinstance(path[-1], int):
        before = str(holder[path[-1] - 1]) if path[-1] else ""
        flag = value.partition("=")[0] if value.startswith("-") else before
        if flag.startswith("-") and " " not in flag:
            return f"argument {flag}"
    return f"field {field_text(path)}"


def _value_at(value: Any, path: PathTuple) -> Any:
    for step in path:
        value = value[step]
    return value


def _substitution_path(path: PathTuple) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else "." + re.sub(r"([.\[\\])", r"\\\1", step) for step in path)
    return "containers[0]" + "".join(steps)


def _fragment(group: Group) -> dict[str, Any]:
    base = group.base
    fragment: dict[str, Any] = {"containers": [{"name": group.name, **base.shape}]}
    if base.volumes or "volumes" in group.varying:
        fragment["volumes"] = list(base.volumes)
    if base.mounts or "mounts" in group.varying:
        fragment["app"] = {"volumeMounts": list(base.mounts)}
    return fragment


def write_files(folder: Path, texts: Mapping[str, str], stamp: Stamp = NO_FILE) -> None:
    """Write the files; `stamp` is that of the composition when it was read.

    Raise UsageError if the file of a sidecar already exists, OutputError if a link leads out of the repository or if
    another program has written one of the files meanwhile.
    """
    for path in texts:
        if path != FILE_NAME and (folder / path).exists():
            raise UsageError(
                f"{folder / path} already exists",
                hint="apply an earlier result with `sidecarctl render --adopt`, or choose another directory with -o DIR",
            )
    root = output_root(folder)
    # The composition comes last: one that an interrupted run wrote must not name sidecars that are missing.
    ordered = sorted(texts.items(), key=lambda each: each[0] == FILE_NAME)
    write_all(Write(folder / path, text, stamp if path == FILE_NAME else NO_FILE, root) for path, text in ordered)


def build_cases(files: Mapping[str, str], found: Discovery) -> dict[str, str]:
    """Return a test case for each new sidecar that can be added to a plain Deployment, with its current output."""
    out: dict[str, str] = {}
    with end_on_signals(), temporary_directory() as folder:
        write_files(folder, {path: text for path, text in files.items() if path != FILE_NAME})
        library = folder / LIBRARY
        for group in found.groups:
            text = run_trial(Attempt(read_sidecar(library / group.name, str(library)), MANIFEST)).text
            if text is not None:
                case = f"{LIBRARY}/{group.name}/{FOLDER}/deployment"
                out |= {f"{case}/{INPUT}": MANIFEST, f"{case}/{EXPECTED}": text}
    return out


def find_adopted(
    texts: Iterable[tuple[str, str]], select: Callable[[str], Selection], options: Options
) -> dict[tuple[str, str], set[str]]:
    """Return the containers that a composition with `adopt` takes ownership of, by file and workload label.

    Files for which it has errors have none: the check of the result reports them.
    """
    out: dict[tuple[str, str], set[str]] = {}
    for file, text in texts:
        with suppress(SidecarctlError):
            result = pipeline.render(text, select(file), options, file)
            for document in () if result.failed else split_readable(result.text, file, []):
                for workload in workloads(document.value, options.kinds):
                    out.setdefault((file, workload.label), set()).update(find_owned(records.read(workload)))
    return out


def check_files(
    texts: Iterable[tuple[str, str]], select: Callable[[str], Selection], options: Options
) -> list[FileCheck]:
    """Apply a composition with `adopt` to manifests and report which of them get records only.

    `select` is a function from a file to the composition that knows the Namespaces of the run.
    """
    out = []
    for file, text in texts:
        try:
            result = pipeline.render(text, select(file), options, file)
        except InputError:
            continue  # the search reported it
        except SidecarctlError as error:
            out.append(FileCheck(file, False, (error.message,), failed=True))
            continue
        if result.errors or (not result.changes and not result.failed):
            continue  # the search reported the errors
        notes = [f.message for f in result.findings if f.severity.value == "error" or f.rule == "adopted-differs"]
        notes += (f"{change.label} is skipped: {change.skipped}" for change in result.changes if change.skipped)
        if not _only_record_added(text, result.text):
            notes.append("fields other than the record would change")
        out.append(FileCheck(file, not notes, tuple(notes), result.failed))
    return out


def _only_record_added(before: str, after: str) -> bool:
    """Return True if the documents differ only in records, and in the mappings that were added to contain them.

    Compares values, because a record can share its line with other fields: in JSON, and in YAML in flow style.
    """
    old, new = (list(split_readable(text, "", [])) for text in (before, after))
    return len(old) == len(new) and all(
        one.text == other.text or _without_record(one.value) == _without_record(other.value)
        for one, other in zip(old, new)
    )


def _without_record(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_record(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_record(inner) for key, inner in value.items() if key != RECORD_ANNOTATION}
    return {key: inner for key, inner in kept.items() if inner or key not in ("annotations", "metadata")}
