"""Integrations with other programs: kustomize, kpt, Helm, and in-cluster policy engines."""
