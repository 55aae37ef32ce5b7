# A client's TLS that somebody else ends: its bytes go on unread.
from haystack._fast.connection.http1_leg cimport Http1ServerLeg
from haystack._fast.connection.http1_server cimport Http1Server

cdef class PassedLeg(Http1ServerLeg):
    pass

cdef bint pass_on(Http1Server client, bytes name, size_t size) except -1
