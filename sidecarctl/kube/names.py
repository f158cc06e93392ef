"""Which names the API server takes, and in plain words why not. Knows limits and characters; not which field
takes which name.

Every function returns None for a good name, else what is wrong with it as the end of a sentence ("must not
contain dots"). The rules are those of the API server's validation library (apimachinery, util/validation).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from sidecarctl.kube.versions import enabled

LABEL_LENGTH = 63
SUBDOMAIN_LENGTH = 253
PORT_NAME_LENGTH = 15

_MOST_STRANGERS = 4

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_LABEL_1035 = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?")
_QUALIFIED = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_ENV = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_ENV_RELAXED = re.compile(r"[ -<>-~]+")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_HEADER = re.compile(r"[-A-Za-z0-9]+")

# Manifests say the same few names over and over.
_remembered = lru_cache(maxsize=4096)


@_remembered
def dns_label(value: str) -> str | None:
    """Check an RFC 1123 label: names of containers and volumes. At most 63 of a-z, 0-9 and "-"."""
    if len(value) <= LABEL_LENGTH and _LABEL.fullmatch(value):
        return None
    if len(value) > LABEL_LENGTH:
        return _too_long(value, LABEL_LENGTH)
    if _SUBDOMAIN.fullmatch(value):
        return "must not contain dots"
    return _lower_case_problem(value, "-")


@_remembered
def dns_subdomain(value: str) -> str | None:
    """Check an RFC 1123 subdomain: names of most objects. At most 253 characters, labels joined by dots."""
    if len(value) <= SUBDOMAIN_LENGTH and _SUBDOMAIN.fullmatch(value):
        return None
    if len(value) > SUBDOMAIN_LENGTH:
        return _too_long(value, SUBDOMAIN_LENGTH)
    if set(value) <= set("abcdefghijklmnopqrstuvwxyz0123456789-."):
        return "must have a letter or digit at the start and the end of every part between dots"
    return _lower_case_problem(value, "-.")


def dns_label_1035(value: str) -> str | None:
    """Check an RFC 1035 label: names of Services (before the relaxed rule). Like a DNS label, but begins with
    a letter.
    """
    if len(value) <= LABEL_LENGTH and _LABEL_1035.fullmatch(value):
        return None
    if len(value) <= LABEL_LENGTH and _LABEL.fullmatch(value):
        return "must begin with a letter"
    return dns_label(value)


def service_name(value: str, version: str) -> str | None:
    """Check the name of a Service, which may begin with a digit where the relaxed rule is on (1.36 and
    newer).
    """
    return dns_label(value) if enabled("relaxed-service-names", version) else dns_label_1035(value)


def wildcard_subdomain(value: str) -> str | None:
    """Check a host with one leading wildcard ("*.example.com"): hosts of an Ingress."""
    if not value.startswith("*."):
        return 'must begin with "*."'
    return dns_subdomain(value[2:]) if len(value) <= SUBDOMAIN_LENGTH else _too_long(value, SUBDOMAIN_LENGTH)


@_remembered
def port_name(value: str) -> str | None:
    """Check an IANA service name: names of container ports. At most 15 of a-z, 0-9 and single "-", one letter
    at least.
    """
    if not value:
        return "must not be empty"
    if len(value) > PORT_NAME_LENGTH:
        return _too_long(value, PORT_NAME_LENGTH)
    strange = _strangers(value, "abcdefghijklmnopqrstuvwxyz0123456789-")
    if strange:
        return f'must consist of lower-case letters, digits and "-", and has {strange}'
    if not any("a" <= char <= "z" for char in value):
        return "must contain a letter"
    if "--" in value:
        return 'must not contain "--"'
    if value[0] == "-" or value[-1] == "-":
        return 'must not begin or end with "-"'
    return None


@_remembered
def qualified_name(value: str) -> str | None:
    """Check a key of labels or annotations: a name of at most 63 characters, before it an optional
    "prefix/".
    """
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        return 'must have at most one "/"'
    if slash and not prefix:
        return 'must have a prefix before the "/"'
    if prefix and (problem := dns_subdomain(prefix)):
        return f"has a bad prefix: it {problem}"
    if not name:
        return 'must have a name after the "/"' if slash else "must not be empty"
    if len(name) > LABEL_LENGTH:
        return "has a bad name part: it " + _too_long(name, LABEL_LENGTH)
    return None if _QUALIFIED.fullmatch(name) else _mixed_case_problem(name)


@_remembered
def label_value(value: str) -> str | None:
    """Check the value of a label: empty, or at most 63 of letters, digits, "-", "_" and "."."""
    if len(value) > LABEL_LENGTH:
        return _too_long(value, LABEL_LENGTH)
    return None if not value or _QUALIFIED.fullmatch(value) else _mixed_case_problem(value)


@_remembered
def env_name(value: str, version: str) -> str | None:
    """Check the name of an environment variable; from 1.32 any printable ASCII but "=" is taken."""
    if not value:
        return "must not be empty"
    if enabled("relaxed-env-names", version):
        return None if _ENV_RELAXED.fullmatch(value) else 'must consist of printable ASCII characters other than "="'
    if not _ENV.fullmatch(value):
        if value[0] in "0123456789":
            return "must not begin with a digit before Kubernetes 1.32"
        return 'must consist of letters, digits, "_", "-" and "." before Kubernetes 1.32'
    return _parent_folder_problem(value)


@_remembered
def config_map_key(value: str) -> str | None:
    """Check a key of a ConfigMap or Secret: at most 253 of letters, digits, "-", "_" and "."."""
    if not value:
        return "must not be empty"
    if len(value) > SUBDOMAIN_LENGTH:
        return _too_long(value, SUBDOMAIN_LENGTH)
    if not _CONFIG_KEY.fullmatch(value):
        return 'must consist of letters, digits, "-", "_" and "."'
    return _parent_folder_problem(value)


def header_name(value: str) -> str | None:
    """Check the name of an HTTP header in a probe or hook: letters, digits and "-"."""
    return None if _HEADER.fullmatch(value) else 'must consist of letters, digits and "-"'


def as_label(value: str) -> str:
    """Return the nearest DNS label to any text ("Web_App" gives "web-app"), or "" where nothing is left of
    it.
    """
    return re.sub(r"[^a-z0-9]+", "-", value.lower())[:LABEL_LENGTH].strip("-")


def _too_long(value: str, limit: int) -> str:
    return f"must have at most {limit} characters, and has {len(value)}"


def _strangers(value: str, allowed: str) -> str:
    """Name the characters of `value` that are not allowed, each once, the first few: `"_", "W"`."""
    strange = [f'"{char}"' for char in dict.fromkeys(value) if char not in allowed]
    return ", ".join([*strange[:_MOST_STRANGERS], "…"] if len(strange) > _MOST_STRANGERS else strange)


def _lower_case_problem(value: str, extra: str) -> str:
    if not value:
        return "must not be empty"
    strange = _strangers(value, "abcdefghijklmnopqrstuvwxyz0123456789" + extra)
    if strange:
        words = ", ".join(f'"{char}"' for char in extra)
        return f"must consist of lower-case letters, digits and {words}, and has {strange}"
    return "must begin and end with a letter or digit"


def _mixed_case_problem(value: str) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    strange = _strangers(value, letters + letters.upper() + "0123456789-_.")
    if strange:
        return f'must consist of letters, digits, "-", "_" and ".", and has {strange}'
    return "must begin and end with a letter or digit"


def _parent_folder_problem(value: str) -> str | None:
    if value == ".":
        return 'must not be "."'
    return 'must not begin with ".."' if value.startswith("..") else None


OF_CONTAINERS = frozenset(("cpu", "memory", "ephemeral-storage"))
HUGE = "hugepages-"


def container_resource_fault(name: str) -> str:
    """Say why a container can't have a resource of a name, "" where it can."""
    if "/" not in name:
        known = name in OF_CONTAINERS or (name.startswith(HUGE) and not qualified_name(name))
        return "" if known else "is no resource of a container"
    if fault := qualified_name(name):
        return f"is no name of a resource: it {fault}"
    if not is_extended(name) and "kubernetes.io/" not in name:
        return "is no name of a resource"
    return ""


def is_extended(name: str) -> bool:
    """True for a resource of somebody's own: a domain in front that is not kubernetes.io's and no quota's name."""
    if "/" not in name or "kubernetes.io/" in name or name.startswith("requests."):
        return False
    return qualified_name(f"requests.{name}") is None


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
