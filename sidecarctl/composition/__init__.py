"""Compositions: which workloads get which sidecars. Reads, merges, and selects; changes no manifest."""
