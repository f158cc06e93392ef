"""From options to the manifests that an export is made from, and where its files go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sidecarctl.cli.inputs import named
from sidecarctl.cli.printing import write_stdout
from sidecarctl.errors import UsageError
from sidecarctl.files import sources
from sidecarctl.files.sources import Source
from sidecarctl.files.write import Write, write_all
from sidecarctl.plugins.exports.exported import File


def texts(files: Sequence[str], left_out: Callable[[Source], bool]) -> Iterator[tuple[str, str]]:
    """Yield text and name of each manifest."""
    for source in sources.find(named(files)):
        if not left_out(source):
            yield sources.read(source).text, source.name


def write(files: Sequence[File], output: str | None) -> None:
    """Write to standard output or a file what is one stream, into a folder each file by itself.

    Raises UsageError where several files can't be one and no folder is named.
    """
    into_folder = output is not None and (Path(output).is_dir() or output.endswith("/"))
    if len(files) > 1 and not into_folder and not all(each.stream for each in files):
        raise UsageError(
            f"the export has {len(files)} files: {', '.join(each.name for each in files)}",
            hint="name a folder for them with -o DIR/",
        )
    whole = "".join(each.text for each in files)
    if output is None:
        write_stdout([whole])
    elif into_folder:
        write_all(Write(Path(output) / each.name, each.text) for each in files)
    else:
        write_all([Write(Path(output), whole)])
