"""The memory of a session of HTTP/2, for tests alone."""
from libc.stdint cimport uintptr_t
from libc.string cimport memcpy

from haystack._fast.http2.nghttp2 cimport nghttp2_mem
from haystack._fast.http2.rooms cimport ROOM
from haystack._fast.http2.session_memory cimport SessionMemory, end_memory, pack, rouse, session_memory

cdef extern from "sys/mman.h" nogil:
    int mincore(void *, size_t, unsigned char *)


cdef class Memory:
    """One, as nghttp2 has it: blocks are addresses."""

    cdef SessionMemory memory
    cdef nghttp2_mem hooks

    def __init__(self):
        self.hooks = session_memory(&self.memory)

    def __dealloc__(self):
        end_memory(&self.memory)

    def begin(self):
        """The session has been made."""
        self.memory.made = True

    def malloc(self, size_t size):
        return <uintptr_t>self.hooks.malloc(size, self.hooks.mem_user_data)

    def calloc(self, size_t count, size_t size):
        return <uintptr_t>self.hooks.calloc(count, size, self.hooks.mem_user_data)

    def realloc(self, uintptr_t block, size_t size):
        return <uintptr_t>self.hooks.realloc(<void *>block, size, self.hooks.mem_user_data)

    def free(self, uintptr_t block):
        self.hooks.free(<void *>block, self.hooks.mem_user_data)

    def write(self, uintptr_t block, bytes data):
        memcpy(<void *>block, <const char *>data, len(data))

    def read(self, uintptr_t block, size_t size):
        return (<const char *>block)[:size]

    def place(self, uintptr_t block):
        """Where in the room it begins; -1: it is the C library's."""
        cdef uintptr_t room = <uintptr_t>self.memory.room
        return block - room if room and room <= block < room + ROOM else -1

    def pack(self):
        return pack(&self.memory)

    def rouse(self):
        rouse(&self.memory)

    def pages(self):
        """Of how many pages of its room there is memory."""
        cdef unsigned char[2] there
        if mincore(self.memory.room, ROOM, there):
            raise OSError("mincore")
        return sum([each & 1 for each in there])
