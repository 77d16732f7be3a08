"""What is checked around a resource: media types, the order of checks, the size of the head."""

from __future__ import annotations

import gzip
import json
import re
import socket
from urllib.parse import urlsplit

import pytest
from emulator_customer import FHIR, Customer, Scene, build_group, build_mbi, build_patient, read_text

ACCEPT = "`Accept:` header must specify valid FHIR content type"
CONTENT = "`Content-Type:` header must specify valid FHIR content type"


@pytest.mark.parametrize(
    "accept", ["*/*", "application/*", FHIR, "application/fhir+ndjson", "text/html, */*;q=0.1", None]
)
def test_compatible_accepts_pass(customer: Customer, accept: str | None) -> None:
    """contract-v1 1.3."""
    assert customer.send("GET", "/Patient", headers={"Accept": accept}).status_code == 200


def test_an_incompatible_accept_is_a_415(customer: Customer) -> None:
    """contract-v1 1.3."""
    answer = customer.send("GET", "/Patient", headers={"Accept": "application/json"})
    assert (answer.status_code, read_text(answer)) == (415, ACCEPT)


def test_an_incompatible_content_type_is_a_415_even_on_get(customer: Customer) -> None:
    """contract-v1 1.3."""
    for kind in ("application/json", "application/fire+json", "application/x-www-form-urlencoded"):
        answer = customer.send("GET", "/Patient", headers={"Content-Type": kind})
        assert (answer.status_code, read_text(answer)) == (415, CONTENT)
    assert customer.send("GET", "/Patient", headers={"Content-Type": FHIR + ";charset=utf-8"}).status_code == 200


def test_a_body_without_content_type_is_a_415(customer: Customer) -> None:
    """contract-v1 1.3."""
    answer = customer.send("POST", "/Patient", b"{}", headers={"Content-Type": None})
    assert (answer.status_code, read_text(answer)) == (415, "HTTP 415 Unsupported Media Type")


def test_plain_endpoints_negotiate_the_other_way_round(customer: Customer) -> None:
    """contract-v1 1.3: J endpoints."""
    answer = customer.send("GET", "/Token")
    assert (answer.status_code, answer.json()) == (406, {"code": 406, "message": "HTTP 406 Not Acceptable"})
    headers: dict[str, str | None] = {"Accept": "*/*", "Content-Type": FHIR}
    answer = customer.send("GET", "/Token", headers=headers)
    assert answer.json() == {"code": 415, "message": "HTTP 415 Unsupported Media Type"}


def test_unknown_paths_and_wrong_methods_answer_plain_json_before_the_token(customer: Customer) -> None:
    """contract-v1 1.2 and 2.3."""
    nobody: dict[str, str | None] = {"Authorization": None}
    answer = customer.send("GET", "/Group/1/$foo", headers=nobody)
    assert (answer.status_code, answer.json()) == (404, {"code": 404, "message": "HTTP 404 Not Found"})
    answer = customer.send("DELETE", "/Group", headers=nobody)
    assert (answer.status_code, answer.json()["message"]) == (405, "HTTP 405 Method Not Allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_the_checks_of_a_fhir_request_come_in_order(roster: Scene) -> None:
    """contract-v1 1.2: each repair uncovers the next complaint."""
    customer, path = roster.customer, f"/Group/{roster.group_id}/$add"
    headers: dict[str, str | None] = {"Authorization": "Bearer x", "Accept": "a/b", "Content-Type": "a/b"}

    def ask(body: bytes, provenance: str | None) -> tuple[int, str]:
        answer = customer.send("POST", path, body, headers=headers, provenance=provenance)
        return answer.status_code, read_text(answer)

    assert ask(b"!", None)[0] == 401
    headers["Authorization"] = f"Bearer {customer.token}"
    assert ask(b"!", None) == (415, ACCEPT)
    headers["Accept"] = FHIR
    assert ask(b"!", None) == (415, CONTENT)
    headers["Content-Type"] = FHIR
    assert ask(b"!", None) == (400, "Must have X-Provenance header")
    assert ask(b"!", "!") == (400, "Cannot parse FHIR `Provenance` resource")
    assert ask(b"!", '{"resourceType":"Provenance"}')[1].startswith("HAPI-1859")
    assert ask(json.dumps(build_group("x", [])).encode(), '{"resourceType":"Provenance"}')[0] == 422
    good = json.dumps(roster.provenance)
    assert ask(json.dumps(build_group("x", [])).encode(), good)[1].endswith("does not match group provider")
    nobody = [f"{number}0000000-0000-0000-0000-000000000000" for number in (1, 2)]
    assert ask(json.dumps(build_group(roster.npi, nobody)).encode(), good) == (
        400,
        "All patients in group must exist. Cannot find 2 patient(s).",
    )
    path = "/Group/00000000-0000-0000-0000-000000000000/$add"
    headers["Accept"] = "a/b"
    assert ask(b"!", None) == (404, "Group not found")


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"this", 400, "HAPI-1859: Content does not appear to be FHIR JSON, first non-whitespace character was: 't'"),
        (b" ", 400, "HAPI-1857: Did not find any content to parse"),
        (b"{", 400, "HAPI-1861"),
        (b"{}", 400, "HAPI-1838: Invalid JSON content detected, missing required element: 'resourceType'"),
        (b'{"resourceType":"Patient","gender":"x"}', 422, "Invalid attribute value"),
        (b'{"resourceType":"Patient","birthDate":"01/02/1940"}', 422, "Invalid attribute value"),
    ],
)
def test_unreadable_bodies_are_told_apart(customer: Customer, body: bytes, status: int, text: str) -> None:
    """contract-v1 2.5."""
    answer = customer.send("POST", "/Patient", body)
    assert answer.status_code == status
    assert text in read_text(answer)


