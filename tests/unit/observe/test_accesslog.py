"""The access log: a line an exchange, in the form that was asked for, whatever a client puts into its request."""

import asyncio
import io
import json

from haystack.observe import accesslog
from haystack.observe.trace import Trace, TraceHub


def trace(**given):
    return Trace(**({
        "time": 0.0, "worker": 0, "listener": "http:80", "client": "192.0.2.9", "method": "GET", "host": "web.services.haystack",
        "target": "/", "service": "web.services.haystack", "candidates": ("10.0.0.1:80",), "endpoint": "10.0.0.1:80", "reused": False,
        "status": 200, "received": 0, "sent": 12, "route_ms": 0.1, "connect_ms": 0.1, "first_byte_ms": 0.1, "total_ms": 0.4,
    } | given))  # fmt: skip


def test_common_is_the_common_log_format():
    line = accesslog.common(trace(version="1.0"))
    assert line == '192.0.2.9 - - [01/Jan/1970:00:00:00 +0000] "GET / HTTP/1.0" 200 12'


def test_common_can_not_be_forged_by_a_target():
    line = accesslog.common(trace(target='/" 200 1\x1b[2J', sent=0))
    assert line.count('"') == 2
    assert "\x1b" not in line
    assert line.endswith("200 -")


def test_json_says_all():
    assert json.loads(accesslog.as_json(trace(status=502, error="connection_refused")))["error"] == "connection_refused"


async def test_every_exchange_is_a_line_and_workers_are_asked_only_meanwhile():
    hub, out = TraceHub(), io.StringIO()
    writer = asyncio.create_task(accesslog.write(hub, "json", out))
    while not hub.interest[0]:  # noqa: ASYNC110 - the hub has no event for it
        await asyncio.sleep(0)
    for status in (200, 404):
        hub.publish(trace(status=status))
    while out.getvalue().count("\n") < 2:  # noqa: ASYNC110 - nor has a StringIO
        await asyncio.sleep(0)
    writer.cancel()
    await asyncio.gather(writer, return_exceptions=True)
    assert [json.loads(line)["status"] for line in out.getvalue().splitlines()] == [200, 404]
    assert hub.interest == (False, None)
