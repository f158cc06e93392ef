"""Validates manifests with rules over plain data. Knows no files."""
