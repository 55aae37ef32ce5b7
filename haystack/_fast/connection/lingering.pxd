# How a client's connection ends.
from haystack._fast.connection.http1_server cimport Http1Server
from haystack._fast.connection.server cimport ServerConnection

cdef int close_in_order(Http1Server client) except -1
cdef int drop_input(ServerConnection client) except -1
