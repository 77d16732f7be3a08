"""Ten thousand random requests: nothing unforeseen inside, no 500 that the contract does not name."""

from __future__ import annotations

import base64
import json
import random
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote as percent_encode

import pytest
import requests
from emulator_customer import (
    FHIR,
    Customer,
    Scene,
    build_group,
    build_mbi,
    build_npi,
    build_parameters,
    build_patient,
    build_practitioner,
)
from emulator_rows import FORM, ROWS, Row, Stage, build_organization

pytestmark = pytest.mark.control

SEED = 20260821
NAMED = [
    re.compile(pattern)
    for pattern in (
        r"There was an error processing your request\. It has been logged \(ID [0-9a-f]{16}\)\.",  # 2.3
        r"Invalid UUID string: .*",  # 3.2 and 9.1
        r"Must have 'attributed-to' concept",  # 9.1
        r"Roster MUST have attributed Provider",  # 9.1
        r'Cannot invoke "String\.equals\(Object\)" because the return value is null',  # 8, 9.1 and 9.2
        r"Cannot parse query param: .*",  # 9.4
        r"Could not insert resource",  # 7 and 8
        r"MBI: .* for patient: .* does not match MBI format",  # 8
        r"Cannot find an MBI with identifier currency for patient: .*",  # 8
    )
]
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")
QUERIES = (
    "identifier", "characteristic-value", "member", "_count", "_offset", "_type", "_since", "_outputFormat", "label",
    "expiration", "token", "npis", "_id",
)  # fmt: skip
JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, "", " ", "x", "<b>", "a&b", "é", "💧", "\x00", "%", "../..", [], {}, [[]], [None], [{}],
    {"x": {}}, "9" * 400, "2026-02-30", "1-1-1-1-1", "attributed-to$", "$$", "2020-01-01T00:00:00Z", "respond-async",
    "ndjson", "0", "-5", "12", 10**30, "9" * 30,
)  # fmt: skip
KINDS = (FHIR, "application/json", "*/*", "application/ndjson", "text/plain", FORM, "a;b,/")
ODD_HEADERS = {
    "Authorization": ("Bearer", "Bearer x", "Bearer W10=", "Basic x", "Bearer {}", "Bearer W3t9XQ==", "Bearer [[]]"),
    "Accept": KINDS,
    "Content-Type": KINDS,
    "Prefer": ("respond-async", "x", ""),
    "Range": ("bytes=0-10", "bytes=9-", "bytes=-1", "x", f"bytes={'9' * 30}-", "BYTES=0-1"),
    "If-None-Match": ("x", "0" * 64),
    "If-Modified-Since": ("1", "9" * 30, "Sat, 21 Aug 2026 12:00:00 GMT"),
    "Accept-Encoding": ("gzip",),
    "Content-Encoding": ("gzip", "br"),
}
DEEP = b'{"resourceType":"Group","x":' + b'{"x":' * 500 + b"1" + b"}" * 501
ORGANIZATION = build_organization(build_npi(310000002))


