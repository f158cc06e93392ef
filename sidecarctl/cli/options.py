"""The options and arguments of commands, as annotations: flags, help, choices, and completion in one place.

A command is a function whose parameters carry an `Option` or an `Argument`, or are a group: a dataclass of them, such as
`InputFlags`. `parser` reads command lines by them, `help` prints them, and `app` builds the typer application from them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from sidecarctl.lazy_dataclass import dataclass, field

INPUT = "Input"
WORKLOADS = "Workloads"
OUTPUT = "Output"
SIDECARS = "Sidecars"
VALIDATION = "Validation"
VERBOSITY = "Verbosity"
PANELS = (INPUT, WORKLOADS, OUTPUT, SIDECARS, VALIDATION, VERBOSITY)


@dataclass(frozen=True)
class Option:
    """An option of a command.

    complete  the function of `completion` that offers its values
    from_env  False: the environment variable of that name is read elsewhere
    """

    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    panel: str = SIDECARS
    complete: str = ""
    from_env: bool = True

    @property
    def env(self) -> str:
        """The environment variable that sets the option: SIDECARCTL_ and the long flag; empty for none."""
        if not self.from_env:
            return ""
        longest = max(self.flags, key=len)
        return "SIDECARCTL_" + longest.lstrip("-").upper().replace("-", "_")


@dataclass(frozen=True)
class Argument:
    """A positional argument of a command."""

    metavar: str
    help: str
    required: bool = True
    complete: str = ""


Command = Callable[..., int]

SEVERITIES = ("error", "warning", "info")

Paths = Annotated[
    list[str],
    Argument(
        "[PATH...]",
        "Manifests, directories, globs, or - for stdin. Default: spec.manifests of the composition, else stdin.",
        required=False,
    ),
]


@dataclass(frozen=True)
class InputFlags:
    """Which files a command reads: a group of options that every command that reads manifests has."""

    file: Annotated[
        list[str],
        Option(("--file", "-f"), "Manifest, directory, glob, or - for stdin. Repeatable.", "PATH", panel=INPUT),
    ] = field(default_factory=list)
    exclude: Annotated[
        list[str],
        Option(
            ("--exclude",),
            "Skip files and directories of this name, or with a slash, of this path; globs allowed. Repeatable.",
            "GLOB",
            panel=INPUT,
        ),
    ] = field(default_factory=list)
    no_gitignore: Annotated[
        bool, Option(("--no-gitignore",), "Read files of directories even if Git ignores them.", panel=INPUT)
    ] = False
    force_exclude: Annotated[
        bool,
        Option(
            ("--force-exclude",),
            "Skip what a directory walk would skip even if the command line names it (for pre-commit).",
            panel=INPUT,
        ),
    ] = False
    stdin_filename: Annotated[
        str | None, Option(("--stdin-filename",), "File name to report for stdin.", "NAME", panel=INPUT)
    ] = None


@dataclass(frozen=True)
class WorkloadFlags:
    """Which workloads a command changes or shows: a group of options."""

    kind: Annotated[
        list[str],
        Option(("--kind",), "Only workloads of this kind. Repeatable.", "KIND", panel=WORKLOADS, complete="kinds"),
    ] = field(default_factory=list)
    name: Annotated[
        list[str],
        Option(("--name",), "Only workloads of this name; globs allowed. Repeatable.", "NAME", panel=WORKLOADS),
    ] = field(default_factory=list)
    namespace: Annotated[
        list[str],
        Option(
            ("--namespace", "-n"),
            "Only workloads whose manifest sets this namespace; globs allowed. Repeatable.",
            "NAMESPACE",
            panel=WORKLOADS,
        ),
    ] = field(default_factory=list)
    selector: Annotated[
        str | None,
        Option(
            ("--selector", "-l"),
            "Only workloads with these labels, as in kubectl: app=web,tier!=cache,env in (prod,test).",
            "SELECTOR",
            panel=WORKLOADS,
        ),
    ] = None


Hooks = Annotated[bool, Option(("--hooks",), "Change Helm hooks and tests too.", panel=WORKLOADS)]
Jobs = Annotated[
    int,
    Option(
        ("--jobs", "-j"), "Number of worker processes. 0: chosen by the number of CPUs and files.", "N", panel=INPUT
    ),
]

Output = Annotated[
    str | None,
    Option(("--output", "-o"), "File to write, or directory for several files.", "PATH", panel=OUTPUT),
]

Composition = Annotated[
    str | None,
    Option(
        ("--composition", "-c"),
        "Composition file. Default: the nearest sidecarctl.yaml in this directory or above.",
        "FILE",
    ),
]
Environment = Annotated[
    str | None, Option(("--env",), "Environment of the composition.", "NAME", complete="environments")
]
Library = Annotated[
    list[str],
    Option(
        ("--library",),
        "Directory of sidecars, searched before the shipped library. Repeatable.",
        "DIR",
        # SIDECARCTL_LIBRARY ranks below the libraries of a composition: the catalog reads it.
        from_env=False,
    ),
]
Set = Annotated[
    list[str],
    Option(
        ("--set",),
        "Parameter of a sidecar: [SIDECAR.]KEY=VALUE. Repeatable.",
        "KEY=VALUE",
        complete="parameters",
    ),
]
SetFile = Annotated[
    list[str],
    Option(
        ("--set-file",),
        "Parameter of a sidecar, from a text file: [SIDECAR.]KEY=PATH. Repeatable.",
        "KEY=PATH",
        complete="parameters",
    ),
]
Values = Annotated[list[str], Option(("--values",), "YAML file of parameters, by sidecar. Repeatable.", "FILE")]
Unset = Annotated[
    list[str],
    Option(
        ("--unset",), "Parameter to return to its default: [SIDECAR.]KEY. Repeatable.", "KEY", complete="parameters"
    ),
]
ResetValues = Annotated[bool, Option(("--reset-values",), "Return all recorded parameters to their defaults first.")]
OnConflict = Annotated[
    str | None,
    Option(
        ("--on-conflict",),
        "What to do with a field that was edited and that the upgrade changes too. Default: fail.",
        "ACTION",
        choices=("fail", "keep", "overwrite"),
    ),
]
Enforce = Annotated[
    bool, Option(("--enforce",), "Overwrite edits of the sidecars with the library's values; list them.")
]
Retarget = Annotated[bool, Option(("--retarget",), "Change Services that bypass a sidecar in front of the app.")]
Container = Annotated[
    list[str],
    Option(
        ("--container",),
        "App container that gets the mounts and variables; globs allowed. Repeatable.",
        "NAME",
    ),
]
As = Annotated[
    str | None, Option(("--as",), "Instance name, to add one sidecar twice. Default: the sidecar's name.", "NAME")
]
Adopt = Annotated[
    bool, Option(("--adopt",), "Adopt a hand-written container of the same name; change only the record.")
]
Mode = Annotated[
    str | None,
    Option(("--mode",), "How the sidecar runs.", "MODE", choices=("auto", "native", "classic", "init")),
]
KeepQos = Annotated[
    bool, Option(("--keep-qos",), "Set requests equal to limits in a Guaranteed pod, so that it stays Guaranteed.")
]

KubeVersion = Annotated[
    str | None,
    Option(
        ("--kube-version",),
        "Target Kubernetes version, for example 1.34. Default: the newest supported.",
        "VERSION",
        panel=VALIDATION,
        complete="versions",
    ),
]
Validate = Annotated[
    str,
    Option(
        ("--validate",),
        "How to report unknown fields: as errors (strict), as warnings (warn), or not at all (ignore).",
        "LEVEL",
        choices=("strict", "warn", "ignore"),
        panel=VALIDATION,
    ),
]
FailOn = Annotated[
    str,
    Option(
        ("--fail-on",),
        "Minimum severity that makes the command fail.",
        "SEVERITY",
        choices=(*SEVERITIES, "never"),
        panel=VALIDATION,
    ),
]
# For commands that other programs run: a finding must not pass silently.
FailOnError = Annotated[
    str,
    Option(
        ("--fail-on",),
        "Minimum severity that makes the command fail.",
        "SEVERITY",
        choices=SEVERITIES,
        panel=VALIDATION,
    ),
]

Format = Annotated[
    str,
    Option(
        ("--format",),
        "Report format.",
        "FORMAT",
        choices=("text", "json", "sarif", "github", "gitlab", "junit", "markdown"),
        panel=VERBOSITY,
    ),
]
Data = Annotated[str, Option(("--format",), "Output format.", "FORMAT", choices=("text", "json"), panel=VERBOSITY)]
Quiet = Annotated[bool, Option(("--quiet", "-q"), "Print errors only.", panel=VERBOSITY)]
Verbose = Annotated[
    bool,
    Option(
        ("--verbose", "-v"), "Print more details, such as notes, resource totals, and each change.", panel=VERBOSITY
    ),
]
