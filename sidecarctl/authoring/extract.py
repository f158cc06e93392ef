"""A container of a manifest as a sidecar of its own: its volumes, variables and mounts become fragment and parameters.

Knows a workload and its stream; writes no file. What can't go along is told, never dropped silently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sidecarctl.authoring import lint
from sidecarctl.catalog import common_parameters
from sidecarctl.errors import InputError, UsageError, did_you_mean
from sidecarctl.findings import PathTuple
from sidecarctl.kube.workload import Container, Workload, as_list, as_mapping, workloads
from sidecarctl.yamltext import emit
from sidecarctl.yamltext.edits import Edit, EditRefused, Remove
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import Document, split

_SECRET = re.compile(r"PASSWORD|PASSWD|TOKEN|SECRET|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY", re.IGNORECASE)
# Names of sources that a volume refers to, and what the parameter for them is called.
_NAMED = {
    "configMap": ("name", "ConfigMap", "ConfigMap"),
    "secret": ("secretName", "Secret", "Secret"),
    "persistentVolumeClaim": ("claimName", "Claim", "PersistentVolumeClaim"),
}
# What is filled in where nothing is said. A cpu limit is not: it would slow down what ran well without one.
_FILLED = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}}


def looks_secret(name: str) -> bool:
    """True for the name of a variable whose value is hardly meant for a file: `DB_PASSWORD`, `API_KEY`."""
    return _SECRET.search(name) is not None


@dataclass
class Extract:
    """What becomes of the container: the files' contents, the manifest without it, and what a person should know."""

    metadata: dict[str, Any]
    template: str
    rest: str | None
    given: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def extract(text: str, file: str, container: str, name: str) -> Extract:
    """Make a sidecar called `name` of a container of a manifest.

    Raises InputError for a text that can't be read or holds no workload, UsageError for a container that is not there.
    """
    documents = list(split(text, file))
    found = [(d, w, c) for d in documents for w in workloads(d.value) for c in w.containers]
    if not found:
        raise InputError(f"{file} holds no workload with containers", hint="name a manifest with --from-manifest")
    chosen = [each for each in found if each[2].name == container and each[2].role != "ephemeral"]
    if not chosen:
        names = list(dict.fromkeys(each[2].name for each in found))
        hint = did_you_mean(container, names) or f"its containers: {', '.join(names)}"
        raise UsageError(f"{file} has no container {container!r}", hint=hint)
    document, workload, source = chosen[0]
    taking = _Taking(workload, source, documents, name)
    if len(chosen) > 1:
        taking.notes.append(f"{len(chosen)} workloads have a container {container}; that of {workload.label} was taken")
    return taking.result(document)


