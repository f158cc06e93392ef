"""sidecarctl adds sidecars to Kubernetes manifests: offline, lossless, reversible."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sidecarctl.api import Result, Session, Verdict, add, check, remove, render, upgrade
    from sidecarctl.errors import SidecarctlError

__version__ = "0.1.0"
__all__ = [
    "Result",
    "Session",
    "SidecarctlError",
    "Verdict",
    "__version__",
    "add",
    "check",
    "remove",
    "render",
    "upgrade",
]


def __getattr__(name: str) -> Any:
    """Import the public functions on first use, so that the command line starts without them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{'errors' if name == 'SidecarctlError' else 'api'}"), name)
