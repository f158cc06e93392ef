"""The commands: name, where its function is, and what help says of it. Loads a command's module only when it is used."""

from __future__ import annotations

import importlib

from sidecarctl.cli.options import Command
from sidecarctl.lazily import dataclass

_SIDECARS = "Sidecars in manifests"
_LIBRARY = "The library"
_PLUGINS = "Inside other programs"
_CHECKING = "Checking and looking"


@dataclass(frozen=True)
class Entry:
    """One command. Its function has the command's name (hyphens as underscores) in the module `cli.<module>`."""

    name: str
    help: str
    panel: str
    example: str = ""
    module: str = ""

    def load(self) -> Command:
        """Return the function."""
        function = self.name.replace("-", "_")
        module = importlib.import_module(f"sidecarctl.cli.{self.module or function + '_command'}")
        command: Command = getattr(module, function)
        return command


TABLE: tuple[Entry, ...] = (
    Entry(
        "add",
        "Add sidecars to workloads; what is there already is upgraded.",
        _SIDECARS,
        "sidecarctl add logger -f web.yaml --set logDir=/var/log/nginx",
    ),
    Entry(
        "remove",
        "Remove sidecars; the manifest is what it was before.",
        _SIDECARS,
        "sidecarctl remove logger -f k8s/ -i",
    ),
    Entry(
        "render",
        "Apply a composition: sidecars are added, upgraded and removed.",
        _SIDECARS,
        "sidecarctl render -f k8s/ --env prod -o rendered/prod --prune",
    ),
    Entry(
        "status",
        "Show which sidecars stand in manifests, hand edits, and upgrades.",
        _SIDECARS,
        "sidecarctl status -f k8s/",
    ),
    Entry(
        "krm",
        "Be a KRM function: a ResourceList on standard input and output (kustomize, kpt).",
        _PLUGINS,
        "kustomize build --enable-alpha-plugins --enable-exec overlays/prod",
    ),
    Entry(
        "export",
        "Write a composition as a policy of an engine in the cluster, or as patches.",
        _PLUGINS,
        "sidecarctl export --to kyverno -c sidecarctl.yaml > policy.yaml",
    ),
    Entry(
        "post-render",
        "Be a Helm post-renderer: manifests on standard input and output.",
        _PLUGINS,
        "helm template web ./chart --post-renderer sidecarctl --post-renderer-args -c --post-renderer-args sidecarctl.yaml",
    ),
    Entry(
        "validate",
        "Check manifests as the API server would, and what breaks or costs later.",
        _CHECKING,
        "sidecarctl validate -f k8s/ --kube-version 1.34 --pod-security baseline",
    ),
    Entry(
        "rules",
        "What each rule checks and why, with examples.",
        _CHECKING,
        "sidecarctl rules port-conflict",
    ),
    Entry(
        "graph",
        "Draw pods: containers in order, volumes, and what was added.",
        _CHECKING,
        "sidecarctl graph -f web.yaml --format svg -o web.svg",
    ),
    Entry(
        "init",
        "Find sidecars pasted by hand; write composition and library.",
        _SIDECARS,
        "sidecarctl init k8s/",
    ),
    Entry("list", "List the sidecars of the library.", _LIBRARY, "sidecarctl list"),
    Entry("show", "Show a sidecar: its parameters and what it adds.", _LIBRARY, "sidecarctl show logger"),
    Entry(
        "new",
        "Start a sidecar of your own, with a case that passes.",
        _LIBRARY,
        "sidecarctl new my-agent --from-manifest deployment.yaml --container agent",
    ),
    Entry(
        "test",
        "Run the cases of a library, and lint it.",
        _LIBRARY,
        "sidecarctl test --library ./sidecars my-agent --update",
    ),
    Entry("schema", "Print a JSON Schema, for editors.", _LIBRARY, "sidecarctl schema sidecar > sidecar.schema.json"),
)
BY_NAME = {entry.name: entry for entry in TABLE}
