"""sidecarctl adds sidecars to Kubernetes manifests: offline, lossless, reversible."""

__version__ = "0.1.0"
