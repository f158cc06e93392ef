"""Write sidecarctl/kube/time_zones.txt: the names of the IANA time zones, old names that are still links included.

Needs the package `tzdata`; its version is the version of the data.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

OUTPUT = Path(__file__).parent.parent / "sidecarctl" / "kube" / "time_zones.txt"


def main() -> None:
    names = files("tzdata").joinpath("zones").read_text("utf-8").split()
    OUTPUT.write_text("".join(f"{name}\n" for name in sorted(names)), "utf-8")


if __name__ == "__main__":
    main()
