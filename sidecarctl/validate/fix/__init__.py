"""Safe fixes: edits that put a finding right where there is one right answer."""
