# How many requests may be sent again: a share of all, and a few a second in any case, so that a sick service is not buried. Pure.
from libc.stdint cimport int64_t

cdef enum:
    EARNED = 200            # thousandths of a request that a new one earns: a fifth of all may be sent again
    FLOOR = 10              # thousandths a millisecond that come in any case: ten requests a second
    FIRST = 200_000         # thousandths that are free at the beginning and after a quiet time
    MOST = 2_000_000        # thousandths that may be saved up
    ONE = 1000

cdef struct RetryBudget:
    int64_t saved           # thousandths of a request; new ones begin with FIRST
    int64_t looked          # milliseconds at which it was spent from last

cdef inline void earn(RetryBudget *budget) noexcept nogil:
    """A new request."""
    budget.saved = min(<int64_t>MOST, budget.saved + EARNED)

cdef inline bint spend(RetryBudget *budget, int64_t now) noexcept nogil:
    """Whether a request may be sent again, which costs one."""
    if budget.saved < FIRST:
        budget.saved = min(<int64_t>FIRST, budget.saved + (now - budget.looked) * FLOOR)
    budget.looked = now
    if budget.saved < ONE:
        return False
    budget.saved -= ONE
    return True
