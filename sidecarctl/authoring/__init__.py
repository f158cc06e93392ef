"""Writing one's own library: looking at sidecars, trying them out, judging them, starting new ones."""
