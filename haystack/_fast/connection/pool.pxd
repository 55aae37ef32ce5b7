# Where an exchange's connection to an endpoint comes from.
from libc.stdint cimport int64_t
from haystack._fast.connection.leg cimport UpLeg
from haystack._fast.endpoint.endpoint cimport Cell
from haystack._fast.worker.worker_state cimport WorkerState

cdef UpLeg pooled(Cell cell, bint idempotent)
cdef UpLeg dial(WorkerState worker, Cell cell, int64_t patience, bint *short_of)
