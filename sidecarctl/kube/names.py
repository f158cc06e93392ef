"""Check names as the API server does, and parse image references.

The check functions return None for a valid name, else the rule that it breaks, as a phrase that follows a colon
("dots are not allowed"). The rules come from the API server's validation library (apimachinery, util/validation).
"""

from __future__ import annotations

from functools import lru_cache

from sidecarctl.kube.versions import enabled
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern

LABEL_LENGTH = 63
SUBDOMAIN_LENGTH = 253
PORT_NAME_LENGTH = 15

_EMPTY = "must not be empty"
_ENDS = "start and end with a letter or digit"
_MIXED_CASE = "use letters, digits, hyphens, underscores, and dots"

_LABEL = lazy_pattern(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_LABEL_CHARACTERS = lazy_pattern(r"[-a-z0-9]+")
_SUBDOMAIN = lazy_pattern(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_CHARACTERS = lazy_pattern(r"[-.a-z0-9]+")
_LABEL_1035 = lazy_pattern(r"[a-z](?:[-a-z0-9]*[a-z0-9])?")
_QUALIFIED = lazy_pattern(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_ENV = lazy_pattern(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_ENV_RELAXED = lazy_pattern(r"[ -<>-~]+")
_NOT_IN_LABEL = lazy_pattern(r"[^a-z0-9]+")
_CONFIG_KEY = lazy_pattern(r"[-._a-zA-Z0-9]+")
_HEADER = lazy_pattern(r"[-A-Za-z0-9]+")

# Manifests repeat the same few names.
_cached = lru_cache(maxsize=4096)


@_cached
def check_dns_label(value: str) -> str | None:
    """Check an RFC 1123 label, the name of a container or volume: at most 63 characters of a-z, 0-9, and "-"."""
    if len(value) > LABEL_LENGTH:
        return _describe_length(value, LABEL_LENGTH)
    if _LABEL.fullmatch(value):
        return None
    if not value:
        return _EMPTY
    if _SUBDOMAIN.fullmatch(value):
        return "dots are not allowed"
    return _ENDS if _LABEL_CHARACTERS.fullmatch(value) else "use lowercase letters, digits, and hyphens"


@_cached
def check_dns_subdomain(value: str) -> str | None:
    """Check an RFC 1123 subdomain, the name of most objects: at most 253 characters, DNS labels joined by dots."""
    if len(value) > SUBDOMAIN_LENGTH:
        return _describe_length(value, SUBDOMAIN_LENGTH)
    if _SUBDOMAIN.fullmatch(value):
        return None
    if not value:
        return _EMPTY
    if _SUBDOMAIN_CHARACTERS.fullmatch(value):
        return "start and end each part between dots with a letter or digit" if "." in value else _ENDS
    return "use lowercase letters, digits, hyphens, and dots"


def check_dns_label_1035(value: str) -> str | None:
    """Check an RFC 1035 label, the name of a Service before 1.36: a DNS label that starts with a letter."""
    if len(value) <= LABEL_LENGTH and _LABEL.fullmatch(value):
        return None if _LABEL_1035.fullmatch(value) else "start with a letter"
    return check_dns_label(value)


def check_service_name(value: str, version: str) -> str | None:
    """Check the name of a Service, which can start with a digit since Kubernetes 1.36."""
    return check_dns_label(value) if enabled("relaxed-service-names", version) else check_dns_label_1035(value)


def check_wildcard_subdomain(value: str) -> str | None:
    """Check an Ingress host with a leading wildcard ("*.example.com")."""
    if not value.startswith("*."):
        return 'use "*." as the first part'
    if len(value) > SUBDOMAIN_LENGTH:
        return _describe_length(value, SUBDOMAIN_LENGTH)
    return check_dns_subdomain(value[2:])


@_cached
def check_port_name(value: str) -> str | None:
    """Check an IANA service name, the name of a port: at most 15 of a-z, 0-9, and single "-", with a letter."""
    if not value:
        return _EMPTY
    if len(value) > PORT_NAME_LENGTH:
        return _describe_length(value, PORT_NAME_LENGTH)
    if not _LABEL_CHARACTERS.fullmatch(value):
        return "use lowercase letters, digits, and hyphens"
    if not any("a" <= char <= "z" for char in value):
        return "use at least one letter"
    if "--" in value:
        return "consecutive hyphens are not allowed"
    if value[0] == "-" or value[-1] == "-":
        return _ENDS
    return None


@_cached
def check_qualified_name(value: str) -> str | None:
    """Check a label or annotation key: a name of at most 63 characters after an optional prefix and "/"."""
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        return 'use at most one "/"'
    if slash and not prefix:
        return 'missing prefix before "/"'
    if prefix and (fault := check_dns_subdomain(prefix)):
        return f"invalid prefix ({fault})"
    if not name:
        return 'missing name after "/"' if slash else _EMPTY
    if len(name) > LABEL_LENGTH:
        return "name part is " + _describe_length(name, LABEL_LENGTH)
    return None if _QUALIFIED.fullmatch(name) else _describe_characters(name)


@_cached
def check_label_value(value: str) -> str | None:
    """Check a label value: empty, or at most 63 letters, digits, "-", "_", and "."."""
    if len(value) > LABEL_LENGTH:
        return _describe_length(value, LABEL_LENGTH)
    return None if not value or _QUALIFIED.fullmatch(value) else _describe_characters(value)


@_cached
def check_env_name(value: str, version: str) -> str | None:
    """Check the name of an environment variable: since 1.32 any printable ASCII characters except "="."""
    if not value:
        return _EMPTY
    if enabled("relaxed-env-names", version):
        return None if _ENV_RELAXED.fullmatch(value) else 'use printable ASCII characters except "="'
    if not _ENV.fullmatch(value):
        if value[0] in "0123456789":
            return "must not start with a digit before Kubernetes 1.32"
        return f"{_MIXED_CASE} before Kubernetes 1.32"
    return _check_parent_directory(value)


@_cached
def check_config_key(value: str) -> str | None:
    """Check a key of a ConfigMap or Secret: at most 253 letters, digits, "-", "_", and "."."""
    if not value:
        return _EMPTY
    if len(value) > SUBDOMAIN_LENGTH:
        return _describe_length(value, SUBDOMAIN_LENGTH)
    if not _CONFIG_KEY.fullmatch(value):
        return _MIXED_CASE
    return _check_parent_directory(value)


def check_header_name(value: str) -> str | None:
    """Check the name of an HTTP header in a probe or hook: letters, digits, and "-"."""
    return None if _HEADER.fullmatch(value) else "use letters, digits, and hyphens"


def to_dns_label(value: str) -> str:
    """Convert any text to a similar DNS label ("Web_App" to "web-app"), "" if no valid character is left."""
    return _NOT_IN_LABEL.sub("-", value.lower())[:LABEL_LENGTH].strip("-")


def _describe_length(value: str, limit: int) -> str:
    return f"{len(value)} characters long (limit: {limit})"


def _describe_characters(value: str) -> str:
    return _ENDS if _CONFIG_KEY.fullmatch(value) else _MIXED_CASE


def _check_parent_directory(value: str) -> str | None:
    if value == ".":
        return '"." is not allowed'
    return 'must not start with ".."' if value.startswith("..") else None


CONTAINER_RESOURCES = frozenset(("cpu", "memory", "ephemeral-storage"))
HUGE_PAGES_PREFIX = "hugepages-"


def check_container_resource(name: str) -> str | None:
    """Check the name of a resource that a container requests."""
    if "/" not in name:
        known = name in CONTAINER_RESOURCES or (name.startswith(HUGE_PAGES_PREFIX) and not check_qualified_name(name))
        return None if known else "use cpu, memory, ephemeral-storage, hugepages-<size>, or a name with a domain"
    if fault := check_qualified_name(name):
        return fault
    if not is_extended_resource(name) and "kubernetes.io/" not in name:
        return "not an extended resource name"
    return None


def is_extended_resource(name: str) -> bool:
    """Return True for a resource with a domain prefix outside kubernetes.io that is not a quota name."""
    if "/" not in name or "kubernetes.io/" in name or name.startswith("requests."):
        return False
    return check_qualified_name(f"requests.{name}") is None


@dataclass(frozen=True)
class Image:
    """An image reference in parts: `repository` with its registry; `tag` and `digest` are empty if missing."""

    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """The last part of the repository: `fluent-bit` of `cr.fluentbit.io/fluent/fluent-bit:4.0`."""
        return self.repository.rpartition("/")[2]

    @property
    def floating(self) -> bool:
        """True if the reference can resolve to another image later: no digest, and no tag or `latest`."""
        return not self.digest and self.tag in ("", "latest")


def parse_image(reference: str) -> Image:
    """Split an image reference into its parts; a colon before the last slash belongs to a port."""
    rest, _, digest = reference.partition("@")
    directory, slash, last = rest.rpartition("/")
    name, _, tag = last.partition(":")
    return Image(directory + slash + name, tag, digest)


# `host[:port][/path]`, the start of an image reference. See https://github.com/distribution/reference.
REGISTRY = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*/?$"


def replace_registry(reference: str, mirror: str) -> str:
    """Return an image reference with `mirror` (`host[:port][/path]`) instead of its registry.

    Official images of Docker Hub keep their implied path: busybox becomes <mirror>/library/busybox.
    """
    mirror = mirror.rstrip("/")
    if reference.startswith(f"{mirror}/"):
        return reference
    host, slash, path = reference.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = "docker.io", reference
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return f"{mirror}/{path}"
