"""A running emulator, an onboarded organisation, and scenes with practitioners and patients."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.emulator.macaroons import add_caveat, encode_binary, read_tokens
from service.emulator.server import Emulator, EmulatorOptions

sys.path.insert(0, str(Path(__file__).parent))

from emulator_customer import Customer, KeyPair, Scene, build_key_pair, build_npi, onboard


@pytest.fixture(scope="session")
def key_pair() -> KeyPair:
    return build_key_pair()


@pytest.fixture(scope="session")
def server() -> Iterator[Emulator]:
    """One socket for all tests; starting one for each would cost more than the tests."""
    with Emulator(EmulatorOptions(clock="frozen")) as running:
        yield running


@pytest.fixture
def emulator(server: Emulator) -> Emulator:
    """An emulator that remembers nothing, without limits, frozen at the present."""
    server.reset()
    server.set_limits(patient_limit=-1, provider_limit=-1)
    server.set_clock(datetime.now(UTC), "frozen")
    return server


@pytest.fixture
def customer(emulator: Emulator, key_pair: KeyPair) -> Iterator[Customer]:
    onboarded = onboard(emulator, key_pair)
    yield onboarded
    onboarded.session.close()


@pytest.fixture
def stranger(emulator: Emulator, customer: Customer) -> Iterator[Customer]:
    """A second organisation; it logs in with the golden macaroon, because a key is unique."""
    organization_id, client_token = emulator.create_organization(build_npi(320000001), "Riverside Practice")
    narrowed = read_tokens(emulator.golden_macaroon())[0]
    for text in (
        "dpc_macaroon_version = 1",
        f"organization_id = {organization_id}",
        "expires = 2100-01-01T00:00:00Z",
    ):
        narrowed = add_caveat(narrowed, text)
    other = Customer(emulator, organization_id, client_token, "", customer.key, token=encode_binary(narrowed))
    yield other
    other.session.close()


@pytest.fixture
def scene(customer: Customer) -> Scene:
    """A practitioner and four patients, no Group yet."""
    return Scene(customer, customer.create_practitioner(), [customer.create_patient(n) for n in range(1, 5)])


@pytest.fixture
def roster(scene: Scene) -> Scene:
    """The scene with a Group of the first two patients."""
    scene.group_id = scene.customer.create_group(scene.practitioner, scene.patients[:2])["id"]
    return scene
