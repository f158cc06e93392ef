"""What is doubtful about a library entry: images, resources, parameters, volumes, claims. One check a function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sidecarctl.authoring.parameter_table import Row, rows
from sidecarctl.authoring.template_params import Use, uses
from sidecarctl.authoring.trial import Outcome, Own, owned
from sidecarctl.catalog.entry_files import read_text
from sidecarctl.catalog.json_schema import lookup
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError, did_you_mean
from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.kube.kinds import DEFAULT_KINDS
from sidecarctl.kube.workload import as_list, as_mapping
from sidecarctl.validate import pod_security as levels
from sidecarctl.validate.views import StreamView
from sidecarctl.yamltext.stream import Document

_PARAMETERS = ("spec", "parameters", "properties")
_METHODS = ("items", "keys", "values", "get")


@dataclass(frozen=True)
class Subject:
    """A sidecar with what came of it wherever it was tried."""

    sidecar: Sidecar
    outcomes: Sequence[Outcome]

    @cached_property
    def metadata(self) -> Document:
        """The text of sidecar.yaml."""
        return Document("", read_text(self.sidecar.file, self.sidecar.folder), 0, str(self.sidecar.file))

    @cached_property
    def owned(self) -> list[Own]:
        """What it has in each workload of each result."""
        return [
            own
            for outcome in self.outcomes
            if outcome.text is not None
            for own in owned(outcome.text, outcome.trial.instance or self.sidecar.name)
        ]

    @cached_property
    def rows(self) -> list[Row]:
        """Its parameters."""
        return rows(self.sidecar.parameters)

    @cached_property
    def uses(self) -> list[Use] | None:
        """Where its template uses parameters."""
        return uses(self.sidecar)

    def containers(self) -> Iterator[tuple[Own, dict[str, Any]]]:
        """Yield its containers wherever they were put."""
        for own in self.owned:
            for _, container in own.containers:
                yield own, container

    def at(self, *path: str | int) -> Place:
        """Return the place in sidecar.yaml."""
        return self.metadata.locate(path)

    def parameter(self, path: Sequence[str]) -> Place:
        """Return the place of a parameter's declaration."""
        steps: list[str] = list(_PARAMETERS[:2])
        for step in path:
            steps += {"[]": ["items"], "<name>": ["additionalProperties"]}.get(step, ["properties", step])
        return self.metadata.locate(tuple(steps), on_key=True)

    def template(self, *needles: str) -> Place:
        """Return the first line of the template's files that holds one of some texts; the template's first where none does."""
        template = self.sidecar.template
        files = [template, *sorted(f for f in self.sidecar.folder.iterdir() if f.is_file() and f != template)]
        for needle in filter(None, needles):
            for file in files:
                found = _line_with(file, self.sidecar.folder, needle)
                if found:
                    return found
        return Place(str(template), 1, 1, 1, 1)


def _line_with(file: Path, folder: Path, needle: str) -> Place | None:
    if file.name == "sidecar.yaml":
        return None
    try:
        text = read_text(file, folder)
    except LibraryError:
        return None
    for number, line in enumerate(text.splitlines(), 1):
        column = line.find(needle)
        if column >= 0:
            return Place(str(file), number, column + 1, number, column + 1 + len(needle), line)
    return None


Check = Callable[[Subject], Iterator[Finding]]


def lint(sidecar: Sidecar, outcomes: Sequence[Outcome]) -> list[Finding]:
    """Return what is doubtful about a sidecar that was tried out, each thing once."""
    subject = Subject(sidecar, outcomes)
    found: dict[tuple[str, str], Finding] = {}
    for check in CHECKS:
        for finding in check(subject):
            found.setdefault((finding.rule, finding.message), finding)
    return list(found.values())


# --- metadata --------------------------------------------------------------------------------------------------------


