"""Asks rules about manifests, for the tests of advice: what is found where, in words that a test can compare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sidecarctl.findings import Finding, PathTuple, Place
from sidecarctl.validate.check_document import check_documents
from sidecarctl.validate.registry import Context, rules
from sidecarctl.yamltext.stream import split
from tests.rule_examples import complete

RECORD = '{"instances":{"logger":{"added":{"containers":["logger"]}}}}'


def found(name: str, example: str, version: str = "1.34", **context: Any) -> list[Finding]:
    """The findings of one rule about a manifest, or a part of one as in a rule's examples."""
    one = rules()[name]
    documents = list(split(complete(example, one.scope), "m.yaml"))

    def locate(number: int, path: PathTuple, on_key: bool) -> Place:
        return documents[number].locate(path, on_key=on_key)

    ctx = Context(version, **context)
    return [finding for _, finding in check_documents([each.value for each in documents], [one], ctx, locate)]


def dotted(path: PathTuple) -> str:
    """A path as the server writes it: `spec.containers[0].name`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def where(name: str, example: str, version: str = "1.34", **context: Any) -> list[str]:
    """The places that a rule finds, without the pod's `spec.`."""
    return [dotted(finding.path).removeprefix("spec.") for finding in found(name, example, version, **context)]


def pod(
    *containers: Mapping[str, Any],
    native: tuple[Mapping[str, Any], ...] = (),
    init: tuple[Mapping[str, Any], ...] = (),
    classic: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> str:
    """Return a Pod as JSON with app containers, native and classic sidecars (named logger), and more spec fields."""
    image = {"image": "registry.example/app:1.0.0"}
    about: dict[str, Any] = {"name": "example", **(metadata or {})}
    apps = [{"name": f"app{index or ''}", **image, **one} for index, one in enumerate(containers or ({},))]
    if classic is not None:
        about["annotations"] = {**about.get("annotations", {}), "sidecarctl.dev/sidecars": RECORD}
        apps.append({"name": "logger", **image, **classic})
    starts = [{"name": f"setup{index or ''}", **image, **one} for index, one in enumerate(init)]
    starts += [
        {"name": f"sidecar{index or ''}", **image, "restartPolicy": "Always", **one} for index, one in enumerate(native)
    ]
    body = {"containers": apps, **({"initContainers": starts} if starts else {}), **spec}
    return document({"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": body})


def document(value: Mapping[str, Any]) -> str:
    """Return YAML with unindented top-level keys, as `complete` requires."""
    return "".join(f"{key}: {json.dumps(part)}\n" for key, part in value.items())


def stream(*documents: Mapping[str, Any] | str) -> str:
    """Documents one after the other."""
    return "---\n".join(one if isinstance(one, str) else document(one) for one in documents)
