"""Reads manifests and replaces files atomically. Knows no YAML."""
