"""Asking an authority over HTTPS: whatever it answers, the question ends, and its certificate is verified."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import pytest

from haystack.tls.acme.errors import UnreachableError
from haystack.tls.acme.http_client import MOST, HttpClient, trusting


@pytest.fixture
async def serve(authority, tmp_path):
    """serve(answer, name): an https URL of a server that says these bytes to whoever asks, and what it was asked; None: it says nothing."""
    servers, tasks, asked = [], [], []

    async def start(answer, name="127.0.0.1", close=True):
        chain, key = authority.issue(name)
        (tmp_path / "pair.pem").write_bytes(key + chain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "pair.pem")

        async def talk(reader, writer):
            tasks.append(asyncio.current_task())
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                if answer is None:
                    await asyncio.Event().wait()
                writer.write(answer)
                await writer.drain()
                if not close:
                    await asyncio.Event().wait()
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
        servers.append(server)
        return f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/dir", asked

    yield start
    for task in tasks:
        task.cancel()
    for server in servers:
        server.close()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def client(authority):
    context = trusting(authority.path)

    async def made():
        return context

    return lambda seconds=5.0: HttpClient(made, "haystack/test", seconds)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK + b"Content-Length: 2\r\n\r\nhi", b"hi"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n", b"hi"),
        (OK + b"\r\nhi", b"hi"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 204 No Content\r\nReplay-Nonce: n\r\n\r\n", b""),
    ],
)
async def test_an_answer_of_any_framing_is_read_whole(serve, client, answer, body):
    url, _ = await serve(answer)
    found = await client().request("GET", url)
    assert (found.body, "link" in found.headers) == (body, False)


async def test_fields_of_the_same_name_are_together_and_names_in_lower_case(serve, client):
    url, _ = await serve(OK + b"Link: <a>\r\nLINK: <b>\r\nContent-Length: 0\r\n\r\n")
    assert (await client().request("GET", url)).headers["link"] == "<a>, <b>"


async def test_what_is_asked_is_as_it_should_be(serve, client):
    url, asked = await serve(OK + b"Content-Length: 0\r\n\r\n")
    await client().request("POST", url + "?a=b", b"{}", "application/jose+json")
    lines = asked[0].decode().split("\r\n")
    assert lines[0] == "POST /dir?a=b HTTP/1.1"
    assert {"User-Agent: haystack/test", "Content-Type: application/jose+json", "Content-Length: 2"} <= set(lines)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
        (b"", "closed the connection"),
        (OK + b"Content-Length: 9\r\n\r\nhi", "closed the connection"),
        (OK + b"Content-Length: 9999999\r\n\r\n" + b"x" * (MOST + 1), "too long"),
        (OK + b"X: " + b"x" * (MOST + 1), "too long|not HTTP"),
    ],
)
async def test_an_answer_that_is_none_is_told(serve, client, answer, told):
    url, _ = await serve(answer)
    with pytest.raises(UnreachableError, match=told):
        await client().request("GET", url)


async def test_one_that_says_nothing_is_waited_for_only_so_long(serve, client):
    url, _ = await serve(None)
    with pytest.raises(UnreachableError, match=r"has not answered within 0\.2 s"):
        await client(0.2).request("GET", url)


async def test_a_certificate_of_another_name_is_refused(serve, client):
    url, asked = await serve(OK + b"Content-Length: 0\r\n\r\n", name="ca.example")
    with pytest.raises(UnreachableError, match="can't be trusted"):
        await client().request("GET", url)
    assert asked == []


async def test_a_certificate_of_nobody_that_we_trust_is_refused(serve):
    url, asked = await serve(OK + b"Content-Length: 0\r\n\r\n")
    context = trusting(None)

    async def made():
        return context

    with pytest.raises(UnreachableError, match="can't be trusted"):
        await HttpClient(made, "x").request("GET", url)
    assert asked == []


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/dir", "https:///dir", "ftp://x/", "https://127.0.0.1/a b", "https://127.0.0.1/\xe9", "https://127.0.0.1:99999/",
     "https://[::1/dir", "https://a..b/dir", f"https://{'a' * 64}.example/dir", "https://\u2100.example/dir"],
)  # fmt: skip
async def test_what_is_no_https_url_is_not_asked(client, url):
    with pytest.raises(UnreachableError):
        await client().request("GET", url)


async def test_nobody_there_is_told(client):
    with pytest.raises(UnreachableError, match="can't be reached"):
        await client().request("GET", "https://127.0.0.1:1/dir")


async def test_a_file_of_authorities_that_is_none_is_told(tmp_path):
    async def broken():
        return trusting(tmp_path / "none.pem")

    with pytest.raises(UnreachableError, match="can't be reached"):
        await HttpClient(broken, "x").request("GET", "https://127.0.0.1:1/dir")
