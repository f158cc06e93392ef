"""Export of compositions as in-cluster policies or as patches."""
