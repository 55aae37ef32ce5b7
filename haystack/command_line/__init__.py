"""The command line: what each command does before and beside the application itself."""
