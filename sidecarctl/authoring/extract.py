"""Convert a container of a manifest to a sidecar: its volumes, variables, and mounts become a fragment with parameters."""

from __future__ import annotations

import itertools
import json
import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from sidecarctl.authoring.lint import strictest_level
from sidecarctl.authoring.manifest_container import find_container
from sidecarctl.authoring.parameter_names import unused_parameter_name
from sidecarctl.findings import PathTuple
from sidecarctl.kube.secret_values import MASK, mask_text, mask_values, object_copies
from sidecarctl.kube.workload import Container, Workload, as_list, as_mapping
from sidecarctl.results import field_text
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import Edit, EditRefused, Remove, Replace
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document

# Volume sources that refer to an object: name field, suffix of the parameter name, and kind.
_REFERENCES = {
    "configMap": ("name", "ConfigMap", "ConfigMap"),
    "secret": ("secretName", "Secret", "Secret"),
    "persistentVolumeClaim": ("claimName", "Claim", "PersistentVolumeClaim"),
}
# Resources for containers without any. No CPU limit, because it could throttle a container that ran without one.
_DEFAULT_RESOURCES = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}}


@dataclass
class ExtractedSidecar:
    """The new sidecar: file contents, the manifest without the container, and notes for the user."""

    metadata: dict[str, Any]
    template: str
    rest: str | None
    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def extract_container(text: str, file: str, container: str, name: str) -> ExtractedSidecar:
    """Convert a container of a manifest to a sidecar with the given name.

    Raise InputError for text that is unreadable, has no workload, or has an invalid pod, UsageError for an unknown container.
    """
    found = find_container(text, file, container)
    extraction = _Extraction(found.workload, found.container, found.documents, name)
    extraction.notes += found.notes
    return extraction.result(found.document)


