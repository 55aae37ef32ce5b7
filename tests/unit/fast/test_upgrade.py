"""Which 101 keeps to what was asked for (RFC 9110, section 7.8)."""

from __future__ import annotations

import pytest

from haystack._fast.testing import agrees


def agreed(asked, answered):
    request = "GET / HTTP/1.1\r\nHost: web\r\nConnection: upgrade\r\n" + "".join(f"Upgrade: {a}\r\n" for a in asked) + "\r\n"
    response = "HTTP/1.1 101 Yes\r\nConnection: upgrade\r\n" + "".join(f"Upgrade: {a}\r\n" for a in answered) + "\r\n"
    return agrees(request.encode(), response.encode())


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (["websocket"], ["websocket"]),
        (["websocket"], ["WebSocket"]),
        (["HTTP/2.0, SHTTP/1.3, IRC/6.9, RTA/x11"], ["irc/6.9"]),
        (["a", "b"], ["b"]),
        (["a", "b"], ["b, a"]),
        ([",, a ,\t,b"], [",b,"]),
        (["a/1, a/2"], ["a/2"]),
        (["a/1"], ["a"]),
        (["a"], ["a/1"]),
    ],
)
def test_a_protocol_of_the_list_is_kept_to(asked, answered):
    assert agreed(asked, answered)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (["websocket"], ["other"]),
        (["websocket"], ["websocke"]),
        (["websocke"], ["websocket"]),
        (["websocket"], ["websocket, other"]),
        (["websocket"], ["websocket", "other"]),
        (["a/1"], ["a/2"]),
        (["a/1"], ["a/11"]),
        (["a"], ["/a"]),
        (["a"], [","]),
        (["a b"], ["b"]),
        ([], ["a"]),
        ([","], ["a"]),
    ],
)
def test_any_other_is_not(asked, answered):
    assert not agreed(asked, answered)


def test_a_101_that_names_nothing_keeps_to_nothing():
    assert not agreed(["a"], [])
    with pytest.raises(ValueError, match="response"):
        agrees(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"nonsense\r\n\r\n")
