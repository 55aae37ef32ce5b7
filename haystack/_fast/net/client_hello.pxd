# The name in a TLS ClientHello that somebody else is to answer.
cdef enum:
    MOST_HELLO = 16384      # bytes of one that is looked at, with its records' heads
    MOST_SNI = 255

cdef enum Hello:
    PARTIAL = 0             # more of it has to come
    NAMELESS                # it is whole, or none that can be read, and asks for no name
    NAMED

cdef struct Asked:
    char name[256]          # in lower case, without the dot of the root
    int size
    size_t whole            # bytes of the records that the hello is in

cdef Hello read_hello(const unsigned char *data, size_t size, Asked *asked) noexcept
