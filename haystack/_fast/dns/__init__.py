"""DNS in a worker: questions in, answers from the zone and the cache out."""
