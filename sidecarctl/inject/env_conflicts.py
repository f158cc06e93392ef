"""Variables that a sidecar sets in the app: those that are new, and conflicts with those that the app sets."""

from __future__ import annotations

from collections.abc import Mapping

from sidecarctl.catalog.fragment import Item
from sidecarctl.findings import Finding
from sidecarctl.kube.workload import Container


def find_new_env(
    target: Container,
    existing: Mapping[str, tuple[int, Item]],
    wanted: tuple[Item, ...],
    app_variables: Mapping[str, str],
) -> tuple[tuple[Item, ...], list[Finding]]:
    """Return the variables that the target does not have yet. An equal one is kept, a different one is a conflict.

    existing  the variables of the target by name, with their positions
    """
    new, findings = [], []
    for variable in wanted:
        name = variable["name"]
        if name not in existing:
            new.append(variable)
        elif existing[name][1] != variable:
            findings.append(
                Finding(
                    "env-conflict",
                    f'container "{target.name}" already sets {name} to another value',
                    path=(*target.path, "env", existing[name][0]),
                    why=f"The sidecar needs {_format_variable(variable)}.",
                    help=_env_help(target, name, app_variables.get(name)),
                    container=target.name,
                    role=target.role,
                )
            )
    return tuple(new), findings


def _env_help(target: Container, name: str, parameter: str | None) -> str:
    if parameter:
        return f"remove {name} from {target.name}, and pass its value with --set {parameter}=..."
    return f"remove {name} from {target.name}, or set it to that value"


def _format_variable(variable: Item) -> str:
    name = variable["name"]
    return f"{name}={variable['value']}" if "value" in variable else f"{name} from another source"
