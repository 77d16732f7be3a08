"""The Authorization header."""

from __future__ import annotations

import pytest
from v2_customer import FHIR, Customer, fault, read_issue

PATHS = [("GET", "/Organization/x"), ("POST", "/Group"), ("GET", "/Group/x/$export"), ("GET", "/Data/x.ndjson")]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_without_a_token_it_is_403_before_anything_else(customer: Customer, method: str, path: str) -> None:
    """contract-v2 2.2: never 401."""
    answer = customer.send(method, path, headers={"Authorization": None})
    assert answer.headers["Content-Type"] == FHIR
    assert read_issue(answer) == fault(403, "Missing access token")


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "x Bearer y"])
def test_a_bad_token_is_403(customer: Customer, token: str) -> None:
    """contract-v2 2.2."""
    answer = customer.send("POST", "/Group", headers={"Authorization": f"Bearer {token}"})
    assert read_issue(answer) == fault(403, "Invalid access token")


@pytest.mark.parametrize("value", ["bearer {}", "{}", "Bearer", "Basic dXNlcjpwYXNz", "Token {}"])
def test_a_value_without_the_word_bearer_drops_the_connection(customer: Customer, value: str) -> None:
    """contract-v2 3.4 and T3."""
    headers = {"Authorization": value.format(customer.token)}
    assert customer.is_dropped("GET", f"/Organization/{customer.organization_id}", headers=headers)
    entry = customer.emulator.log()[-1]
    assert (entry["status"], entry["effect"], entry["organization_id"]) == (None, False, None)


def test_the_connection_works_again_after_a_drop(customer: Customer) -> None:
    """contract-v2 3.4: one request crashed, not the server."""
    assert customer.is_dropped("GET", "/Jobs/x", headers={"Authorization": "bearer x"})
    assert customer.send("GET", f"/Organization/{customer.organization_id}").status_code == 200


def test_a_token_of_version_1_is_of_no_use(customer: Customer) -> None:
    """contract-v2 3.4."""
    macaroon = customer.emulator.golden_macaroon()
    answer = customer.send("POST", "/Group", headers={"Authorization": f"Bearer {macaroon}"})
    assert read_issue(answer) == fault(403, "Invalid access token")


def test_nothing_but_the_token_chooses_the_organization(customer: Customer, stranger: Customer) -> None:
    """contract-v2 3.4."""
    headers: dict[str, str | None] = {"X-Organization": stranger.organization_id}
    assert customer.send("GET", f"/Organization/{stranger.organization_id}", headers=headers).status_code == 401
    assert customer.emulator.log()[-1]["organization_id"] == customer.organization_id
