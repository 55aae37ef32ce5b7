"""A real certificate authority (Debian's pebble) gives certificates to a real Haystack, and looks for challenges where it serves."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rdatatype
import pytest

from haystack.tls.acme.folder import place
from haystack.tls.acme.plan import key_of
from tests.fakes.certified import Site, certificates, certified, site
from tests.fakes.client import Client
from tests.fakes.collector import Collector
from tests.fakes.load import Load
from tests.fakes.origin import Origin, respond
from tests.fakes.pebble import BINDING
from tests.fakes.pki import days
from tests.fakes.ports import free_port
from tests.fakes.tls import TlsClient
from tests.fakes.worker import Haystack, Member, until

pytestmark = pytest.mark.skipif(shutil.which("pebble") is None, reason="pebble is not installed")
NAME = "www.example.net"


def chain_of(state: Path) -> bytes:
    """The one certificate that is kept."""
    (path,) = state.glob("acme/*/certificates/*.pem")
    return path.read_bytes()


def kept_in(state: Path) -> list[bytes]:
    """The certificates that are kept, each with its key."""
    return [path.read_bytes() for path in state.glob("acme/*/certificates/*.pem")]


def heard(state: Path) -> bool:
    """Whether the authority was asked when it wants its certificate to be renewed (RFC 9773), which newer pebbles tell."""
    return any(json.loads(path.read_bytes())["windows"] for path in state.glob("acme/*/history.json"))


def verified(folder: Path, made: Site, chain: bytes, name: str) -> str:
    """What OpenSSL says of a chain for a name, by pebble's root."""
    (folder / "root.pem").write_bytes(made.pebble.root())
    (folder / "chain.pem").write_bytes(chain)
    words = ["openssl", "verify", "-CAfile", "root.pem", "-untrusted", "chain.pem", "-verify_hostname", name, "chain.pem"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_names_of_a_service_are_shown_over_http_and_have_one_certificate(tmp_path):
    """With half of all nonces refused, and an account that has to be bound."""
    with site(tmp_path, bound=True, PEBBLE_WFE_NONCEREJECT="50") as made:
        (tmp_path / "eab").write_text(BINDING)
        with made.haystack(
            NAME, "example.net", HAYSTACK_ACME_EAB_FILE=str(tmp_path / "eab"), HAYSTACK_ACME_EMAIL="me@example.net"
        ) as haystack:
            told = certified(haystack, NAME, "example.net")
            assert told["issuer"].startswith("Pebble Intermediate")
            assert (told["source"], told["last_error"]) == ("acme", None)
            assert told["not_before"] < told["next_renewal"] < told["not_after"]
            assert verified(tmp_path, made, chain_of(haystack.state), NAME) == "chain.pem: OK\n"
            with Client(haystack.port) as client:
                assert client.get(NAME, "/.well-known/acme-challenge/token").status == 502  # its service's, whose endpoint is not there


def test_a_wildcard_is_shown_by_haystacks_own_dns(tmp_path):
    with site(tmp_path) as made, made.haystack("*.example.net", NAME, HAYSTACK_ACME_DNS_ZONE="example.net") as haystack:
        certified(haystack, "*.example.net")
        assert verified(tmp_path, made, chain_of(haystack.state), "shop.example.net") == "chain.pem: OK\n"
        query = dns.message.make_query("_acme-challenge.example.net", "TXT")
        found = dns.query.udp(query, "127.0.0.1", 5, made.dns).answer
        assert [rrset for rrset in found if rrset.rdtype == dns.rdatatype.TXT] == []  # it is taken away


def test_a_restart_asks_for_nothing_and_replacing_neither(tmp_path):
    with site(tmp_path) as made, made.haystack(NAME) as first:
        certified(first, NAME)
        until(lambda: heard(first.state), 30, "the authority was not asked when to renew")
        before = certified(first, NAME)
        orders = made.pebble.count("POST /order-plz")
        assert orders == 1
        with made.haystack(NAME, instead_of=first) as second:
            first.ended()
            second.wait("acme.leading", 60)
            assert certified(second, NAME) == before
            assert made.pebble.count("POST /order-plz") == orders


def trusting(made: Site) -> ssl.SSLContext:
    """Of clients that trust pebble, and who has signed what was there before."""
    context = ssl.create_default_context(cadata=made.pebble.root().decode())
    context.load_verify_locations(str(made.authority.path))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # trustme's have no key identifiers
    return context


def issuer(made: Site, name: str) -> str:
    """Of the certificate that a client is shown."""
    with socket.create_connection(("127.0.0.1", made.https)) as sock, trusting(made).wrap_socket(sock, server_hostname=name) as secure:
        found: Any = secure.getpeercert()
    return " ".join(value for part in found["issuer"] for _, value in part)


def test_one_that_is_about_to_expire_is_renewed_while_traffic_runs_and_served_until_then(tmp_path, fakes):
    """No connection ends with it. Clients are shown the old one until the new one is there: DNS answers only when that has been seen."""
    origin = Origin(fakes, respond()).start()
    with site(tmp_path) as made:
        made.world.silent = NAME
        old = made.authority.ca.issue_cert(NAME, not_before=days(-80), not_after=days(2))
        folder = place(tmp_path / "state", made.pebble.url) / "certificates"
        folder.mkdir(parents=True)
        (folder / f"{key_of([NAME])}.pem").write_bytes(old.private_key_and_cert_chain_pem.bytes())
        settings = made.settings(HAYSTACK_STATE_DIR=str(tmp_path / "state"), HAYSTACK_HTTPS_PORT=str(made.https))
        with Haystack([Member("web", origin.port, {"haystack.host": NAME})], **settings) as haystack:
            load = Load().https(lambda: TlsClient(made.https, trusting(made), NAME), NAME, b"ok", keep=3, new=2)
            with TlsClient(made.https, trusting(made), NAME) as kept, load:
                assert made.world.came.wait(20), "it is not going to be renewed"
                load.go_on()
                assert kept.get(NAME).status == 200
                assert "trustme" in issuer(made, NAME)
                made.world.let_go()
                haystack.wait("certificate.issued")
                until(lambda: "Pebble" in issuer(made, NAME), 10, "the old one is shown still")
                load.go_on()
                assert kept.get(NAME).status == 200
            assert load.wrong == []
            assert verified(tmp_path, made, chain_of(tmp_path / "state"), NAME) == "chain.pem: OK\n"
    origin.stop()


def test_a_state_folder_that_is_lost_is_written_again_or_another_account_orders_anew(tmp_path):
    """While it runs, it has all that it needs; once it has ended, nobody knows of the account any more."""
    other, state = "shop.example.net", tmp_path / "state"
    with site(tmp_path) as made:
        with made.haystack(NAME, HAYSTACK_STATE_DIR=str(state)) as first:
            certified(first, NAME)
            before = chain_of(state)
            shutil.rmtree(state / "acme")
            first.show([Member("web", 9, {"haystack.host": NAME}), Member("shop", 9, {"haystack.host": other})])
            certified(first, other)
            until(lambda: before in kept_in(state), 20, "it is not written again")
        orders = made.pebble.count("POST /order-plz")
        assert orders == 2
        shutil.rmtree(state)
        accounts = made.pebble.count("POST /sign-me-up")
        with made.haystack(NAME, HAYSTACK_STATE_DIR=str(state)) as second:
            assert certified(second, NAME)["issuer"].startswith("Pebble")
            assert chain_of(state) != before
        assert made.pebble.count("POST /order-plz") == orders + 1
        assert made.pebble.count("POST /sign-me-up") == accounts + 1


def test_where_the_state_folder_can_not_be_written_nothing_is_ordered_and_that_is_told(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "acme").write_text("a file is in the way")
    with site(tmp_path) as made:
        with made.haystack(NAME, HAYSTACK_STATE_DIR=str(tmp_path / "state")) as haystack:
            assert "acme" in haystack.wait("acme.unkept")["error"]
        assert made.pebble.count("POST /") == 0


def test_an_authority_that_does_not_find_us_is_told_with_its_words(tmp_path):
    with site(tmp_path) as made:
        made.http = free_port()  # the authority looks where it was told to
        with made.haystack(NAME) as haystack:
            told = haystack.wait("certificate.refused")
            assert told["names"] == [NAME]
            assert "connection refused" in told["error"]
            (row,) = certificates(haystack)
            assert (row["names"], row["not_after"], row["issuer"]) == ([NAME], None, None)
            assert (row["last_error"], row["next_renewal"] > time.time()) == (f"no certificate: {told['error']}", True)


def test_a_name_that_leads_elsewhere_is_told_and_the_authority_is_not_asked(tmp_path):
    with site(tmp_path) as made:
        made.world.address = "192.0.2.7"
        with made.haystack(NAME) as haystack:
            told = haystack.wait("certificate.unasked")
            assert "192.0.2.7" in told["reason"]
        assert made.pebble.count("POST /") == 0


def test_an_authority_whose_certificate_can_not_be_verified_is_not_spoken_to(tmp_path):
    with site(tmp_path) as made:
        with made.haystack(NAME, HAYSTACK_ACME_CA=str(made.authority.path)) as haystack:
            told = haystack.wait("acme.unreachable")
            assert "can't be trusted" in told["error"]
        assert made.pebble.count("GET /dir") == 0


def handshake(made: Site, name: str) -> dict[str, Any]:
    """What a client sees that trusts pebble's root alone."""
    context = ssl.create_default_context(cadata=made.pebble.root().decode())
    with socket.create_connection(("127.0.0.1", made.https)) as sock, context.wrap_socket(sock, server_hostname=name) as secure:
        found = secure.getpeercert()
    assert found
    return dict(found)


def test_a_name_is_shown_over_tls_and_served_with_no_restart(tmp_path):
    with (
        site(tmp_path) as made,
        made.haystack(NAME, HAYSTACK_ACME_CHALLENGES="tls-alpn-01", HAYSTACK_HTTPS_PORT=str(made.https)) as haystack,
    ):
        certified(haystack, NAME)
        assert handshake(made, NAME)["subjectAltName"] == (("DNS", NAME),)


def test_a_wildcard_is_served_for_names_that_fall_under_it(tmp_path):
    settings = {"HAYSTACK_ACME_DNS_ZONE": "example.net", "HAYSTACK_HTTPS_PORT": "0"}
    with site(tmp_path) as made:
        settings["HAYSTACK_HTTPS_PORT"] = str(made.https)
        with made.haystack("*.example.net", **settings) as haystack:
            certified(haystack, "*.example.net")
            assert handshake(made, "shop.example.net")["subjectAltName"] == (("DNS", "*.example.net"),)
            with pytest.raises(ssl.SSLError):
                handshake(made, "shop.example.org")


def test_what_an_authority_looks_for_is_no_traffic(tmp_path):
    """No spans are made of it, though each request is sampled."""
    collector = Collector()
    with site(tmp_path) as made, made.haystack(NAME, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as haystack:
        certified(haystack, NAME)
        with Client(haystack.port) as client:
            assert client.get(NAME, "/mine").status == 502
        until(lambda: collector.spans, 20, "no span of anything")
        told = {attribute.value.string_value for span in collector.spans for attribute in span.attributes if attribute.key == "url.path"}
    collector.close()
    assert told == {"/mine"}


def test_of_several_haystacks_each_answers_for_the_challenges_of_all(tmp_path):
    """The one that orders is not the one that the authority reaches."""
    shared = str(tmp_path / "state")
    with site(tmp_path) as made:
        before = made.settings(HAYSTACK_STATE_DIR=shared, HAYSTACK_HTTP_PORT="0")
        with Haystack([Member("web", 9)], **before) as first:
            first.wait("acme.leading")
            with made.haystack(NAME, HAYSTACK_STATE_DIR=shared, HAYSTACK_DNS_PORT="0") as second:
                second.wait("acme.following")
                first.show([Member("web", 9, {"haystack.host": NAME})])
                certified(first, NAME)
                assert certified(second, NAME)["issuer"].startswith("Pebble")
                folder = place(Path(shared), made.pebble.url)
                assert list((folder / "proofs").iterdir()) == []
                with Client(second.port) as client:
                    assert client.get(NAME, "/.well-known/acme-challenge/token").status == 502  # its service's, as ever
                (seen,) = (folder / "followers").iterdir()
                assert seen.stat().st_mode & 0o777 == 0o600
                assert not any(line.get("event") == "acme.unshared" for line in first.lines)
            assert list((folder / "followers").iterdir()) == []
