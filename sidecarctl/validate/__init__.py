"""Validation of manifests with schema checks and rules."""