def test_another_resource_type_is_the_containers_500(customer: Customer) -> None:
    """contract-v1 2.5: no OperationOutcome."""
    answer = customer.send("POST", "/Practitioner", {"resourceType": "Group"})
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (500, "text/html")


def test_unknown_elements_and_single_objects_are_accepted(customer: Customer) -> None:
    """contract-v1 2.5."""
    patient = build_patient(build_mbi(1), wings=2, name={"family": "One", "given": "Only"})
    answer = customer.send("POST", "/Patient", patient)
    assert (answer.status_code, answer.json()["name"]) == (201, [{"family": "One", "given": ["Only"]}])


def test_html_in_a_query_parameter_is_a_400(customer: Customer) -> None:
    """contract-v1 1.4."""
    for text in ("<b>", "a%26b", "%26lt;"):
        answer = customer.send("GET", f"/Practitioner?identifier={text}")
        assert (answer.status_code, "Cannot contain HTML" in read_text(answer)) == (400, True)
    assert customer.send("GET", "/Practitioner?identifier=a%20%26%20b").status_code == 200


def test_a_head_over_eight_kibibytes_is_a_431_that_is_no_json(customer: Customer) -> None:
    """contract-v1 1.1."""
    room = 8192 - len(customer.token) - 600
    assert customer.send("GET", "/Patient", headers={"X-Filler": "x" * room}).status_code == 200
    answer = customer.send("GET", "/Patient", headers={"X-Filler": "x" * 8192})
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (431, "text/html")
    assert customer.send("GET", "/Patient").status_code == 200


@pytest.mark.control
def test_every_answer_has_the_emulators_date_and_a_fresh_request_id(customer: Customer) -> None:
    """contract-v1 1.1; the Date is the emulated one."""
    customer.emulator.advance("P400D")
    answers = [customer.send("GET", path, headers={"X-Request-Id": "mine"}) for path in ("/metadata", "/Patient", "/x")]
    assert {answer.headers["Date"] for answer in answers} == {
        customer.emulator.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
    }
    assert len({answer.headers["X-Request-Id"] for answer in answers} - {"mine"}) == 3
    assert customer.emulator.log()[-1]["request_id"] == "mine"


def test_large_answers_are_compressed_and_compressed_requests_inflated(customer: Customer) -> None:
    """contract-v1 1.1."""
    body = gzip.compress(json.dumps(build_patient(build_mbi(1))).encode())
    answer = customer.send("POST", "/Patient", body, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["Content-Encoding"]) == (201, "gzip")
    answer = customer.send("GET", "/Patient", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in answer.headers


@pytest.mark.control
def test_one_connection_serves_several_requests(customer: Customer) -> None:
    """HTTP/1.1 keep-alive, also after a request whose body nobody read."""
    parts = urlsplit(customer.emulator.base_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        for _ in range(2):
            connection.sendall(
                b"POST /api/v1/nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                b"GET /api/v1/version HTTP/1.1\r\nHost: x\r\n\r\n"
            )
            received = b""
            while received.count(b"HTTP/1.1 ") < 2 or not received.endswith(b"Z"):
                received += connection.recv(65536)
            assert re.findall(rb"HTTP/1\.1 (\d+)", received) == [b"404", b"200"]


def test_a_body_that_cannot_be_inflated_is_the_containers_400(customer: Customer) -> None:
    """contract-v1 1.1: inflating comes before everything else, and leaves the connection usable."""
    answer = customer.send("POST", "/Patient", b"{}", headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (400, "text/html")
    assert customer.send("GET", "/Patient").status_code == 200


def test_elements_of_the_wrong_json_type_are_dropped(customer: Customer) -> None:
    """contract-v1 2.5: the parser is lenient; what is then missing is a profile's matter."""
    patient = build_patient(build_mbi(1), birthDate={"year": 1940})
    answer = customer.send("POST", "/Patient", patient)
    assert answer.status_code == 422
    assert "Patient.birthDate" in read_text(answer)
    assert customer.send("POST", "/Patient", build_patient(build_mbi(1), name=[7, None])).status_code == 422
