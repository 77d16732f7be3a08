"""Metadata, paths that do not exist, the body filter and the shape of refusals."""

from __future__ import annotations

import json

import pytest
from v2_customer import FHIR, JSON, Customer, build_group, fault, read_issue


def test_metadata_says_what_there_is(customer: Customer) -> None:
    """contract-v2 1 row 1 and 8: draft, 4.0.1, dated today, without $everything."""
    answer = customer.send("GET", "/metadata", headers={"Authorization": None})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, FHIR)
    statement = answer.json()
    assert (statement["resourceType"], statement["status"]) == ("CapabilityStatement", "draft")
    assert (statement["fhirVersion"], statement["software"]["version"]) == ("4.0.1", "1.0")
    assert statement["date"] == customer.emulator.now().date().isoformat()
    resources = {one["type"]: one for one in statement["rest"][0]["resource"]}
    assert set(resources) == {"Organization", "Group"}
    assert resources["Group"]["operation"][0]["name"] == "export"


def test_health_and_the_page_need_no_token(customer: Customer) -> None:
    """contract-v2 1 rows 2 and 11."""
    health = customer.send("GET", "/_health", headers={"Authorization": None})
    assert (health.status_code, health.json(), health.headers["Content-Type"]) == (200, {"api": "ok"}, JSON)
    page = customer.send("GET", "/swagger/index.html", b"<b>\r\n", headers={"Authorization": None})
    assert (page.status_code, page.headers["Content-Type"][:9]) == (200, "text/html")


@pytest.mark.parametrize(
    "path",
    ["", "/", "/Jobs", "/Roster", "/Practitioner", "/Key", "/Token", "/data/1/2.ndjson", "/Group/x", "//Group", "/Data",
     "/group", "/Organization/", "/Group/x/$Export"],
)  # fmt: skip
def test_what_does_not_exist_is_plain_text_after_authentication(customer: Customer, path: str) -> None:
    """contract-v2 1."""
    assert read_issue(customer.send("GET", path, headers={"Authorization": None})) == fault(403, "Missing access token")
    answer = customer.send("GET", path)
    assert (answer.status_code, answer.text.strip()) == (404, "404 page not found")
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("method", ["PROPFIND", "TRACE", "DELETE"])
def test_a_method_that_does_not_exist_is_405(customer: Customer, method: str) -> None:
    """contract-v2 1."""
    for path in ("/Group", "/metadata", "/Token/auth"):
        answer = customer.send(method, path)
        assert (answer.status_code, answer.content) == (405, b"")


@pytest.mark.parametrize(
    "text", ["<b>bold</b>", "<x>", "</p>", "<!-- x -->", "a &amp; b", "&copy;", "&copy x", "&#65;", "a\rb"]
)
def test_a_body_that_the_sanitiser_would_change_is_a_500(customer: Customer, text: str) -> None:
    """contract-v2 2.3: JSON labelled as text, before authentication."""
    raw = json.dumps(build_group([1])).replace("Panel", text).encode()
    answer = customer.send("POST", "/Group", raw, provenance=customer.attest(), headers={"Authorization": None})
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert read_issue(answer) == fault(500, "Internal Server Error")


def test_carriage_returns_between_lines_are_a_500(customer: Customer) -> None:
    """contract-v2 2.3 and T9: line feeds are fine."""
    pretty = json.dumps(build_group([1]), indent=1)
    assert customer.post_group(pretty.encode()).status_code == 200
    assert customer.post_group(pretty.replace("\n", "\r\n").encode()).status_code == 500


@pytest.mark.parametrize("text", ["a < b", "Smith & Sons", "Zo\u00eb", "\\u00e9", "a > b", "R&D", "1<2"])
def test_harmless_text_passes_the_sanitiser(customer: Customer, text: str) -> None:
    """contract-v2 2.3."""
    raw = json.dumps(build_group([1]), ensure_ascii=False).replace("Panel", text).encode()
    answer = customer.post_group(raw)
    assert answer.status_code == 200, answer.text
    assert answer.json()["name"] == text.replace("\\u00e9", "\u00e9")


def test_the_caller_may_choose_the_request_id(customer: Customer) -> None:
    """contract-v2 2.1: it is the diagnostics."""
    chosen = customer.send("GET", "/Organization/x", headers={"X-Request-Id": "mine-7"})
    assert chosen.json()["issue"][0]["diagnostics"] == "mine-7"
    made_up = [customer.send("GET", "/Organization/x").json()["issue"][0]["diagnostics"] for _ in range(2)]
    assert len(set(made_up)) == 2


def test_faults_and_the_journal_are_the_same_as_version_1s(customer: Customer) -> None:
    """Control surface: one clock, one list of faults, one journal."""
    customer.emulator.add_fault({"path": "/api/v2/Group$", "nth": 1, "status": 503, "body": "x", "when": "after"})
    assert customer.post_group(build_group([1])).status_code == 503
    entry = customer.emulator.log()[-1]
    assert (entry["status"], entry["effect"], entry["fault"]) == (503, True, "fault")
    assert customer.post_group(build_group([1])).json()["meta"]["versionId"] == "1"
    customer.emulator.clear_faults()


def test_version_1_is_still_itself(customer: Customer) -> None:
    """The versions do not see one another's requests."""
    answer = customer.session.get(f"{customer.emulator.v1_url}/nothing", timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (404, 404)


def test_a_long_header_is_no_problem(customer: Customer) -> None:
    """contract-v2 2.4 names no limit; version 1's container has one of 8 KiB (contract-v1 9.1)."""
    long = "x" * 10_000
    answer = customer.send("GET", f"/Organization/{customer.organization_id}", headers={"X-Request-Id": long})
    assert answer.status_code == 200
