"""The record: the annotation that lists what sidecarctl added to a workload."""
