"""A new sidecar's folder, from an image or from a container of a manifest, with a case that passes. Knows files, no template."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sidecarctl.authoring import skeleton
from sidecarctl.authoring.cases import EXPECTED, cases_of, check
from sidecarctl.authoring.extract import extract
from sidecarctl.authoring.sample import MANIFEST
from sidecarctl.errors import InputError, LibraryError, UsageError
from sidecarctl.files.sources import decode
from sidecarctl.files.write import Write, write_all
from sidecarctl.library.catalog import ENVIRONMENT, split_request
from sidecarctl.library.sidecar import read_sidecar
from sidecarctl.report.terminal import paint, visible, wrap
from sidecarctl.yamltext import emit

DEFAULT_LIBRARY = "sidecars"


def default_library(env: Mapping[str, str] = os.environ) -> Path:
    """Return where a new sidecar goes unless told: the first library of the environment, else ./sidecars."""
    named = [text for text in env.get(ENVIRONMENT, "").split(os.pathsep) if text]
    return Path(named[0] if named else DEFAULT_LIBRARY)


@dataclass(frozen=True)
class Scaffold:
    """A sidecar that is not written yet: its folder, the texts of its files, and what a person should know."""

    folder: Path
    files: dict[str, str]
    notes: tuple[str, ...] = ()


def from_image(library: Path, name: str, image: str = "", engine: str = "jinja") -> Scaffold:
    """Return a small sidecar that runs `image`. Raises UsageError for a name that is none or taken."""
    folder = _folder(library, name)
    image = image or skeleton.IMAGE.format(name=name)
    if any(char.isspace() or char in "\"'{}\\" for char in image):
        raise UsageError(f"{image!r} is not the name of an image", hint="write it like registry.example/my-agent:1.0.0")
    return Scaffold(folder, skeleton.files(name, engine, image, MANIFEST))


def from_manifest(library: Path, name: str, manifest: str, container: str) -> Scaffold:
    """Return a sidecar made of a container of a manifest. Raises UsageError or InputError."""
    folder = _folder(library, name)
    try:
        text = decode(Path(manifest).read_bytes(), manifest)
    except OSError as problem:
        raise InputError(f"{manifest} can't be read: {problem.strerror or problem}", hint="check its path") from None
    found = extract(text, manifest, container, name)
    case = "tests/as-it-was"
    return Scaffold(
        folder,
        {
            "sidecar.yaml": emit.document(found.metadata),
            "template.yaml.j2": found.template,
            f"{case}/input.yaml": found.rest or MANIFEST,
            f"{case}/parameters.yaml": emit.document(found.given),
        },
        tuple(found.notes),
    )


def _folder(library: Path, name: str) -> Path:
    base, version = split_request(name)
    if version:
        raise UsageError(
            f"{name!r} is no name for a new sidecar", hint=f"use {base}; its version stands in sidecar.yaml"
        )
    folder = library / name
    if folder.exists():
        raise UsageError(f"{folder} is there already", hint="choose another name, or delete the folder")
    return folder


def write(scaffold: Scaffold) -> None:
    """Write the files, and what its case comes to. Raises LibraryError where the new sidecar does not work after all."""
    write_all(Write(scaffold.folder / path, text) for path, text in scaffold.files.items())
    sidecar = read_sidecar(scaffold.folder, str(scaffold.folder.parent))
    for case in cases_of(sidecar):
        verdict = check(sidecar, case, update=True)
        if verdict.state != "written":
            why = verdict.outcome.refusal if verdict.outcome else str(verdict.error or "")
            raise LibraryError(
                f"{scaffold.folder} was written, but its case fails: {verdict.problem or why}",
                where=str(case.folder),
                hint=why if verdict.problem else "put the template right, then run `sidecarctl test --update`",
            )


def report(scaffold: Scaffold, *, color: bool, width: int) -> str:
    """Return what was made, what to look at, and the next commands."""
    library = scaffold.folder.parent
    lines = [f"{paint('created', 'added', color)} {paint(visible(str(scaffold.folder)), 'bold', color)}"]
    cases = {path.rpartition("/")[0] for path in scaffold.files if "/" in path}
    lines += [f"  {path}" for path in (*scaffold.files, *(f"{case}/{EXPECTED}" for case in sorted(cases)))]
    for note in scaffold.notes:
        first, *rest = wrap(visible(note), width, "note: ", "      ")
        lines += [paint("note:", "warning", color) + first[5:], *rest]
    name = scaffold.folder.name
    lines += [
        "",
        "next:",
        f"  edit {scaffold.folder / 'sidecar.yaml'} and the template beside it",
        f"  sidecarctl test {name} --library {library}",
        f"  sidecarctl add {name} --library {library} -f deployment.yaml",
    ]
    return "".join(f"{line}\n" for line in lines)
