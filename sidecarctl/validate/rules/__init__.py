"""The rules: one function each, grouped by what they check."""
