"""Large rosters, made through the public API."""

from __future__ import annotations

import requests
from emulator_customer import Customer, build_mbi, build_npi, build_parameters, build_patient, build_practitioner


def submit(customer: Customer, count: int) -> list[str]:
    """The ids of so many new patients."""
    patients = [build_patient(build_mbi(number)) for number in range(count)]
    answer = customer.send("POST", "/Patient/$submit", build_parameters(patients), timeout=60)
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["id"] for entry in answer.json()["entry"]]


def fill(customer: Customer, count: int, patient_ids: list[str]) -> list[str]:
    """The ids of so many Groups with all those members, one for each new practitioner."""
    doctors = [build_practitioner(build_npi(300000000 + number)) for number in range(count)]
    answer = customer.send("POST", "/Practitioner/$submit", build_parameters(doctors), timeout=60)
    assert answer.status_code == 200, answer.text
    return [str(customer.create_group(entry["resource"], patient_ids)["id"]) for entry in answer.json()["entry"]]


def count_members(answer: requests.Response) -> list[int]:
    """How many members each Group of a search has."""
    bundle = answer.json()
    sizes = [len(entry["resource"].get("member", [])) for entry in bundle.get("entry", [])]
    assert bundle["total"] == len(sizes)
    return sizes
