"""A certificate authority in memory, as RFC 8555 has it, with ARI (RFC 9773), profiles and alternate chains: what Debian's pebble has not.

It stands in for the HTTP client. Each request's signature and nonce are checked. Its clock is the test's.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding

from haystack.tls.acme import jose
from haystack.tls.acme.errors import UnreachableError
from haystack.tls.acme.http_client import Answer

BASE = "https://ca.example/"
DAY = 86400.0


class FakeCa:
    """Set what it is to do: down, refusals (name → problem of its challenge), limits (problem, Retry-After) for new orders, and so on.

    count: requests by the last part of their resource's kind; orders: identifiers of each, as they came; lifetime: seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.down = ""
        self.bad_nonces = 0
        self.refusals: dict[str, dict[str, Any]] = {}
        self.limits: list[tuple[int, dict[str, Any], str]] = []
        self.broken = ""  # kind → the certificates that come: "names", "key"
        self.slow = 0  # looks at an order until it is done
        self.lifetime = 90 * DAY
        self.profiles: dict[str, float] = {}
        self.window: tuple[float, float] | None = None
        self.retry_ari = "3600"
        self.revoking = False
        self._issued: dict[str, float] = {}
        self.count: Counter[str] = Counter()
        self.orders: list[dict[str, Any]] = []
        self.accounts: dict[str, ec.EllipticCurvePublicKey] = {}
        self.bindings: list[dict[str, Any]] = []
        self.bound = False
        self.showing: list[Callable[[str, str], bool]] = []
        self.kinds = ("http-01", "dns-01", "tls-alpn-01")
        self._nonces: set[str] = set()
        self._made = 0
        self._things: dict[str, dict[str, Any]] = {}
        self._chains: dict[str, bytes] = {}
        self._ca = [self._root("Fake Root"), self._root("Other Root")]

    # What stands in for the client.

    async def request(self, method: str, url: str, body: bytes = b"", kind: str = "") -> Answer:
        """As HttpClient."""
        path = url.removeprefix(BASE)
        self.count[path.partition("/")[0]] += 1
        if self.down:
            raise UnreachableError(self.down)
        if method == "GET":
            return self._get(path)
        assert kind == "application/jose+json"
        return self._post(path, url, json.loads(body))

    def _get(self, path: str) -> Answer:
        if path == "dir":
            return self._answer(200, self._directory())
        if path == "nonce":
            return self._answer(204, None)
        if path.startswith("ari/") and self.window is not None:
            late = self._issued[path.rpartition(".")[2]] >= self.window[0] and self.window[0] > self.clock() - 30 * DAY
            shift = 60 * DAY if late and not self.revoking else 0.0
            start, end = (dt.datetime.fromtimestamp(each + shift, dt.UTC).isoformat() for each in self.window)
            return self._answer(200, {"suggestedWindow": {"start": start, "end": end}}, {"retry-after": self.retry_ari})
        return self._problem(404, "malformed", "no such thing")

    def _directory(self) -> dict[str, Any]:
        meta: dict[str, Any] = {"externalAccountRequired": self.bound, "profiles": dict.fromkeys(self.profiles, "one")}
        found = {"newNonce": BASE + "nonce", "newAccount": BASE + "account", "newOrder": BASE + "order", "meta": meta}
        return found | ({"renewalInfo": BASE + "ari"} if self.window is not None else {})

    def _post(self, path: str, url: str, jws: dict[str, str]) -> Answer:
        header = json.loads(jose.unb64u(jws["protected"]))
        assert header["url"] == url
        if header["nonce"] not in self._nonces or self.bad_nonces:
            self.bad_nonces = max(0, self.bad_nonces - 1)
            return self._problem(400, "badNonce", "it is not one of ours")
        self._nonces.discard(header["nonce"])
        payload = json.loads(jose.unb64u(jws["payload"])) if jws["payload"] else None
        if path == "account":
            return self._account(header, jws, payload)
        if header["kid"] not in self.accounts:
            return self._problem(400, "accountDoesNotExist", "who is that?")
        verify(self.accounts[header["kid"]], jws)
        if path == "order":
            return self._order(payload, header["kid"])
        if "owner" in (thing := self._things.get(BASE + path.removesuffix("/finalize"), {})) and thing["owner"] != header["kid"]:
            return self._problem(403, "unauthorized", "it is another account's")
        return self._thing(path, payload)

    def _account(self, header: dict[str, Any], jws: dict[str, str], payload: dict[str, Any]) -> Answer:
        key = public(header["jwk"])
        verify(key, jws)
        if self.bound and "externalAccountBinding" not in payload:
            return self._problem(403, "externalAccountRequired", "bind it")
        if binding := payload.get("externalAccountBinding"):
            self.bindings.append(binding)
        assert payload["termsOfServiceAgreed"]
        for url, known in self.accounts.items():
            if known == key:
                return self._answer(200, {"status": "valid"}, {"location": url})
        url = self._new("acct", {"status": "valid", "contact": payload["contact"]})
        self.accounts[url] = key
        return self._answer(201, {"status": "valid"}, {"location": url})

    def _order(self, asked: dict[str, Any], owner: str) -> Answer:
        if self.limits:
            status, problem, wait = self.limits.pop(0)
            return self._problem(status, problem["type"], problem.get("detail", ""), {"retry-after": wait} if wait else {}, problem)
        if (profile := asked.get("profile")) and profile not in self.profiles:
            return self._problem(400, "invalidProfile", f"there is no {profile}")
        self.orders.append(asked)
        names = [each["value"] for each in asked["identifiers"]]
        made = {"status": "pending", "authorizations": [self._authorization(name) for name in names], "names": names, "owner": owner}
        made |= {"lifetime": self.profiles.get(profile or "", self.lifetime), "left": self.slow}
        url = self._new("order", made)
        made["finalize"] = url + "/finalize"
        return self._answer(201, self._told(url), {"location": url})

    def _authorization(self, name: str) -> str:
        bare = name.removeprefix("*.")
        kinds = ("dns-01",) if bare != name else self.kinds
        challenges = [
            {"type": kind, "url": BASE + f"chall/{self._made}-{kind}", "status": "pending", "token": f"token-{bare}"} for kind in kinds
        ]
        made: dict[str, Any] = {"identifier": {"type": "dns", "value": bare}, "status": "pending", "challenges": challenges}
        url = self._new("authz", made | ({"wildcard": True} if bare != name else {}))
        for each in challenges:
            self._things[str(each["url"])] = {"of": url, "challenge": each, "name": name}
        return url

    def _thing(self, path: str, payload: dict[str, Any] | None) -> Answer:
        if path.endswith("/finalize"):
            assert payload is not None
            return self._finalize(BASE + path.removesuffix("/finalize"), payload)
        if path.startswith("chain/"):
            others = {"link": f'<{BASE}chain/other-{path.partition("/")[2]}>;rel="alternate"'} if "other-" not in path else {}
            return Answer(
                200, {"content-type": "application/pem-certificate-chain", "replay-nonce": self._nonce(), **others}, self._chains[path]
            )
        if BASE + path not in self._things:
            return self._problem(404, "malformed", "no such thing")
        if path.startswith("chall/"):
            return self._challenge(BASE + path)
        return self._answer(200, self._told(BASE + path))

    def _challenge(self, url: str) -> Answer:
        about = self._things[url]
        challenge, authorization = about["challenge"], self._things[about["of"]]
        problem = self.refusals.get(about["name"])
        if problem is None and not any(shown(about["name"], challenge["token"]) for shown in self.showing):
            problem = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": "it is not there"}
        challenge["status"] = authorization["status"] = "invalid" if problem else "valid"
        if problem:
            challenge["error"] = problem
        return self._answer(200, challenge)

    def _told(self, url: str) -> dict[str, Any]:
        thing = self._things[url]
        if "authorizations" in thing and thing["status"] == "pending":
            states = {self._things[each]["status"] for each in thing["authorizations"]}
            thing["status"] = "invalid" if "invalid" in states else "ready" if states == {"valid"} else "pending"
        if "authorizations" in thing and thing["status"] == "processing":
            thing["left"] -= 1
            thing["status"] = "processing" if thing["left"] > 0 else "valid"
        return {key: value for key, value in thing.items() if key not in ("names", "owner", "lifetime", "left")}

    def _finalize(self, url: str, payload: dict[str, Any]) -> Answer:
        order = self._things[url]
        request = x509.load_der_x509_csr(jose.unb64u(payload["csr"]))
        assert request.is_signature_valid
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
        assert sorted(names) == sorted(order["names"])
        number = url.rpartition("/")[2]
        for prefix, (key, root) in zip(("", "other-"), self._ca, strict=True):
            leaf = self._leaf(request, key, root, order["lifetime"])
            self._chains[f"chain/{prefix}{number}"] = b"".join(each.public_bytes(Encoding.PEM) for each in (leaf, root))
        order.update(status="processing" if self.slow else "valid", certificate=f"{BASE}chain/{number}")
        return self._answer(200, self._told(url))

    def _leaf(self, request: x509.CertificateSigningRequest, key: Any, root: x509.Certificate, lifetime: float) -> x509.Certificate:
        start = dt.datetime.fromtimestamp(self.clock(), dt.UTC)
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if self.broken == "names":
            names = x509.SubjectAlternativeName([x509.DNSName("other.example")])
        serial = x509.random_serial_number()
        self._issued[jose.b64u(serial.to_bytes(serial.bit_length() // 8 + 1, "big"))] = self.clock()
        public_key: Any = ec.generate_private_key(ec.SECP256R1()).public_key() if self.broken == "key" else request.public_key()
        builder = x509.CertificateBuilder(root.subject, x509.Name([]), public_key, serial)
        builder = (
            builder.not_valid_before(start).not_valid_after(start + dt.timedelta(seconds=lifetime)).add_extension(names, critical=True)
        )
        return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False).sign(
            key, hashes.SHA256()
        )

    def _root(self, name: str) -> tuple[Any, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        return key, builder.not_valid_before(start).not_valid_after(start + dt.timedelta(days=20000)).sign(key, hashes.SHA256())

    # Its answers.

    def _new(self, kind: str, thing: dict[str, Any]) -> str:
        self._made += 1
        self._things[BASE + f"{kind}/{self._made}"] = thing
        return BASE + f"{kind}/{self._made}"

    def _nonce(self) -> str:
        self._made += 1
        self._nonces.add(f"nonce-{self._made}")
        return f"nonce-{self._made}"

    def _answer(self, status: int, shape: object, headers: dict[str, str] | None = None) -> Answer:
        body = b"" if shape is None else json.dumps(shape).encode()
        return Answer(status, {"content-type": "application/json", "replay-nonce": self._nonce(), **(headers or {})}, body)

    def _problem(
        self, status: int, kind: str, detail: str, headers: dict[str, str] | None = None, more: dict[str, Any] | None = None
    ) -> Answer:
        shape = {**(more or {}), "type": f"urn:ietf:params:acme:error:{kind}", "detail": detail}
        return self._answer(status, shape, {"content-type": "application/problem+json", **(headers or {})})


def public(jwk: dict[str, str]) -> ec.EllipticCurvePublicKey:
    """The key of a JSON Web Key."""
    x, y = (int.from_bytes(base64.urlsafe_b64decode(jwk[each] + "==="), "big") for each in "xy")
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def verify(key: ec.EllipticCurvePublicKey, jws: dict[str, str]) -> None:
    """Raises InvalidSignature."""
    raw = jose.unb64u(jws["signature"])
    signature = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(signature, f"{jws['protected']}.{jws['payload']}".encode(), ec.ECDSA(hashes.SHA256()))
