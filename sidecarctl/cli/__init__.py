"""The command line: options, commands, input, output, and exit codes."""
