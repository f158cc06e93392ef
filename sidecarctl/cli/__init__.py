"""Flags and exit codes; no logic."""
