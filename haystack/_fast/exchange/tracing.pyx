"""The trace that a request is part of: its caller's, or one that begins here; whether its spans are recorded; what an endpoint is told.

A caller's word counts where it is inside (HAYSTACK_ALLOW) or a trusted proxy: strangers could have all their requests recorded, or put them
into traces of others. What is not recorded and has a caller goes on as it came, for Haystack has no place in that trace.
"""
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.http1.head cimport Head
from haystack._fast.http1.serialize cimport Client
from haystack._fast.http1.trace_context cimport Caller, TraceContext, ending, read_caller, withhold
from haystack._fast.net.networks cimport Right
from haystack._fast.net.poller cimport clock_ns
from haystack._fast.util.digits cimport write_hex
from haystack._fast.util.random_numbers cimport next_random


cdef int join_trace(Exchange x, Head *h, Client *client) except -1:
    """Choose the trace, at the first call; have the head that goes on tell of it, at each."""
    cdef TraceContext *trace = &x.request.trace
    if not trace.chosen:
        trace.chosen = True
        if x.route is None or not x.route.own:
            choose(x, h, client, trace)
    if trace.told:
        withhold(h, trace.begun)
        client.trace = trace
    return 0


cdef int choose(Exchange x, Head *h, Client *client, TraceContext *trace) except -1:
    """Take over the caller's trace and decision, or make both."""
    cdef Caller caller
    cdef uint64_t lower
    trace.begun = not ((client.trusted or client.rights & <int>Right.INSIDE) and read_caller(h, &caller))
    if trace.begun:
        write_id(trace.trace_id)
        lower = write_id(trace.trace_id + 16)
        trace.sampled = x.worker.traces.spans.samples(lower)
    else:
        memcpy(trace.trace_id, caller.trace_id, sizeof(trace.trace_id))
        memcpy(trace.caller, caller.span_id, sizeof(trace.caller))
        trace.sampled = caller.sampled if x.worker.traces.spans.heeds_caller else x.worker.traces.spans.samples(ending(trace.trace_id))
    trace.told = trace.sampled or trace.begun
    if trace.told:
        write_id(trace.client)
    if trace.sampled:
        write_id(trace.server)
        if x.record.t_start == 0:
            x.record.t_start = clock_ns()
    return 0


cdef uint64_t write_id(char *at) noexcept:
    """Write sixteen digits that are not all zero; the number that they are."""
    cdef uint64_t number = next_random() or 1
    write_hex(at, number)
    return number
