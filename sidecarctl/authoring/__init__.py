"""Tools for library authors: scaffold, test, lint, discover, migrate."""
