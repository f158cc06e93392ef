"""Sidecars: libraries, parameters, templates, and fragments."""
