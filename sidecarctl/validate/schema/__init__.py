"""The Kubernetes schema: data by version, checker, and messages."""
