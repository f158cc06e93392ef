"""Lossless YAML: positioned nodes, edits as data, splicing. Knows nothing of Kubernetes but how it reads a scalar."""
