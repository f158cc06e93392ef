"""Safe fixes for findings with exactly one correct answer."""
