"""`add` names the Secrets and ConfigMaps that must exist, with the command that creates each."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.inject.required_objects import describe_required_objects
from tests.command import run
from tests.test_start import WEB

SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: web-tls}\n"


def test_command_has_the_keys_of_each_kind_of_reference() -> None:
    fragment = Fragment(
        containers=(
            {
                "name": "agent",
                "env": [
                    {"name": "A", "valueFrom": {"secretKeyRef": {"name": "login", "key": "user"}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
                    {"name": "C", "valueFrom": {"secretKeyRef": {"name": "maybe", "key": "a", "optional": True}}},
                ],
                "envFrom": [{"configMapRef": {"name": "all"}}],
            },
        ),
        volumes=(
            {"name": "a", "secret": {"secretName": "files", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {
                "name": "b",
                "projected": {"sources": [{"configMap": {"name": "ca", "items": [{"key": "ca", "path": "ca"}]}}]},
            },
            {"name": "c", "projected": {"sources": [{"secret": {"name": "more"}}]}},
            {"name": "d", "configMap": {"name": "own"}},
            {"name": "e", "emptyDir": {}},
        ),
        image_pull_secrets=({"name": "registry"},),
        documents=({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "own"}},),
    )
    assert describe_required_objects(fragment, "shop") == [
        "Create the Secret files: kubectl create secret generic files -n shop --from-file=ca.crt=<path>",
        "Create the ConfigMap ca: kubectl create configmap ca -n shop --from-file=ca=<path>",
        "Create the Secret more: kubectl create secret generic more -n shop --from-file=<path>",
        "Create the Secret login: kubectl create secret generic login -n shop --from-literal=user=<value> "
        "--from-literal=password=<value>",
        "Create the ConfigMap all: kubectl create configmap all -n shop --from-file=<path>",
        "Create the Secret registry: kubectl create secret docker-registry registry -n shop --docker-server=<registry> "
        "--docker-username=<user> --docker-password=<password>",
    ]


@pytest.mark.parametrize("kind", ["", "Secret", "SealedSecret"])
def test_object_in_the_input_is_not_named(kind: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(
        WEB + (f"---\n{SECRET.replace('kind: Secret', f'kind: {kind}')}" if kind else "")
    )
    done = run("sidecarctl add nginx-tls --set tls.secretName=web-tls --set upstreamPort=8080 -f web.yaml", tmp_path)
    assert done.code == 0, done.stderr
    text = " ".join(done.stderr.split())
    step = "Create the Secret web-tls: kubectl create secret tls web-tls --cert=<path> --key=<path>"
    assert (step in text) is (not kind)
