"""Exports a composition as in-cluster policies or as patches."""
