"""Create the files of a new sidecar, from an image or from a container of a manifest."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sidecarctl.authoring.extract import extract_container
from sidecarctl.authoring.test_cases import EXPECTED, MANIFEST, find_cases, run_case
from sidecarctl.catalog.catalog import DEFAULT_LIBRARY, ENVIRONMENT, has_sidecars, split_request
from sidecarctl.catalog.changelog import CHANGELOG_FILE
from sidecarctl.catalog.schema_comment import format_schema_comment
from sidecarctl.catalog.sidecar import DEFAULT_TEMPLATES, read_sidecar
from sidecarctl.errors import LibraryError, UsageError
from sidecarctl.files.patterns import named_root
from sidecarctl.files.sources import NO_FILE, Source, read_source
from sidecarctl.files.write import Write, write_all
from sidecarctl.report.terminal import paint, visible, wrap
from sidecarctl.yamltext import emit

ENGINES = tuple(DEFAULT_TEMPLATES)
IMAGE = "registry.example/{name}:1.0.0"

_METADATA = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Sidecar
metadata:
  name: {name_yaml}
  version: 0.1.0
  summary: Runs {name} beside the app.
  description: |
    Describe what {name} does, and what it requires of the app.
spec:
  engine: {engine}
  # auto: native if the Kubernetes version supports it, else classic. init: runs to completion before the app starts.
  mode: auto
  # Features that users may expect but that are not provided, shown by `sidecarctl show`.
  doesNot: []
{more}  parameters:
    additionalProperties: false
    properties:
      directory:
        type: string
        pattern: ^/
        default: /var/lib/{name}
        description: Directory that the app and {name} share.
"""

_JINJA = """\
{{# Renders a fragment; for its fields, run `sidecarctl schema fragment`. #}}
containers:
- name: {{{{ instance | quote }}}}
  image: {image_yaml}
  env:
  - name: DIRECTORY
    value: {{{{ params.directory | quote }}}}
  resources:
    requests: {{cpu: 10m, memory: 32Mi}}
    limits: {{cpu: 100m, memory: 64Mi}}
  volumeMounts:
  - name: {{{{ instance }}}}-shared
    mountPath: {{{{ params.directory | quote }}}}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {{drop: [ALL]}}
    seccompProfile: {{type: RuntimeDefault}}
volumes:
- name: {{{{ instance }}}}-shared
  emptyDir: {{sizeLimit: 64Mi}}
app:
  volumeMounts:
  - name: {{{{ instance }}}}-shared
    mountPath: {{{{ params.directory | quote }}}}
"""

_PLAIN = """\
# A fragment; for its fields, run `sidecarctl schema fragment`. spec.substitutions lists what parameters replace.
containers:
- name: {name_yaml}
  image: {image_yaml}
  env:
  - name: DIRECTORY
    value: ""
  resources:
    requests: {{cpu: 10m, memory: 32Mi}}
    limits: {{cpu: 100m, memory: 64Mi}}
  volumeMounts:
  - name: {name}-shared
    mountPath: ""
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {{drop: [ALL]}}
    seccompProfile: {{type: RuntimeDefault}}
volumes:
- name: {name}-shared
  emptyDir: {{sizeLimit: 64Mi}}
app:
  volumeMounts:
  - name: {name}-shared
    mountPath: ""
"""

_SUBSTITUTIONS = """\
  substitutions:
  - {{path: "containers[0].name", input: instance}}
  - {{path: "containers[0].env[DIRECTORY].value", parameter: directory}}
  - {{path: "containers[0].volumeMounts[0].mountPath", parameter: directory}}
  - {{path: "app.volumeMounts[0].mountPath", parameter: directory}}
"""

_KCL = """\
# Renders a fragment; for its fields, run `sidecarctl schema fragment`.
_input = option("input")
_params = _input.params
_shared = {{
    name = _input.instance + "-shared"
    mountPath = _params.directory
}}

containers = [{{
    name = _input.instance
    image = "{image}"
    env = [{{name = "DIRECTORY", value = _params.directory}}]
    resources = {{
        requests = {{cpu = "10m", memory = "32Mi"}}
        limits = {{cpu = "100m", memory = "64Mi"}}
    }}
    volumeMounts = [_shared]
    securityContext = {{
        runAsNonRoot = True
        runAsUser = 65532
        runAsGroup = 65532
        allowPrivilegeEscalation = False
        readOnlyRootFilesystem = True
        capabilities = {{drop = ["ALL"]}}
        seccompProfile = {{type = "RuntimeDefault"}}
    }}
}}]
volumes = [{{name = _shared.name, emptyDir = {{sizeLimit = "64Mi"}}}}]
app = {{volumeMounts = [_shared]}}
"""

_TEMPLATES = {"jinja": _JINJA, "plain": _PLAIN, "kcl": _KCL}
_PARAMETERS = "directory: /srv/shared\n"
CHANGELOG = "# Changelog\n\n## 0.1.0 - Unreleased\n\n- First version.\n"


