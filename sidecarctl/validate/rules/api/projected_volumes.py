"""Rules about the files and folders of volumes: modes, paths, keys that become files."""

from __future__ import annotations

from collections.abc import Iterator

from sidecarctl.findings import PathTuple, Related, Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.versions import enabled
from sidecarctl.validate.fields import Sources, chosen, listed, selector_faults, sources_of_type, volume_sources
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, PodView

_OF_FILES = ("secret", "configMap", "downwardAPI")
_LARGEST_MODE = 0o777


@rule(
    "invalid-file-mode",
    Severity.ERROR,
    needs=("volumes",),
    fix="Write the mode in octal, with a leading zero (0644), or as a decimal number up to 511; JSON takes decimal only.",
)
def invalid_file_mode(pod: PodView, ctx: Context) -> Problems:
    """The mode of a volume's files is out of range.

    A mode goes from 0 to 0777, which is 511. A number without the leading zero is decimal: 755 is 01363, which the API
    server refuses.
    """
    for source, where in _file_sources(pod):
        holders = [(source, "defaultMode", where)]
        holders += [(item, "mode", (*where, "items", index)) for index, item in listed(source, "items")]
        for holder, field, at in holders:
            mode = holder.get(field)
            if mode.__class__ is int and not 0 <= mode <= _LARGEST_MODE:
                meant = f"0{mode}" if str(mode).isdigit() and set(str(mode)) <= set("01234567") else ""
                hint = f"Write {meant}, which is {int(meant, 8)}." if meant and int(meant, 8) <= _LARGEST_MODE else ""
                yield problem((*at, field), f"{mode} is no mode; it is octal {mode:o}", help=hint)


@rule(
    "invalid-volume-item",
    Severity.ERROR,
    needs=("volumes",),
    fix="Give each item a path in the volume: relative, and without .. in it or in front.",
)
def invalid_volume_item(pod: PodView, ctx: Context) -> Problems:
    """A file of a volume lies outside of it, or has no key or path.

    Paths of items begin at the volume, wherever that is mounted. The API server refuses absolute paths, ".." and names
    that begin with it.
    """
    for source, where in _file_sources(pod):
        for index, item in listed(source, "items"):
            at = (*where, "items", index)
            if item.get("key") == "":
                yield problem((*at, "key"), "the key is empty")
            path = item.get("path")
            if isinstance(path, str) and (fault := outside(path)):
                yield problem((*at, "path"), f"the path {quote(path)} {fault}")


@rule(
    "invalid-host-path",
    Severity.ERROR,
    needs=("volumes",),
    fix="Write the path without ..; where it is mounted from NFS, make it absolute.",
)
def invalid_host_path(pod: PodView, ctx: Context) -> Problems:
    """The path of a hostPath, nfs or gitRepo volume is one that the API server refuses.

    It refuses ".." in the path of a hostPath, which could lead out of what is allowed, a relative path on an NFS server,
    and a directory for a Git repository outside of the volume.
    """
    found = volume_sources(pod)
    for kind, field in (("hostPath", "path"), ("nfs", "path"), ("gitRepo", "directory")):
        for source, where in found.get(kind, ()):
            path = source.get(field)
            if not path or not isinstance(path, str):
                continue
            if kind != "nfs" and ".." in path.split("/"):
                yield problem((*where, field), f'the path {quote(path)} must not contain ".."')
            elif path[0] != "/" and kind == "nfs":
                yield problem((*where, field), f"the path {quote(path)} must be absolute")
            elif path[0] == "/" and kind == "gitRepo":
                yield problem((*where, field), f"the directory {quote(path)} must be relative")


def outside(path: str) -> str:
    """Say why a path does not lie in a volume, "" where it does; as the server's ValidateLocalNonReservedPath."""
    if not path:
        return "is empty"
    if path[0] == "/":
        return "must be relative"
    if ".." in path.split("/"):
        return 'must not contain ".."'
    return 'must not begin with ".."' if path.startswith("..") else ""


