"""Rules about the sources of volumes: what each needs, and which values it takes. Knows one source at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sidecarctl.findings import Severity, quote
from sidecarctl.kube import names
from sidecarctl.kube.quantity import nano
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.fields import blank, listed, volume_sources
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.views import Data, PodView

# What must have a value. "?": the schema lets it be absent; of the others it speaks itself where they are.
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
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.[0-9A-Za-z.-]+:[^,;*&$|\s]+\Z", re.ASCII),
    "eui": re.compile(r"\Aeui.[0-9A-Za-z]{16}\Z"),
    "naa": re.compile(r"\Anaa.[0-9A-Za-z]{32}\Z"),
}

# Field, what is wrong with it: both relative to the source.
_Fault = tuple[tuple[str, ...], str]


@rule(
    "missing-volume-field",
    Severity.ERROR,
    needs=("volumes",),
    fix="Fill it in.",
)
def missing_volume_field(pod: PodView, ctx: Context) -> Problems:
    """The source of a volume lacks what it is about.

    The schema leaves many fields optional that the API server wants to see filled: the name of a ConfigMap, of a
    Secret, the image of an image volume. Empty values are not enough either.
    """
    found = volume_sources(pod)
    for kind, own in found.items():
        if kind in _NEEDED and not _optional_image(kind, pod, ctx):
            for source, where in own:
                for field in _lacking(source, _NEEDED[kind]):
                    yield problem((*where, field), f"the {kind} volume needs {field}")
    for projected, where in found.get("projected", ()):
        for number, part in listed(projected, "sources"):
            for kind in ("configMap", "secret"):
                held = part.get(kind)
                if isinstance(held, dict) and blank(held.get("name")):
                    yield problem((*where, "sources", number, kind, "name"), f"the projected {kind} needs a name")


def _lacking(source: Data, fields: tuple[str, ...]) -> Iterator[str]:
    for field in fields:
        name = field.lstrip("?")
        value = source.get(name)
        if value == "" or value == [] or (name != field and value is None):
            yield name


def _optional_image(kind: str, pod: PodView, ctx: Context) -> bool:
    """Before 1.37 a template may leave the image of a volume to whoever makes the pods."""
    return kind == "image" and pod.object.kind != "Pod" and not ctx.since("1.37")


@rule(
    "invalid-empty-dir-size",
    Severity.ERROR,
    needs=("volumes",),
    fix="Remove the minus.",
)
def invalid_empty_dir_size(pod: PodView, ctx: Context) -> Problems:
    """The size limit of an emptyDir is less than nothing.

    The API server refuses it.
    """
    for source, where in volume_sources(pod).get("emptyDir", ()):
        amount = nano(source.get("sizeLimit"))
        if amount is not None and amount < 0:
            message = f"a size limit of {quote(source['sizeLimit'])} is less than nothing"
            yield problem((*where, "sizeLimit"), message)


@rule(
    "invalid-volume-value",
    Severity.ERROR,
    needs=("volumes",),
    fix="See what the volume's driver documents for the field.",
)
def invalid_volume_value(pod: PodView, ctx: Context) -> Problems:
    """A field of a volume's source has a value that the source can't have.

    The API server knows the names, numbers and combinations that drivers take: names of CSI drivers, pull policies of
    image volumes, units of SCSI targets, partitions of disks, and refuses others.
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
            message = "name and targetPortal of the volume together must have at most 63 characters"
            yield problem((*where[:-1], "name"), message)


def _csi(source: Data) -> Iterator[_Fault]:
    driver = source.get("driver")
    if driver and isinstance(driver, str):
        if len(driver) > names.LABEL_LENGTH:
            yield ("driver",), f"the driver's name must have at most 63 characters, and has {len(driver)}"
        elif fault := names.dns_subdomain(driver.lower()):
            yield ("driver",), f"{quote(driver)} is no name of a driver: it {fault}"
    secret = source.get("nodePublishSecretRef")
    if isinstance(secret, dict):
        name = secret.get("name")
        if blank(name):
            yield ("nodePublishSecretRef", "name"), "it does not say which Secret"
        elif isinstance(name, str) and (fault := names.dns_subdomain(name)):
            yield ("nodePublishSecretRef", "name"), f"{quote(name)} is no name of a Secret: it {fault}"


