"""One module per command, with one function of the same name."""
