"""Rules about the fields of single volume sources."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.quantity import parse_quantity
from sidecarctl.kube.workload import as_mapping
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.validate.fields import blank, listed, volume_sources
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, PodView

# Required fields by source. "?" marks fields that the schema makes optional; it reports the others if absent.
_NEEDED: dict[str, tuple[str, ...]] = {
    "awsElasticBlockStore": ("volumeID",),
    "azureDisk": ("diskName", "diskURI"),
    "azureFile": ("secretName", "shareName"),
    "cephfs": ("monitors",),
    "cinder": ("volumeID",),
    "configMap": ("?name",),
    "csi": ("driver",),
    "ephemeral": ("?volumeClaimTemplate",),
    "flexVolume": ("driver",),
    "gcePersistentDisk": ("pdName",),
    "gitRepo": ("repository",),
    "glusterfs": ("endpoints", "path"),
    "hostPath": ("path",),
    "image": ("?reference",),
    "iscsi": ("targetPortal", "iqn"),
    "nfs": ("server", "path"),
    "persistentVolumeClaim": ("claimName",),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "quobyte": ("registry", "volume"),
    "rbd": ("monitors", "image"),
    "scaleIO": ("gateway", "system", "?volumeName"),
    "secret": ("?secretName",),
    "storageos": ("?volumeName",),
    "vsphereVolume": ("volumePath",),
}
_PULL_POLICIES = ("", "Always", "IfNotPresent", "Never")
_ISCSI_NAMES = {
    "iqn": lazy_pattern(r"iqn\.\d{4}-\d{2}\.[0-9A-Za-z.-]+:[^,;*&$|\s]+\Z", re.ASCII),
    "eui": lazy_pattern(r"\Aeui.[0-9A-Za-z]{16}\Z"),
    "naa": lazy_pattern(r"\Anaa.[0-9A-Za-z]{32}\Z"),
}

# Path of a field in the source, and the message.
_Fault = tuple[tuple[str, ...], str]


@rule(
    "missing-volume-field",
    Severity.ERROR,
    needs=("volumes",),
    fix="Set the field.",
)
def missing_volume_field(pod: PodView, ctx: Context) -> Problems:
    """A volume source lacks a required field.

    The schema marks many fields as optional that the API server requires, such as the name of a ConfigMap or Secret, or
    the reference of an image volume. Empty values also count as missing.
    """
    found = volume_sources(pod)
    for kind, own in found.items():
        if kind in _NEEDED and not _optional_image(kind, pod, ctx):
            for source, where in own:
                for field in _lacking(source, _NEEDED[kind]):
                    yield problem((*where, field), f"missing required field in {kind} volume: {field}")
    for projected, where in found.get("projected", ()):
        for number, part in listed(projected, "sources"):
            for kind in ("configMap", "secret"):
                held = part.get(kind)
                if isinstance(held, dict) and blank(held.get("name")):
                    yield problem(
                        (*where, "sources", number, kind, "name"), f"missing required field in projected {kind}: name"
                    )


def _lacking(source: Data, fields: tuple[str, ...]) -> Iterator[str]:
    for field in fields:
        name = field.lstrip("?")
        value = source.get(name)
        if value == "" or value == [] or (name != field and value is None):
            yield name


def _optional_image(kind: str, pod: PodView, ctx: Context) -> bool:
    """Return True if the volume source may omit its image; before Kubernetes 1.37 a template may."""
    return kind == "image" and pod.object.kind != "Pod" and not ctx.since("1.37")


@rule(
    "invalid-empty-dir-size",
    Severity.ERROR,
    needs=("volumes",),
    fix="Remove the minus sign.",
)
def invalid_empty_dir_size(pod: PodView, ctx: Context) -> Problems:
    """The sizeLimit of an emptyDir is negative.

    The API server rejects negative quantities.
    """
    for source, where in volume_sources(pod).get("emptyDir", ()):
        amount = parse_quantity(source.get("sizeLimit"))
        if amount is not None and amount < 0:
            message = f"invalid sizeLimit {quote(source['sizeLimit'])}: must not be negative"
            yield problem((*where, "sizeLimit"), message)


@rule(
    "invalid-volume-value",
    Severity.ERROR,
    needs=("volumes",),
    fix="Check the field in the documentation of the volume driver.",
)
def invalid_volume_value(pod: PodView, ctx: Context) -> Problems:
    """Invalid value in a volume source.

    The API server validates driver-specific fields: names of CSI drivers, pull policies of image volumes, LUNs of SCSI
    targets, and disk partitions.
    """
    found = volume_sources(pod)
    for kind, own in found.items():
        if kind in _FAULTS:
            for source, where in own:
                for field, fault in _FAULTS[kind](source):
                    yield problem((*where, *field), fault)
    for source, where in found.get("iscsi", ()):
        name, portal = pod.text("volumes", where[-2], "name"), source.get("targetPortal")
        if source.get("initiatorName") is not None and isinstance(portal, str) and len(f"{name}:{portal}") > 64:
            message = "volume name and targetPortal too long: more than 63 characters in total"
            yield problem((*where[:-1], "name"), message)


def _csi(source: Data) -> Iterator[_Fault]:
    driver = source.get("driver")
    if driver and isinstance(driver, str):
        if len(driver) > names.LABEL_LENGTH:
            yield (
                ("driver",),
                f"invalid CSI driver name {quote(driver)}: {len(driver)} characters long (limit: {names.LABEL_LENGTH})",
            )
        elif fault := names.check_dns_subdomain(driver.lower()):
            yield ("driver",), f"invalid CSI driver name {quote(driver)}: {fault}"
    secret = source.get("nodePublishSecretRef")
    if isinstance(secret, dict):
        name = secret.get("name")
        if blank(name):
            yield ("nodePublishSecretRef", "name"), "missing Secret name"
        elif isinstance(name, str) and (fault := names.check_dns_subdomain(name)):
            yield ("nodePublishSecretRef", "name"), f"invalid Secret name {quote(name)}: {fault}"


def _image(source: Data) -> Iterator[_Fault]:
    policy = source.get("pullPolicy")
    if isinstance(policy, str) and policy not in _PULL_POLICIES:
        yield ("pullPolicy",), f"unknown pull policy {quote(policy)}, expected one of {', '.join(_PULL_POLICIES[1:])}"


def _disk(source: Data) -> Iterator[_Fault]:
    yield from _within(source, "partition", 255)


def _iscsi(source: Data) -> Iterator[_Fault]:
    yield from _within(source, "lun", 255)
    for field in ("iqn", "initiatorName"):
        name = source.get(field)
        if isinstance(name, str) and (name or field == "initiatorName"):
            pattern = _ISCSI_NAMES.get(name[:3])
            if pattern is None or not pattern.search(name):
                yield (
                    (field,),
                    f"invalid {field} {quote(name)}: use iqn.<year>-<month>.<domain>:<name>, eui.<id>, or naa.<id>",
                )
    if source.get("secretRef") is None and (source.get("chapAuthDiscovery") or source.get("chapAuthSession")):
        yield ("secretRef",), "CHAP authentication requires secretRef"


def _fc(source: Data) -> Iterator[_Fault]:
    worldwide, ids = source.get("targetWWNs"), source.get("wwids")
    if not worldwide and not ids:
        yield ("targetWWNs",), "missing targetWWNs or wwids"
    elif worldwide and ids:
        yield ("targetWWNs",), "both targetWWNs and wwids are set"
    if worldwide and source.get("lun") is None:
        yield ("lun",), "targetWWNs requires lun"
    elif worldwide:
        yield from _within(source, "lun", 255)


def _flocker(source: Data) -> Iterator[_Fault]:
    name, number = source.get("datasetName"), source.get("datasetUUID")
    if not name and not number:
        yield (), "missing datasetName or datasetUUID"
    elif name and number:
        yield (), "both datasetName and datasetUUID are set"
    if isinstance(name, str) and "/" in name:
        yield ("datasetName",), f'invalid datasetName {quote(name)}: "/" is not allowed'


def _quobyte(source: Data) -> Iterator[_Fault]:
    registry, tenant = source.get("registry"), source.get("tenant")
    if registry and isinstance(tenant, str) and len(tenant.encode()) > 64:
        yield ("tenant",), f"tenant too long: {len(tenant)} characters (limit: 64)"
    elif registry and isinstance(registry, str) and not all(_host_and_port(item) for item in registry.split(",")):
        yield ("registry",), f"invalid registry {quote(registry)}: use <host>:<port>, separated by commas"


def _azure_disk(source: Data) -> Iterator[_Fault]:
    address, kind = source.get("diskURI"), source.get("kind") or "Shared"
    if isinstance(address, str) and address:
        begin = "/subscriptions/" if kind == "Managed" else "https://"
        if not address.startswith(begin):
            yield ("diskURI",), f"invalid diskURI {quote(address)}: must start with {begin} for kind {kind}"


def _flex_volume(source: Data) -> Iterator[_Fault]:
    for key in as_mapping(source.get("options")):
        owner = "." + str(key).partition("/")[0].lower()
        if owner.endswith((".kubernetes.io", ".k8s.io")):
            yield ("options", key), f"invalid option {quote(key)}: reserved for Kubernetes"


def _storageos(source: Data) -> Iterator[_Fault]:
    for field in ("volumeName", "volumeNamespace"):
        name = source.get(field)
        if name and isinstance(name, str) and (fault := names.check_dns_label(name)):
            yield (field,), f"invalid {field} {quote(name)}: {fault}"
    yield from _secret_of(source)


def _secret_of(source: Data) -> Iterator[_Fault]:
    secret = source.get("secretRef")
    if isinstance(secret, dict) and blank(secret.get("name")):
        yield ("secretRef", "name"), "missing Secret name"


def _within(source: Data, field: str, most: int) -> Iterator[_Fault]:
    number = source.get(field)
    if number.__class__ is int and not 0 <= number <= most:
        yield (field,), f"invalid {field} {number}: use a number from 0 to {most}"


def _host_and_port(text: str) -> bool:
    """Return True if a text is `host:port`; an IPv6 host is in brackets."""
    return re.fullmatch(r"(\[[^\[\]]*\]|[^\[\]:]*):[^\[\]:]*", text) is not None


_FAULTS: dict[str, Callable[[Data], Iterator[_Fault]]] = {
    "awsElasticBlockStore": _disk,
    "azureDisk": _azure_disk,
    "cinder": _secret_of,
    "csi": _csi,
    "fc": _fc,
    "flexVolume": _flex_volume,
    "flocker": _flocker,
    "gcePersistentDisk": _disk,
    "image": _image,
    "iscsi": _iscsi,
    "quobyte": _quobyte,
    "storageos": _storageos,
}