def build_files(name: str, engine: str, image: str, manifest: str) -> dict[str, str]:
    """Return the files of a new sidecar by path. `manifest` is the input of its test case."""
    words = {"name": name, "engine": engine, "image": image}
    words |= {f"{key}_yaml": emit.scalar(words[key]) for key in ("name", "image")}
    more = _SUBSTITUTIONS.format(**words) if engine == "plain" else ""
    return {
        "sidecar.yaml": format_schema_comment("sidecar") + _METADATA.format(**words, more=more),
        DEFAULT_TEMPLATES[engine]: _TEMPLATES[engine].format(**words),
        CHANGELOG_FILE: CHANGELOG,
        "tests/deployment/input.yaml": manifest,
        "tests/deployment/parameters.yaml": _PARAMETERS,
    }


def default_library(env: Mapping[str, str] = os.environ) -> Path:
    """Return the default library for new sidecars: the first one in the environment variable, else ./sidecars.

    In a directory of sidecars without ./sidecars, it is the current directory.
    """
    named = [text for text in env.get(ENVIRONMENT, "").split(os.pathsep) if text]
    here = not Path(DEFAULT_LIBRARY).is_dir() and has_sidecars(Path())
    return Path(named[0] if named else "." if here else DEFAULT_LIBRARY)


@dataclass(frozen=True)
class Scaffold:
    """A sidecar that is not written yet: directory, file contents, and notes for the user."""

    folder: Path
    files: dict[str, str]
    notes: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The directory that a link must not lead out of: the repository if the library is in it, else the library."""
        return named_root(self.folder.parent)


def from_image(library: Path, name: str, image: str = "", engine: str = "jinja") -> Scaffold:
    """Return a small sidecar that runs an image. Raise UsageError for an invalid or existing name."""
    folder = _new_directory(library, name)
    image = image or IMAGE.format(name=name)
    if any(char.isspace() or char in "\"'{}\\" for char in image):
        raise UsageError(f'invalid image "{image}"', hint="use the form registry.example/my-agent:1.0.0")
    return Scaffold(folder, build_files(name, engine, image, MANIFEST))


def from_manifest(library: Path, name: str, manifest: str, container: str) -> Scaffold:
    """Return a sidecar converted from a container of a manifest. Raise UsageError or InputError."""
    folder = _new_directory(library, name)
    text = read_source(Source(manifest, Path(manifest))).text
    found = extract_container(text, manifest, container, name)
    case = "tests/original"
    return Scaffold(
        folder,
        {
            "sidecar.yaml": format_schema_comment("sidecar") + emit.document(found.metadata),
            "template.yaml.j2": found.template,
            CHANGELOG_FILE: CHANGELOG,
            f"{case}/input.yaml": found.rest or MANIFEST,
            f"{case}/parameters.yaml": emit.document(found.values),
        },
        tuple(found.notes),
    )


def _new_directory(library: Path, name: str) -> Path:
    base, version = split_request(name)
    if version:
        raise UsageError(
            f'invalid sidecar name "{name}": it contains a version',
            hint=f"use {base}, and set the version in sidecar.yaml",
        )
    folder = library / name
    if folder.exists():
        raise UsageError(f"{folder} already exists", hint="choose another name, or delete the directory")
    return folder


def write_files(scaffold: Scaffold) -> None:
    """Write the files and the expected output of the test case.

    Raise LibraryError if the new sidecar fails its test, OutputError if a link leads out of `scaffold.root`.
    """
    root = scaffold.root
    roots = {root: os.path.realpath(root)}
    write_all((Write(scaffold.folder / path, text, NO_FILE, root) for path, text in scaffold.files.items()), roots)
    sidecar = read_sidecar(scaffold.folder, str(scaffold.folder.parent))
    for case in find_cases(sidecar):
        verdict = run_case(sidecar, case)
        if verdict.state != "missing":
            why = verdict.outcome.errors if verdict.outcome else str(verdict.error or "")
            raise LibraryError(
                f"created {scaffold.folder}, but its test case fails: {verdict.problem or why}",
                where=str(case.folder),
                hint=why if verdict.problem else "fix the template, then run `sidecarctl test --update`",
            )
        write_all([Write(case.expected_file, verdict.actual, NO_FILE, root)], roots)


def render_report(scaffold: Scaffold, *, color: bool, width: int) -> str:
    """Return the created files, notes, and the next commands."""
    library = scaffold.folder.parent
    lines = [f"{paint('created', 'added', color)} {paint(visible(str(scaffold.folder)), 'bold', color)}"]
    cases = {path.rpartition("/")[0] for path in scaffold.files if "/" in path}
    lines += [f"  {path}" for path in (*scaffold.files, *(f"{case}/{EXPECTED}" for case in sorted(cases)))]
    for note in scaffold.notes:
        first, *rest = wrap(visible(note), width, "note: ", "      ")
        lines += [paint("note:", "warning", color) + first[5:], *rest]
    name = scaffold.folder.name
    place = "" if library == Path(DEFAULT_LIBRARY) else f" --library {visible(shlex.quote(str(library)))}"
    lines += [
        "",
        "next:",
        f"  edit {visible(str(scaffold.folder / 'sidecar.yaml'))} and the template beside it",
        f"  sidecarctl test {name}{place}",
        f"  sidecarctl add {name}{place} -f deployment.yaml",
    ]
    return "".join(f"{line}\n" for line in lines)
