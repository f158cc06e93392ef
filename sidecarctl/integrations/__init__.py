"""Contracts of other programs: kustomize, kpt, Helm, and in-cluster policy engines."""
