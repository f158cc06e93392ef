"""Runs each command in a fork of an interpreter that has already imported sidecarctl. `tests.command` is the client.

A command gets its own process, directory, environment, and pipes, and takes about a fifth of the time. Only imports are
shared: the server runs no command itself, so commands cannot affect each other.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import socket
import sys
from importlib import import_module
from typing import NoReturn

# Maximum size of a message, which contains the arguments and the environment of a command.
MESSAGE_BYTES = 1 << 17
# A separate program, which commands do not import.
_NOT_IMPORTED = ".kcl_worker"


def main() -> None:
    """Answer requests from the socket whose file descriptor is the first argument."""
    import sidecarctl

    for module in pkgutil.walk_packages(sidecarctl.__path__, "sidecarctl."):
        if not module.name.endswith(_NOT_IMPORTED):
            import_module(module.name)
    import_module("typer.rich_utils")
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        while True:
            message, pipes, _, _ = socket.recv_fds(channel, MESSAGE_BYTES, 3)
            if not message:
                return
            pid = os.fork()
            if pid == 0:
                channel.close()
                break
            for pipe in pipes:
                os.close(pipe)
            channel.send(b"%d" % pid)
            _, status = os.waitpid(pid, 0)
            channel.send(b"%d" % os.waitstatus_to_exitcode(status))
    _become(json.loads(message), pipes)


def _end(code: int) -> NoReturn:
    """Exit without freeing imported modules, which is slow."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _become(request: dict[str, object], pipes: list[int]) -> None:
    """Turn this process into one that looks like `python -m sidecarctl`."""
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
        os.close(pipe)
    os.chdir(str(request["cwd"]))
    os.environ.clear()
    os.environ.update(request["env"])  # type: ignore[call-overload]
    sys.path[0] = str(request["cwd"])
    sys.argv = [str(sys.modules["sidecarctl"].__path__[0]) + "/__main__.py", *request["arguments"]]  # type: ignore[misc]
    from sidecarctl.__main__ import main

    try:
        main()
    except SystemExit as end:
        _end(end.code if isinstance(end.code, int) else end.code is not None)


if __name__ == "__main__":
    main()
