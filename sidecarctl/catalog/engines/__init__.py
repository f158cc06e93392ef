"""Template engines, one module each."""
