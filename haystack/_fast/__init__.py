"""The compiled data plane: it knows bytes and endpoints, never Docker, DNS or logging."""
