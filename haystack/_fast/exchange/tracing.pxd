# The trace that a request is part of.
from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.http1.head cimport Head
from haystack._fast.http1.serialize cimport Client

cdef int join_trace(Exchange x, Head *h, Client *client) except -1
