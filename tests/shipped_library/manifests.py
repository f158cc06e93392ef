"""Small manifests of three kinds, and requests for each shipped sidecar with its required parameters."""

from __future__ import annotations

from functools import cache

from sidecarctl.authoring import test_cases
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.parameters import resolve
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.composition.request import Request

VERSIONS = ("1.29", "1.34", "1.37")

DEPLOYMENT = """\
# The shop's front.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  namespace: front
spec:
  replicas: 2
  selector:
    matchLabels: {app: shop}
  template:
    metadata:
      labels: {app: shop}
    spec:
      containers:
      - name: shop # the app
        image: registry.example/shop:7.1.0
        ports:
        - {name: http, containerPort: 8080}
"""

POD = """\
apiVersion: v1
kind: Pod
metadata:
    name: ledger
    annotations:
        kubectl.kubernetes.io/default-container: ledger
spec:
    securityContext: {runAsNonRoot: true, runAsUser: 4711, fsGroup: 4711, seccompProfile: {type: RuntimeDefault}}
    initContainers:
        - name: migrate
          image: registry.example/ledger-migrate:2.0.3
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    containers:
        - name: helper
          image: registry.example/helper:1.0.0
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
        - name: ledger
          image: registry.example/ledger:2.0.3
          ports: [{containerPort: 8080}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          volumeMounts:
              - name: scratch
                mountPath: /tmp
    volumes:
        - name: scratch
          emptyDir: {sizeLimit: 64Mi}
"""

CRONJOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: invoices}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: OnFailure
          containers:
            - name: invoices
              image: registry.example/invoices:5.0.2
              args: [--month, last]
"""

MANIFESTS = {"Deployment": DEPLOYMENT, "Pod": POD, "CronJob": CRONJOB}


@cache
def sidecars() -> dict[str, Sidecar]:
    """Return the shipped sidecars by name; all must be valid."""
    entries = open_catalog([], {}).entries()
    assert not [entry.error for entry in entries if entry.error]
    return {entry.name: entry.sidecar for entry in entries if entry.sidecar and not entry.newer}


NAMES = sorted(open_catalog([], {}).names())


@cache
def request(name: str) -> Request:
    """Return a request for a sidecar with required parameters only."""
    sidecar = sidecars()[name]
    outcome = test_cases.run_example(sidecar)
    assert outcome.text is not None, outcome.errors
    return Request(sidecar, resolve(sidecar, outcome.trial.given))
