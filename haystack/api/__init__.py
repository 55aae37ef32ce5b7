"""The web side: what Haystack shows of itself over HTTP, read-only."""
