"""Rules about what the API server accepts and the user regrets."""
