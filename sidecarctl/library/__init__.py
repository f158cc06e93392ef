"""Sidecars: their libraries, parameters, templates and fragments. Knows nothing of manifests or of the command line."""
