# Which protocols of an Upgrade go up, and whether a 101 switches to one of them.
from haystack._fast.http1.head cimport Head
from haystack._fast.util.buffer cimport Buffer

cdef bint offer(Buffer *out, Head *h, tuple named) except -1
cdef bint keeps_to(Head *asked, tuple named, Head *answer) except -1
