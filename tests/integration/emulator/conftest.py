"""A running emulator or another DPC, an onboarded organisation, and scenes with practitioners and patients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from emulator_customer import Customer, KeyPair, Scene, build_key_pair, build_npi, onboard
from emulator_elsewhere import Elsewhere, admit, sweep

from service.emulator.macaroons import add_caveat, encode_binary, read_tokens
from service.emulator.server import Emulator, EmulatorOptions

HERE = Path(__file__).parent
CONTROLLED = {"emulator", "server", "stranger"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Heard only when this folder, or a part of it, is named on the command line."""
    parser.addoption(
        "--dpc-url",
        default=None,
        help="base URL of version 1 of another DPC; takes DPC_CLIENT_TOKEN, DPC_KEY_ID and DPC_PRIVATE_KEY_FILE from "
        "the environment; the organisation must be empty and is emptied after each test",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "control: needs the control surface, so it is left out with --dpc-url")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --dpc-url, what turns the clock, plants faults or onboards somebody is not selected."""
    if find_url(config) is None:
        return
    here = [item for item in items if item.path.is_relative_to(HERE)]
    out = [item for item in here if is_at_home_only(item)]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def is_at_home_only(item: pytest.Item) -> bool:
    """Whether a test needs the control surface, or speaks another version than the one at --dpc-url."""
    fixtures = set(getattr(item, "fixturenames", ()))
    is_of_version_1 = not re.match(r"test_(v2|preview)", item.path.name) and item.path.parent == HERE
    return item.get_closest_marker("control") is not None or bool(CONTROLLED & fixtures) or not is_of_version_1


def find_url(config: pytest.Config) -> str | None:
    url: str | None = config.getoption("--dpc-url", default=None)
    return url


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


@pytest.fixture(scope="session")
def elsewhere(pytestconfig: pytest.Config) -> Iterator[Customer]:
    """The organisation at --dpc-url."""
    admitted = admit(Elsewhere(str(find_url(pytestconfig)).rstrip("/")))
    yield admitted
    admitted.session.close()


@pytest.fixture
def customer(request: pytest.FixtureRequest) -> Iterator[Customer]:
    """An organisation with nothing in it, logged in; the emulator is asked for by name, so that it can be left out."""
    if find_url(request.config) is not None:
        visitor: Customer = request.getfixturevalue("elsewhere")
        visitor.keep_logged_in()
        yield replace(visitor)  # a test may spoil its credentials
        visitor.keep_logged_in()
        sweep(visitor)
        return
    onboarded = onboard(request.getfixturevalue("emulator"), request.getfixturevalue("key_pair"))
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