def missing_cases(subject: Subject) -> Iterator[Finding]:
    """A sidecar without a case: nobody notices when it changes."""
    if not (subject.sidecar.folder / "tests").is_dir():
        yield Finding(
            "missing-tests",
            f"{subject.sidecar.name} has no case",
            Severity.WARNING,
            place=subject.at("metadata", "name"),
            why="without a case nobody notices when its template renders something else",
            help="create tests/<case>/input.yaml and parameters.yaml, then run `sidecarctl test --update`",
        )


def missing_description(subject: Subject) -> Iterator[Finding]:
    """A sidecar or a parameter without a description."""
    if not subject.sidecar.description:
        yield Finding(
            "missing-description",
            f"{subject.sidecar.name} has no description",
            Severity.INFO,
            place=subject.at("metadata", "summary"),
            help="say in metadata.description what it does and what the app must do for it",
        )
    for row in subject.rows:
        if not row.description and not any(step in ("[]", "<name>") for step in row.path):
            yield Finding(
                "missing-description",
                f"the parameter {_shown(row.path)} has no description",
                Severity.WARNING,
                place=subject.parameter(row.path),
                why="`sidecarctl show`, completion and error messages have nothing to say of it",
                help="add a description",
            )


def _shown(path: Sequence[str]) -> str:
    return ".".join(path).replace(".[]", "[]")


# --- parameters ------------------------------------------------------------------------------------------------------


def unused_parameter(subject: Subject) -> Iterator[Finding]:
    """A parameter that no template uses."""
    if subject.uses is None:
        return
    paths = {use.path for use in subject.uses}
    unused: list[tuple[str, ...]] = []
    for row in subject.rows:
        below_unused = any(row.path[: len(other)] == other for other in unused)
        if below_unused or any(_meet(row.path, path) for path in paths):
            continue
        unused.append(row.path)
        yield Finding(
            "unused-parameter",
            f"no template uses the parameter {_shown(row.path)}",
            Severity.WARNING,
            place=subject.parameter(row.path),
            why="who sets it thinks that it does something",
            help="use it, or delete it",
        )


def _meet(declared: Sequence[str], used: Sequence[str]) -> bool:
    """True where one leads to the other; what stands in lists and maps is used with them."""
    for one, two in zip(declared, used):
        if one in ("[]", "<name>"):
            return True
        if one != two:
            return False
    return True


def undeclared_parameter(subject: Subject) -> Iterator[Finding]:
    """A parameter that a template uses and the schema does not have."""
    for use in subject.uses or ():
        known = _unknown(subject.sidecar.parameters, use.path)
        if known is not None:
            depth, names = known
            name = _shown(use.path[: depth + 1])
            yield Finding(
                "undeclared-parameter",
                f"the template uses the parameter {name}, which is not declared",
                place=_line(use, subject.sidecar.folder),
                why="nobody can set it, and Jinja stops where it is used",
                help=did_you_mean(use.path[depth], names) or "declare it in spec.parameters of sidecar.yaml",
            )


def _line(use: Use, folder: Path) -> Place:
    lines = read_text(Path(use.file), folder).splitlines()
    text = lines[use.line - 1] if use.line <= len(lines) else ""
    column = max(text.find(use.path[-1]), 0) + 1 if use.path else 1
    return Place(use.file, use.line, column, use.line, column + len(use.path[-1]) if use.path else column, text)


def _unknown(root: Mapping[str, Any], path: Sequence[str]) -> tuple[int, list[str]] | None:
    """Where a path leaves what a schema declares, with the names that it has there; None where it does not."""
    schema: Any = root
    for depth, step in enumerate(path):
        schema = lookup(root, schema["$ref"]) if isinstance(schema, Mapping) and "$ref" in schema else schema
        if not isinstance(schema, Mapping):
            return None
        properties = schema.get("properties")
        if properties is None and depth:
            return None
        if step in (properties or {}):
            schema = (properties or {})[step]
            continue
        open_ = schema.get("additionalProperties", bool(depth)) is not False or "patternProperties" in schema
        composed = any(keyword in schema for keyword in ("allOf", "anyOf", "oneOf", "if"))
        return None if open_ or composed or step in _METHODS else (depth, list(properties or {}))
    return None


