"""System calls and calls of the C library that Python has not: ctypes would take a third of a MiB in each worker for them."""
from libc.errno cimport errno
from libc.stdint cimport uintptr_t
from libc.string cimport strerror

cdef extern from *:
    """
    #include <sys/prctl.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    #ifdef __GLIBC__
    #include <malloc.h>
    #define HAYSTACK_TRIM() malloc_trim(0)
    #define HAYSTACK_KEEP(size) (mallopt(M_TRIM_THRESHOLD, size), mallopt(M_MMAP_THRESHOLD, size))
    #else
    #define HAYSTACK_TRIM() 0
    #define HAYSTACK_KEEP(size) (void)(size)
    #endif
    """
    int libc_prctl "prctl" (int, ...)
    long libc_syscall "syscall" (long, ...)
    int HAYSTACK_TRIM()
    void HAYSTACK_KEEP(int)


cdef unsigned long NOTHING = 0


cdef unsigned long word(object value) except? 1:
    """A number, or where these bytes lie: who calls has to hold them."""
    return <uintptr_t><const char *>value if isinstance(value, bytes) else <unsigned long>value


def prctl(int option, value):
    """prctl(2) with one argument, a number or bytes. Raises OSError."""
    if libc_prctl(option, word(value), NOTHING, NOTHING, NOTHING) < 0:
        raise OSError(errno, strerror(errno).decode())


def syscall(long number, first, second, third, fourth=0):
    """syscall(2) with numbers and bytes, which the kernel does not write to; less than 0: it failed."""
    return libc_syscall(number, word(first), word(second), word(third), word(fourth))


def give_back():
    """Let the kernel have what malloc holds and nobody uses: malloc_trim(3). Where malloc is not glibc's, nothing happens."""
    HAYSTACK_TRIM()


def keep(int size):
    """Keep up to so many bytes of what is freed, as loop/memory.py does and says."""
    HAYSTACK_KEEP(size)
