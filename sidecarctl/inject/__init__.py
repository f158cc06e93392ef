"""What a sidecar does to a workload: plan, edit, record, remove, and report status."""
