"""The limits of a worker (proxy/limits.py makes them of the settings)."""

LIMITS = (
    "max_head", "max_headers", "max_clients", "max_per_client", "max_endpoints", "head_ms", "idle_ms", "body_rate", "connect_ms",
    "tunnel_ms", "read_rate", "max_kept", "pool_size", "pool_ms", "pool_age_ms", "queue_size", "queue_ms", "kept_body",
)


cdef class Limits:
    """All off but for kept_body, until they are set."""

    def __cinit__(self):
        self.kept_body = 65536

    def set(self, object limits):
        """Hold to these from now on: an object with an attribute for each (proxy.ipc.Limits)."""
        for name in LIMITS:
            setattr(self, name, getattr(limits, name))
