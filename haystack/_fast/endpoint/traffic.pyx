"""Counts of exchanges by endpoint and by service, and what is going on at each, since the control process was last told.

Costs a few additions an exchange (record.count_exchange), and a report what there was, not what there is.
"""
import sys

from libc.stdlib cimport calloc
from libc.string cimport memset

from haystack._fast.endpoint.tally cimport CELLS, QueueTally, Tally, take


cdef class Traffic:
    """Of one worker."""

    def __init__(self):
        self.members = []
        self.queues = []
        self.endpoints = []

    cdef int retried(self, Member member) except -1:
        """A try at this member came to nothing, and another one is looked for."""
        if not member.noted:
            self.note_member(member)
        member.tally.retries += 1
        return 0

    cdef int waits(self, Route route) except -1:
        """One more exchange waits in this route's queue."""
        return 0 if route.queue.noted else self.note_queue(route)

    cdef int note_member(self, Member member) except -1:
        if member.tally == NULL:
            member.tally = <Tally *>calloc(1, sizeof(Tally))
            if member.tally == NULL:
                raise MemoryError
        if not member.noted:
            self.members.append(member)
            member.noted = True
        return 0

    cdef int note_queue(self, Route route) except -1:
        cdef Queue queue = route.queue
        if queue.tally == NULL:
            queue.tally = <QueueTally *>calloc(1, sizeof(QueueTally))
            if queue.tally == NULL:
                raise MemoryError
        self.queues.append((queue, route.service))
        queue.noted = True
        return 0

    cdef int note_endpoint(self, Endpoint endpoint) except -1:
        self.endpoints.append(endpoint)
        endpoint.load.noted = True
        return 0

    def take_members(self, Py_ssize_t most=sys.maxsize):
        """(member, requests that it began to answer, what ended) since the last call, of so many; the last as tally.take has it."""
        cdef Member member
        cdef list members = self.members[:most], rows = []
        self.members = self.members[most:]
        for member in members:
            member.noted = False
            rows.append((member, member.take_new(), take(member.tally)))
        return rows

    def take_services(self):
        """What ended since the last call, and how the queues have changed.

        (name, what no endpoint had, (cell, count) one behind the other, retries, exchanges that waited, for how many ms, more that wait);
        cell: method × CLASSES + class of status.
        """
        cdef Queue queue
        cdef list queues = self.queues, rows = []
        self.queues = []
        for queue, service in queues:
            queue.noted = len(queue) > 0
            if queue.noted:
                self.queues.append((queue, service))
            row = take_queue(queue, service)
            if row is not None:
                rows.append(row)
        return rows

    def take_loads(self):
        """(endpoint's id, more in flight, more pooled connections) where that has changed since the last call."""
        cdef Endpoint endpoint
        cdef list endpoints = self.endpoints, rows = []
        cdef int pooled
        self.endpoints = []
        for endpoint in endpoints:
            pooled = <int>endpoint.idle.count
            endpoint.load.noted = endpoint.in_flight > 0 or pooled > 0
            if endpoint.load.noted:
                self.endpoints.append(endpoint)
            if endpoint.in_flight != endpoint.load.in_flight or pooled != endpoint.load.pooled:
                rows.append((endpoint.key, endpoint.in_flight - endpoint.load.in_flight, pooled - endpoint.load.pooled))
                endpoint.load.in_flight, endpoint.load.pooled = endpoint.in_flight, pooled
        return rows


cdef object take_queue(Queue queue, str service):
    """A row of take_services; None: nothing is new."""
    cdef QueueTally *tally = queue.tally
    cdef int i, waiting = <int>len(queue)
    cdef list cells = []
    for i in range(CELLS):
        if tally.cells[i]:
            cells += (i, tally.cells[i])
    row = service, take(&tally.alone), tuple(cells), tally.retries, tally.waits, tally.waited_ms, waiting - tally.waiting
    if not cells and waiting == tally.waiting:
        return None
    memset(tally, 0, sizeof(QueueTally))
    tally.waiting = waiting
    return row
