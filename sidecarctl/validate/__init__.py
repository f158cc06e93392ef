"""What is wrong with a manifest: rules over plain data that speak in paths. Knows no files and no text."""
