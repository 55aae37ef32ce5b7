"""A nameserver that says what a test tells it to, over UDP and TCP on one free port."""

import asyncio
import socket
import struct

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from haystack.dns.forward.nameservers import Nameserver

SOA = "ns.example. host.example. 1 2 3 4 30"


def bound(port):
    """A UDP and a TCP socket of loopback with the same port; 0: any that is free for both."""
    while True:
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        try:
            tcp.bind(("127.0.0.1", port))
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
            if port:
                raise
        else:
            return udp, tcp


class FakeNameserver:
    """reply(query message, over tcp) → message, bytes, a list of such datagrams, or None for silence; over TCP None is a closed connection.

    asked counts the queries, queries keeps them as they came, ports the ports that those over UDP came from.
    """

    def __init__(self, reply, port=0):
        self.reply = reply
        self.port = port
        self.queries = []
        self.arrived = asyncio.Event()
        self.ports = []

    @property
    def asked(self):
        return len(self.queries)

    async def __aenter__(self):
        self.udp, tcp = bound(self.port)
        self.address = Nameserver("127.0.0.1", self.udp.getsockname()[1])
        asyncio.get_running_loop().add_reader(self.udp, self._readable)
        self.tcp = await asyncio.start_server(self._connected, sock=tcp)
        return self

    async def __aexit__(self, *_):
        asyncio.get_running_loop().remove_reader(self.udp)
        self.tcp.close()
        await self.tcp.wait_closed()
        self.udp.close()

    def _answers(self, data, tcp):
        self.queries.append(data)
        self.arrived.set()
        made = self.reply(dns.message.from_wire(data), tcp)
        made = made if isinstance(made, list) else [made]
        return [each.to_wire(max_size=65535) if isinstance(each, dns.message.Message) else each for each in made if each is not None]

    def _readable(self):
        data, peer = self.udp.recvfrom(4096)
        self.ports.append(peer[1])
        for reply in self._answers(data, tcp=False):
            self.udp.sendto(reply, peer)

    async def _connected(self, reader, writer):
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        for reply in self._answers(await reader.readexactly(length), tcp=True):
            writer.write(struct.pack("!H", len(reply)) + reply)
        writer.close()


def says(*records, rcode=0, authority=(), flags=0):
    """A reply function: these records (``TTL TYPE DATA``, or ``NAME. TTL TYPE DATA``) for whatever name is asked."""

    def reply(query, tcp):
        made = dns.message.make_response(query, our_payload=1232)
        made.set_rcode(rcode)
        made.flags |= dns.flags.AA | flags
        for section, texts in ((made.answer, records), (made.authority, authority)):
            for text in texts:
                first, rest = text.split(" ", 1)
                named = first.endswith(".")
                name = first if named else query.question[0].name
                ttl, rdtype, data = (rest if named else text).split(" ", 2)
                section.append(dns.rrset.from_text(name, int(ttl), "IN", rdtype, data))
        return made

    return reply


def silent(query, tcp):
    return None


def in_turn(*replies):
    """The first query has the first of these replies, and so on; the last one for all that follow."""
    left = list(replies)

    def reply(query, tcp):
        return (left.pop(0) if len(left) > 1 else left[0])(query, tcp)

    return reply


NXDOMAIN = says(rcode=dns.rcode.NXDOMAIN, authority=[f"900 SOA {SOA}"])
SERVFAIL = says(rcode=dns.rcode.SERVFAIL)
GOOD = says("60 A 192.0.2.1")
TRUNCATED = says("60 A 203.0.113.1", flags=dns.flags.TC)


def lying_about_the_name(query, tcp):
    made = GOOD(query, tcp)
    made.question[0].name = dns.name.from_text("other.example")
    return made


def lying_about_the_type(query, tcp):
    made = GOOD(query, tcp)
    made.question[0].rdtype = dns.rdatatype.AAAA
    return made


def echoing(query, tcp):
    return query


def cut_off(query, tcp):
    return GOOD(query, tcp).to_wire()[:40]


def over_tcp(reply):
    return lambda query, tcp: reply(query, tcp) if tcp else TRUNCATED(query, tcp)
