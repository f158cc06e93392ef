"""Advice rules: manifests that the API server accepts but that fail or cost later."""