def _file_sources(pod: PodView) -> Sources:
    """Return the sources that hold files, those projected into one volume included."""
    return [
        *volume_sources(pod).get("projected", ()),
        *(one for kind in _OF_FILES for one in sources_of_type(pod, kind)),
    ]


_KINDS = ("secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate")
_CERTIFICATE_FILES = ("credentialBundlePath", "keyPath", "certificateChainPath")
_KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
_SHORTEST_TOKEN, _LONGEST_TOKEN = 600, 2**32
_SHORTEST_CERTIFICATE, _LONGEST_CERTIFICATE, _LONGEST_OF_KUBERNETES = 3600, 91 * 86400, 86400


@rule(
    "invalid-projected-source",
    Severity.ERROR,
    needs=("volumes",),
    fix="Give each its own item, with a dash.",
)
def invalid_projected_source(pod: PodView, ctx: Context) -> Problems:
    """An item of a projected volume has more than one source.

    The API server refuses it: each item of `sources` is one.
    """
    for projected, where in volume_sources(pod).get("projected", ()):
        for number, source in listed(projected, "sources"):
            found = chosen(source, _KINDS)
            if len(found) > 1:
                yield problem((*where, "sources", number), f"the item has {len(found)} sources: {', '.join(found)}")


@rule(
    "projected-path-conflict",
    Severity.ERROR,
    needs=("volumes",),
    fix="Give each file a path of its own.",
)
def projected_path_conflict(pod: PodView, ctx: Context) -> Problems:
    """Two files of a projected volume have the same path.

    One would hide the other; the API server refuses it.
    """
    for projected, where in volume_sources(pod).get("projected", ()):
        seen: dict[str, PathTuple] = {}
        for number, source in listed(projected, "sources"):
            for path, at in _paths(source, (*where, "sources", number), ctx):
                first = seen.setdefault(path, at)
                if first != at:
                    related = (Related("the first", first),)
                    yield problem(at, f"another file has the path {quote(path)} too", related=related)


def _paths(source: Data, where: PathTuple, ctx: Context) -> Iterator[tuple[str, PathTuple]]:
    """Yield the paths that the server compares: not those of tokens."""
    for kind in ("secret", "configMap", "downwardAPI"):
        part = source.get(kind)
        if isinstance(part, dict):
            for index, item in listed(part, "items"):
                path = item.get("path")
                if path and isinstance(path, str):
                    yield path, (*where, kind, "items", index, "path")
    if enabled("pod-certificate", ctx.kube_version):
        for kind, fields in (("clusterTrustBundle", ("path",)), ("podCertificate", _CERTIFICATE_FILES)):
            part = source.get(kind)
            if isinstance(part, dict):
                for field in fields:
                    path = part.get(field)
                    if path and isinstance(path, str):
                        yield path, (*where, kind, field)


@rule(
    "invalid-service-account-token",
    Severity.ERROR,
    needs=("volumes",),
    fix="Use a relative path, and a time from 600 seconds (10 minutes) to 2^32.",
)
def invalid_service_account_token(pod: PodView, ctx: Context) -> Problems:
    """A projected service account token lives too shortly or lies outside of the volume.

    The API server issues tokens for ten minutes at least, and since Kubernetes 1.30 refuses paths that lead out of the
    volume.
    """
    for token, where in sources_of_type(pod, "serviceAccountToken"):
        seconds = token.get("expirationSeconds")
        if seconds.__class__ is int and not _SHORTEST_TOKEN <= seconds <= _LONGEST_TOKEN:
            limit = "less than 600 seconds" if seconds < _SHORTEST_TOKEN else "more than 2^32 seconds"
            yield problem((*where, "expirationSeconds"), f"{seconds} seconds are {limit}")
        path = token.get("path")
        if isinstance(path, str) and (fault := outside(path)) and (ctx.since("1.30") or not path):
            yield problem((*where, "path"), f"the path {quote(path)} {fault}")


