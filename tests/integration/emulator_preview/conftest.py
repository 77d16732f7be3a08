"""A running emulator, an organisation with a token of the preview, and a practitioner with patients."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from preview_customer import Customer, build_patient, build_practitioner

from service.emulator.server import Emulator, EmulatorOptions


@pytest.fixture(scope="session")
def preview_server() -> Iterator[Emulator]:
    """One socket for all tests."""
    with Emulator(EmulatorOptions(clock="frozen")) as running:
        yield running


@pytest.fixture
def emulator(preview_server: Emulator) -> Iterator[Emulator]:
    """An emulator that remembers nothing, frozen at the present; afterwards it must have met nothing unforeseen."""
    preview_server.reset()
    preview_server.set_limits(patient_limit=-1, provider_limit=-1)
    preview_server.set_clock(datetime.now(UTC), "frozen")
    earlier = len(preview_server.state.defects)
    yield preview_server
    assert preview_server.state.defects[earlier:] == []


def _onboard(emulator: Emulator, npi: str) -> Iterator[Customer]:
    organization_id, _ = emulator.create_organization(npi, "Lakeside Practice")
    onboarded = Customer(emulator, organization_id, emulator.create_preview_token(organization_id))
    yield onboarded
    onboarded.session.close()


@pytest.fixture
def customer(emulator: Emulator) -> Iterator[Customer]:
    yield from _onboard(emulator, "1234567893")


@pytest.fixture
def stranger(emulator: Emulator, customer: Customer) -> Iterator[Customer]:
    yield from _onboard(emulator, "1245319599")


@pytest.fixture
def patients(customer: Customer) -> list[str]:
    """Four patients, and a practitioner beside them."""
    customer.create("Practitioner", build_practitioner())
    return [customer.create("Patient", build_patient(number)) for number in range(1, 5)]
