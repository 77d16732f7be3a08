"""What CMS's portal does can be done at an emulator on this machine, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.domain.errors import NotAllowed
from service.dpc import portal
from service.dpc.client import DpcClient
from service.dpc.clock import EmulatorClock
from service.dpc.credentials import Credentials
from service.dpc.errors import DpcRefused, DpcUnavailable
from service.emulator.server import Emulator, EmulatorOptions
from tests.integration.dpc.conftest import ORGANIZATION_NPI, KeyPair, Practice


class Stopwatch:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_an_organization_is_onboarded_as_a_customer_would(keys: KeyPair) -> None:
    with Emulator(EmulatorOptions()) as emulator:
        organization_id, token = portal.create_organization(emulator.base_url, ORGANIZATION_NPI, "Lakeside")
        key_id = portal.register_first_key(emulator.base_url, organization_id, keys.public_pem, keys.signature, "first")
        credentials = Credentials(emulator.v1_url, token, key_id, keys.private_key, organization_id)
        clock = EmulatorClock(emulator.base_url)
        with DpcClient(credentials, allowed_origins=[emulator.base_url], clock=clock) as client:
            assert client.read_organization().organization_id == organization_id
            assert client.clock_offset is not None
            assert abs(client.clock_offset) < timedelta(seconds=3)
        paths = [entry["path"] for entry in portal.read_log(emulator.base_url)]
        assert paths == ["/api/v1/Token/auth", "/api/v1/Organization"]


def test_a_refusal_of_the_emulator_is_told(practice: Practice) -> None:
    with pytest.raises(DpcRefused):
        portal.create_organization(practice.emulator.base_url, "1", "Nobody")


def test_the_portal_is_never_looked_for_on_another_machine() -> None:
    for origin in ("https://sandbox.dpc.cms.gov", "http://127.0.0.1.example.org"):
        with pytest.raises(NotAllowed):
            portal.read_clock(origin)


def test_the_clock_is_moved_and_read(practice: Practice) -> None:
    before = portal.read_clock(practice.emulator.base_url)
    portal.advance_clock(practice.emulator.base_url, "P76D")
    assert portal.read_clock(practice.emulator.base_url) - before == timedelta(days=76)


def test_the_emulators_clock_is_asked_once_per_second_and_kept_when_it_is_gone() -> None:
    stopwatch = Stopwatch()
    with Emulator(EmulatorOptions()) as emulator:
        clock = EmulatorClock(emulator.base_url, monotonic=stopwatch)
        first_at = clock()
        emulator.advance("P76D")
        assert clock() - first_at < timedelta(minutes=1)
        stopwatch.seconds += 1
        assert clock() - first_at > timedelta(days=75)
    stopwatch.seconds += 1
    assert clock() - first_at > timedelta(days=75)
    assert clock().tzinfo is UTC


def test_somebody_who_moved_the_clock_can_have_it_asked_again_at_once() -> None:
    with Emulator(EmulatorOptions()) as emulator:
        clock = EmulatorClock(emulator.base_url, monotonic=Stopwatch())
        first_at = clock()
        emulator.advance("P76D")
        clock.forget()
        assert clock() - first_at > timedelta(days=75)


def test_a_clock_that_was_never_reached_is_unavailability() -> None:
    with Emulator(EmulatorOptions()) as emulator:
        origin = emulator.base_url
    clock = EmulatorClock(origin)
    for _ in range(2):
        with pytest.raises(DpcUnavailable):
            clock()
    assert datetime.now(UTC).tzinfo is UTC
