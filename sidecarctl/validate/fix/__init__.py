"""Automatic fixes for findings with exactly one correct fix."""
