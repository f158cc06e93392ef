"""Generates random valid workloads in random YAML styles: indentation, block and flow style, quotes, comments, and line
breaks.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from sidecarctl.kube.workload import RECORD_ANNOTATION
from sidecarctl.yamltext.stream import split

KINDS = {
    "Pod": "v1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "Rollout": "argoproj.io/v1alpha1",
}


def workload(rng: Random, name: str = "app") -> dict[str, Any]:
    """Return a valid object with a pod spec."""
    kind = rng.choice(list(KINDS))
    labels = {"app": name, **({"tier": "front"} if rng.random() < 0.3 else {})}
    metadata: Any = {"name": name, **({"namespace": "prod"} if rng.random() < 0.3 else {})}
    template: dict[str, Any] = {"metadata": {"labels": labels}, "spec": _pod(rng, kind in ("Job", "CronJob"))}
    if rng.random() < 0.3:
        template["metadata"]["annotations"] = rng.choice(({"a/b": "yes", "note": "x: y # z"}, {}, None))
    if rng.random() < 0.2 and kind in ("Job", "CronJob"):
        del template["metadata"]
    body: dict[str, Any] = {"apiVersion": KINDS[kind], "kind": kind, "metadata": metadata}
    if kind == "Pod":
        body["metadata"] = {**template.get("metadata", {}), **metadata}
        return {**body, "spec": template["spec"]}
    if kind == "CronJob":
        return {**body, "spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": template}}}}
    spec: dict[str, Any] = {"template": template}
    if kind != "Job":
        spec = {"selector": {"matchLabels": {"app": name}}, **spec}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    if kind in ("Deployment", "StatefulSet", "Rollout") and rng.random() < 0.5:
        spec = {"replicas": 3, **spec}
    return {**body, "spec": spec}


def _pod(rng: Random, job: bool) -> dict[str, Any]:
    pod: dict[str, Any] = {}
    volumes = [{"name": f"vol-{i}", "emptyDir": {}} for i in range(rng.choice((0, 0, 1, 2)))]
    if rng.random() < 0.3:
        pod["initContainers"] = [_container(rng, f"init-{i}", volumes) for i in range(rng.choice((1, 2)))]
    pod["containers"] = [_container(rng, f"c{i}", volumes) for i in range(rng.choice((1, 1, 2, 3)))]
    if volumes or rng.random() < 0.2:
        pod["volumes"] = volumes or rng.choice(([], None))
    if job:
        pod["restartPolicy"] = "Never"
    if rng.random() < 0.2:
        pod["securityContext"] = rng.choice(({}, {"fsGroup": 2000}, None))
    if rng.random() < 0.2:
        pod["terminationGracePeriodSeconds"] = 20
    return _shuffled(rng, pod) if rng.random() < 0.2 else pod


def _container(rng: Random, name: str, volumes: list[dict[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {"name": name, "image": "nginx:1.27"}
    if rng.random() < 0.3:
        value["command"] = ["sh", "-c"]
        value["args"] = ["set -e\necho hi\n", "one\n\ntwo\n\n"][: rng.choice((1, 2))]
    if rng.random() < 0.4:
        value["env"] = rng.choice(([{"name": "A", "value": "1"}, {"name": "B", "value": "no"}], [], None))
    if rng.random() < 0.3:
        value["ports"] = [{"containerPort": 8080}]
    if volumes and rng.random() < 0.7:
        value["volumeMounts"] = [{"name": v["name"], "mountPath": f"/data/{i}"} for i, v in enumerate(volumes)]
        if rng.random() < 0.3:
            value["volumeMounts"][0]["mountPath"] = "/var/log/app"
    return _shuffled(rng, value) if rng.random() < 0.1 else value


def _shuffled(rng: Random, value: dict[str, Any]) -> dict[str, Any]:
    keys = list(value)
    rng.shuffle(keys)
    return {key: value[key] for key in keys}


def stream(rng: Random, objects: list[dict[str, Any]], *, plain: bool = False) -> str:
    """Return objects as one text: as several documents, as a List, or as JSON.

    `plain`: without tags, anchors, and comments in empty values. A sidecar that fills the value replaces them.
    """
    newline = rng.choice(("\n", "\n", "\n", "\r\n"))
    if rng.random() < 0.15:
        value: Any = {"apiVersion": "v1", "kind": "List", "items": objects}
        objects = [value]
    texts = []
    for index, one in enumerate(objects):
        if rng.random() < 0.12:
            text = json.dumps(one, indent=rng.choice((None, 2, 4)), separators=rng.choice((None, (",", ":")))) + "\n"
        else:
            text = Writer(rng, plain=plain).document(one)
        head = "" if index == 0 and rng.random() < 0.6 else rng.choice(("---\n", "--- # next\n", "---   \n"))
        texts.append(head + text)
        if rng.random() < 0.1:
            texts.append(rng.choice(("---\n", "---\n# nothing here\n")))
    whole = "".join(texts)
    if rng.random() < 0.2:
        whole = whole.removesuffix("\n")
    return ("\ufeff" if rng.random() < 0.05 else "") + whole.replace("\n", newline)


class Writer:
    """Writes one document. The style varies between files, and a little within a file."""

    def __init__(self, rng: Random, *, plain: bool = False) -> None:
        self.rng = rng
        self.plain = plain
        self.step = rng.choice((2, 2, 2, 4, 3))
        self.offsets = rng.choice(((0,), (2,), (0, 2), (4,), (1,)))
        self.noise = rng.choice((0.0, 0.05, 0.2))
        self.flow = rng.choice((0.0, 0.05, 0.3))

    def document(self, value: dict[str, Any]) -> str:
        lines = self._mapping(value, 0)
        end = self.rng.choice(("", "", "", "...\n", "# the end\n", "\n\n"))
        return "".join(line + "\n" for line in lines) + end

    def _mapping(self, value: dict[str, Any], column: int) -> list[str]:
        out: list[str] = []
        for key, item in value.items():
            out += self._noise(column)
            out += self._entry(key, item, column)
        return out

    def _noise(self, column: int) -> list[str]:
        if self.rng.random() >= self.noise:
            return []
        return [self.rng.choice(("", " " * column + "# a comment", " " * (column + 2) + "# deeper", "# at the margin"))]

    def _entry(self, key: str, item: Any, column: int) -> list[str]:
        rng = self.rng
        name = key if rng.random() < 0.95 else json.dumps(key)
        lead = " " * column + name + ":"
        tail = "  # why" if rng.random() < self.noise else ""
        if item is None and self.plain:
            return [lead + rng.choice(("", " null", " ~")) + tail]
        if item in ({}, []) and self.plain:
            return [lead + " " + json.dumps(item) + tail]
        if item is None or item in ({}, []):
            return self._empty(name, item, column, tail)
        if isinstance(item, (dict, list)) and rng.random() < self.flow:
            return [lead + " " + self._flow(item) + tail]
        if isinstance(item, dict):
            return [lead + tail, *self._mapping(item, column + self.step)]
        if isinstance(item, list):
            return [lead + tail, *self._items(item, column + rng.choice(self.offsets))]
        if isinstance(item, str) and "\n" in item:
            return [lead + " " + self._literal(item), *self._literal_lines(item, column + self.step)]
        return [lead + " " + self._scalar(item) + tail]

    def _empty(self, key: str, item: Any, column: int, tail: str) -> list[str]:
        """Write an empty value: with a tag, an anchor, or a comment inside, or on a line of its own."""
        rng, margin = self.rng, " " * column
        kind, text = ("null", rng.choice(("null", "~", "Null", "NULL"))) if item is None else ("map", "{}")
        if isinstance(item, list):
            kind, text = "seq", "[]"
        opening, closing = text[0], text[-1]
        styles = [[f"{margin}{key}: {text}{tail}"]] * 4
        styles += [
            [f"{margin}{key}: !!{kind} {text}{tail}"],
            [f"{margin}{key}: !<tag:yaml.org,2002:{kind}> {text}"],
            [f"{margin}{key}: &empty{rng.randrange(10**6)} {text}{tail}"],
            [f"{margin}{key}: # why", f"{margin}   {text}"],
            [f"{margin}{key}:", f"{margin}  # none", f"{margin}   {text}{tail}"],
            [f"{margin}? {key}{tail}", f"{margin}: {text}"],
            [f"{margin}? {key} # why", f"{margin}: # none", f"{margin}   {text}"],
        ]
        if item is None:
            styles += [[f"{margin}{key}:{tail}"]] * 4
            styles += [[f"{margin}{key}: !!null{tail}"], [f"{margin}{key}: &empty{rng.randrange(10**6)}{tail}"]]
        else:
            styles += [
                [f"{margin}{key}: {opening} {closing}{tail}"],
                [f"{margin}{key}: {opening} # none", f"{margin}   {closing}"],
                [f"{margin}{key}: {opening}", f"{margin}   # none", f"{margin}   {closing}{tail}"],
            ]
        return rng.choice(styles)

    def _items(self, items: list[Any], column: int) -> list[str]:
        out: list[str] = []
        for item in items:
            out += self._noise(column)
            if isinstance(item, dict) and item and self.rng.random() >= self.flow:
                first, *rest = self._mapping_quiet(item, column + 2)
                out += [" " * column + "- " + first.lstrip(), *rest]
            elif isinstance(item, (dict, list)):
                out.append(" " * column + "- " + self._flow(item))
            elif isinstance(item, str) and "\n" in item:
                out += [" " * column + "- " + self._literal(item), *self._literal_lines(item, column + 2)]
            else:
                out.append(" " * column + "- " + self._scalar(item))
        out += self._noise(column)
        return out

    def _mapping_quiet(self, item: dict[str, Any], column: int) -> list[str]:
        key, *others = item
        out = self._entry(key, item[key], column)
        for other in others:
            out += self._noise(column)
            out += self._entry(other, item[other], column)
        return out

    def _literal(self, text: str) -> str:
        return "|+" if text.endswith("\n\n") else "|"

    def _literal_lines(self, text: str, column: int) -> list[str]:
        return [" " * column + line if line else "" for line in text[:-1].split("\n")]

    def _scalar(self, value: Any) -> str:
        if not isinstance(value, str):
            return json.dumps(value)
        if value in ("yes", "no", "1") or value[:1] in "*&" or ": " in value or " #" in value:
            return self.rng.choice((json.dumps(value), f"'{value}'"))
        return self.rng.choice((value, value, json.dumps(value)))

    def _flow(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k}: {self._flow(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self._flow(v) for v in value) + "]"
        return json.dumps(value)


def meaning(text: str) -> list[Any]:
    """Return what a text means to Kubernetes, regardless of the order of named items, keys, and companions."""
    values = [_normalized(document.value) for document in split(text, "-") if document.value is not None]
    return sorted(values, key=lambda value: json.dumps(value, sort_keys=True, default=str))


def _normalized(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: json.loads(item) if key == RECORD_ANNOTATION and isinstance(item, str) else _normalized(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        items = [_normalized(item) for item in value]
        named = all(
            isinstance(item, dict) and ("name" in item or "mountPath" in item or "kind" in item) for item in items
        )
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True, default=str)) if named else items
    return value
