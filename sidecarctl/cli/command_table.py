"""The commands: summary, group, and examples of each. The function of a command is loaded when it is used."""

from __future__ import annotations

import importlib

from sidecarctl.cli.options import Command
from sidecarctl.lazy_dataclass import dataclass

SIDECARS = "Sidecars"
VALIDATION = "Validation"
LIBRARY = "Library"
INTEGRATIONS = "Integrations"
GROUPS = (SIDECARS, VALIDATION, LIBRARY, INTEGRATIONS)


@dataclass(frozen=True)
class CommandInfo:
    """One command. Its function is `cli.commands.<name>.<name>`, with underscores for hyphens.

    examples  label and command line of each example in the help
    """

    name: str
    summary: str
    group: str
    examples: tuple[tuple[str, str], ...]

    def load(self) -> Command:
        """Import the module of the command and return its function."""
        function = self.name.replace("-", "_")
        module = importlib.import_module(f"sidecarctl.cli.commands.{function}")
        command: Command = getattr(module, function)
        return command


COMMANDS: tuple[CommandInfo, ...] = (
    CommandInfo(
        "add",
        "Add sidecars to workloads, or update those that are already there.",
        SIDECARS,
        (
            ("Add a logger and print the result", "sidecarctl add logger -f web.yaml --set logDir=/var/log/nginx"),
            ("Preview the change", "sidecarctl add logger -f web.yaml --diff"),
            ("Add two sidecars to every workload of a directory", "sidecarctl add logger metrics -f k8s/ -i"),
            ("Fail in CI if a manifest is not up to date", "sidecarctl add logger -f k8s/ --check"),
        ),
    ),
    CommandInfo(
        "upgrade",
        "Upgrade sidecars to the versions of the library, and keep what people changed.",
        SIDECARS,
        (
            ("Preview the upgrade of everything in a directory", "sidecarctl upgrade -f k8s/ --diff"),
            ("Upgrade one sidecar to a version", "sidecarctl upgrade logger@1.1.0 -f k8s/ -i"),
            (
                "Change a parameter and return another one to its default",
                "sidecarctl upgrade logger --set flush=5 --unset logDir -f web.yaml -i",
            ),
            (
                "Keep edited values where the upgrade changes them too",
                "sidecarctl upgrade -f k8s/ -i --on-conflict keep",
            ),
        ),
    ),
    CommandInfo(
        "remove",
        "Remove sidecars and restore the original manifest.",
        SIDECARS,
        (
            ("Remove one sidecar in place", "sidecarctl remove logger -f k8s/ -i"),
            ("Remove everything that sidecarctl added", "sidecarctl remove --all -f web.yaml -o original.yaml"),
            ("Preview the change", "sidecarctl remove logger -f web.yaml --diff"),
        ),
    ),
    CommandInfo(
        "render",
        "Apply a composition: add, update, and remove sidecars.",
        SIDECARS,
        (
            ("Render a directory for one environment", "sidecarctl render -f k8s/ --env prod -o rendered/prod --prune"),
            ("Update manifests in place", "sidecarctl render -f k8s/ -i"),
            ("Fail in CI if rendered manifests are not up to date", "sidecarctl render -f k8s/ -o rendered/ --check"),
        ),
    ),
    CommandInfo(
        "status",
        "Show the sidecars of each workload: in sync, outdated, edited, or missing.",
        SIDECARS,
        (
            ("Show all instances", "sidecarctl status -f k8s/"),
            ("Fail in CI if an instance was edited or is missing", "sidecarctl status -f k8s/ --check"),
        ),
    ),
    CommandInfo(
        "init",
        "Write a composition for the workloads of a directory.",
        SIDECARS,
        (
            ("Write sidecarctl.yaml in the current directory", "sidecarctl init"),
            ("Write it in another directory", "sidecarctl init k8s/"),
            ("Name its manifests", "sidecarctl init -f k8s/ -f deploy/web.yaml"),
        ),
    ),
    CommandInfo(
        "adopt",
        "Turn pasted sidecars into a library and a composition.",
        SIDECARS,
        (
            ("Search a directory", "sidecarctl adopt k8s/"),
            ("Write the result to another directory", "sidecarctl adopt k8s/ -o platform/"),
        ),
    ),
    CommandInfo(
        "validate",
        "Validate manifests and check for common problems.",
        VALIDATION,
        (
            ("Validate a directory", "sidecarctl validate -f k8s/"),
            (
                "Validate for a Kubernetes version and a Pod Security level",
                "sidecarctl validate -f k8s/ --kube-version 1.34 --pod-security baseline",
            ),
            ("Preview safe fixes", "sidecarctl validate -f k8s/ --diff"),
            ("Annotate a pull request on GitHub", "sidecarctl validate -f k8s/ --format github"),
        ),
    ),
    CommandInfo(
        "rules",
        "List the validation rules, or explain one.",
        VALIDATION,
        (
            ("List all rules", "sidecarctl rules"),
            ("Explain a rule", "sidecarctl rules port-conflict"),
        ),
    ),
    CommandInfo(
        "graph",
        "Draw the containers and volumes of each pod.",
        VALIDATION,
        (
            ("Draw in the terminal", "sidecarctl graph -f web.yaml"),
            ("Write an SVG", "sidecarctl graph -f web.yaml --format svg -o web.svg"),
            ("Preview what a sidecar adds", "sidecarctl add logger -f web.yaml | sidecarctl graph"),
        ),
    ),
    CommandInfo(
        "list",
        "List or search sidecars, or suggest some for a manifest.",
        LIBRARY,
        (
            ("List the shipped sidecars", "sidecarctl list"),
            ("Search for a word", "sidecarctl list tls"),
            ("Suggest sidecars for the workloads of a directory", "sidecarctl list --for k8s/"),
            ("List those of a library in another directory too", "sidecarctl list --library platform/sidecars"),
        ),
    ),
    CommandInfo(
        "show",
        "Show what a sidecar adds, and its parameters.",
        LIBRARY,
        (
            ("Show a sidecar", "sidecarctl show logger"),
            ("Print it as JSON", "sidecarctl show logger --format json"),
        ),
    ),
    CommandInfo(
        "new",
        "Create a sidecar with a passing test case.",
        LIBRARY,
        (
            ("Start from an image", "sidecarctl new my-agent --from registry.example/agent:1.4.2"),
            (
                "Start from a container of a manifest",
                "sidecarctl new my-agent --from-manifest deployment.yaml --container agent",
            ),
        ),
    ),
    CommandInfo(
        "test",
        "Run the test cases of a library, and lint it.",
        LIBRARY,
        (
            ("Test the libraries of the repository, such as ./sidecars", "sidecarctl test"),
            ("Accept the current results of a sidecar", "sidecarctl test my-agent --update"),
            ("Test a library in another directory", "sidecarctl test --library platform/sidecars"),
        ),
    ),
    CommandInfo(
        "library",
        "Copy libraries from Git into your repository, and pin them.",
        LIBRARY,
        (
            (
                "Add a library at a tag (runs Git, which may use the network)",
                "sidecarctl library add acme https://git.example/acme/sidecars@v1.2.0",
            ),
            (
                "Add a library that is in a directory of its repository",
                "sidecarctl library add acme ../platform --path sidecars",
            ),
            ("Update all libraries to the newest commits of their branches", "sidecarctl library update"),
            ("Move a library to another tag, and preview it", "sidecarctl library update acme@v1.3.0 --check"),
            ("Delete a library that is no longer used", "sidecarctl library remove acme"),
            ("Fail in CI if a file of a library was changed", "sidecarctl library verify"),
        ),
    ),
    CommandInfo(
        "schema",
        "Print a JSON Schema for editors.",
        LIBRARY,
        (
            ("The schema of sidecar.yaml", "sidecarctl schema sidecar > sidecar.schema.json"),
            ("The parameters of one sidecar", "sidecarctl schema logger"),
        ),
    ),
    CommandInfo(
        "krm",
        "Run as a KRM function (kustomize, kpt).",
        INTEGRATIONS,
        (
            (
                "Run as a kustomize transformer, from kustomization.yaml",
                "kustomize build --enable-alpha-plugins --enable-exec overlays/prod",
            ),
            ("Run by hand", "sidecarctl krm < resource-list.yaml"),
        ),
    ),
    CommandInfo(
        "post-render",
        "Run as a Helm post-renderer.",
        INTEGRATIONS,
        (
            (
                "With Helm 3",
                "helm template web ./chart --post-renderer sidecarctl --post-renderer-args post-render",
            ),
            ("Without Helm", "helm template web ./chart | sidecarctl post-render -c sidecarctl.yaml"),
        ),
    ),
    CommandInfo(
        "export",
        "Export a composition as an in-cluster policy or as patches.",
        INTEGRATIONS,
        (
            ("Export a Kyverno policy", "sidecarctl export --to kyverno -c sidecarctl.yaml > policy.yaml"),
            (
                "Export a kustomize component",
                "sidecarctl export --to kustomize-component -f k8s/ -o component/",
            ),
        ),
    ),
)
BY_NAME = {info.name: info for info in COMMANDS}
