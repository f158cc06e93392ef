"""Manifests of small apps, for tests that add a sidecar to them."""

from __future__ import annotations

from typing import Any

import yaml


def deployment(*ports: int, **container: Any) -> str:
    """Return a Deployment with one app container that declares `ports`."""
    app = {
        "name": "app",
        "image": "registry.example.com/app:1.4.2",
        "ports": [{"containerPort": port} for port in ports],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "128Mi"}},
        **container,
    }
    labels = {"app.kubernetes.io/name": "shop"}
    value = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": "web"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [app]}},
        },
    }
    return yaml.safe_dump(value, sort_keys=False)
