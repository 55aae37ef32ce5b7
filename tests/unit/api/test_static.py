"""The files of the page: whole and compressed, with tags, under a policy that lets nothing else in; and each of them is used."""

import gzip
import re
from pathlib import Path

import httpx
import pytest

from haystack.api import static
from haystack.api.views import application
from tests.fakes.state import state

FOLDER = Path(static.__file__).parents[1] / "ui"
NAMES = sorted(path.name for path in FOLDER.iterdir())


async def ask(path, **headers):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application(state())), base_url="http://haystack") as client:
        client.headers.pop("accept-encoding", None)
        return await client.get(path, headers=headers)


@pytest.mark.parametrize("name", NAMES)
async def test_each_is_served_as_it_is(name):
    answer = await ask(f"/ui/{name}")
    assert (answer.status_code, answer.content) == (200, (FOLDER / name).read_bytes())
    assert answer.headers["content-type"].startswith(static.KINDS[name.rpartition(".")[2]].partition(";")[0])
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_page_is_the_index():
    assert (await ask("/ui")).content == (FOLDER / "index.html").read_bytes()


@pytest.mark.parametrize("accepted", ["gzip", "br, GZIP;q=0.5", "*", "gzip; q=1"])
async def test_they_are_compressed_for_those_who_want_it(accepted):
    transport = httpx.ASGITransport(app=application(state()))
    client = httpx.AsyncClient(transport=transport, base_url="http://haystack")
    async with client, client.stream("GET", "/ui/style.css", headers={"Accept-Encoding": accepted}) as answer:
        body = b"".join([piece async for piece in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == (FOLDER / "style.css").read_bytes()
    assert len(body) < len((FOLDER / "style.css").read_bytes()) / 2


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "gzip;q=0.0, *", "*;q=0"])
async def test_files_are_not_compressed_for_those_who_do_not_want_it(accepted):
    assert "content-encoding" not in (await ask("/ui/style.css", **{"Accept-Encoding": accepted})).headers


async def test_who_has_it_is_told_so():
    tag = (await ask("/ui/main.js")).headers["etag"]
    again = await ask("/ui/main.js", **{"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    packed = (await ask("/ui/main.js", **{"Accept-Encoding": "gzip"})).headers["etag"]
    assert packed != tag


@pytest.mark.parametrize("name", ["none.js", "../views.py", "%2e%2e/views.py", "..%2fviews.py", "", "main.js/"])
async def test_nothing_else_is_there(name):
    assert (await ask(f"/ui/{name}")).status_code in (404, 307)


async def test_nothing_of_others_may_run_in_it():
    policy = (await ask("/ui")).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    text = (FOLDER / "index.html").read_text()
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", text)
    assert re.findall(r'(?:src|href)="([^/#][^"]*)"', text) == []


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".js")])
def test_no_module_reads_html_or_asks_elsewhere(name):
    text = (FOLDER / name).read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser", text)
    assert not re.search(r"""(?:fetch|EventSource|import)\(?\s*["'`](?:https?:)?//""", text)
    assert len(text.splitlines()) < 300


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".js")])
def test_each_module_is_used_and_loaded_ahead(name):
    others = "".join((FOLDER / other).read_text() for other in NAMES if other != name)
    assert f'"./{name}"' in others or f'"/ui/{name}"' in others
    assert f'"/ui/{name}"' in (FOLDER / "index.html").read_text()
