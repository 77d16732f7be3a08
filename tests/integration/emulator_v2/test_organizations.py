"""Organization."""

from __future__ import annotations

from v2_customer import FHIR, NPI_SYSTEM, ORGANIZATION_NPI, Customer, fault, missing, read_issue


def test_an_organization_reads_itself_by_id(customer: Customer) -> None:
    """contract-v2 4: identifier, name and meta only."""
    answer = customer.send("GET", f"/Organization/{customer.organization_id}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, FHIR)
    body = answer.json()
    meta = body.pop("meta")
    assert body == {
        "resourceType": "Organization",
        "id": customer.organization_id,
        "identifier": [{"system": NPI_SYSTEM, "value": ORGANIZATION_NPI}],
        "name": "Lakeside Practice",
    }
    assert (meta["id"], meta["versionId"]) == (f"Organization/{customer.organization_id}", "0")
    assert meta["lastUpdated"].endswith("+00:00")


def test_the_case_of_the_id_is_ignored(customer: Customer) -> None:
    """contract-v2 4."""
    assert customer.send("GET", f"/Organization/{customer.organization_id.upper()}").status_code == 200


def test_any_other_id_is_401(customer: Customer, stranger: Customer) -> None:
    """contract-v2 1 row 5 and 2.2: the only 401 there is."""
    for other in (stranger.organization_id, "7", "00000000-0000-0000-0000-000000000000"):
        assert read_issue(customer.send("GET", f"/Organization/{other}")) == fault(401, "Not Allowed")


def test_an_organization_that_is_gone_is_404(customer: Customer) -> None:
    """contract-v2 1 row 5."""
    customer.emulator.reset()
    answer = customer.send("GET", f"/Organization/{customer.organization_id}")
    assert read_issue(answer) == missing("Failed to find organization")


def test_its_version_counts_updates(customer: Customer) -> None:
    """contract-v2 4: a real counter here."""
    customer.create_group([1])
    path = f"/Organization/{customer.organization_id}"
    assert customer.control("PUT", f"/v2{path}", {"name": "Hillside Practice"}).status_code == 200
    body = customer.send("GET", path).json()
    assert (body["name"], body["meta"]["versionId"]) == ("Hillside Practice", "1")


def test_an_organization_cannot_be_discovered_or_changed(customer: Customer) -> None:
    """contract-v2 1 and 4: documented, but not there."""
    answer = customer.send("GET", "/Organization")
    assert (answer.status_code, answer.text.strip()) == (404, "404 page not found")
    assert customer.send("PUT", f"/Organization/{customer.organization_id}").status_code == 405
