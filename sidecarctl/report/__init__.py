"""How findings and results look. Renders data to text; touches no file and no stream, decides nothing."""
