"""Rules that the API server enforces beyond its schema."""
