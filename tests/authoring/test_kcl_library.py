"""Tests of examples/library-kcl: KCL and Jinja templates have identical output for all test cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sidecarctl.authoring.test_cases import MANIFEST, Case, find_cases, read_case
from sidecarctl.authoring.trial import Trial, run_trial
from sidecarctl.catalog.catalog import open_catalog
from tests.authoring.library_kit import command
from tests.command import ROOT

pytest.importorskip("kcl_lib")
LIBRARY = ROOT / "examples" / "library-kcl"
KCL, JINJA = open_catalog([LIBRARY], {}), open_catalog([], {})
NAMES = sorted(folder.parent.name for folder in LIBRARY.glob("*/sidecar.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_metadata_differ_in_engine_only(name: str) -> None:
    one, two = (catalog.find(name).file.read_text() for catalog in (KCL, JINJA))
    assert one.replace("engine: kcl", "engine: jinja").replace("template.k\n", "template.yaml.j2\n") == two


@pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name in NAMES for case in find_cases(JINJA.find(name))], ids=str
)
def test_kcl_output_equals_jinja_output(name: str, case: Case) -> None:
    trial = read_case(JINJA.find(name), case)
    assert run_trial(replace(trial, sidecar=KCL.find(name))).text == run_trial(trial).text


# Beyond the cases: what the templates must treat alike, or refuse in the same words.
FURTHER: list[tuple[str, dict[str, object]]] = [
    ("metrics", {"exporter": "nginx", "credentials": {"secretName": "s"}}),
    ("metrics", {"exporter": "redis", "credentials": {"userKey": "u"}}),
    ("metrics", {"exporter": "postgres"}),
    ("metrics", {"exporter": "postgres", "postgres": {"user": "u", "collectors": {"locks": False, "bgwriter": True}}}),
    ("metrics", {"exporter": "statsd", "tls": {"secretName": "s"}}),
    ("metrics", {"exporter": "nginx", "tls": {"clientCertificate": True}}),
    ("metrics", {"exporter": "statsd", "statsd": {"listen-udp": "", "listen-tcp": ""}}),
    ("metrics", {"exporter": "statsd", "statsd": {"mapping-config": {"mappings": [{"match": "yes", "ttl": "1m30s"}]}}}),
    (
        "metrics",
        {"exporter": "redis", "redis": {"is-cluster": True, "check-keys": "db0=*", "connection-timeout": "1s"}},
    ),
    ("log-tail", {"path": "../other.log"}),
    ("log-tail", {"path": "a.log, /var/log/app/b.log,$(HOME).log"}),
    ("log-tail", {"preStopSleep": 40, "fsGroup": 2000, "logVolume": {"sizeLimit": "2048Mi", "medium": "Memory"}}),
    (
        "log-tail",
        {"read_from_head": False, "preStopSleep": 0, "refresh_interval": 60, "logVolume": {"sizeLimit": "1500M"}},
    ),
    ("log-tail", {"logVolume": {"sizeLimit": "1000"}}),
]


@pytest.mark.parametrize(("name", "given"), FURTHER, ids=str)
@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_kcl_and_jinja_agree_on_more_parameters(name: str, given: dict[str, object], version: str) -> None:
    trial = Trial(JINJA.find(name), MANIFEST, given, kube_version=version)
    jinja, kcl = run_trial(trial), run_trial(replace(trial, sidecar=KCL.find(name)))
    assert (kcl.text, kcl.errors) == (jinja.text, jinja.errors)


def test_library_passes_its_test_cases(tmp_path: Path) -> None:
    done = command(f"test --library {LIBRARY}", tmp_path)
    assert done.code == 0, done.stdout