@rule(
    "invalid-trust-bundle",
    Severity.ERROR,
    needs=("volumes",),
    since="1.37",
    fix="Give it either a name or a signerName, and a relative path.",
)
def invalid_trust_bundle(pod: PodView, ctx: Context) -> Problems:
    """A projected ClusterTrustBundle does not say which, or not clearly.

    The API server wants either the name of one, without a labelSelector, or the signer of several.
    """
    for bundle, where in sources_of_type(pod, "clusterTrustBundle"):
        name, signer = bundle.get("name"), bundle.get("signerName")
        if name is not None and signer is not None:
            yield problem(where, "there can't be both a name and a signerName")
        elif name is None and signer is None:
            yield problem(where, "there must be either a name or a signerName")
        elif isinstance(name, str):
            if fault := _bundle_name(name):
                yield problem((*where, "name"), f"{quote(name)} is no name of a ClusterTrustBundle: it {fault}")
            if bundle.get("labelSelector") is not None:
                yield problem((*where, "labelSelector"), "a bundle with a name can't have a labelSelector")
        elif isinstance(signer, str):
            if fault := _signer(signer):
                yield problem((*where, "signerName"), f"{quote(signer)} is no name of a signer: it {fault}")
            yield from selector_faults(bundle.get("labelSelector"), (*where, "labelSelector"))
        path = bundle.get("path")
        if isinstance(path, str) and (fault := outside(path)):
            yield problem((*where, "path"), f"the path {quote(path)} {fault}")


@rule(
    "invalid-pod-certificate",
    Severity.ERROR,
    needs=("volumes",),
    since="1.37",
    fix="Give it a signer, a type of key, and a path for what it writes.",
)
def invalid_pod_certificate(pod: PodView, ctx: Context) -> Problems:
    """A projected pod certificate is incomplete or out of range.

    The API server wants a signer of the form DOMAIN/NAME, one of the known types of keys, at least one file to write, and
    a life of one hour to 91 days (one day where the signer is Kubernetes' own).
    """
    for part, where in sources_of_type(pod, "podCertificate"):
        signer, key_type = part.get("signerName"), part.get("keyType")
        if isinstance(signer, str) and (fault := _signer(signer)):
            yield problem((*where, "signerName"), f"{quote(signer)} is no name of a signer: it {fault}")
        if isinstance(key_type, str) and key_type not in _KEY_TYPES:
            known = ", ".join(_KEY_TYPES)
            yield problem((*where, "keyType"), f"{quote(key_type)} is no type of key; known are {known}")
        seconds = part.get("maxExpirationSeconds")
        own = isinstance(signer, str) and f".{signer}".partition("/")[0].endswith(".kubernetes.io")
        longest = _LONGEST_OF_KUBERNETES if own else _LONGEST_CERTIFICATE
        if seconds.__class__ is int and not _SHORTEST_CERTIFICATE <= seconds <= longest:
            message = f"{seconds} seconds are not from {_SHORTEST_CERTIFICATE} to {longest}"
            yield problem((*where, "maxExpirationSeconds"), message)
        files = [field for field in _CERTIFICATE_FILES if part.get(field)]
        if not files:
            yield problem(where, f"it writes nothing; it needs one of {', '.join(_CERTIFICATE_FILES)}")
        for field in files:
            path = part[field]
            if isinstance(path, str) and (fault := outside(path)):
                yield problem((*where, field), f"the path {quote(path)} {fault}")


def _signer(name: str) -> str | None:
    """Check DOMAIN/NAME; as the server's ValidateSignerName."""
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        return "must be DOMAIN/NAME"
    for label in domain.split("."):
        if fault := names.dns_label(label):
            return f"has a bad domain, of which each part {fault}"
    if "." not in domain:
        return "must have a domain of two parts at least"
    if fault := names.dns_subdomain(rest):
        return f"has a bad name, which {fault}"
    return None


def _bundle_name(name: str) -> str | None:
    """Check the name of a bundle: a DNS subdomain, or SIGNER:NAME with colons for the slash."""
    signer, colon, rest = name.rpartition(":")
    if not name:
        return "must not be empty"
    if "/" in signer:
        return 'must have ":" where its signer has "/"'
    return names.dns_subdomain(rest) if colon and signer else names.dns_subdomain(name)
