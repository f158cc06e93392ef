"""One module per template language: text and data in, fragment data out. Knows nothing of libraries or schemas."""
