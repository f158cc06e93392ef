"""The Kubernetes schema: data per version, checker, and messages."""
