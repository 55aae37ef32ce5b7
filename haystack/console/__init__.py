"""The maintenance shell: SSH, its commands, and their text."""
