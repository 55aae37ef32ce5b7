"""The compiled data plane: it knows bytes and cells, never Docker, DNS or logging."""
