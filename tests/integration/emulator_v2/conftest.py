"""A running emulator and organisations with systems of version 2."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests
from v2_customer import Customer, KeyPair, build_key_pair, onboard

from service.emulator.server import Emulator, EmulatorOptions


@pytest.fixture(scope="session")
def v2_key() -> KeyPair:
    return build_key_pair()


@pytest.fixture(scope="session")
def v2_session() -> Iterator[requests.Session]:
    """One kept-alive connection for all tests."""
    with requests.Session() as session:
        yield session


@pytest.fixture(scope="session")
def v2_server() -> Iterator[Emulator]:
    """One socket for all tests."""
    with Emulator(EmulatorOptions(clock="frozen")) as running:
        yield running


@pytest.fixture
def emulator(v2_server: Emulator) -> Iterator[Emulator]:
    """An emulator that remembers nothing, frozen at the present; afterwards it must have met nothing unforeseen."""
    v2_server.reset()
    v2_server.set_clock(datetime.now(UTC), "frozen")
    earlier = len(v2_server.state.defects)
    yield v2_server
    assert v2_server.state.defects[earlier:] == []


@pytest.fixture
def customer(emulator: Emulator, v2_key: KeyPair, v2_session: requests.Session) -> Customer:
    return onboard(emulator, v2_key, v2_session)


@pytest.fixture
def stranger(emulator: Emulator, customer: Customer) -> Customer:
    """A second organisation; the same key may serve several systems."""
    return onboard(emulator, customer.key, customer.session, "1245319599")
