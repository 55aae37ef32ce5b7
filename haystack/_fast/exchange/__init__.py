"""A request and its response: connections on both sides, retries and waiting."""
