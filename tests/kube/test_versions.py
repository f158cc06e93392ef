"""Tests of Kubernetes versions and feature gates."""

import pytest

from sidecarctl.errors import UsageError
from sidecarctl.kube import versions


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.34", "1.34"),
        ("v1.34", "1.34"),
        ("v1.34.2", "1.34"),
        (" 1.29+", "1.29"),
        ("v1.30.5-gke.1443001", "1.30"),
        ("1.31.0+k3s1", "1.31"),
        ("1.25", "1.25"),
        ("1.37.x", "1.37"),
    ],
)
def test_parses_version_formats(text: str, version: str) -> None:
    assert versions.parse_version(text) == version


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1.3", '"1.30"'),
        ("1.24", "1.25"),
        ("1.38", versions.NEWEST),
        ("1,34", '"1.34"'),
        ("latest", "such as 1.34"),
        ("", "such as 1.34"),
    ],
)
def test_rejects_other_versions_with_hint(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        versions.parse_version(text)
    assert hint in caught.value.hint


def test_native_sidecars_exist_since_1_28_and_are_enabled_since_1_29() -> None:
    assert not versions.has_feature("native-sidecar", "1.27")
    assert versions.has_feature("native-sidecar", "1.28")
    assert not versions.enabled("native-sidecar", "1.28")
    assert versions.enabled("native-sidecar", "1.29")


def test_feature_stages_are_in_order() -> None:
    for feature in versions.FEATURES.values():
        stages = [stage for stage in (feature.alpha, feature.default, feature.stable) if stage]
        assert stages == sorted(stages), feature


def test_compares_versions_as_numbers() -> None:
    assert versions.at_least("1.30", "1.29")
    assert not versions.at_least("1.29", "1.30")
