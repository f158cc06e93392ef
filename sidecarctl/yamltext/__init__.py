"""Lossless YAML editing: parse to nodes with positions, edit, verify. Knows no Kubernetes except scalar types."""
