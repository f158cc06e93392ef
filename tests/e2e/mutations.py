"""Generate manifests by mutation: valid ones with changed values and types, nulls, and fields from other manifests."""

from __future__ import annotations

import copy
import json
import pathlib
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import yaml

from sidecarctl.validate.registry import rules
from tests.rule_examples import complete

Path = tuple["str | int", ...]
VALUES: tuple[Any, ...] = (
    None,
    None,
    "",
    "x",
    "a b",
    "Upper",
    "a_b",
    "-a",
    "a.b",
    "a/b",
    "../a",
    "/a",
    "1",
    "x" * 64,
    "x" * 254,
    "$(A)",
    "100m",
    "1.5",
    "1Gi",
    "-1",
    "50%",
    "Always",
    "Never",
    "TCP",
    "Localhost",
    0,
    1,
    -1,
    2,
    80,
    65536,
    2147483648,
    9223372036854775807,
    1.5,
    True,
    False,
    [],
    {},
    [None],
    [""],
    ["a", "a"],
    [{}],
    {"a": "b"},
    {"a": None},
    {"a b": "c"},
    {"name": "a"},
    [{"name": "a"}, {"name": "a"}],
)

# Kinds in the examples of rules about API versions, of which only the schema is checked.
STRUCTURAL = ("ResourceClaim",)
# Fields that no rule example has.
MORE = """
apiVersion: v1
kind: Endpoints
metadata: {name: database}
subsets:
- addresses: [{ip: 10.0.0.7, hostname: db-0, nodeName: node-1}, {ip: "fd00::7"}]
  notReadyAddresses: [{ip: 10.0.0.8}]
  ports: [{name: sql, port: 5432, protocol: TCP, appProtocol: example.com/sql}, {name: metrics, port: 9187}]
- addresses: [{ip: 10.0.1.7}]
  ports: [{port: 5432}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: database, labels: {kubernetes.io/service-name: database}}
addressType: IPv6
ports: [{name: sql, port: 5432, protocol: TCP, appProtocol: example.com/sql}, {port: 9187}]
endpoints:
- addresses: ["fd00::7"]
  hostname: db-0
  nodeName: node-1
  zone: eu-1
  deprecatedTopology: {kubernetes.io/hostname: node-1}
  conditions: {ready: true}
  hints: {forZones: [{name: eu-1}], forNodes: [{name: node-1}, {name: node-2}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: elsewhere}
addressType: FQDN
endpoints: [{addresses: [db.example.com]}, {addresses: [db.example.org.]}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: 9
  metrics:
  - type: Pods
    pods:
      metric: {name: requests, selector: {matchLabels: {path: api}}}
      target: {type: AverageValue, averageValue: "100"}
  - type: Object
    object:
      describedObject: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: web}
      metric: {name: requests}
      target: {type: Value, value: 1k}
  - type: External
    external:
      metric: {name: queue}
      target: {type: AverageValue, averageValue: "30"}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 0
      selectPolicy: Max
      tolerance: "0.1"
      policies: [{type: Percent, value: 100, periodSeconds: 15}, {type: Pods, value: 4, periodSeconds: 15}]
"""


@cache
def seeds() -> tuple[dict[str, Any], ...]:
    """Return the good examples of the rules, which are valid and cover every field of a rule."""
    found = list(yaml.safe_load_all(MORE))
    for rule in rules().values():
        if rule.layer in ("structure", "api", "advice"):
            for text in (rule.good, rule.bad) if rule.layer == "advice" else (rule.good,):
                try:
                    found += [one for one in yaml.safe_load_all(complete(text, rule.scope)) if _is_checked(one)]
                except yaml.YAMLError:
                    continue
    unique = {json.dumps(one, sort_keys=True, default=str): one for one in found}
    return tuple(json.loads(text) for text in unique)


def _is_checked(document: Any) -> bool:
    """Return True for an object of a kind for which there are rules beyond the schema."""
    return isinstance(document, dict) and document.get("kind") not in STRUCTURAL


@cache
def surroundings() -> tuple[dict[str, Any], ...]:
    """Return valid objects of the kinds that stand around workloads: Services, Ingresses, Roles, ConfigMaps, and others."""
    text = (pathlib.Path(__file__).parent / "surroundings.yaml").read_text(encoding="utf-8")
    return tuple(one for one in yaml.safe_load_all(text) if one)


@cache
def grafts() -> dict[tuple[str, str], list[Any]]:
    """Return values by their key and their parent's key, to insert them into other manifests."""
    found: dict[tuple[str, str], list[Any]] = {}
    for seed in seeds():
        for path, value in places(seed):
            words = [step for step in path if isinstance(step, str)]
            if len(words) > 1 and isinstance(path[-1], str):
                found.setdefault((words[-2], words[-1]), []).append(value)
    return found


def places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every path below a value, with the value at the path."""
    below: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        below = list(value.items())
    elif isinstance(value, list):
        below = list(enumerate(value))
    for step, item in below:
        yield (*path, step), item
        yield from places(item, (*path, step))


def mutant(rng: Random) -> dict[str, Any]:
    """Return a seed with one to three changes."""
    document = copy.deepcopy(rng.choice(seeds()))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
        _change(document, rng)
    return document


def _change(document: dict[str, Any], rng: Random) -> None:
    found = [one for one in places(document) if one[0] not in (("apiVersion",), ("kind",))]
    if not found:
        return
    path, value = rng.choice(found)
    holder: Any = document
    for step in path[:-1]:
        holder = holder[step]
    last = path[-1]
    way = rng.random()
    if way < 0.35:
        _graft(holder, path, rng)
    elif way < 0.45:
        del holder[last]
    elif way < 0.52 and isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), copy.deepcopy(value))
    elif way < 0.58:
        holder[last] = copy.deepcopy(rng.choice(found)[1])
    elif way < 0.62 and isinstance(last, str):
        holder[last + "s"] = holder.pop(last)
    elif way < 0.66:
        holder[last] = [value] if not isinstance(value, list) else (value[0] if value else None)
    elif way < 0.75:
        same = [v for p, v in found if type(v) is type(value) and v != value]
        holder[last] = copy.deepcopy(rng.choice(same)) if same else None
    else:
        holder[last] = copy.deepcopy(rng.choice(VALUES))


def _graft(holder: Any, path: Path, rng: Random) -> None:
    """Insert a field that another seed has under a parent with the same key."""
    words = [step for step in path[:-1] if isinstance(step, str)]
    if not words or not isinstance(holder, dict):
        return
    own = words[-1] if words[-1] not in ("initContainers", "ephemeralContainers") else "containers"
    keys = [key for key in grafts() if key[0] == own]
    if keys:
        key = rng.choice(keys)
        holder[key[1]] = copy.deepcopy(rng.choice(grafts()[key]))
