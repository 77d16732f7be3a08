"""What the server says about itself."""

from __future__ import annotations

import re

from emulator_customer import FHIR, Customer


def test_metadata_is_public_and_names_the_version(customer: Customer) -> None:
    """contract-v1 11."""
    answer = customer.send("GET", "/metadata", headers={"Authorization": None, "Accept": "*/*"})
    statement = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, FHIR)
    assert (statement["kind"], statement["fhirVersion"]) == ("instance", "3.0.2")
    assert statement["implementation"]["url"] == customer.emulator.v1_url


def test_metadata_as_json_is_a_406(customer: Customer) -> None:
    """contract-v1 11."""
    assert customer.send("GET", "/metadata", headers={"Accept": "application/json"}).status_code == 406


def test_version_is_text(customer: Customer) -> None:
    """contract-v1 11."""
    answer = customer.send("GET", "/version", headers={"Authorization": None, "Accept": "text/plain"})
    assert answer.status_code == 200
    assert re.fullmatch(r"\w{7}\..+", answer.text)
