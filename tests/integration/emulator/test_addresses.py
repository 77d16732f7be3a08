"""IpAddress."""

from __future__ import annotations

import uuid

import pytest
from emulator_customer import Customer

pytestmark = pytest.mark.control  # it fills the list of addresses

JSON: dict[str, str | None] = {"Accept": "application/json", "Content-Type": "application/json"}


def test_addresses_are_listed_and_removed(customer: Customer) -> None:
    """contract-v1 4.9."""
    created = customer.send("POST", "/IpAddress", {"ip_address": "192.0.2.1"}, headers=JSON)
    assert created.status_code == 200
    assert created.json()["ipAddress"] == {"address": "192.0.2.1"}
    assert created.json()["organizationId"] == customer.organization_id
    listed = customer.send("GET", "/IpAddress", headers={"Accept": "*/*"}).json()
    assert (listed["count"], listed["entities"]) == (1, [created.json()])
    path = f"/IpAddress/{created.json()['id']}"
    assert customer.send("DELETE", path, headers={"Accept": "*/*"}).status_code == 204
    gone = customer.send("DELETE", path, headers={"Accept": "*/*"})
    assert (gone.status_code, gone.json()["message"]) == (404, "Ip address not found")


def test_the_ninth_address_and_a_bad_one_are_refused(customer: Customer) -> None:
    """contract-v1 4.9."""
    bad = customer.send("POST", "/IpAddress", {"ip_address": "1.2.3"}, headers=JSON)
    assert (bad.status_code, bad.json()["message"]) == (400, "Invalid ip address: 1.2.3")
    for number in range(8):
        sent = customer.send("POST", "/IpAddress", {"ip_address": f"192.0.2.{number}"}, headers=JSON)
        assert sent.status_code == 200
    full = customer.send("POST", "/IpAddress", {"ip_address": "192.0.2.9"}, headers=JSON)
    assert full.json()["message"] == "Max Ips for organization reached: 8"
    assert uuid.UUID(customer.organization_id)
