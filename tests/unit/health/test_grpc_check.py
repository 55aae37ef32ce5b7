"""The health check by grpc.health.v1: messages as gRPC's own encoder writes them, and what servers and others than servers say."""

import asyncio
import contextlib

import grpc
import pytest
import uvloop
from grpc_health.v1 import health_pb2
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded
from hypothesis import given
from hypothesis import strategies as st

from haystack.health import asking, grpc_check
from haystack.health.probe import Probe
from tests.fakes.grpc_health import serving

Response = health_pb2.HealthCheckResponse


def message(data):
    return b"\0" + len(data).to_bytes(4, "big") + data


@given(st.text(max_size=300))
def test_the_request_is_what_grpcs_encoder_writes(service):
    assert grpc_check.request(service) == message(health_pb2.HealthCheckRequest(service=service).SerializeToString())


@pytest.mark.parametrize(("name", "number"), Response.ServingStatus.items())
def test_the_response_is_what_grpcs_encoder_writes(name, number):
    assert grpc_check.serving_status(message(Response(status=number).SerializeToString())) == number
    assert grpc_check.STATUSES[number] == name


def test_what_a_later_version_adds_to_the_response_is_passed_over():
    more = b"\x12\x03abc" + b"\x1d\0\0\0\0" + b"\x21" + b"\0" * 8 + b"\x28\x96\x01"
    assert grpc_check.serving_status(message(more + b"\x08\x01" + more)) == 1
    assert grpc_check.serving_status(message(b"")) == 0


@given(st.binary(max_size=40))
def test_whatever_comes_is_a_status_or_refused(data):
    for body in (data, message(data)):
        with contextlib.suppress(ValueError):
            assert grpc_check.serving_status(body) >= 0


NO_RESPONSES = {
    "nothing": b"",
    "half a header": b"\0\0\0\0",
    "compressed": b"\1\0\0\0\2\x08\1",
    "shorter than it says": b"\0\0\0\0\3\x08\1",
    "no number": b"\0\0\0\0\1\x08",
    "a text cut off": b"\0\0\0\0\2\x12\5",
    "a wire type that is gone": b"\0\0\0\0\1\x0b",
    "an endless number": b"\0\0\0\0\x0b" + b"\xff" * 11,
}


@pytest.mark.parametrize("body", NO_RESPONSES.values(), ids=NO_RESPONSES.keys())
def test_what_is_no_response(body):
    with pytest.raises(ValueError):
        grpc_check.serving_status(body)


def probe(port, service="", timeout=5.0):
    return Probe(address="127.0.0.1", port=port, service=service, timeout=timeout)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_server_of_grpcios(loop_factory):
    async def talk(server):
        told = [await asking.ask(probe(server.port)), await asking.ask(probe(server.port, "shop.Cart"))]
        server.set("shop.Cart", "SERVING")
        told.append(await asking.ask(probe(server.port, "shop.Cart")))
        server.set("shop.Cart", "NOT_SERVING")
        return [*told, await asking.ask(probe(server.port, "shop.Cart"))]

    with serving() as server, asyncio.Runner(loop_factory=loop_factory) as runner:
        whole, unknown, good, bad = runner.run(talk(server))
    assert whole == (True, "gRPC health is SERVING")
    assert unknown[0] is False
    assert unknown[1].startswith("gRPC health of shop.Cart is not known to the server (set its status in the server")
    assert good == (True, "gRPC health of shop.Cart is SERVING")
    assert bad == (False, "gRPC health of shop.Cart is NOT_SERVING")


async def test_a_server_without_the_health_service_says_what_to_do():
    with serving(health_service=False) as server:
        good, told = await asking.ask(probe(server.port))
    assert (good, told) == (
        False,
        "gRPC health can't be had: UNIMPLEMENTED (add grpc.health.v1.Health to the server, or remove haystack.health.grpc)",
    )


async def test_the_call_is_as_grpc_has_it():
    """A real server's interceptor sees what came."""
    seen = []

    class See(grpc.ServerInterceptor):
        def intercept_service(self, continuation, details):
            seen.append((details.method, dict(details.invocation_metadata)))
            return continuation(details)

    with serving(interceptors=[See()]) as server:
        await asking.ask(Probe(address="127.0.0.1", port=server.port, service="", host="shop.example"))
    ((method, metadata),) = seen
    assert method == "/grpc.health.v1.Health/Check"
    assert metadata["user-agent"] == "haystack-health"


@pytest.fixture
async def serve():
    """Starts a server that says these pieces to each connection; None: it hangs up."""
    servers, talks = [], set()

    async def start(*pieces, end=True):
        async def answer(reader, writer):
            talks.add(asyncio.current_task())
            with contextlib.suppress(ConnectionError):
                await reader.read(65536)
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.01)  # TCP may join the pieces, and what is told is the same
                if not end:
                    await reader.read()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        servers.append(server)
        return server.sockets[0].getsockname()[1]

    yield start
    for server in servers:
        server.close()
    await asyncio.gather(*talks)


