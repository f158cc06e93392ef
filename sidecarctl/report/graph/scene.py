"""The shapes of a pod graph, in pixels: what `layout` computes and `svg` draws."""

from __future__ import annotations

from dataclasses import dataclass

RAIL = 13  # center of the line that connects the steps


@dataclass(frozen=True)
class Text:
    """A line of text; `style` are classes, `full` is the text before it was cut, `end` means that x is its right edge."""

    x: int
    y: int
    text: str
    style: str = "ink"
    size: int = 13
    end: bool = False
    full: str = ""


@dataclass(frozen=True)
class Panel:
    """A box with its texts."""

    x: int
    y: int
    width: int
    height: int
    hue: str
    texts: tuple[Text, ...]
    radius: int = 8


@dataclass(frozen=True)
class Line:
    """A line from the right side of a container to the left side of a volume or Service.

    kind  writes and reads: mounts, with the arrow where the data goes; connects: from a Service to a container
    """

    x1: int
    y1: int
    x2: int
    y2: int
    kind: str
    hue: str


@dataclass(frozen=True)
class Loop:
    """A connection from a port of one container to a port of another, both at their right side."""

    x: int
    y1: int
    y2: int
    hue: str


@dataclass(frozen=True)
class Scene:
    """Everything of one pod, relative to its upper left corner."""

    title: str
    width: int
    height: int
    panels: tuple[Panel, ...]
    lines: tuple[Line, ...]
    texts: tuple[Text, ...]
    steps: tuple[tuple[int, int, int], ...]
    rails: tuple[tuple[int, int], ...]
    loops: tuple[Loop, ...] = ()
    rail_x: int = RAIL
