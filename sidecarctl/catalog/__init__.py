"""Sidecars: libraries, parameters, templates, and fragments. Knows no manifests and no command line."""
