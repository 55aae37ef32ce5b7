# Memory of the kernel's pages, two each, for the sessions of HTTP/2: what is given back to the kernel meanwhile keeps its place.

cdef enum:
    PAGE = 4096             # bytes
    ROOM = 8192

cdef char *take_room() noexcept
cdef void give_room(char *room) noexcept
cdef bint vacate(char *room) noexcept
cdef void enter(char *room) noexcept
