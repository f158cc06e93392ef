"""What an export is made of: files with a comment at their head that says what differs from `render`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sidecarctl import __version__
from sidecarctl.yamltext import emit

_WIDTH = 110


@dataclass(frozen=True)
class File:
    """A file of an export. `name` is where it goes in a folder; streams may be joined to one."""

    name: str
    text: str
    stream: bool = True


COMPANIONS = "companions.yaml"


def head(engine: str, composition: str, differences: Iterable[str], use: str) -> str:
    """Return the comment at the head: what this is, how it is used, and every difference from `render`."""
    lines = textwrap.wrap(f"The composition {composition} for {engine}, by sidecarctl {__version__}. {use}", _WIDTH)
    lines.append("")
    lines += ["What differs from `sidecarctl render`:"]
    for difference in dict.fromkeys(differences):
        lines += textwrap.wrap(f"- {difference}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def stream(comment: str, objects: Sequence[Mapping[str, Any]]) -> str:
    """Return objects as one stream below a comment."""
    return comment + "".join("---\n" + emit.document(each) for each in objects)
