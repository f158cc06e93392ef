"""The options of the command line as annotations: one place says flags, help and completion of each.

Commands are plain functions whose parameters carry these; `app` makes a typer application of them, `fast` reads the
usual command lines without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from sidecarctl.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Option:
    """An option. It can also be set by SIDECARCTL_<NAME> in the environment, unless somebody else reads that."""

    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    panel: str = "Options"
    complete: str = ""
    from_env: bool = True

    @property
    def env(self) -> str:
        """The environment variable that sets it, empty for none."""
        if not self.from_env:
            return ""
        longest = max(self.flags, key=len).split("/")[0]
        return "SIDECARCTL_" + longest.lstrip("-").upper().replace("-", "_")


@dataclass(frozen=True)
class Argument:
    """A positional argument."""

    metavar: str
    help: str
    required: bool = True
    complete: str = ""


Command = Callable[..., int]

_IN = "Input and output"
_CHECK = "Checking"
_TALK = "Talking"

File = Annotated[
    list[str],
    Option(
        ("--file", "-f"), "A manifest, a folder of them, or - for standard input. May be repeated.", "PATH", panel=_IN
    ),
]
Output = Annotated[
    str | None,
    Option(("--output", "-o"), "Write to this file or, for several inputs, below this folder.", "PATH", panel=_IN),
]
InPlace = Annotated[bool, Option(("--in-place", "-i"), "Replace the files that were read.", panel=_IN)]
Diff = Annotated[bool, Option(("--diff",), "Print a unified diff; write nothing.", panel=_IN)]
Check = Annotated[bool, Option(("--check",), "Write nothing; exit 1 if anything would change.", panel=_IN)]
StdinFilename = Annotated[
    str | None, Option(("--stdin-filename",), "What messages call standard input.", "NAME", panel=_IN)
]
Jobs = Annotated[
    int,
    Option(
        ("--jobs", "-j"),
        "Worker processes for many files. 0, the default: one per processor where there are hundreds.",
        "N",
        panel=_IN,
    ),
]
KeepGoing = Annotated[
    bool, Option(("--keep-going",), "Go on after a file that fails; the others are written.", panel=_IN)
]

Composition = Annotated[
    str | None,
    Option(
        ("--composition", "-c"),
        "The composition; by default the nearest sidecarctl.yaml, here or in a folder above.",
        "FILE",
    ),
]
Environment = Annotated[
    str | None, Option(("--env",), "The environment of the composition.", "NAME", complete="environments")
]
Library = Annotated[
    list[str],
    Option(
        ("--library",),
        "A folder of sidecars, searched first. May be repeated.",
        "DIR",
        panel="Sidecars",
        # SIDECARCTL_LIBRARY comes after the libraries of the composition: the catalog reads it.
        from_env=False,
    ),
]
Set = Annotated[
    list[str],
    Option(
        ("--set",),
        "A parameter: [SIDECAR.]KEY=VALUE. May be repeated.",
        "KEY=VALUE",
        panel="Sidecars",
        complete="parameters",
    ),
]
Values = Annotated[
    list[str], Option(("--values",), "A file of parameters, by sidecar. May be repeated.", "FILE", panel="Sidecars")
]
Container = Annotated[
    list[str],
    Option(
        ("--container", "-c"),
        "An app container that gets the mounts and variables; globs work.",
        "NAME",
        panel="Sidecars",
    ),
]
As = Annotated[str | None, Option(("--as",), "Another instance name, for one sidecar twice.", "NAME", panel="Sidecars")]
Adopt = Annotated[
    bool,
    Option(
        ("--adopt",),
        "Take ownership of a container of that name that was written by hand; only the record changes.",
        panel="Sidecars",
    ),
]
Mode = Annotated[
    str | None,
    Option(
        ("--mode",),
        "How the sidecar runs.",
        "MODE",
        choices=("auto", "native", "classic", "init"),
        panel="Sidecars",
    ),
]

KeepQos = Annotated[
    bool,
    Option(
        ("--keep-qos",),
        "In a Guaranteed pod give the sidecar requests equal to its limits, so that it stays Guaranteed.",
        panel="Sidecars",
    ),
]
KubeVersion = Annotated[
    str | None,
    Option(
        ("--kube-version",), "The Kubernetes that the manifests are for.", "VERSION", panel=_CHECK, complete="versions"
    ),
]
Validate = Annotated[
    str,
    Option(
        ("--validate",),
        "What unknown fields are: an error, a warning, or nothing (as in kubectl).",
        "LEVEL",
        choices=("strict", "warn", "ignore"),
        panel=_CHECK,
    ),
]
FailOn = Annotated[
    str,
    Option(
        ("--fail-on",),
        "The mildest finding that makes the run fail.",
        "SEVERITY",
        choices=("error", "warning", "info", "never"),
        panel=_CHECK,
    ),
]
Format = Annotated[
    str,
    Option(
        ("--format",),
        "How the report is written.",
        "FORMAT",
        choices=("text", "json", "sarif", "github", "gitlab", "junit", "markdown"),
        panel=_CHECK,
    ),
]
Data = Annotated[
    str, Option(("--format",), "For people, or for programs.", "FORMAT", choices=("text", "json"), panel=_TALK)
]
Quiet = Annotated[bool, Option(("--quiet", "-q"), "Say only what went wrong.", panel=_TALK)]
Verbose = Annotated[bool, Option(("--verbose", "-v"), "Say more: resources, QoS, every part.", panel=_TALK)]
