"""One module a command of the shell, or a family of commands: each has its Command, and what that does."""