# --- containers ------------------------------------------------------------------------------------------------------

_PINNED = re.compile(r"(@sha256:[0-9a-f]{64}|:[^:/@]*\d+\.\d+[^:/@]*)$")


def unpinned_image(subject: Subject) -> Iterator[Finding]:
    """An image without an exact version."""
    for _, container in subject.containers():
        image = str(container.get("image", ""))
        if not _PINNED.search(image):
            yield Finding(
                "unpinned-image",
                f"the image {image} is not pinned to an exact version",
                place=subject.template(image),
                why="tomorrow the same manifest runs something else",
                help="write the whole version (:1.4.2), or a digest (@sha256:…)",
                container=str(container.get("name", "")),
            )


def missing_resources(subject: Subject) -> Iterator[Finding]:
    """A container without requests or limits; without a memory limit it can take the whole node's memory."""
    for _, container in subject.containers():
        resources = as_mapping(container.get("resources"))
        for kind, name, severity in (
            ("limits", "memory", Severity.ERROR),
            ("requests", "memory", Severity.WARNING),
            ("requests", "cpu", Severity.WARNING),
            ("limits", "cpu", Severity.INFO),
        ):
            if name not in as_mapping(resources.get(kind)):
                yield Finding(
                    "missing-resources",
                    f"the container {container.get('name')} has no {kind}.{name}",
                    severity,
                    place=subject.template("resources:", "containers:"),
                    why="a sidecar runs in many pods: what it takes must be known and bounded",
                    help=f"set resources.{kind}.{name}; a user can change it with --set resources.{kind}.{name}=…",
                )


def undefined_volume(subject: Subject) -> Iterator[Finding]:
    """A mount of a volume that nobody defines, or a volume that nobody mounts."""
    for own in subject.owned:
        pod = own.workload.pod
        defined = {as_mapping(volume).get("name") for volume in as_list(pod.get("volumes"))}
        everything = [*as_list(pod.get("containers")), *as_list(pod.get("initContainers"))]
        mounted = {mount.get("name") for container in everything for mount in _mounts(container)}
        for _, container in own.containers:
            for mount in _mounts(container):
                if mount.get("name") not in defined:
                    yield Finding(
                        "undefined-volume",
                        f"the container {container.get('name')} mounts {mount.get('name')}, which nobody defines",
                        place=subject.template(str(mount.get("mountPath")), "volumeMounts:"),
                        help="add it to the fragment's volumes",
                    )
        for volume in own.volumes:
            if volume.get("name") not in mounted:
                yield Finding(
                    "undefined-volume",
                    f"nobody mounts the volume {volume.get('name')}",
                    Severity.WARNING,
                    place=subject.template("volumes:"),
                    help="mount it, or leave it out where nothing needs it",
                )


def _mounts(container: object) -> list[dict[str, Any]]:
    return [mount for mount in as_list(as_mapping(container).get("volumeMounts")) if isinstance(mount, dict)]


def unbounded_volume(subject: Subject) -> Iterator[Finding]:
    """An emptyDir without a limit fills the node's disk."""
    for own in subject.owned:
        for volume in own.volumes:
            if "emptyDir" in volume and not as_mapping(volume["emptyDir"]).get("sizeLimit"):
                yield Finding(
                    "unbounded-volume",
                    f"the emptyDir {volume.get('name')} has no sizeLimit",
                    Severity.WARNING,
                    place=subject.template("emptyDir"),
                    why="it can fill the disk of the node, and all its pods suffer",
                    help="set sizeLimit",
                )


