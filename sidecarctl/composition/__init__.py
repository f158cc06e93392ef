"""Compositions: files that say which workloads get which sidecars."""
