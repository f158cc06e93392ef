"""What an image reference says: its name, tag and digest. Knows no registry."""

from __future__ import annotations

from typing import NamedTuple


class Image(NamedTuple):
    """An image reference in parts: `repository` with its registry, `tag` and `digest` empty where there is none."""

    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """The last part of the repository: `fluent-bit` of `cr.fluentbit.io/fluent/fluent-bit:4.0`."""
        return self.repository.rpartition("/")[2]

    @property
    def floating(self) -> bool:
        """True where the reference may lead to another image tomorrow without anybody choosing so."""
        return not self.digest and self.tag in ("", "latest")


def parse(reference: str) -> Image:
    """Return the parts of a reference, whatever it looks like; a colon before the last slash is that of a port."""
    rest, _, digest = reference.partition("@")
    folder, slash, last = rest.rpartition("/")
    name, _, tag = last.partition(":")
    return Image(folder + slash + name, tag, digest)
