"""Kubernetes facts as tables and small functions over plain data. Knows no YAML text and no sidecars."""
