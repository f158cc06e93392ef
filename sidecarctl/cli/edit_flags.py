"""Options of the commands that edit manifests: what is written where, how it is checked, and what is reported."""

from __future__ import annotations

from typing import Annotated

from sidecarctl.cli import options as o
from sidecarctl.findings import Severity
from sidecarctl.lazy_dataclass import dataclass


@dataclass(frozen=True)
class EditFlags:
    """Output, validation, and report of `add`, `upgrade`, `remove`, and `render`: a group of options."""

    output: o.Output = None
    in_place: Annotated[
        bool, o.Option(("--in-place", "-i"), "Write changes back to the input files.", panel=o.OUTPUT)
    ] = False
    diff: Annotated[bool, o.Option(("--diff",), "Print a unified diff and write nothing.", panel=o.OUTPUT)] = False
    check: Annotated[
        bool, o.Option(("--check",), "Write nothing; exit with status 1 if a file would change.", panel=o.OUTPUT)
    ] = False
    keep_going: Annotated[
        bool, o.Option(("--keep-going",), "Continue after a file fails, and write the other files.", panel=o.INPUT)
    ] = False
    jobs: o.Jobs = 0
    kube_version: o.KubeVersion = None
    validate: o.Validate = "strict"
    fail_on: o.FailOn = "error"
    format: o.Format = "text"
    quiet: o.Quiet = False
    verbose: o.Verbose = False

    @property
    def writes_nothing(self) -> bool:
        """Whether only a diff or an exit code is wanted."""
        return self.diff or self.check

    def severity(self) -> Severity | None:
        """Return the minimum severity that fails the run."""
        return None if self.fail_on == "never" else Severity(self.fail_on)
