"""`python -m haystack` is `haystack`."""

from haystack.cli import command

command()
