class RateLimit:
    slipped: int
    dropped: int
