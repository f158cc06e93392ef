"""Kubernetes facts as tables and small functions."""
