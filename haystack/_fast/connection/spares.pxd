# Clients' connections that have ended, for new clients.
from haystack._fast.connection.http1_server cimport Http1Server

cdef Http1Server new_client()
cdef int keep(Http1Server client) except -1
cdef int forget() except -1
