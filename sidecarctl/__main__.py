"""The entry point: runs a command line and exits with its status. Only this module turns errors into text and a status."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from sidecarctl.errors import EXIT_BUG, EXIT_INPUT, InputError, SidecarctlError, StepTooLong, UsageError, did_you_mean

if TYPE_CHECKING:
    from sidecarctl.cli.command_table import CommandInfo

EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC))
_CLOSED = errno.EBADF
_LONGEST_NAME = 200


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command line and exit. Without `argv`, run the command line of the process, which then does nothing else."""
    # Disable GC during startup: imports create no garbage.
    gc.disable()
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_streams()
    try:
        code = _run(arguments, alone=argv is None)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader closed the pipe
        _write_no_more()
        code = EXIT_CLOSED_PIPE
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
        if argv is None:
            _end_now(code)
    except SidecarctlError as error:
        code = _report(error)
    except StepTooLong as slow:
        code = _report(slow.error)
        _end_now(code)  # workers can be in the middle of a step
    except OSError as error:
        if error.filename is not None:
            code = _report(_no_access(error))
        elif isinstance(error, FileNotFoundError) and not _has_working_directory():
            hint = "change to a directory that exists"
            code = _report(InputError("the working directory does not exist", hint=hint))
        elif error.errno not in (*_NO_ROOM, _CLOSED):
            code = _bug(error)
        else:
            _write_no_more()
            code = _report(_not_written(error))
    except MemoryError:
        code = _report(InputError("not enough memory", hint="split the input, or give the process more memory"))
    except RecursionError:
        # Documents have a limit of depth; what templates and parameters make of them can be deeper.
        code = _report(InputError("the input or the parameters are nested too deeply", hint="nest them less deeply"))
    except Exception as error:
        code = _bug(error)
    _stop_watchdog()  # at exit, Python handles no signals
    sys.exit(code)


def _end_now(code: int) -> NoReturn:
    """End the process without waiting for threads and workers. A second Ctrl-C has no effect, and prints no traceback."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _open_streams() -> None:
    """Replace streams that were closed before the start: stdin is empty, and writing to stdout fails (EBADF).

    What goes to a closed stderr is discarded: there is no place to say so.
    """
    for name, mode in (("stdin", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(os.open(os.devnull, os.O_RDONLY), "w", encoding="utf-8")  # noqa: SIM115


def _write_no_more() -> None:
    """Discard what is still to be written to stdout, also at exit."""
    from sidecarctl.cli.console import discard

    discard(sys.stdout)


def _has_working_directory() -> bool:
    try:
        return bool(os.getcwd())  # noqa: PTH109
    except OSError:
        return False


def _no_access(error: OSError) -> InputError:
    """Return the error for a path that the system refuses, such as one that is too long."""
    name = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else str(error.filename)
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
    return InputError(f"cannot access {shown}: {error.strerror}", hint="check the path and its permissions")


def _not_written(error: OSError) -> InputError:
    if error.errno == _CLOSED:
        return InputError("cannot write to stdout: it is closed", hint="redirect it to a file or to /dev/null")
    hint = "check the free space; the output is incomplete"
    return InputError(f"cannot write to stdout: {error.strerror}", hint=hint)


def _run(argv: list[str], *, alone: bool) -> int:
    if argv in (["--version"], ["version"]):
        from sidecarctl import __version__

        print(f"sidecarctl {__version__}")  # noqa: T201
        return 0
    if sys.flags.optimize > 1:
        raise UsageError(
            "Python runs with -OO or PYTHONOPTIMIZE=2, which removes the texts of the rules",
            hint="use -O or PYTHONOPTIMIZE=1, or neither",
        )
    from sidecarctl.cli.parser import call, describe, parse, split_words

    if alone:
        from sidecarctl import watchdog

        watchdog.start()
    if os.environ.get("_SIDECARCTL_COMPLETE"):
        return _complete(argv)
    if not argv or argv[0] in ("help", "-h", "--help"):
        return _help(argv)
    if argv[0] in ("--install-completion", "--show-completion"):
        if len(argv) > 1:
            raise UsageError(
                f"{argv[0]} takes no argument", hint=f"it is for the shell that runs it: `sidecarctl {argv[0]}`"
            )
        try:
            return _typer(argv)
        except UnicodeDecodeError:  # typer reads the startup file of the shell as text
            raise InputError(
                "cannot install completion: the startup file of the shell is not UTF-8",
                hint="save the output of `sidecarctl --show-completion` in a file, and `source` it there",
            ) from None
    info = _find_command(argv[0])
    command = info.load()
    parameters = describe(command)
    values = parse(parameters, argv[1:], os.environ)
    if values is None:
        words = split_words(parameters, argv[1:])
        return _help(["help", info.name]) if words and words.help else _typer(argv)
    from sidecarctl.catalog import render_cache
    from sidecarctl.yamltext import libyaml

    gc.enable()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)
    render_cache.enable()
    if alone:
        libyaml.enable()
    return call(command, values)


def _help(argv: list[str]) -> int:
    """Print help: on stdout if it was asked for, else on stderr as a usage error."""
    from sidecarctl.cli import help as pages
    from sidecarctl.cli.console import report, stream_style
    from sidecarctl.cli.parser import HELP_FLAGS
    from sidecarctl.errors import EXIT_OK, EXIT_USAGE

    stream = sys.stdout if argv else sys.stderr
    style = stream_style(stream)
    names = [word for word in argv[1:] if word not in HELP_FLAGS]
    if names:
        text = pages.render_command(_find_command(names[0]), color=style.color, width=style.width)
    else:
        text = pages.render_program(color=style.color, width=style.width)
    if not argv:
        report(text)
        return EXIT_USAGE
    stream.write(text)
    return EXIT_OK


def _find_command(name: str) -> CommandInfo:
    from sidecarctl.cli.command_table import BY_NAME

    if name not in BY_NAME:
        what = "option" if name.startswith("-") else "command"
        hint = did_you_mean(name, BY_NAME) or "`sidecarctl help` lists the commands"
        raise UsageError(f'unknown {what} "{name}"', hint=hint)
    return BY_NAME[name]


def _complete(argv: list[str]) -> int:
    """Answer a shell that completes a command line."""
    from contextlib import redirect_stderr
    from io import StringIO

    from sidecarctl.cli.completion import complete_bash

    offered = complete_bash(os.environ)
    if offered is None:
        with redirect_stderr(StringIO()), suppress(StepTooLong):
            return _typer(argv)
        return EXIT_INPUT
    print("\n".join(offered))  # noqa: T201
    return 0


def _typer(argv: list[str]) -> int:
    """Let typer explain a command line, complete it, or run it."""
    from sidecarctl.cli import app

    gc.enable()
    try:
        return int(app.build()(args=argv, prog_name="sidecarctl", standalone_mode=False) or 0)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except app.Abort:
        raise KeyboardInterrupt from None
    except Exception as problem:
        # typer's errors have this method, in every version.
        if not hasattr(problem, "format_message"):
            raise
        raise app.usage_error(problem, argv) from None


def _stop_watchdog() -> None:
    watchdog = sys.modules.get("sidecarctl.watchdog")  # not imported for a help text
    if watchdog is not None:
        watchdog.stop()


def _report(error: SidecarctlError) -> int:
    _stop_watchdog()
    from sidecarctl.cli.console import report_error

    report_error(error)
    return error.exit_code


def _bug(error: Exception) -> int:
    """Report an internal error, with its traceback in a file."""
    from sidecarctl.cli.console import report_bug

    report_bug(error)
    return EXIT_BUG


if __name__ == "__main__":
    main()
