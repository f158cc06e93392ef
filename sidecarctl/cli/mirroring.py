"""The end of a render: the last lines of its report, and the output folder's memory of what was put there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sidecarctl.cli import talk
from sidecarctl.cli.delivery import Delivery, Done, into_folder, targets
from sidecarctl.errors import EXIT_FINDINGS, EXIT_OK, UsageError
from sidecarctl.files import outputs
from sidecarctl.files.outputs import Stale
from sidecarctl.files.write import Write, write_all
from sidecarctl.report.model import plural


def check_options(delivery: Delivery) -> None:
    """Raise UsageError where --prune has no output folder."""
    if delivery.mirror and delivery.mirror.prune and not (delivery.output and into_folder(delivery)):
        raise UsageError(
            "--prune needs an output folder",
            hint="it deletes what an earlier run wrote there: render -f k8s/ -o rendered/ --prune",
        )


def finish(delivery: Delivery, done: Sequence[Done]) -> int:
    """Say what is out of date, remember what was written, prune what is stale; return the exit code of that."""
    stale: list[Stale] = []
    if delivery.output and into_folder(delivery):
        stale = _stale(delivery, done)
    if delivery.writes_nothing:
        return _verdict(delivery, done, stale)
    return EXIT_OK


def _verdict(delivery: Delivery, done: Sequence[Done], stale: Sequence[Stale]) -> int:
    old = [one.source.name for one in done if one.outdated]
    assert delivery.mirror
    leftover = [str(each.path) for each in stale if not each.changed] if delivery.mirror.prune else []
    if delivery.check and not delivery.quiet:
        if delivery.output:
            for one in done:
                if one.outdated:
                    talk.say(f"{one.source.name}: {'out of date' if one.present else 'missing'}")
        for name in leftover:
            talk.say(f"{name}: stale, nothing makes it any more")
        number = len(old) + len(leftover)
        talk.say(
            f"{number} of {plural(len(done) + len(leftover), 'file')} {'is' if number == 1 else 'are'} out of date"
            if number
            else f"{plural(len(done), 'file')}, all up to date"
        )
    return EXIT_FINDINGS if delivery.check and leftover else EXIT_OK


def _stale(delivery: Delivery, done: Sequence[Done]) -> list[Stale]:
    assert delivery.output and delivery.mirror
    folder = Path(delivery.output)
    results = [one for one in done if one.result and not one.result.failed]
    made = {
        path.relative_to(folder).as_posix(): one.result.text
        for path, one in zip(targets(delivery, results), results)
        if one.result
    }
    stale = outputs.stale(folder, made)
    if delivery.writes_nothing:
        return stale
    gone = [each for each in stale if not each.changed] if delivery.mirror.prune else []
    outputs.delete(gone, folder)
    _say(delivery, stale, gone)
    text = outputs.remembered(folder, made, [each.path for each in gone])
    memory = folder / outputs.FILE_NAME
    if not memory.exists() or memory.read_text(encoding="utf-8") != text:
        write_all([Write(memory, text)])
    return stale


def _say(delivery: Delivery, stale: Sequence[Stale], gone: Sequence[Stale]) -> None:
    for each in gone:
        if not delivery.quiet:
            talk.say(f"{each.path}: deleted, nothing makes it any more")
    assert delivery.mirror
    for each in stale:
        if each not in gone:
            why = "was edited since, so it stays" if each.changed else "--prune deletes it"
            talk.say(f"{each.path}: nothing makes it any more; {why}")
