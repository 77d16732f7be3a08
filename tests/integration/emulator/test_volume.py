"""Large rosters are answered whole; how fast is what tests/benchmarks/bench_emulator.py prints."""

from __future__ import annotations

import pytest
from emulator_customer import Customer
from emulator_exports import ask, finish, read_all
from emulator_volume import count_members, fill, submit

pytestmark = pytest.mark.control


def test_two_hundred_groups_of_a_thousand(customer: Customer) -> None:
    """contract-v1 9.4: unpaged, whole, nobody twice and nobody missing."""
    ids = submit(customer, 1000)
    assert len(set(ids)) == 1000
    group_ids = fill(customer, 200, [])
    with customer.emulator.state.begin() as connection:  # one by one they take too long for a test
        connection.exec_driver_sql(
            "INSERT INTO attributions SELECT groups.id, patients.id, 0, 0, 0 FROM groups, patients"
        )
    answer = customer.send("GET", "/Group", timeout=60)
    assert count_members(answer) == [1000] * 200
    entries = [entry["resource"] for entry in answer.json()["entry"]]
    assert {group["id"] for group in entries} == set(group_ids)
    for group in entries[:: len(entries) - 1]:
        assert {one["entity"]["reference"].removeprefix("Patient/") for one in group["member"]} == set(ids)


def test_an_export_of_a_thousand_comes_in_batches_of_a_hundred(customer: Customer) -> None:
    """contract-v1 10.2: several files of each type, each patient once."""
    ids = submit(customer, 1000)
    (group_id,) = fill(customer, 1, ids)
    completed = finish(customer, ask(customer, f"/Group/{group_id}", "?_type=Patient"))
    assert [entry["count"] for entry in completed["output"]] == [100] * 10
    people = read_all(customer, completed)["Patient"]
    assert len({one["identifier"][1]["value"] for one in people}) == 1000
