"""A gRPC server of grpcio's as a process of its own, which can be killed, with one method of each kind; and how a test starts it.

Messages are bytes, without protocol buffers. `python -m tests.fakes.grpc_server [PORT [CERTIFICATE KEY]]` prints its port.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import grpc
from grpc_health.v1 import health, health_pb2_grpc

SERVICE = "test.Echo"
THREADS = 400
LARGE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Echo:
    """counts: by name, what `counts` tells: calls of each method, messages made and taken, calls that ended early."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def _count(self, name: str, more: int = 1) -> None:
        with self._lock:
            self.counts[name] += more

    def unary(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """The request. What came as x-… goes back, in the head and as trailers."""
        self._count("unary")
        given = [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-")]
        context.send_initial_metadata([(f"head-{key}", value) for key, value in given])
        context.set_trailing_metadata([(f"trail-{key}", value) for key, value in given])
        return request

    def metadata(self, _request: bytes, context: grpc.ServicerContext) -> bytes:
        """All metadata that came, the seconds that are left, and who has it, as JSON."""
        given = [(key, value if isinstance(value, str) else value.hex()) for key, value in context.invocation_metadata()]
        return json.dumps({"metadata": given, "left": context.time_remaining(), "server": os.getpid()}).encode()

    def wait(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Answers after so many seconds, unless the client has gone by then."""
        self._count("wait")
        gone = threading.Event()
        context.add_callback(gone.set)
        if gone.wait(float(request)):
            self._count("ended early")
        return request

    def fail(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Ends with the code, the words and the trailers that the request has as JSON."""
        asked = json.loads(request)
        context.set_trailing_metadata([tuple(pair) for pair in asked.get("trailers", ())])
        context.abort(grpc.StatusCode[asked["code"]], asked["details"])
        raise AssertionError

    def serve(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """Messages, as many and as large as the request says; each begins with its number."""
        number, size = map(int, request.split())
        for each in range(number):
            if not context.is_active():
                break
            self._count("made")
            yield str(each).encode().ljust(size, b".")

    def listen(self, _request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """A head, and nothing else until the client ends it."""
        gone = threading.Event()
        context.add_callback(gone.set)
        context.send_initial_metadata([("x-here", "1")])
        gone.wait()
        self._count("ended early")
        yield from ()

    def collect(self, requests: Iterator[bytes], _context: grpc.ServicerContext) -> bytes:
        """How many messages and bytes came."""
        number = total = 0
        for each in requests:
            number, total = number + 1, total + len(each)
            self._count("taken")
        return f"{number} {total}".encode()

    def stall(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """Takes one message, and no other until the client ends it."""
        gone = threading.Event()
        context.add_callback(gone.set)
        next(requests)
        gone.wait()
        self._count("ended early")
        return b""

    def talk(self, requests: Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
        """Each message goes back."""
        self._count("talk")
        yield from requests

    def tell(self, _request: bytes, _context: grpc.ServicerContext) -> bytes:
        """The counts as JSON."""
        with self._lock:
            return json.dumps(self.counts).encode()

    def handlers(self) -> grpc.GenericRpcHandler:
        """All methods, by their names."""
        kinds = {
            grpc.unary_unary_rpc_method_handler: (self.unary, self.metadata, self.wait, self.fail, self.tell),
            grpc.unary_stream_rpc_method_handler: (self.serve, self.listen),
            grpc.stream_unary_rpc_method_handler: (self.collect, self.stall),
            grpc.stream_stream_rpc_method_handler: (self.talk,),
        }
        return grpc.method_handlers_generic_handler(SERVICE, {m.__name__: kind(m) for kind, methods in kinds.items() for m in methods})


def main(words: list[str]) -> None:
    """Serve until SIGTERM, upon which new calls go elsewhere and those in flight have ten seconds."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server = grpc.server(ThreadPoolExecutor(THREADS), options=[*LARGE, ("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers([Echo().handlers()])
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    at = f"127.0.0.1:{words[0] if words else 0}"
    if len(words) > 1:
        certificate, key = (Path(name).read_bytes() for name in words[1:])
        port = server.add_secure_port(at, grpc.ssl_server_credentials([(key, certificate)]))
    else:
        port = server.add_insecure_port(at)
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    stop.wait()
    server.stop(10).wait()
    os._exit(0)


class GrpcServer:
    """The process. port: where it listens; a context manager."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "tests.fakes.grpc_server", *words], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())

    def counts(self) -> dict[str, int]:
        """What the server has counted, asked directly."""
        with Echoes(f"127.0.0.1:{self.port}") as direct:
            return json.loads(direct.call("tell", b"", timeout=10))

    def kill(self) -> None:
        """SIGKILL, as the kernel ends a container that has too much memory."""
        self.process.kill()
        self.process.wait()

    def retire(self) -> None:
        """SIGTERM, which it obeys as a good server does: GOAWAY, and calls in flight end in peace."""
        self.process.terminate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self.process.stdout:
            self.process.stdout.close()


class Echoes:
    """A client with a channel, and a connection, of its own. authority: the service that is called."""

    def __init__(self, target: str, authority: str = "", credentials: grpc.ChannelCredentials | None = None, **options: Any) -> None:
        given = [*LARGE, ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
        given += [(f"grpc.{name}", value) for name, value in options.items()]
        if authority:
            given.append(("grpc.default_authority", authority))
        self.channel = grpc.secure_channel(target, credentials, given) if credentials else grpc.insecure_channel(target, given)

    def _method(self, name: str) -> Any:
        kind = {
            "serve": "unary_stream",
            "listen": "unary_stream",
            "collect": "stream_unary",
            "stall": "stream_unary",
            "talk": "stream_stream",
        }
        return getattr(self.channel, kind.get(name, "unary_unary"))(f"/{SERVICE}/{name}")

    def call(self, name: str, request: Any, timeout: float | None = 20, **how: Any) -> Any:
        """The answer, or an iterator of answers."""
        return self._method(name)(request, timeout=timeout, **how)

    def begin(self, name: str, request: Any, timeout: float | None = 20, **how: Any) -> Any:
        """The call itself, as soon as it has begun."""
        return self._method(name).future(request, timeout=timeout, **how)

    def with_call(self, name: str, request: Any, timeout: float | None = 20, **how: Any) -> Any:
        """The answer and the call, which has the metadata."""
        return self._method(name).with_call(request, timeout=timeout, **how)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()


def refused(call: Any) -> grpc.RpcError:
    """The error with which a call ends."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call went well")


class Load:
    """Unary calls one after the other on some channels, until it is stopped. errors: of those that failed; done: those that did not."""

    def __init__(self, target: str, authority: str, channels: int = 4, **options: Any) -> None:
        self.errors: list[str] = []
        self.done = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(target, authority, options), daemon=True) for _ in range(channels)]

    def _run(self, target: str, authority: str, options: dict[str, Any]) -> None:
        with Echoes(target, authority, **options) as client:
            number = 0
            while not self._stop.is_set():
                number += 1
                sent = str(number).encode()
                try:
                    good = client.call("unary", sent) == sent
                    said = "another answer"
                except grpc.RpcError as error:
                    good, said = False, f"{error.code()}: {error.details()}"
                with self._lock:
                    self.done += good
                    if not good:
                        self.errors.append(said)

    def more(self, number: int, seconds: float = 20) -> None:
        """Wait until so many more calls have gone well."""
        target, end = self.done + number, time.monotonic() + seconds
        while self.done < target:
            assert time.monotonic() < end, (self.done, self.errors[-3:])
            time.sleep(0.005)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


if __name__ == "__main__":
    main(sys.argv[1:])
