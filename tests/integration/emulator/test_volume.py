"""Large rosters are answered within a second or two; generous bounds, to catch loops per row and not to time."""

from __future__ import annotations

import time

import pytest
from emulator_customer import Customer, build_mbi, build_npi, build_parameters, build_patient

from service.emulator import tables

pytestmark = pytest.mark.control


def test_two_hundred_groups_of_a_thousand(customer: Customer) -> None:
    """contract-v1 9.4: unpaged, whole."""
    started = time.monotonic()
    patients = [build_patient(build_mbi(number)) for number in range(1000)]
    answer = customer.send("POST", "/Patient/$submit", build_parameters(patients))
    assert time.monotonic() - started < 2
    ids = [entry["resource"]["id"] for entry in answer.json()["entry"]]
    assert len(set(ids)) == 1000
    state = customer.emulator.state
    with state.begin() as connection:
        for number in range(200):
            row = {"id": f"p{number}", "organization_id": customer.organization_id, "npi": build_npi(number)}
            connection.execute(tables.practitioners.insert(), {**row, "given": "A", "family": "B", "updated_us": 0})
            group = {"id": f"g{number}", "organization_id": customer.organization_id, "practitioner_id": f"p{number}"}
            connection.execute(tables.groups.insert(), group)
        connection.exec_driver_sql(
            "INSERT INTO attributions SELECT groups.id, patients.id, 0, 0, 0 FROM groups, patients"
        )
    started = time.monotonic()
    answer = customer.send("GET", "/Group", timeout=30)
    seconds = time.monotonic() - started
    bundle = answer.json()
    assert (bundle["total"], {len(entry["resource"]["member"]) for entry in bundle["entry"]}) == (200, {1000})
    assert seconds < 6