@dataclass(frozen=True)
class Shot:
    """One random request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None


@dataclass
class Gun:
    """Draws requests from ids that exist, things that look like ids, and junk."""

    scene: Scene
    dice: random.Random
    golden: str
    provenance: dict[str, Any]
    ids: dict[str, list[str]] = field(default_factory=dict)

    def draw(self) -> Shot:
        """Mostly a row of the endpoint table, with an id of the right kind and a body and headers that nearly fit."""
        row = self.dice.choice(ROWS)
        path = re.sub(r"\{(\w+)\}", lambda found: self.draw_id(found[1]), row.path)
        if self.dice.random() < 0.2:
            extra = "&".join(self.draw_query() for _ in range(self.dice.randint(1, 3)))
            path += ("&" if "?" in path else "?") + extra
        method = row.method if self.dice.random() < 0.95 else self.dice.choice(METHODS)
        if method == "DELETE" and self.dice.random() < 0.98:  # what exists should go on existing most of the time
            method = "GET"
        if row.auth == "A" and method == "DELETE":
            path = f"/Organization/{uuid.UUID(int=self.dice.getrandbits(128))}"
        body = self.draw_body(row.path) if method in ("POST", "PUT") or self.dice.random() < 0.05 else None
        return Shot(method, path, self.draw_headers(row, body is not None), body)

    def draw_id(self, kind: str) -> str:
        roll = self.dice.random()
        if roll < 0.8:
            return self.dice.choice(self.ids[kind])
        if roll < 0.9:
            return self.dice.choice(self.ids[self.dice.choice(list(self.ids))])
        if roll < 0.95:
            return str(uuid.UUID(int=self.dice.getrandbits(128)))
        return quote(self.dice.choice(("x", "1-1-1-1-1", "$add", "%00", "é", "a b", "..", "0" * 300)))

    def draw_query(self) -> str:
        junk = self.dice.choice((*JUNK, self.scene.npi, build_mbi(1), *self.ids["patient"]))
        return f"{self.dice.choice(QUERIES)}={quote(str(junk))}"

    def draw_headers(self, row: Row, has_body: bool) -> dict[str, str]:
        token = self.golden if row.auth == "A" else self.scene.customer.token
        headers = {"Authorization": f"Bearer {token}", "Accept": row.accept, **dict(row.headers)}
        if has_body:
            headers["Content-Type"] = row.content or (FHIR if row.kind == "F" else "application/json")
        if row.provenance or self.dice.random() < 0.1:
            headers["X-Provenance"] = self.draw_provenance()
        for name, values in ODD_HEADERS.items():
            if self.dice.random() < 0.03:
                headers[name] = self.dice.choice(values)
        return headers

    def draw_provenance(self) -> str:
        whole = self.provenance
        if self.dice.random() < 0.4:
            whole = self.spoil(whole)
        text = json.dumps(whole)
        return text[: self.dice.randint(0, len(text))] if self.dice.random() < 0.05 else text

    def draw_body(self, path: str) -> bytes:
        body = self.build_body(path)
        if isinstance(body, bytes):
            return body
        for _ in range(self.dice.randint(0, 3)):
            body = self.spoil(body)
        raw = json.dumps(body).encode()
        if self.dice.random() < 0.05:
            return self.dice.choice((b"", b"[]", b"{", b"\xff\xfe", b"null", b"7", raw[: len(raw) // 2], DEEP))
        return raw

    def build_body(self, path: str) -> Any:
        """Something near what the path takes."""
        patient = build_patient(build_mbi(self.dice.randint(1, 400)))
        doctor = build_practitioner(build_npi(300000000 + self.dice.randint(1, 400)))
        own = build_group(self.scene.npi, [self.dice.choice(self.scene.patients) for _ in range(2)])
        wrapped = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": patient}]}
        both, one = build_parameters([doctor, patient]), build_parameters([patient])
        table: dict[str, tuple[Any, ...]] = {
            "$submit": (one, both, build_parameters([ORGANIZATION])),
            "$validate": (wrapped, wrapped, {**wrapped, "parameter": [{"resource": doctor}]}),
            "/Group": (own, own, own, patient),
            "/Patient": (patient, patient, own),
            "/Practitioner": (doctor, doctor, patient),
            "/Organization": (ORGANIZATION,),
            "/Token/": (self.draw_assertion(path), b"a.b.c", b"scope=x", b"%ff=%00&&=", b"e30.e30.", b"W10.W10.x"),
            "/Token": ({"label": "x", "expiresAt": "2027-01-01T00:00:00Z"},),
            "/IpAddress": ({"ip_address": "192.0.2.1"},),
            "/Key": ({"key": self.scene.customer.key.pem, "signature": "eA=="},),
        }
        return self.dice.choice(next((bodies for part, bodies in table.items() if part in path), (own,)))

    def draw_assertion(self, path: str) -> bytes:
        """An assertion whose claims or header may be spoiled; its signature is never right."""
        customer = self.scene.customer
        claims, head = customer.build_claims(), {"kid": customer.key_id, "alg": "RS384"}
        if self.dice.random() < 0.7:
            claims, head = self.dice.choice(((self.spoil(claims), head), (claims, self.spoil(head))))
        encoded = ".".join(encode(part) for part in (claims, head)[::-1]) + ".eA"
        if "validate" in path:
            return encoded.encode()
        kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        fields = f"scope=system/*.*&grant_type=client_credentials&client_assertion_type={kind}"
        return f"{fields}&client_assertion={encoded}".encode()

    def spoil(self, value: Any) -> Any:
        """A copy with one element, somewhere, replaced, doubled or taken away."""
        if isinstance(value, dict) and value and self.dice.random() < 0.9:
            name = self.dice.choice(list(value))
            if self.dice.random() < 0.1:
                return {key: one for key, one in value.items() if key != name}
            return {**value, name: self.spoil(value[name])}
        if isinstance(value, list) and value and self.dice.random() < 0.9:
            at = self.dice.randrange(len(value))
            return [*value[:at], self.spoil(value[at]), *value[at:][self.dice.randint(0, 1) :]]
        return self.dice.choice(JUNK)


def encode(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def quote(text: str) -> str:
    return percent_encode(text, safe="$%:,|")


def build_gun(roster: Scene) -> Gun:
    stage = Stage(roster, {"key": roster.customer.key_id})
    names = ("organization", "practitioner", "patient", "group", "token", "key", "address", "job", "file")
    ids = {name: [stage.find(name)] for name in names}
    ids["patient"] = roster.patients
    golden = roster.customer.emulator.golden_macaroon()
    return Gun(roster, random.Random(SEED), golden, roster.provenance, ids)


@pytest.fixture
def gun(roster: Scene) -> Gun:
    return build_gun(roster)


def read_complaint(raw: bytes, kind: str) -> str | None:
    """The text of a 500; None for the container's page and for a null message, which the contract names too."""
    if kind.startswith("text/html"):
        return None
    body = json.loads(raw)
    if "message" in body:
        return str(body["message"])
    issue = body["issue"][0]
    text: str | None = issue.get("details", {}).get("text")
    return text


