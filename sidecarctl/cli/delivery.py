"""Input and output options as data, the result of each source, and where it goes. Writes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sidecarctl import limits
from sidecarctl.cli.edit_flags import EditFlags
from sidecarctl.cli.inputs import InputOptions, Inputs, describe_taken, with_leave_out
from sidecarctl.errors import InputError, SidecarctlError, UsageError
from sidecarctl.files import sources
from sidecarctl.files.sources import Read, Source
from sidecarctl.findings import Finding
from sidecarctl.inject.pipeline import Options, Result
from sidecarctl.lazy_dataclass import dataclass, replace
from sidecarctl.skipped import OUTPUT

if TYPE_CHECKING:
    from sidecarctl.files.write import Write


@dataclass(frozen=True)
class Mirror:
    """Options of a run whose output mirrors its input (`render`).

    closing      findings about the whole run, from the results of all sources
    prune        delete files that an earlier run wrote to the output directory and this run does not
    label        what the output is compared with: `composition web`
    keeps_edits  whether fields of sidecars that people edited stay
    files        the files of the composition, which no output may replace
    """

    closing: Callable[[Sequence[Result]], Sequence[Finding]]
    prune: bool = False
    label: str = "the composition"
    keeps_edits: bool = True
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Delivery:
    """The input and output options of a command.

    idle        is printed if there was nothing to do
    removes     the instances or sidecars that the command removes; each must be somewhere in the input
    next_steps  report what the user or the app must do after a sidecar was added
    fronts      sidecars are added that take traffic for the app, so that other objects are compared
    retarget    change ports in objects around the pods that bypass a sidecar in front of the app
    several     the run has several inputs, also if all but one of them cannot be processed
    """

    inputs: InputOptions
    settings: Options
    flags: EditFlags
    mirror: Mirror | None = None
    needs_workload: bool = False
    idle: str = ""
    removes: tuple[str, ...] = ()
    next_steps: bool = False
    fronts: bool = False
    retarget: bool = False
    several: bool = False

    @property
    def reports_unknown_kinds(self) -> bool:
        """Whether objects of unknown kinds with a pod template are named: by commands that add sidecars."""
        return self.needs_workload or self.mirror is not None

    @property
    def files(self) -> tuple[str, ...]:
        """The paths that the command reads."""
        return self.inputs.paths


@dataclass(frozen=True)
class Done:
    """One source with its result, or with the error that stopped it.

    `present` is the current content of the output: the input itself, or what an earlier run wrote. `missing`: there is no
    output yet. `shares`: other files with companions that its run changed.
    """

    source: Source
    read: Read
    result: Result | None = None
    error: SidecarctlError | None = None
    present: str | None = None
    missing: bool = False
    shares: Sequence[str] = ()

    @property
    def failed(self) -> bool:
        """Whether there is no result, or one with errors."""
        return self.result is None or self.result.failed

    @property
    def outdated(self) -> bool:
        """Whether the output differs from the result."""
        return self.result is not None and (self.missing or self.result.text != self.current)

    def is_reported(self, delivery: Delivery) -> bool:
        """Return whether its changes are reported: when outputs are only compared, just those that differ."""
        return self.present is None or self.outdated or not delivery.flags.writes_nothing

    @property
    def current(self) -> str:
        """The current content of the output."""
        return self.read.text if self.present is None else self.present


def fail_with(one: Done, cause: str, shared: str) -> Done:
    """Return the failure of a source that shares a change, such as `ports and records`, with one that has errors."""
    error = InputError(
        f"not changed: {shared} of this file and of {cause} change together, and {cause} has errors",
        hint=f"fix the errors of {cause} first",
        where=one.source.name,
    )
    return replace(one, result=None, error=error)


def check_options(delivery: Delivery) -> None:
    """Raise UsageError for options that exclude each other."""
    if delivery.flags.output == "":
        raise UsageError("empty path for --output", hint="check the variable or quotes; stdout is `-`")
    if delivery.flags.in_place and delivery.flags.output:
        raise UsageError("--in-place cannot be combined with --output", hint="use only one of them")
    if delivery.flags.in_place and "-" in delivery.files:
        hint = describe_taken(delivery.inputs.sidecars) or "name files or directories"
        raise UsageError("--in-place requires files: stdin cannot be replaced", hint=hint)


def without_outputs(delivery: Delivery) -> InputOptions:
    """Return the input options without the output directory in a directory that is read: it has the results of an earlier run."""
    if not delivery.flags.output:
        return delivery.inputs
    outputs = Path(delivery.flags.output).resolve()

    def leave_out(source: Source) -> str:
        if source.path is None or source.relative is None or source.named:
            return ""
        start = source.path.parents[len(source.relative.parts) - 1].resolve()
        return OUTPUT if start in outputs.parents and source.path.resolve().is_relative_to(outputs) else ""

    return with_leave_out(delivery.inputs, leave_out)


def targets(delivery: Delivery, done: Sequence[Done]) -> list[Path]:
    """Return the output path of each result: the output file, or a path below the output directory.

    Raises OutputError for a link in that directory that leads out of it, UsageError for a file of the composition.
    """
    assert delivery.flags.output
    target = Path(delivery.flags.output)
    from sidecarctl.files.write import is_directory

    if not (
        delivery.several or is_directory(delivery.flags.output) or (delivery.mirror and is_directory_output(delivery))
    ):
        _check_composition_stays(delivery, {os.path.realpath(target): target})
        return [target]
    from sidecarctl.files.directory import check_inside

    taken: dict[str, str] = {}
    paths = [target / (one.source.relative or "stdin.yaml") for one in done]
    for one, path in zip(done, paths):
        check_inside(path, target)
        real = os.path.realpath(path)  # two names in the directory can be links to one file
        if real in taken:
            raise UsageError(f"{one.source.name} and {taken[real]} have the same output {path}")
        taken[real] = one.source.name
    _check_composition_stays(delivery, dict(zip(taken, paths)))
    return paths


def _check_composition_stays(delivery: Delivery, paths: Mapping[str, Path]) -> None:
    """Raise UsageError for an output that is a file of the composition. `paths`: outputs by their real paths."""
    for real in map(os.path.realpath, delivery.mirror.files if delivery.mirror else ()):
        if real in paths:
            raise UsageError(
                f"{paths[real]} is a file of the composition: the result would replace it", hint="choose another output"
            )


def is_directory_output(delivery: Delivery) -> bool:
    """Return whether the output is a directory: it exists, ends in a separator, or the input can be several files."""
    from sidecarctl.files.walk import may_name_several
    from sidecarctl.files.write import is_directory

    return (
        is_directory(delivery.flags.output or "")
        or len(delivery.files) > 1
        or any(map(may_name_several, delivery.files))
    )


def compare_with_output(delivery: Delivery, done: Sequence[Done]) -> Iterator[Done]:
    """Yield the results with the current content of their outputs; a missing file counts as empty.

    A source without a result stays as it is.
    """
    if not delivery.flags.output:
        yield from done
        return
    for path, one in zip(targets(delivery, done), done):
        if one.result is None:
            yield one
            continue
        text, missing = "", False
        try:
            text = sources.decode(sources.read_small(path, limits.INPUT), str(path))
        except (FileNotFoundError, NotADirectoryError):
            missing = True
        except (OSError, SidecarctlError):  # it is replaced, or the error of writing says what it is
            pass
        yield replace(one, present=text, missing=missing, source=replace(one.source, name=str(path)))


def replacements(done: Sequence[Done]) -> Iterator[Write]:
    """Yield the writes that replace the inputs."""
    from sidecarctl.files.write import Write

    for one in done:
        if one.result and one.result.changed and one.source.path:
            yield Write(one.source.path, one.result.text, one.read.stamp)


def outputs(delivery: Delivery, done: Sequence[Done], inputs: Inputs) -> Iterator[Write]:
    """Yield the writes of the output file or directory. An output that is also an input must not have changed meanwhile.

    Raises UsageError for an output that is an input without a result.
    """
    from sidecarctl.files.write import Write

    assert delivery.flags.output
    root = Path(delivery.flags.output)
    reads = {os.path.realpath(source.path): read for source, read in inputs.sources if source.path}
    failed = [*inputs.unreadable, *(one.source for one in done if one.failed)]
    without_result = {os.path.realpath(source.path) for source in failed if source.path}
    results = [one for one in done if not one.failed]
    for path, one in zip(targets(delivery, results), results):
        assert one.result
        if os.path.realpath(path) in without_result:
            raise UsageError(
                f"{path} is an input with errors, and the result of {one.source.name} would replace it",
                hint="choose another output, or correct the errors",
            )
        if delivery.mirror is None or one.outdated:
            own = None if _is_special(path) else reads.get(os.path.realpath(path))
            yield Write(path, one.result.text, own.stamp if own else None, root if path != root else None)


def _is_special(path: Path) -> bool:
    """Return True for a device or pipe, such as a terminal: it can be an input and the output, and has no old text."""
    return path.exists() and not path.is_file()
