# The PROXY protocol's header, versions 1 and 2: who is at the other end of a connection that somebody passes on.
cdef enum:
    MOST_HEADER = 4096      # bytes of one that is read, with what else it holds
    MOST_WRITTEN = 128      # bytes of one that is written

cdef struct Ends:           # what a header tells: sockaddr_in or sockaddr_in6; family AF_UNSPEC: nothing
    char client[28]
    char place[28]          # that it has connected to

cdef Py_ssize_t read_header(const char *data, size_t size, Ends *ends) noexcept
cdef size_t write_header(char *out, int version, const char *client, int size, int port, int fd) noexcept
