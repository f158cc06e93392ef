"""Pack sidecarctl and its dependencies as a krew plugin, and write the plugin manifest.

    python tools/krew.py OUT --platform linux/amd64 --url https://…/releases/download

Writes OUT/kubectl-sidecar-<os>-<arch>.tar.gz and OUT/sidecar.yaml. The archive contains a directory of Python packages and a
script that runs them with any Python from 3.10 on. The archive is reproducible.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from packages import ROOT, collect

RUN = """#!/bin/sh
# krew runs this file through a link. The packages are next to the file itself.
self="$0"
while [ -h "$self" ]; do
  link="$(readlink "$self")"
  case "$link" in /*) self="$link" ;; *) self="$(dirname "$self")/$link" ;; esac
done
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2> /dev/null; then
  echo "error: kubectl sidecar needs Python 3.10 or newer as python3 on the PATH" >&2
  exit 2
fi
PYTHONPATH="$(cd "$(dirname "$self")" && pwd)/packages" exec python3 -m sidecarctl "$@"
"""


def version() -> str:
    """Return the version of sidecarctl."""
    text = (ROOT / "sidecarctl" / "__init__.py").read_text(encoding="utf-8")
    return text.split('__version__ = "')[1].partition('"')[0]


def pack(out: Path, platform: str) -> Path:
    """Write the archive for a platform, such as linux/amd64. The archive has compiled modules for it."""
    name = f"kubectl-sidecar-{platform.replace('/', '-')}.tar.gz"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "kubectl-sidecar"
        packages = folder / "packages"
        collect(packages, platform)
        for noise in (*packages.rglob("direct_url.json"), *packages.rglob("RECORD"), *packages.rglob("INSTALLER")):
            noise.unlink()
        shutil.copy(ROOT / "LICENSE", folder)
        (folder / "kubectl-sidecar").write_text(RUN, encoding="utf-8")
        (folder / "kubectl-sidecar").chmod(0o755)
        out.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for path in sorted(folder.rglob("*")):
                archive.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=_plain)
        (out / name).write_bytes(gzip.compress(buffer.getvalue(), mtime=0))
    return out / name


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


def manifest(archives: Mapping[str, Path], url: str) -> str:
    """Return the plugin manifest for archives by platform."""
    text = (ROOT / ".krew.yaml").read_text(encoding="utf-8").replace("version: v0.1.0", f"version: v{version()}")
    entries = "".join(_entry(platform, archive, url) for platform, archive in archives.items())
    head, _, body = text.partition("\n")
    assert head.startswith("#")
    return body.replace("  platforms: []\n", f"  platforms:\n{entries}")


def _entry(platform: str, archive: Path, url: str) -> str:
    system, _, machine = platform.partition("/")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return f"""\
    - selector:
        matchLabels:
          os: {system}
          arch: {machine}
      uri: {url}/v{version()}/{archive.name}
      sha256: {digest}
      bin: kubectl-sidecar
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--platform", action="append", help="default: linux/amd64; repeatable")
    parser.add_argument("--url", default="https://github.com/sidecarctl/sidecarctl/releases/download")
    options = parser.parse_args()
    archives = {platform: pack(options.out, platform) for platform in options.platform or ["linux/amd64"]}
    (options.out / "sidecar.yaml").write_text(manifest(archives, options.url), encoding="utf-8")
    print(*archives.values(), sep="\n")


if __name__ == "__main__":
    main()
