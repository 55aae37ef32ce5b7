# Lists in the fields of a head: for its parser alone.
from haystack._fast.http1.flaw cimport Flaw
from haystack._fast.http1.head cimport Field, Head


cdef inline int refuse(Head *h, int status, Flaw flaw) noexcept nogil:
    """Note why the head is refused; minus the status."""
    h.flaw = flaw
    return -status


cdef bint lists(const Field *f, const char *word, int word_size) noexcept nogil
cdef void note_connection(Head *h, const Field *f) noexcept nogil
cdef int read_codings(Head *h, const Field *f) noexcept nogil
cdef int judge_codings(Head *h) noexcept nogil
cdef int read_connections(Head *h) noexcept nogil
