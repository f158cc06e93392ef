"""Write dist/sidecarctl.rb, the Homebrew formula of a release, from the files that the release publishes.

    python tools/homebrew.py dist

The formula installs sidecarctl.pyz for the platform, and the manual pages. It belongs in the tap sidecarctl/homebrew-tap.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from krew import version

URL = "https://github.com/sidecarctl/sidecarctl/releases/download"
# Blocks of a formula, and the platform whose file they install.
BLOCKS = {
    ("on_macos", "on_arm"): "darwin-arm64",
    ("on_macos", "on_intel"): "darwin-amd64",
    ("on_linux", "on_arm"): "linux-arm64",
    ("on_linux", "on_intel"): "linux-amd64",
}
FORMULA = """\
class Sidecarctl < Formula
  desc "Add sidecars to Kubernetes manifests, offline"
  homepage "https://github.com/sidecarctl/sidecarctl"
  version "VERSION"
  license "Apache-2.0"

  depends_on "python@3.13"

SOURCES
  resource "man" do
MAN
  end

  def install
    libexec.install Dir["sidecarctl-*.pyz"].first => "sidecarctl.pyz"
    %w[sidecarctl kubectl-sidecar].each do |name|
      (bin/name).write <<~SH
        #!/bin/sh
        exec "#{Formula["python@3.13"].opt_bin}/python3.13" "#{libexec}/sidecarctl.pyz" "$@"
      SH
    end
    resource("man").stage { man1.install Dir["*.1"] }
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/sidecarctl --version")
  end
end
"""


def source(file: Path, indent: str) -> str:
    """Return the URL and checksum of a file of the release."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return f'{indent}url "{URL}/v{version()}/{file.name}"\n{indent}sha256 "{digest}"\n'


def formula(directory: Path) -> str:
    """Return the formula for the files in a directory."""
    sources = "".join(
        f"  {system} do\n    {machine} do\n{source(directory / f'sidecarctl-{name}.pyz', '      ')}    end\n  end\n"
        for (system, machine), name in BLOCKS.items()
    )
    text = FORMULA.replace("VERSION", version()).replace("SOURCES\n", f"{sources}\n")
    return text.replace("MAN\n", source(directory / "sidecarctl-man.tar.gz", "    "))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    directory: Path = parser.parse_args().directory
    (directory / "sidecarctl.rb").write_text(formula(directory), encoding="utf-8")


if __name__ == "__main__":
    main()
