"""Sampling of traces as OpenTelemetry has it, decided before anything is recorded, and the spans of what is (log/otlp_span.pyx)."""

from libc.stdint cimport uint64_t

from haystack._fast.log.otlp_span cimport SpanBuffer


cdef class Spans:
    """Off until `sample`."""

    def sample(self, ratio, bint heeds_caller, list listeners):
        """Record such a share (0 to 1) of the traces. heeds_caller: of those that begin here; a caller has decided about its own.

        listeners: NAME:PORT by index.
        """
        bound = round(ratio * 2 ** 64)          # as the SDK's TraceIdRatioBased has it: all proxies of a trace decide alike
        self.kept = SpanBuffer(listeners)
        self.on, self.heeds_caller, self.whole = True, heeds_caller, bound >= 2 ** 64
        self.bound = 0 if self.whole else bound

    def take(self):
        """(spans, of how many exchanges, how many more there was no room for) since the last call, or None: there was nothing."""
        return self.kept.take() if self.on else None

    cdef bint samples(self, uint64_t ending) noexcept:
        """Whether a trace is recorded. ending: the lower half of its id."""
        return self.whole or ending < self.bound
