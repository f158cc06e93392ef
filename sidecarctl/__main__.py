"""The entry point: one command line to one exit code. Here, and only here, errors become text and a status."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence

from sidecarctl.errors import EXIT_BUG, InputError, SidecarctlError

EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC))


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command line and exit."""
    # Documents make many objects and few cycles, imports none.
    gc.disable()
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_streams()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has enough
        _write_no_more()
        code = EXIT_CLOSED_PIPE
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except SidecarctlError as error:
        code = _report(error)
    except OSError as error:
        if error.errno not in _NO_ROOM or error.filename:
            code = _bug(error)
        else:
            _write_no_more()
            why = f"standard output can't be written: {error.strerror}"
            code = _report(InputError(why, hint="check the space where it goes; what arrived there is not whole"))
    except Exception as error:
        code = _bug(error)
    sys.exit(code)


def _open_streams() -> None:
    """Give a stream that was closed before the start (`2>&-`) somewhere to go."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _write_no_more() -> None:
    """Nothing more may go to standard output, not even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(argv: list[str]) -> int:
    if argv == ["--version"]:
        from sidecarctl import __version__

        print(f"sidecarctl {__version__}")  # noqa: T201
        return 0
    from sidecarctl.cli import parser

    if "_SIDECARCTL_COMPLETE" in os.environ:
        from sidecarctl.cli import completion

        offered = completion.answer(os.environ)
        if offered is not None:
            print("\n".join(offered))  # noqa: T201
            return 0
    entry = parser.BY_NAME.get(argv[0]) if argv else None
    if entry is not None and not any(name.startswith("_") and name.endswith("_COMPLETE") for name in os.environ):
        function = entry.load()
        values = parser.read(function, argv[1:])
        if values is not None:
            from sidecarctl.catalog import render_cache

            gc.enable()
            gc.freeze()
            gc.set_threshold(200_000, 20, 20)
            render_cache.switch_on()
            return function(**values)
    return _typer(argv)


def _typer(argv: list[str]) -> int:
    from sidecarctl.cli.app import build

    gc.enable()
    try:
        build()(args=argv, prog_name="sidecarctl", standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def _report(error: SidecarctlError) -> int:
    from sidecarctl.cli.console import say_error

    say_error(error)
    return error.exit_code


def _bug(error: Exception) -> int:
    """A bug of sidecarctl's own: say so, keep the trace in a file, and how to report it."""
    from sidecarctl.cli.console import say_bug

    say_bug(error)
    return EXIT_BUG


if __name__ == "__main__":
    main()
