"""Kubernetes facts as tables and small functions. Knows no YAML text and no sidecars."""
