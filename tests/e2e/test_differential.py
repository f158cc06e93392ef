"""sidecarctl and the API server agree on generated manifests: same verdict, same place.

DIFFERENTIAL=20000 sets the number of manifests, DIFFERENTIAL_SEED the random seed. DIFFERENTIAL_FOLDER adds a
directory of real manifests.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import oracle
import pytest
from agreement import Known, Parted, compare, unknown
from mutations import mutant, seeds

from sidecarctl.errors import InputError
from sidecarctl.validate.registry import rules
from sidecarctl.yamltext.stream import split

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing() or "built"),
]
NUMBER = int(os.environ.get("DIFFERENTIAL", "1500"))
FOLDER = os.environ.get("DIFFERENTIAL_FOLDER", "")
SEED = int(os.environ.get("DIFFERENTIAL_SEED", "1"))

# What the oracle lacks: admission plugins, storage, and allocation.
OF_THE_ORACLE = (
    Known(
        "server",
        r"^Forbidden spec\.volumes\[\d+\]\.projected\.sources\[\d+\]\.serviceAccountToken: .*serviceAccountName is not set",
        "the ServiceAccount admission plugin sets serviceAccountName before validation; the oracle runs no admission plugins",
    ),
    Known(
        "server",
        r"^Required spec\.healthCheckNodePort",
        "the API server allocates a port when it stores the Service; the oracle stores nothing",
    ),
    Known(
        "server",
        r"^Invalid metadata\.ownerReferences: .*Only one reference can have Controller set to true",
        "the API server drops equal references before validation; the oracle does not",
    ),
    Known(
        "we",
        r"^(overhead|priority)-without-class ",
        "the RuntimeClass and Priority admission plugins refuse it; the oracle runs no admission plugins",
    ),
    Known(
        "we",
        r"^invalid-service-address spec\.ipFamilyPolicy",
        "the API server reports it when it allocates addresses; the oracle allocates nothing",
    ),
    Known(
        "server",
        r"^Invalid spec\.clusterIPs\[\d\]: .*as indicated by `ipFamilies",
        "the oracle stands in for the allocation of addresses with an IPv4 address",
    ),
)
KNOWN = (
    Known(
        "we",
        r"template\.metadata\.ownerReferences",
        "the API server ignores ownerReferences in a pod template; sidecarctl validates them",
    ),
    Known(
        "both",
        r"invalid-claim-template .*\.metadata\.name: .*the server Required .*persistentVolumeClaim\.claimName",
        "the API server reports the missing name at the volume that it generates from the claim template",
    ),
    Known(
        "both",
        r"job-name-too-long metadata\.name: .*the server Invalid spec\.template\.labels",
        "the API server reports the label that it generates from the Job name",
    ),
    Known(
        "both",
        r"\b(invalid-indexed-job|invalid-progress-deadline|invalid-secret-data|invalid-host-process|invalid-dns-config|invalid-autoscaler-bounds|request-limit-mismatch|invalid-restart-rules) ",
        "the API server reports the missing field; sidecarctl reports the field that requires it",
    ),
    Known(
        "both",
        r"\bpod-resources-too-small .*the server Invalid spec\.resources",
        "the API server reports the default request that it computes; sidecarctl reports the limit of the container",
    ),
    Known(
        "both",
        r"\bmissing-required spec\.selector: ",
        "the API server compares the missing selector with the labels; sidecarctl reports that it is missing",
    ),
    Known(
        "both",
        r"\binvalid-config-key stringData\..*the server Invalid data\[",
        "the API server copies stringData to data before it validates; sidecarctl reports the line in stringData",
    ),
    Known(
        "both",
        r"\bDuplicate .*\{topologyKey, whenUnsatisfiable\}",
        "the API server reports the first of two equal constraints; sidecarctl reports the second",
    ),
)


def parted(documents: list[object]) -> list[Parted]:
    verdicts = oracle.verdicts([json.dumps(document) for document in documents])
    found = (compare(document, verdict) for document, verdict in zip(documents, verdicts) if not verdict.panic)
    return [one for one in found if one is not None]


def test_agrees_with_api_server_on_mutated_manifests() -> None:
    rng = Random(SEED)
    documents = [json.loads(json.dumps(mutant(rng))) for _ in range(NUMBER)]
    wrong = unknown(parted(documents), (*OF_THE_ORACLE, *KNOWN))
    assert not wrong, "\n".join(f"{one}\n  {json.dumps(one.document)}" for one in wrong[:20])


@pytest.mark.skipif(not FOLDER, reason="no DIFFERENTIAL_FOLDER")
def test_agrees_with_api_server_on_manifests_of_a_directory() -> None:
    documents = [json.loads(json.dumps(document, default=str)) for document in written(Path(FOLDER))]
    assert documents
    wrong = unknown(parted(documents), (*OF_THE_ORACLE, *KNOWN))
    assert not wrong, "\n".join(f"{one}\n  {json.dumps(one.document)}" for one in wrong[:20])


def written(folder: Path) -> Iterator[object]:
    """Yield the documents of all files that can be parsed."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".yaml", ".yml", ".json") and path.is_file():
            with contextlib.suppress(InputError):
                for document in split(path.read_text(encoding="utf-8"), str(path)):
                    with contextlib.suppress(InputError):
                        if isinstance(document.value, dict):
                            yield document.value


def test_seeds_are_valid() -> None:
    advice = {json.dumps(one, sort_keys=True) for one in seeds()}
    verdicts = oracle.verdicts(sorted(advice))
    refused = [text for text, verdict in zip(sorted(advice), verdicts) if verdict.supported and not verdict.accepted]
    assert len(refused) <= len(advice) // 20, "\n".join(refused)


def test_every_known_difference_has_a_reason() -> None:
    assert all(known.why for known in (*OF_THE_ORACLE, *KNOWN))
    assert rules()