def pod_security(subject: Subject) -> Iterator[Finding]:
    """A claim about Pod Security that does not hold."""
    claimed = subject.sidecar.pod_security.level
    for own in subject.owned:
        for text in breaches(own, claimed):
            yield Finding(
                "pod-security-claim",
                f"it does not pass the Pod Security level {claimed}: {text}",
                place=subject.template("securityContext:", "volumes:"),
                help="put it right, or say so: spec.podSecurity with level and reason",
            )
    alone = [own for own in subject.owned if own.containers]
    if claimed != "restricted" and alone and not any(breaches(own, "restricted") for own in alone):
        yield Finding(
            "pod-security-claim",
            f"it says that it needs the Pod Security level {claimed}, but passes restricted wherever it was tried",
            Severity.INFO,
            place=subject.at("spec", "podSecurity", "level"),
            help="drop spec.podSecurity, or add a case that needs it",
        )


def probed_admin_port(subject: Subject) -> Iterator[Finding]:
    """A probe that leads to a port which listens on localhost only: the kubelet is not there, and no manifest may have it."""
    told = set()
    for finding in (f for outcome in subject.outcomes if outcome.result for f in outcome.result.findings):
        probe = next((str(step) for step in finding.path if str(step).endswith("Probe")), "")
        if finding.rule != "probe-on-localhost-server" or (finding.container, probe) in told:
            continue
        told.add((finding.container, probe))
        yield Finding(
            "probed-admin-port",
            finding.message,
            place=subject.template(probe),
            why=finding.why,
            help="probe a port that listens on all addresses",
        )


def unrendered(subject: Subject) -> Iterator[Finding]:
    """A template that fails or renders no fragment wherever it is tried."""
    if any(outcome.text is not None for outcome in subject.outcomes):
        return
    for outcome in subject.outcomes:
        if isinstance(outcome.error, LibraryError):
            yield Finding(
                "template-failure",
                outcome.error.message,
                place=_place_of(outcome.error.where, subject),
                help=outcome.error.hint or "put the template right",
            )
            return


def _place_of(where: str, subject: Subject) -> Place:
    found = re.match(r"(.*?):(\d+)(?::(\d+))?\Z", where)
    if not found:
        return Place(where or str(subject.sidecar.template), 1, 1, 1, 1)
    line, column = int(found[2]), int(found[3] or 1)
    try:
        text = read_text(Path(found[1]), subject.sidecar.folder).splitlines()[line - 1]
    except (LibraryError, IndexError):
        text = ""
    return Place(found[1], line, column, line, max(column, len(text) + 1), text)


CHECKS: tuple[Check, ...] = (
    unrendered,
    unpinned_image,
    missing_resources,
    undefined_volume,
    unbounded_volume,
    pod_security,
    probed_admin_port,
    undeclared_parameter,
    unused_parameter,
    missing_description,
    missing_cases,
)


ORDER = tuple(reversed(levels.LEVELS))


def breaches(own: Own, level: str) -> list[str]:
    """Return what in the parts of an instance is beyond a level, with the container's name where it is a container's."""
    context = {path.split("/")[1]: value for path, value in own.pod.items() if path.startswith("securityContext/")}
    init = [container for role, container in own.containers if role == "init"]
    others = [container for role, container in own.containers if role != "init"]
    return alone(others, init, own.volumes, level, context)


def alone(
    containers: Iterable[Mapping[str, Any]],
    init: Iterable[Mapping[str, Any]],
    volumes: Iterable[Mapping[str, Any]],
    level: str,
    context: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return what in a pod of these parts is beyond a level."""
    spec = {
        "securityContext": dict(context or {}),
        "initContainers": [dict(each) for each in init],
        "containers": [dict(each) for each in containers],
        "volumes": [dict(each) for each in volumes],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "alone"}, "spec": spec}
    (view,) = StreamView([pod], DEFAULT_KINDS).pods
    found = []
    for _, breach in levels.find_violations(view, level):
        holder = next((c for c in view.containers if breach.path[: len(c.path)] == c.path), None)
        found.append(f"{holder.name}: {breach.text}" if holder is not None else breach.text)
    return found