class _Extraction:
    """The conversion of one container. Tokens stand for Jinja expressions until the YAML is written and escaped."""

    def __init__(self, workload: Workload, source: Container, documents: Sequence[Document], name: str) -> None:
        self.workload = workload
        self.source = source
        self.documents = documents
        self.name = name
        self.notes: list[str] = []
        self.parameters: dict[str, dict[str, Any]] = {}
        self.values: dict[str, Any] = {}
        self.tokens: dict[str, str] = {}
        self.numbers = _unused_numbers(document.value for document in documents)
        self.removed_paths: list[PathTuple] = []
        self.others = [c for c in workload.containers if c.path != source.path]

    def add_expression(self, expression: str) -> str:
        """Return a token that is replaced with a Jinja expression in the end."""
        word = f"Jq{next(self.numbers)}qJ"
        self.tokens[word] = "{{ " + expression + " }}"
        return word

    def add_parameter(self, wanted: str, schema: dict[str, Any]) -> str:
        """Declare a parameter under an unused name and return its token."""
        key = unused_parameter_name(wanted, self.parameters)
        self.parameters[key] = schema
        return self.add_expression(f"params.{key} | quote")

    def result(self, document: Document) -> ExtractedSidecar:
        """Return the sidecar and the remaining manifest."""
        volumes, mounts, shared, companions = self.convert_volumes()
        own = self.convert_container(mounts)
        app = {"volumeMounts": shared} if shared else {}
        parts = {"containers": [own], "volumes": volumes, "app": app, "documents": companions}
        fragment = {key: part for key, part in parts.items() if part}
        self.note_pod_settings()
        metadata = self.build_metadata(own, volumes)
        return ExtractedSidecar(
            metadata, self.render_template(fragment), self.remaining_manifest(document), self.values, self.notes
        )

    def convert_container(self, mounts: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the container with its name, variables, mounts, and resources replaced."""
        own: dict[str, Any] = {}
        for key, value in self.source.value.items():
            if key == "name":
                own[key] = self.add_expression("instance | quote")
            elif key == "env":
                own[key] = [self.convert_variable(each) for each in as_list(value)]
            elif key == "volumeMounts":
                own.update({key: mounts} if mounts else {})
            elif key == "volumeDevices":
                self.notes.append("volumeDevices are not included: a sidecar cannot have block devices")
            elif key != "restartPolicy":
                own[key] = self.mask_secrets(key, value)
        own["resources"] = self.fill_resources(as_mapping(self.source.value.get("resources")))
        return own

    def mask_secrets(self, key: str, value: Any) -> Any:
        """Return the value of a field with a placeholder for what looks like a secret."""
        masked, paths = mask_values({key: value})
        self.notes += (f"{field_text(path)} may contain a secret, so {MASK} takes its place" for path in paths)
        return masked[key]

    def convert_variable(self, each: Any) -> Any:
        """Turn the value of a variable into a parameter. Values of likely secrets are not copied."""
        if not isinstance(each, dict) or not isinstance(each.get("value"), str):
            return self.mask_secrets("env", each)
        name = str(each.get("name", ""))
        if mask_text(each["value"], name) != each["value"]:
            schema = _string_schema(f"Value of the variable {name}.", writeOnly=True)
            token = self.add_parameter(name, schema)
            key = next(key for key, value in self.parameters.items() if value is schema)
            self.values[key] = "not-the-real-one"
            self.notes.append(
                f"{name} may be a secret, so its value was not copied and parameter {key} is required; "
                "consider a reference to a Secret"
            )
        else:
            schema = _string_schema(f"Value of the variable {name}.", default=each["value"])
            token = self.add_parameter(name, schema)
        return {"name": name, "value": token}

    def fill_resources(self, present: Mapping[str, Any]) -> dict[str, Any]:
        """Return requests and limits, with defaults for missing values."""
        result = {key: value for key, value in present.items() if key not in _DEFAULT_RESOURCES}
        for kind, quantities in _DEFAULT_RESOURCES.items():
            set_values = as_mapping(present.get(kind))
            missing = {
                key: quantity
                for key, quantity in quantities.items()
                if key not in set_values and not (kind == "requests" and key in as_mapping(present.get("limits")))
            }
            result[kind] = {**missing, **set_values} if missing or set_values else {}
            for key, quantity in missing.items():
                self.notes.append(f"set missing {kind}.{key} to {quantity}; adjust it to the actual usage")
        return {key: value for key, value in result.items() if value}

    def convert_volumes(self) -> tuple[list[Any], list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
        """Return volumes, mounts of the container, mounts of the app, and companions."""
        volumes: list[Any] = []
        mounts: list[dict[str, Any]] = []
        shared: list[dict[str, Any]] = []
        companions: list[dict[str, Any]] = []
        defined = {
            v["name"]: (i, v)
            for i, v in enumerate(as_list(self.workload.pod.get("volumes")))
            if as_mapping(v).get("name")
        }
        paths: dict[str, str] = {}
        for mount in as_list(self.source.value.get("volumeMounts")):
            name = str(mount.get("name"))
            if name not in defined:
                self.notes.append(f'mount "{name}" is not included: no such volume in the pod (claim template?)')
                continue
            index, volume = defined[name]
            token = self.add_expression("instance") + f"-{name}"
            app_mounts = [
                m
                for c in self.others
                for m in as_list(c.value.get("volumeMounts"))
                if as_mapping(m).get("name") == name
            ]
            if name not in paths:
                paths[name] = token
                volumes.append({"name": token, **self.convert_source(volume, bool(app_mounts), companions)})
                # A partial workload, such as a kustomize patch, can have mounts without a path.
                if app_mounts and "emptyDir" in volume and "mountPath" in app_mounts[0]:
                    app = self.mask_secrets("app.volumeMounts", app_mounts[0])
                    text = f"Directory where the app mounts the shared volume {name}."
                    schema = _string_schema(text, pattern="^/", default=app["mountPath"])
                    path = self.add_parameter(f"{name}-directory", schema)
                    shared.append({"name": token, "mountPath": path, **_without(app, "name", "mountPath")})
                if not app_mounts:
                    self.removed_paths.append((*self.workload.pod_path, "volumes", index))
            mounts.append({**self.mask_secrets("volumeMounts", mount), "name": paths[name]})
        return volumes, mounts, shared, companions

    def convert_source(self, volume: Mapping[str, Any], used: bool, companions: list[dict[str, Any]]) -> dict[str, Any]:
        """Return a volume source: object names become parameters, and a ConfigMap used only here becomes a companion."""
        source = self.mask_secrets("volume", _without(volume, "name"))
        kind = next(iter(source), "emptyDir")
        if kind not in _REFERENCES or not isinstance(source[kind], dict):
            return source or {"emptyDir": {}}
        key, word, noun = _REFERENCES[kind]
        name = str(source[kind].get(key, ""))
        document = self.find_config_map(name) if kind == "configMap" and not used else None
        if document is not None:
            suffix = f"-{volume['name']}" if companions else ""
            companion = self.add_expression("companion" if suffix else "companion | quote") + suffix
            rest = self.mask_secrets(kind, _without(document, "metadata"))
            companions.append(
                {**{k: rest.pop(k) for k in ("apiVersion", "kind")}, "metadata": {"name": companion}, **rest}
            )
            return {kind: {**source[kind], key: companion}}
        schema = _string_schema(f"Name of the {noun} for the volume {volume['name']}.", default=name)
        return {kind: {**source[kind], key: self.add_parameter(f"{volume['name']}-{word}", schema)}}

    def find_config_map(self, name: str) -> dict[str, Any] | None:
        for document in self.documents:
            value = as_mapping(document.value)
            metadata = as_mapping(value.get("metadata"))
            if (value.get("apiVersion"), value.get("kind")) == ("v1", "ConfigMap") and metadata.get("name") == name:
                if metadata.get("namespace", "") in ("", self.workload.namespace):
                    return value
        return None

    def note_pod_settings(self) -> None:
        """Note pod settings that the container may rely on but that are not converted."""
        pod = self.workload.pod
        for key, what in (
            ("serviceAccountName", "its permissions"),
            ("shareProcessNamespace", "processes of other containers"),
            ("hostNetwork", "the network of the node"),
            ("hostPID", "processes of the node"),
        ):
            if pod.get(key) not in (None, False, "", "default"):
                self.notes.append(f"the pod sets {key}: if the sidecar needs {what}, set it in each pod")

    def build_metadata(self, own: Mapping[str, Any], volumes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the content of sidecar.yaml."""
        image = mask_text(str(self.source.value.get("image", "")), "image")
        spec: dict[str, Any] = {"engine": "jinja", "mode": "init" if self.source.role == "init" else "auto"}
        if self.source.role == "sidecar":
            index = int(self.source.path[-1])
            before = as_list(self.workload.pod.get("initContainers"))[:index]
            ordinary = any(as_mapping(c).get("restartPolicy") != "Always" for c in before)
            spec["start"] = "after-init" if ordinary else "before-init"
        level, reason = _pod_security(own, volumes)
        if level != "restricted":
            spec["podSecurity"] = {"level": level, "reason": reason}
        parameters: dict[str, Any] = {"additionalProperties": False}
        if self.values:
            parameters["required"] = list(self.values)
        spec["parameters"] = {**parameters, "properties": self.parameters}
        return {
            "apiVersion": "sidecarctl.dev/v1alpha1",
            "kind": "Sidecar",
            "metadata": {
                "name": self.name,
                "version": "0.1.0",
                "summary": f"Runs {image} beside the app."[:120],
                "description": f"Converted from container {self.source.name} of {self.workload.label}.",
            },
            "spec": spec,
        }

    def render_template(self, fragment: Mapping[str, Any]) -> str:
        """Return the template: YAML with Jinja delimiters escaped and tokens replaced with expressions."""
        text = emit.document(fragment)
        text = re.sub(r"\{[{%#]|[%#}]\}", lambda found: "{{ " + repr(found.group()) + " }}", text)
        return re.sub(r"Jq\d+qJ", lambda found: self.tokens.get(found.group(), found.group()), text)

    def remaining_manifest(self, document: Document) -> str | None:
        """Return the document without the container, what only it used, and likely secrets; None if no app container is left."""
        if not any(c.role in ("app", "classic") for c in self.others) or document.root is None:
            return None
        edits: list[Edit] = [Remove(self.source.path), *(Remove(path) for path in self.removed_paths)]
        pod = self.workload.pod
        for key, count in (("volumes", len(self.removed_paths)), (str(self.source.path[-2]), 1)):
            if count and len(as_list(pod.get(key))) == count:
                edits = [e for e in edits if e.path[:-1] != (*self.workload.pod_path, key)]
                edits.append(Remove((*self.workload.pod_path, key)))
        edits += [Remove(path) for path in object_copies(document.value) if not _is_edited(path, edits)]
        masked, secrets = mask_values(document.value)
        kept = [path for path in secrets if not _is_edited(path, edits)]
        edits += (Replace(path, reduce(operator.getitem, path, masked)) for path in kept)
        self.notes += (
            f"{field_text(path)} may contain a secret, so the test case has {MASK} in its place" for path in kept
        )
        try:
            return splice(document.text, document.root, edits).text
        except EditRefused as refusal:
            self.notes.append(f"the test case uses a default manifest: {refusal.message}")
            return None


def _is_edited(path: PathTuple, edits: Iterable[Edit]) -> bool:
    return any(path[: len(edit.path)] == edit.path for edit in edits)


def _unused_numbers(values: Iterable[Any]) -> Iterator[int]:
    """Return numbers for tokens that no value has."""
    found = (number for value in values for number in re.findall(r"Jq([0-9]{1,9})qJ", json.dumps(value)))
    taken = {int(number) for number in found}
    return (number for number in itertools.count() if number not in taken)


def _string_schema(description: str, **keywords: Any) -> dict[str, Any]:
    return {"type": "string", **keywords, "description": description}


def _without(value: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: inner for key, inner in value.items() if key not in keys}


def _pod_security(own: Mapping[str, Any], volumes: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    level, reasons = strictest_level(own, volumes)
    texts = [re.sub(r"Jq\d+qJ(: |-)?", "", text) for text in reasons]
    return level, f"Converted without changes: {'; '.join(texts)}." if texts else ""