class _Taking:
    """One container on its way. Tokens stand for Jinja's expressions until all else is written and safe."""

    def __init__(self, workload: Workload, source: Container, documents: Sequence[Document], name: str) -> None:
        self.workload = workload
        self.source = source
        self.documents = documents
        self.name = name
        self.notes: list[str] = []
        self.parameters: dict[str, dict[str, Any]] = {}
        self.given: dict[str, Any] = {}
        self.tokens: dict[str, str] = {}
        self.gone: list[PathTuple] = []
        self.others = [c for c in workload.containers if c.path != source.path]

    # --- expressions

    def token(self, expression: str) -> str:
        """A plain word that becomes a Jinja expression in the end."""
        word = f"Jq{len(self.tokens)}qJ"
        self.tokens[word] = "{{ " + expression + " }}"
        return word

    def parameter(self, wanted: str, schema: dict[str, Any]) -> str:
        """Declare a parameter under a free name, and return its token."""
        words = re.findall(r"[A-Za-z0-9]+", wanted) or ["value"]
        lowered = [word.lower() if word.isupper() else word for word in words]
        base = lowered[0][:1].lower() + lowered[0][1:] + "".join(word[:1].upper() + word[1:] for word in lowered[1:])
        base = base if base[0].isalpha() and base not in common_parameters.NAMES else f"app{base[:1].upper()}{base[1:]}"
        key, number = base, 2
        while key in self.parameters:
            key, number = f"{base}{number}", number + 1
        self.parameters[key] = schema
        return self.token(f"params.{key} | quote")

    # --- parts

    def result(self, document: Document) -> Extract:
        """Take the container apart and put it together again."""
        fragment: dict[str, Any] = {}
        volumes, mounts, shared, companions = self.volumes()
        own = self.container(mounts)
        fragment["containers"] = [own]
        if volumes:
            fragment["volumes"] = volumes
        if shared:
            fragment["app"] = {"volumeMounts": shared}
        if companions:
            fragment["documents"] = companions
        self.pod_notes()
        metadata = self.metadata(own, volumes)
        return Extract(metadata, self.written(fragment), self.rest(document), self.given, self.notes)

    def container(self, mounts: list[dict[str, Any]]) -> dict[str, Any]:
        """The container with its name, variables, mounts and resources replaced; all else as it is."""
        own: dict[str, Any] = {}
        for key, value in self.source.value.items():
            if key == "name":
                own[key] = self.token("instance")
            elif key == "env":
                own[key] = [self.variable(each) for each in as_list(value)]
            elif key == "volumeMounts":
                own.update({key: mounts} if mounts else {})
            elif key == "volumeDevices":
                self.notes.append("volumeDevices stay behind: a sidecar has no block devices")
            elif key != "restartPolicy":
                own[key] = value
        own["resources"] = self.resources(as_mapping(self.source.value.get("resources")))
        return own

    def variable(self, each: Any) -> Any:
        """A variable whose value becomes a parameter; one that looks secret keeps its value out of the library."""
        if not isinstance(each, dict) or not isinstance(each.get("value"), str):
            return each
        name = str(each.get("name", ""))
        if looks_secret(name):
            schema = {"type": "string", "writeOnly": True, "description": f"Value of the variable {name}."}
            token = self.parameter(name, schema)
            key = next(key for key, value in self.parameters.items() if value is schema)
            self.given[key] = "not-the-real-one"
            self.notes.append(
                f"{name} looks like a secret: its value was not copied, the parameter {key} asks for it; "
                "a reference to a Secret would be better"
            )
        else:
            schema = {"type": "string", "default": each["value"], "description": f"Value of the variable {name}."}
            token = self.parameter(name, schema)
        return {"name": name, "value": token}

    def resources(self, present: Mapping[str, Any]) -> dict[str, Any]:
        """Requests and limits; what is missing is filled in, and said."""
        result = {key: value for key, value in present.items() if key not in _FILLED}
        for kind, amounts in _FILLED.items():
            there = as_mapping(present.get(kind))
            missing = {
                key: amount
                for key, amount in amounts.items()
                if key not in there and not (kind == "requests" and key in as_mapping(present.get("limits")))
            }
            result[kind] = {**missing, **there} if missing or there else {}
            for key, amount in missing.items():
                self.notes.append(f"it had no {kind}.{key}: {amount} was filled in; measure what it needs")
        return {key: value for key, value in result.items() if value}

    def volumes(self) -> tuple[list[Any], list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
        """Volumes, the container's mounts, what the app mounts, companions."""
        volumes: list[Any] = []
        mounts: list[dict[str, Any]] = []
        shared: list[dict[str, Any]] = []
        companions: list[dict[str, Any]] = []
        defined = {
            str(as_mapping(v).get("name")): (i, v) for i, v in enumerate(as_list(self.workload.pod.get("volumes")))
        }
        paths: dict[str, str] = {}
        for mount in as_list(self.source.value.get("volumeMounts")):
            name = str(as_mapping(mount).get("name"))
            if name not in defined:
                self.notes.append(
                    f"the mount of {name} stays behind: the pod defines no such volume (a claim template?)"
                )
                continue
            index, volume = defined[name]
            token = self.token("instance") + f"-{name}"
            theirs = [m for c in self.others for m in as_list(c.value.get("volumeMounts")) if m.get("name") == name]
            if name not in paths:
                paths[name] = token
                volumes.append({"name": token, **self.volume_source(volume, bool(theirs), companions)})
                if theirs and "emptyDir" in volume:
                    app = theirs[0]
                    schema = {
                        "type": "string",
                        "pattern": "^/",
                        "default": app["mountPath"],
                        "description": f"Directory at which the app mounts what it shares ({name}).",
                    }
                    path = self.parameter(f"{name}-directory", schema)
                    shared.append({"name": token, "mountPath": path, **_without(app, "name", "mountPath")})
                if not theirs:
                    self.gone.append((*self.workload.pod_path, "volumes", index))
            mounts.append({**mount, "name": paths[name]})
        return volumes, mounts, shared, companions

    def volume_source(self, volume: Mapping[str, Any], used: bool, companions: list[dict[str, Any]]) -> dict[str, Any]:
        """A volume's source; a name in it becomes a parameter, and a ConfigMap of its own a companion."""
        source = _without(volume, "name")
        kind = next(iter(source), "emptyDir")
        if kind not in _NAMED or not isinstance(source[kind], dict):
            return source or {"emptyDir": {}}
        key, word, noun = _NAMED[kind]
        name = str(source[kind].get(key, ""))
        document = self.config_map(name) if kind == "configMap" and not used else None
        if document is not None:
            suffix = f"-{volume['name']}" if companions else ""
            companion = self.token("companion") + suffix
            kept = _without(document, "metadata")
            companions.append(
                {**{k: kept.pop(k) for k in ("apiVersion", "kind")}, "metadata": {"name": companion}, **kept}
            )
            return {kind: {**source[kind], key: companion}}
        schema = {
            "type": "string",
            "default": name,
            "description": f"Name of the {noun} for the volume {volume['name']}.",
        }
        return {kind: {**source[kind], key: self.parameter(f"{volume['name']}-{word}", schema)}}

    def config_map(self, name: str) -> dict[str, Any] | None:
        for document in self.documents:
            value = as_mapping(document.value)
            metadata = as_mapping(value.get("metadata"))
            if value.get("kind") == "ConfigMap" and metadata.get("name") == name:
                if metadata.get("namespace", "") in ("", self.workload.namespace):
                    return value
        return None

    def pod_notes(self) -> None:
        """What of the pod the container may rely on, and does not come along."""
        pod = self.workload.pod
        for key, what in (
            ("serviceAccountName", "its permissions"),
            ("shareProcessNamespace", "the other containers' processes"),
            ("hostNetwork", "the node's network"),
            ("hostPID", "the node's processes"),
        ):
            if pod.get(key) not in (None, False, "", "default"):
                self.notes.append(f"the pod sets {key}: if it needs {what}, its pods must set it too")

    # --- metadata and texts

    def metadata(self, own: Mapping[str, Any], volumes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What sidecar.yaml says."""
        image = str(self.source.value.get("image", ""))
        spec: dict[str, Any] = {"engine": "jinja", "mode": "init" if self.source.role == "init" else "auto"}
        if self.source.role == "sidecar":
            index = int(self.source.path[-1])
            before = as_list(self.workload.pod.get("initContainers"))[:index]
            ordinary = any(as_mapping(c).get("restartPolicy") != "Always" for c in before)
            spec["start"] = "after-init" if ordinary else "before-init"
        level, reason = _level(own, volumes)
        if level != "restricted":
            spec["podSecurity"] = {"level": level, "reason": reason}
        parameters: dict[str, Any] = {"additionalProperties": False}
        if self.given:
            parameters["required"] = list(self.given)
        spec["parameters"] = {**parameters, "properties": self.parameters}
        return {
            "apiVersion": "sidecarctl.dev/v1alpha1",
            "kind": "Sidecar",
            "metadata": {
                "name": self.name,
                "version": "0.1.0",
                "summary": f"Runs {image} beside the app."[:120],
                "description": f"Taken from the container {self.source.name} of {self.workload.label}.",
            },
            "spec": spec,
        }

    def written(self, fragment: Mapping[str, Any]) -> str:
        """The template: the fragment as YAML, what Jinja would read in it escaped, expressions in place of tokens."""
        text = emit.document(fragment)
        text = re.sub(r"\{[{%#]|[%#}]\}", lambda found: "{{ " + repr(found.group()) + " }}", text)
        return re.sub(r"Jq\d+qJ", lambda found: self.tokens.get(found.group(), found.group()), text)

    def rest(self, document: Document) -> str | None:
        """The workload's document without the container and what only it used; None where no app would be left."""
        if not any(c.role in ("app", "classic") for c in self.others) or document.root is None:
            return None
        edits: list[Edit] = [Remove(self.source.path), *(Remove(path) for path in self.gone)]
        pod = self.workload.pod
        for key, count in (("volumes", len(self.gone)), (str(self.source.path[-2]), 1)):
            if count and len(as_list(pod.get(key))) == count:
                edits = [e for e in edits if e.path[:-1] != (*self.workload.pod_path, key)]
                edits.append(Remove((*self.workload.pod_path, key)))
        try:
            return splice(document.text, document.root, edits).text
        except EditRefused as refusal:
            self.notes.append(f"the case has another manifest, because {refusal.message}")
            return None


def _without(value: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: inner for key, inner in value.items() if key not in keys}


def _level(own: Mapping[str, Any], volumes: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The strictest level that it passes by itself, and why no stricter one."""
    reasons: list[str] = []
    for level in lint.ORDER:
        # The pod's own security context stays behind, so it counts for nothing.
        found = lint.alone([own], [], volumes, level)
        if not found:
            said = [re.sub(r"Jq\d+qJ(: |-)?", "", text) for text in reasons]
            return level, f"Taken over as it was: {'; '.join(said)}." if said else ""
        reasons = found
    return lint.ORDER[-1], "; ".join(reasons)
