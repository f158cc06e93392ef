"""Renders results and findings to text. Opens no files."""
