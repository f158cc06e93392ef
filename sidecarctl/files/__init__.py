"""Reading sources and replacing files. Knows paths and bytes, no YAML."""
