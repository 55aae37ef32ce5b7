"""A nameserver that says what a test tells it to, over UDP and TCP on one free port."""

import asyncio
import struct

import dns.flags
import dns.message
import dns.rrset

from haystack.dns import sockets
from haystack.dns.upstreams import Nameserver

SOA = "ns.example. host.example. 1 2 3 4 30"


class FakeNameserver:
    """reply(query message, over tcp) → message, bytes, or None for silence. asked counts the queries."""

    def __init__(self, reply):
        self.reply = reply
        self.asked = 0
        self.arrived = asyncio.Event()

    async def __aenter__(self):
        self.bound = sockets.bind(("127.0.0.1",), 0)
        self.address = Nameserver("127.0.0.1", self.bound.port)
        asyncio.get_running_loop().add_reader(self.bound.udp[0], self._readable)
        self.tcp = await asyncio.start_server(self._connected, sock=self.bound.tcp[0])
        return self

    async def __aexit__(self, *_):
        asyncio.get_running_loop().remove_reader(self.bound.udp[0])
        self.tcp.close()
        await self.tcp.wait_closed()
        self.bound.close()

    def _answer(self, data, tcp):
        self.asked += 1
        self.arrived.set()
        made = self.reply(dns.message.from_wire(data), tcp)
        return made.to_wire(max_size=65535) if isinstance(made, dns.message.Message) else made

    def _readable(self):
        datagram = sockets.receive(self.bound.udp[0])
        if (reply := self._answer(datagram.data, tcp=False)) is not None:
            sockets.send(self.bound.udp[0], reply, datagram)

    async def _connected(self, reader, writer):
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        reply = self._answer(await reader.readexactly(length), tcp=True)
        writer.write(struct.pack("!H", len(reply)) + reply)
        writer.close()


def says(*records, rcode=0, authority=(), flags=0):
    """A reply function: these records (``TTL TYPE DATA``) for whatever name is asked."""

    def reply(query, tcp):
        made = dns.message.make_response(query, our_payload=1232)
        made.set_rcode(rcode)
        made.flags |= dns.flags.AA | flags
        for section, texts in ((made.answer, records), (made.authority, authority)):
            for text in texts:
                ttl, rdtype, data = text.split(" ", 2)
                section.append(dns.rrset.from_text(query.question[0].name, int(ttl), "IN", rdtype, data))
        return made

    return reply


def silent(query, tcp):
    return None