def _image(source: Data) -> Iterator[_Fault]:
    policy = source.get("pullPolicy")
    if isinstance(policy, str) and policy not in _PULL_POLICIES:
        yield ("pullPolicy",), f"{quote(policy)} is no pull policy; known are {', '.join(_PULL_POLICIES[1:])}"


def _disk(source: Data) -> Iterator[_Fault]:
    yield from _within(source, "partition", 255)


def _iscsi(source: Data) -> Iterator[_Fault]:
    yield from _within(source, "lun", 255)
    for field in ("iqn", "initiatorName"):
        name = source.get(field)
        if isinstance(name, str) and (name or field == "initiatorName"):
            pattern = _ISCSI_NAMES.get(name[:3])
            if pattern is None or not pattern.search(name):
                yield (field,), f"{quote(name)} is no name of the forms iqn.YEAR-MONTH.DOMAIN:NAME, eui.… or naa.…"
    if source.get("secretRef") is None and (source.get("chapAuthDiscovery") or source.get("chapAuthSession")):
        yield ("secretRef",), "authentication by CHAP needs a secretRef"


def _fc(source: Data) -> Iterator[_Fault]:
    worldwide, ids = source.get("targetWWNs"), source.get("wwids")
    if not worldwide and not ids:
        yield ("targetWWNs",), "there must be either targetWWNs or wwids"
    elif worldwide and ids:
        yield ("targetWWNs",), "there can't be both targetWWNs and wwids"
    if worldwide and source.get("lun") is None:
        yield ("lun",), "targetWWNs need a lun"
    elif worldwide:
        yield from _within(source, "lun", 255)


def _flocker(source: Data) -> Iterator[_Fault]:
    name, number = source.get("datasetName"), source.get("datasetUUID")
    if not name and not number:
        yield (), "there must be either a datasetName or a datasetUUID"
    elif name and number:
        yield (), "there can't be both a datasetName and a datasetUUID"
    if isinstance(name, str) and "/" in name:
        yield ("datasetName",), f'{quote(name)} must not contain "/"'


def _quobyte(source: Data) -> Iterator[_Fault]:
    registry, tenant = source.get("registry"), source.get("tenant")
    if registry and isinstance(tenant, str) and len(tenant.encode()) > 64:
        yield ("tenant",), f"the tenant must have at most 64 characters, and has {len(tenant)}"
    elif registry and isinstance(registry, str) and not all(_host_and_port(one) for one in registry.split(",")):
        yield ("registry",), f"{quote(registry)} must be HOST:PORT, or several with commas between"


def _azure_disk(source: Data) -> Iterator[_Fault]:
    address, kind = source.get("diskURI"), source.get("kind") or "Shared"
    if isinstance(address, str) and address:
        begin = "/subscriptions/" if kind == "Managed" else "https://"
        if not address.startswith(begin):
            yield ("diskURI",), f"the diskURI of a disk of kind {kind} begins with {begin}"


def _flex_volume(source: Data) -> Iterator[_Fault]:
    for key in as_mapping(source.get("options")):
        owner = "." + str(key).partition("/")[0].lower()
        if owner.endswith((".kubernetes.io", ".k8s.io")):
            yield ("options", key), f"{quote(key)} is reserved for Kubernetes"


def _storageos(source: Data) -> Iterator[_Fault]:
    for field in ("volumeName", "volumeNamespace"):
        name = source.get(field)
        if name and isinstance(name, str) and (fault := names.dns_label(name)):
            yield (field,), f"{quote(name)} {fault}"
    yield from _secret_of(source)


def _secret_of(source: Data) -> Iterator[_Fault]:
    secret = source.get("secretRef")
    if isinstance(secret, dict) and blank(secret.get("name")):
        yield ("secretRef", "name"), "it does not say which Secret"


def _within(source: Data, field: str, most: int) -> Iterator[_Fault]:
    number = source.get(field)
    if number.__class__ is int and not 0 <= number <= most:
        yield (field,), f"{field} must be a number from 0 to {most}, and is {number}"


def _host_and_port(text: str) -> bool:
    """Tell whether a text splits into host and port; an IPv6 address stands in brackets."""
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
