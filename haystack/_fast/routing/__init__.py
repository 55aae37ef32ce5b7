"""From Host and path to a route."""
