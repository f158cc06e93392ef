"""Rules about certificates in projected volumes: trust bundles and pod certificates."""

from __future__ import annotations

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import ANNOTATIONS_SIZE, check_selector, outside, sources_of_type, text_size
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import PodView

CERTIFICATE_FILES = ("credentialBundlePath", "keyPath", "certificateChainPath")
_KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
_SHORTEST_CERTIFICATE, _LONGEST_CERTIFICATE, _LONGEST_OF_KUBERNETES = 3600, 91 * 86400, 86400


@rule(
    "invalid-trust-bundle",
    Severity.ERROR,
    needs=("volumes",),
    since="1.37",
    fix="Set either name or signerName, and a relative path.",
)
def invalid_trust_bundle(pod: PodView, ctx: Context) -> Problems:
    """Invalid clusterTrustBundle source of a projected volume.

    The API server requires either the name of one bundle, without a labelSelector, or the signerName of several.
    """
    for bundle, where in sources_of_type(pod, "clusterTrustBundle"):
        name, signer = bundle.get("name"), bundle.get("signerName")
        if name is not None and signer is not None:
            yield problem(where, "both name and signerName are set")
        elif name is None and signer is None:
            yield problem(where, "missing name or signerName")
        elif isinstance(name, str):
            if fault := _bundle_name(name):
                yield problem((*where, "name"), f"invalid ClusterTrustBundle name {quote(name)}: {fault}")
            if bundle.get("labelSelector") is not None:
                yield problem((*where, "labelSelector"), "labelSelector conflicts with name")
        elif isinstance(signer, str):
            if fault := _signer(signer):
                yield problem((*where, "signerName"), f"invalid signerName {quote(signer)}: {fault}")
            yield from check_selector(bundle.get("labelSelector"), (*where, "labelSelector"))
        path = bundle.get("path")
        if isinstance(path, str) and (fault := outside(path)):
            yield problem((*where, "path"), f"invalid path {quote(path)}: {fault}")


@rule(
    "invalid-pod-certificate",
    Severity.ERROR,
    needs=("volumes",),
    since="1.37",
    fix="Set signerName, keyType, and at least one file path.",
)
def invalid_pod_certificate(pod: PodView, ctx: Context) -> Problems:
    """Invalid podCertificate source of a projected volume.

    The API server requires a signer of the form <domain>/<name>, a supported key type, at least one output file, and a
    lifetime of 1 hour to 91 days (1 day for signers of Kubernetes itself).
    """
    for part, where in sources_of_type(pod, "podCertificate"):
        signer, key_type = part.get("signerName"), part.get("keyType")
        if isinstance(signer, str) and (fault := _signer(signer)):
            yield problem((*where, "signerName"), f"invalid signerName {quote(signer)}: {fault}")
        if isinstance(key_type, str) and key_type not in _KEY_TYPES:
            known = ", ".join(_KEY_TYPES)
            yield problem((*where, "keyType"), f"unknown keyType {quote(key_type)}, expected one of {known}")
        annotations = as_mapping(part.get("userAnnotations"))
        for key in annotations:
            if isinstance(key, str) and (fault := names.check_qualified_name(key.lower()) or _unprefixed(key)):
                yield problem((*where, "userAnnotations", key), f"invalid key {quote(key)}: {fault}", on_key=True)
        size = text_size((*annotations, *annotations.values()), ANNOTATIONS_SIZE)
        if size > ANNOTATIONS_SIZE:
            message = f"userAnnotations too large: {size} bytes (limit: {ANNOTATIONS_SIZE})"
            yield problem((*where, "userAnnotations"), message, on_key=True)
        seconds = part.get("maxExpirationSeconds")
        own = isinstance(signer, str) and f".{signer}".partition("/")[0].endswith(".kubernetes.io")
        longest = _LONGEST_OF_KUBERNETES if own else _LONGEST_CERTIFICATE
        if seconds.__class__ is int and not _SHORTEST_CERTIFICATE <= seconds <= longest:
            message = f"invalid maxExpirationSeconds {seconds}: use a number from {_SHORTEST_CERTIFICATE} to {longest}"
            yield problem((*where, "maxExpirationSeconds"), message)
        files = [field for field in CERTIFICATE_FILES if part.get(field)]
        if not files:
            yield problem(where, f"no output file, expected one of {', '.join(CERTIFICATE_FILES)}")
        for field in files:
            path = part[field]
            if isinstance(path, str) and (fault := outside(path)):
                yield problem((*where, field), f"invalid path {quote(path)}: {fault}")


def _unprefixed(key: str) -> str | None:
    return None if "/" in key else "missing prefix, use the form <domain>/<name>"


def _signer(name: str) -> str | None:
    """Return why a name is not a `<domain>/<name>` signer, None if it is (ValidateSignerName of the API server)."""
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        return "use the form <domain>/<name>"
    for label in domain.split("."):
        if fault := names.check_dns_label(label):
            return f"invalid domain ({fault})"
    if "." not in domain:
        return "use a domain with at least two parts"
    if fault := names.check_dns_subdomain(rest):
        return f"invalid name ({fault})"
    return None


def _bundle_name(name: str) -> str | None:
    """Check a bundle name: a DNS subdomain, or `<signer>:<name>` with the "/" of the signer replaced by ":"."""
    signer, colon, rest = name.rpartition(":")
    if not name:
        return "must not be empty"
    if "/" in signer:
        return 'replace "/" in the signer with ":"'
    return names.check_dns_subdomain(rest) if colon and signer else names.check_dns_subdomain(name)
