"""The clock, the hourly job and jumps in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import requests
from emulator_customer import Customer, KeyPair, Scene, onboard

from service.emulator.server import Emulator, EmulatorOptions

pytestmark = pytest.mark.control

START = datetime(2026, 3, 1, 12, 10, tzinfo=UTC)


def control(emulator: Emulator, method: str, path: str, body: object = None) -> requests.Response:
    return requests.request(method, f"{emulator.base_url}/_emulator/{path}", json=body, timeout=10)


def is_inactive(scene: Scene, patient: str) -> bool:
    return bool(scene.read_members()[patient]["inactive"])


@pytest.mark.parametrize(
    ("duration", "moved"),
    [
        ("P76D", timedelta(days=76)),
        ("P1DT2H30M", timedelta(days=1, hours=2, minutes=30)),
        ("PT90S", timedelta(seconds=90)),
        ("P2W", timedelta(weeks=2)),
        ("P6M", timedelta(days=184)),
        ("-PT1H", timedelta(hours=-1)),
    ],
)
def test_a_frozen_clock_moves_by_durations_only(emulator: Emulator, duration: str, moved: timedelta) -> None:
    """Control surface: POST clock {"advance"}."""
    emulator.set_clock(START)
    assert control(emulator, "POST", "clock", {"advance": duration}).status_code == 200
    assert emulator.now() == START + moved
    shown = control(emulator, "GET", "clock").json()
    assert (datetime.fromisoformat(shown["now"]), shown["mode"]) == (START + moved, "frozen")


@pytest.mark.parametrize(
    "wish", [{"advance": "76 days"}, {"advance": "P"}, {"advance": 5}, {"set": "x"}, {"mode": "x"}]
)
def test_an_unreadable_wish_leaves_the_clock_alone(emulator: Emulator, wish: dict[str, object]) -> None:
    """Control surface: POST clock."""
    before = emulator.now()
    assert control(emulator, "POST", "clock", wish).status_code == 400
    assert emulator.now() == before


def test_a_real_clock_goes_on_from_where_it_is_set() -> None:
    """Control surface: POST clock {"set"} and {"mode"}."""
    with Emulator(EmulatorOptions()) as emulator:
        control(emulator, "POST", "clock", {"set": "2030-01-01T00:00:00Z"})
        assert timedelta() <= emulator.now() - datetime(2030, 1, 1, tzinfo=UTC) < timedelta(seconds=30)
        assert emulator.now() < emulator.now() + timedelta(microseconds=1)
        control(emulator, "POST", "clock", {"mode": "frozen"})
        assert emulator.now() == emulator.now() > datetime(2030, 1, 1, tzinfo=UTC)


def test_a_jump_of_ninety_days_expires_at_the_next_full_hour(scene: Scene) -> None:
    """contract-v1 9.6: hourly, on the hour; until then the flag is stale."""
    emulator = scene.customer.emulator
    emulator.set_clock(START)
    scene.customer.log_in()
    scene.group_id = scene.customer.create_group(scene.practitioner, scene.patients[:1])["id"]
    emulator.advance("P90D")
    assert not is_inactive(scene, scene.patients[0])
    emulator.advance("PT49M59S")
    assert not is_inactive(scene, scene.patients[0])
    emulator.advance("PT1S")
    assert is_inactive(scene, scene.patients[0])


def test_one_long_jump_has_the_effect_of_all_hours_on_the_way(roster: Scene) -> None:
    """contract-v1 9.6: flags and purges, without counting hours."""
    roster.customer.emulator.advance("P3M")
    assert is_inactive(roster, roster.patients[0])
    roster.customer.emulator.advance("P2Y")
    roster.customer.client_token = roster.customer.send("GET", "/Patient").headers[
        "Date"
    ]  # the year-old client token is of no use any more
    emulator = roster.customer.emulator
    with emulator.state.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM attributions").scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM groups").scalar() == 1


def test_a_clock_set_back_expires_again_when_the_hour_comes(roster: Scene) -> None:
    """Setting back must not silence the job."""
    emulator = roster.customer.emulator
    now = emulator.now()
    emulator.advance("P80D")
    emulator.set_clock(now)
    emulator.advance("P90DT1H")
    assert is_inactive(roster, roster.patients[0])


def test_the_job_runs_lazily_when_a_real_clock_passes_the_hour(key_pair: KeyPair) -> None:
    """contract-v1 9.6, real clock: the first request after the hour sees the effect."""
    with Emulator(EmulatorOptions()) as emulator:
        customer = onboard(emulator, key_pair)
        scene = Scene(customer, customer.create_practitioner(), [customer.create_patient()])
        scene.group_id = customer.create_group(scene.practitioner, scene.patients)["id"]
        emulator.state.clock.offset += timedelta(days=90, hours=1)  # as if time had passed, no job run
        assert is_inactive(scene, scene.patients[0])
        customer.session.close()


def test_the_job_can_be_called(roster: Scene) -> None:
    """Control surface: POST jobs/expire says what it did, at this very instant."""
    emulator = roster.customer.emulator
    emulator.set_clock(START)
    roster.customer.log_in()
    roster.replace(roster.patients)
    emulator.advance("P90D")
    assert control(emulator, "POST", "jobs/expire").json() == {"flagged": 4, "purged": 0}
    assert control(emulator, "POST", "jobs/expire").json() == {"flagged": 0, "purged": 0}
    emulator.set_clock(datetime(2026, 11, 30, 12, 10, tzinfo=UTC))
    assert control(emulator, "POST", "jobs/expire").json() == {"flagged": 0, "purged": 4}


def test_access_tokens_live_on_the_emulated_clock(customer: Customer) -> None:
    """contract-v1 3.2."""
    customer.emulator.advance("P76D")
    assert customer.send("GET", "/Patient").status_code == 401
    customer.log_in()
    assert customer.send("GET", "/Patient").status_code == 200
