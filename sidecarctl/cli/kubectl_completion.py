"""The program `kubectl_complete-sidecar`, which kubectl runs to complete `kubectl sidecar`.

It gets the words after `kubectl sidecar`, the last of which is incomplete. It prints a word on each line, and a colon with a
directive of Cobra's completion. See https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sidecarctl import watchdog

# Cobra's ShellCompDirective: 0 lets the shell offer files, 4 does not.
_OFFER_FILES, _NO_FILES = 0, 4


def answer(words: Sequence[str]) -> str:
    """Return what the program prints for the words after `kubectl sidecar`."""
    import shlex

    from sidecarctl.cli.completion import complete_bash

    line = ["sidecarctl", *(words or [""])]
    env = {"_SIDECARCTL_COMPLETE": "complete_bash", "COMP_WORDS": shlex.join(line), "COMP_CWORD": str(len(line) - 1)}
    offered = complete_bash(env)
    # An option whose value is a file offers nothing of its own.
    directive = _NO_FILES if offered else _OFFER_FILES
    return "".join(f"{word}\n" for word in (*(offered or ()), f":{directive}"))


def main() -> None:
    """Print the answer for the words of the command line."""
    watchdog.start()
    sys.stdout.write(answer(sys.argv[1:]))