def check(shot: Shot, status: int, raw: bytes, kind: str) -> None:
    assert 200 <= status < 600
    if status != 500 or shot.method == "HEAD":
        return
    text = read_complaint(raw, kind)
    assert text is None or any(named.fullmatch(text) for named in NAMED), f"{shot}: {text}"


def fire(customer: Customer, shots: Iterator[Shot]) -> set[int]:
    """Send the shots through the WSGI test client; the statuses met."""
    client, met = customer.emulator.app.test_client(use_cookies=False), set()
    state = customer.emulator.state
    for shot in shots:
        try:
            answer = client.open(
                "/api/v1" + shot.path, method=shot.method, headers=shot.headers, data=shot.body, buffered=True
            )
        except ConnectionResetError:  # a range past the end of a file ends like this
            assert "Range" in shot.headers
            continue
        met.add(answer.status_code)
        check(shot, answer.status_code, answer.data, answer.headers.get("Content-Type", ""))
        assert not state.defects, f"{shot}\n{state.defects[0]}"
    return met


def test_ten_thousand_random_requests_meet_nothing_unforeseen(gun: Gun) -> None:
    """contract-v1 2: every answer is one that the contract names."""
    met = fire(gun.scene.customer, (gun.draw() for _ in range(10_000)))
    assert {200, 201, 202, 204, 400, 401, 403, 404, 405, 406, 415, 422, 500, 501} <= met


def test_some_hundred_through_the_socket(gun: Gun) -> None:
    """contract-v1 1.1: the same through a connection."""
    customer = gun.scene.customer
    base, sent = customer.emulator.v1_url, 0
    for shot in (gun.draw() for _ in range(400)):
        try:
            answer = customer.session.request(
                shot.method, base + shot.path, headers=shot.headers, data=shot.body, timeout=10
            )
        except (requests.exceptions.ChunkedEncodingError, requests.ConnectionError):
            assert "Range" in shot.headers
            continue
        sent += 1
        check(shot, answer.status_code, answer.content, answer.headers.get("Content-Type", ""))
    assert sent > 300
    assert not customer.emulator.state.defects
