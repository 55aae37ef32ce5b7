# Where an exchange's connection to an endpoint comes from.
from libc.stdint cimport int64_t
from haystack._fast.endpoint.endpoint cimport Cell
from haystack._fast.exchange.upstream cimport Upstream
from haystack._fast.exchange.worker_state cimport Plane

cdef Upstream pooled(Cell cell, bint idempotent)
cdef Upstream dial(Plane plane, Cell cell, int64_t patience, bint *short_of)
