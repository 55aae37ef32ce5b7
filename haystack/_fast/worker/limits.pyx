"""The limits of a worker (proxy/limits.py makes them of the settings)."""


cdef class Limits:
    """All off but for kept_body, until they are set."""

    def __cinit__(self):
        self.kept_body = 65536

    def set(self, object limits):
        """Hold to these from now on. limits: a proxy.limits.Limits, whose fields have the names of the attributes."""
        for name in limits.__struct_fields__:
            setattr(self, name, getattr(limits, name))
