"""Where the program's own data files stand: in the wheel, or in the source tree. Knows nothing of what is in
them.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def data_folder(name: str) -> Path:
    """Return the folder `name` ("library", "schemas"): `sidecarctl/_data/<name>` in a wheel, else
    `<root>/<name>`.
    """
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
