"""Supported Kubernetes versions, and the feature gates that each version enables."""

from __future__ import annotations

from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.lazy_pattern import lazy_pattern

OLDEST_MINOR = 25
NEWEST_MINOR = 37
SUPPORTED: tuple[str, ...] = tuple(f"1.{minor}" for minor in range(OLDEST_MINOR, NEWEST_MINOR + 1))
NEWEST = SUPPORTED[-1]

# "v1.34.2-gke.100", "1.29+", "1.34": suffixes of managed clusters do not affect the API.
_VERSION = lazy_pattern(r"v?1\.(\d{1,3})(?:\.(?:\d+|x))?\+?(?:[-+][0-9A-Za-z.+-]*)?")


@dataclass(frozen=True)
class Feature:
    """A feature gate: the minor versions in which it became alpha, enabled by default, and stable.

    0 means in no known version. Source: the feature gate table of the API server.
    """

    name: str
    alpha: int
    default: int = 0
    stable: int = 0


FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature("native-sidecar", 28, 29, 33),
        Feature("pod-level-resources", 32, 34),
        Feature("container-restart-rules", 34, 35),
        Feature("container-stop-signal", 33),
        Feature("env-files", 34, 35),
        Feature("hostname-override", 34, 35, 37),
        Feature("image-volume", 31, 35, 36),
        Feature("in-place-resize", 27, 33, 35),
        Feature("in-place-resize-init", 36, 36, 37),
        Feature("job-managed-by", 30, 32, 35),
        Feature("max-unavailable-statefulset", 24, 37),
        Feature("pod-certificate", 34, 37, 37),
        Feature("pod-scheduling-readiness", 26, 27, 30),
        Feature("proc-mount", 12, 33, 36),
        Feature("recursive-read-only", 30, 31, 33),
        Feature("relaxed-env-names", 30, 32, 34),
        Feature("relaxed-service-names", 34, 36, 37),
        Feature("sleep-action", 29, 30, 34),
        Feature("supplemental-groups-policy", 31, 33, 35),
        Feature("user-namespaces", 25, 33, 36),
        Feature("volume-attributes-class", 29, 34, 34),
        Feature("empty-dir-mode", 37),
        Feature("taint-comparison", 35),
    )
}


def parse_version(text: str) -> str:
    """Return the minor version "1.34" for "1.34", "v1.34.2", "1.34+", or "v1.34.2-gke.5".

    Raise UsageError with a suggestion for other texts and for unsupported versions.
    """
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        hint = did_you_mean(text.strip(), SUPPORTED) or "use a version such as 1.34 or v1.34.2"
        raise UsageError(f'invalid Kubernetes version "{text}"', hint=hint)
    minor_text = match.group(1)
    version = f"1.{int(minor_text)}"
    if version in SUPPORTED:
        return version
    # YAML reads an unquoted 1.30 as the number 1.3.
    if f"{version}0" in SUPPORTED:
        hint = f'did you mean "{version}0"? Quote it in YAML'
    elif int(minor_text) > NEWEST_MINOR:
        hint = f"use {NEWEST}, or upgrade sidecarctl"
    else:
        hint = f"use {SUPPORTED[0]} or later"
    raise UsageError(f"unsupported Kubernetes version {version} (supported: {SUPPORTED[0]} to {NEWEST})", hint=hint)


def minor(version: str) -> int:
    """Return the minor number of a parsed version: 34 for "1.34"."""
    return int(version[2:])


def at_least(version: str, since: str) -> bool:
    """Return True if `version` is `since` or later. Both are parsed versions such as "1.34"."""
    return minor(version) >= minor(since)


def has_feature(feature: str, version: str) -> bool:
    """Return True if a feature exists in a version, even if it is disabled by default."""
    return minor(version) >= FEATURES[feature].alpha


def enabled(feature: str, version: str) -> bool:
    """Return True if a feature is enabled by default in a version."""
    default = FEATURES[feature].default
    return bool(default) and minor(version) >= default
