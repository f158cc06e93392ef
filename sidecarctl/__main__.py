"""The entry point: one command line to one exit code. Here, and only here, errors become text and a status."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from sidecarctl.errors import EXIT_BUG, SidecarctlError

EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command line and exit."""
    # Documents make many objects and few cycles, imports none.
    gc.disable()
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads has enough. Nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_CLOSED_PIPE
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except SidecarctlError as error:
        code = _report(error)
    except Exception as error:
        code = _bug(error)
    sys.exit(code)


def _run(argv: list[str]) -> int:
    if argv == ["--version"]:
        from sidecarctl import __version__

        print(f"sidecarctl {__version__}")  # noqa: T201
        return 0
    from sidecarctl.cli import commands, fast

    if "_SIDECARCTL_COMPLETE" in os.environ:
        from sidecarctl.cli import tab

        offered = tab.answer(os.environ)
        if offered is not None:
            print("\n".join(offered))  # noqa: T201
            return 0
    entry = commands.BY_NAME.get(argv[0]) if argv else None
    if entry is not None and not any(name.startswith("_") and name.endswith("_COMPLETE") for name in os.environ):
        function = entry.load()
        values = fast.read(function, argv[1:])
        if values is not None:
            from sidecarctl.library import kept

            gc.enable()
            gc.freeze()
            gc.set_threshold(200_000, 20, 20)
            kept.switch_on()
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
    from sidecarctl.cli.talk import say_error

    say_error(error)
    return error.exit_code


def _bug(error: Exception) -> int:
    """A bug of sidecarctl's own: say so, keep the trace in a file, and how to report it."""
    from sidecarctl.cli.talk import say_bug

    say_bug(error)
    return EXIT_BUG


if __name__ == "__main__":
    main()