SETTINGS = b"\0\0\0\4\0\0\0\0\0"
GOAWAY = b"\0\0\x08\7\0\0\0\0\0" + b"\0\0\0\0\0\0\0\x0b"
RESET = b"\0\0\4\3\0\0\0\0\1\0\0\0\7"


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "speaks HTTP/1, not HTTP/2"),
        ((b"HTTP", b"/1.1 400 Bad Request\r\n\r\n"), "speaks HTTP/1, not HTTP/2"),
        ((b"\x15\x03\x01\0\2\2\x0a",), "speaks TLS, not HTTP/2 in cleartext"),
        ((b"220 mail.example ESMTP\r\n",), "does not speak HTTP/2"),
        ((), "closes the connection at once: no HTTP/2 here?"),
        ((SETTINGS,), "breaks off"),
        ((SETTINGS + GOAWAY,), "breaks off (ENHANCE_YOUR_CALM)"),
        ((SETTINGS + RESET,), "breaks off (REFUSED_STREAM)"),
        ((SETTINGS + RESET[:-1] + b"\x77",), "breaks off (119)"),
    ],
)
async def test_others_than_servers(serve, pieces, told):
    port = await serve(*pieces)
    assert await asking.ask(probe(port)) == (False, f"port {port} {told}")


async def test_one_that_is_silent_and_one_that_is_not_there(serve):
    port = await serve(SETTINGS, end=False)
    assert await asking.ask(probe(port, timeout=0.3)) == (False, f"port {port} does not answer")
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    assert await asking.ask(probe(port)) == (False, f"port {port} does not accept")


def answered(headers, body=b"", trailers=()):
    """What a server writes to the first request of a connection."""
    client, server = H2Connection(H2Configuration(client_side=True)), H2Connection(H2Configuration(client_side=False))
    client.initiate_connection()
    client.send_headers(1, grpc_check.head("a", 1), end_stream=True)
    server.initiate_connection()
    assert any(isinstance(event, StreamEnded) for event in server.receive_data(client.data_to_send()))
    server.send_headers(1, headers, end_stream=not (body or trailers))
    if body:
        server.send_data(1, body, end_stream=not trailers)
    if trailers:
        server.send_headers(1, trailers, end_stream=True)
    return server.data_to_send()


OK = [(":status", "200"), ("content-type", "application/grpc")]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (answered([(":status", "404")]), "port {} answers a gRPC call with HTTP 404 and no grpc-status (not a gRPC server?)"),
        (answered([(":status", "2000")]), "port {} answers a gRPC call with HTTP 0 and no grpc-status (not a gRPC server?)"),
        (
            answered([*OK, ("grpc-status", "16")]),
            "gRPC health can't be had: UNAUTHENTICATED (let Health/Check through without credentials)",
        ),
        (answered([*OK, ("grpc-status", "14"), ("grpc-message", "not \x1b yet")]), "gRPC health can't be had: UNAVAILABLE (not \\x1b yet)"),
        (answered([*OK, ("grpc-status", "13")]), "gRPC health can't be had: INTERNAL"),
        (answered([*OK, ("grpc-status", "99")]), "gRPC health can't be had: code 99"),
        (answered([*OK, ("grpc-status", "9" * 5000)]), "gRPC health can't be had: code 17"),
        (answered(OK, b"", [("grpc-status", "0")]), "gRPC health is no HealthCheckResponse"),
        (answered(OK, message(b"\x08\x00"), [("grpc-status", "0")]), "gRPC health is UNKNOWN"),
        (answered(OK, message(b"\x08\x09"), [("grpc-status", "0")]), "gRPC health is 9"),
        (SETTINGS * 8000, "port {} answers with too much"),
    ],
)
async def test_answers(serve, written, told):
    port = await serve(written, end=False)
    assert await asking.ask(probe(port)) == (False, told.format(port))


@pytest.mark.parametrize(("status", "good"), [("204", True), ("503", False)])
async def test_a_path_is_asked_for_by_http2(serve, status, good):
    port = await serve(answered([(":status", status)]), end=False)
    asked = Probe(address="127.0.0.1", port=port, path="/up", http2=True)
    assert await asking.ask(asked) == (good, f"{status} from /up")


async def test_a_path_is_not_there_where_nobody_speaks_http2(serve):
    port = await serve(b"HTTP/1.1 200 OK\r\n\r\n")
    assert await asking.ask(Probe(address="127.0.0.1", port=port, path="/up", http2=True)) == (
        False,
        f"port {port} speaks HTTP/1, not HTTP/2",
    )


async def test_one_that_names_its_status_unknown_says_what_to_do(serve):
    port = await serve(answered(OK, message(b"\x08\x03"), [("grpc-status", "0")]), end=False)
    good, told = await asking.ask(probe(port, "shop.Cart"))
    assert (good, told.split(" (")[0]) == (False, "gRPC health of shop.Cart is SERVICE_UNKNOWN")
    assert "haystack.health.grpc=on" in told
