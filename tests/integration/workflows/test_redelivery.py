"""A snapshot sent again for the same date replaces the earlier one as a whole; a later one only follows it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from practice import ADA, BRUNO, OPERATOR, Practice, build_mbi, write_roster

from service.storage.panel_codec import read_claims
from service.storage.panels import load_claims
from service.workflows.deliveries import DeliveryView, load_delivery
from service.workflows.feeds import set_feed


@pytest.fixture(params=["practice", "practice_on_postgresql"])
def clinic(request: pytest.FixtureRequest) -> Practice:
    """A practice on each of the two databases, with a roster of yesterday."""
    practice: Practice = request.getfixturevalue(request.param)
    practice.name_practitioners()
    send(practice, {ADA: range(1, 11), BRUNO: range(20, 26)}, days_ago=1)
    return practice


def find_morning(practice: Practice) -> datetime:
    """One o'clock of the emulator's day: what the files of that day say they are as of."""
    return practice.rt.now().replace(hour=1, minute=0, second=0, microsecond=0)


def send(practice: Practice, panels: dict[str, range], *, days_ago: int = 0) -> DeliveryView:
    return practice.send_roster(panels, as_of_at=find_morning(practice) - timedelta(days=days_ago))


def read_states(practice: Practice, npi: str = ADA) -> dict[str, tuple[bool, int]]:
    """Whether each claim has ended, and how many absences it has."""
    with practice.rt.database.begin() as connection:
        keys = practice.rt.open_keys(connection, "lakeside")
        (panel,) = load_claims(connection, keys, "lakeside", npi)
    return {claim.mbi: (claim.ended, claim.absences) for claim in read_claims(panel.columns)}


def find_state(practice: Practice, delivery: DeliveryView) -> str:
    return load_delivery(practice.rt, "lakeside", delivery.id).state


def test_whom_only_the_replaced_file_listed_is_gone_at_once(clinic: Practice) -> None:
    replaced = send(clinic, {ADA: range(1, 14), BRUNO: range(20, 26)})
    send(clinic, {ADA: range(1, 12), BRUNO: range(20, 26)})
    states = read_states(clinic)
    assert states[build_mbi(11)] == (False, 0)
    assert states[build_mbi(12)][0] and states[build_mbi(13)][0]
    assert find_state(clinic, replaced) == "superseded"


def test_whom_an_earlier_file_listed_is_only_absent_once(clinic: Practice) -> None:
    send(clinic, {ADA: range(1, 11), BRUNO: range(20, 26)})
    send(clinic, {ADA: range(1, 9), BRUNO: range(20, 26)})
    states = read_states(clinic)
    assert states[build_mbi(9)] == states[build_mbi(10)] == (False, 1)


def test_an_absence_in_the_replaced_file_does_not_count(clinic: Practice) -> None:
    send(clinic, {ADA: range(1, 9), BRUNO: range(20, 26)})
    assert read_states(clinic)[build_mbi(9)] == (False, 1)
    send(clinic, {ADA: range(1, 11), BRUNO: range(20, 26)})
    assert read_states(clinic)[build_mbi(9)] == (False, 0)
    send(clinic, {ADA: range(1, 9), BRUNO: range(20, 26)})
    assert read_states(clinic)[build_mbi(9)] == (False, 1)


def test_a_third_file_of_the_day_replaces_both_before_it(clinic: Practice) -> None:
    first = send(clinic, {ADA: range(1, 14), BRUNO: range(20, 26)})
    second = send(clinic, {ADA: range(1, 12), BRUNO: range(20, 26)})
    send(clinic, {ADA: range(1, 11), BRUNO: range(20, 26)})
    states = read_states(clinic)
    assert all(states[build_mbi(n)][0] for n in (11, 12, 13))
    assert not any(states[build_mbi(n)][0] for n in range(1, 11))
    assert find_state(clinic, first) == find_state(clinic, second) == "superseded"


def test_a_practitioner_whom_the_new_file_does_not_cover_keeps_the_earlier_one(clinic: Practice) -> None:
    earlier = send(clinic, {ADA: range(1, 11), BRUNO: range(20, 28)})
    clinic.send_odd_roster({ADA: range(1, 11)}, as_of_at=find_morning(clinic))
    assert read_states(clinic, BRUNO)[build_mbi(27)] == (False, 0)
    assert find_state(clinic, earlier) == "accepted"


def test_a_file_of_a_later_date_replaces_nothing(clinic: Practice) -> None:
    earlier = send(clinic, {ADA: range(1, 14), BRUNO: range(20, 26)})
    clinic.pass_time(timedelta(days=1))
    send(clinic, {ADA: range(1, 11), BRUNO: range(20, 26)})
    assert read_states(clinic)[build_mbi(12)] == (False, 1)
    assert find_state(clinic, earlier) == "accepted"


def test_changes_of_the_same_date_replace_nothing(clinic: Practice) -> None:
    at = find_morning(clinic)
    clinic.send_roster({ADA: range(40, 42)}, mode="delta", as_of_at=at)
    clinic.send_roster({ADA: range(43, 45)}, mode="delta", as_of_at=at)
    assert not any(read_states(clinic)[build_mbi(n)][0] for n in (40, 41, 43, 44))


def test_a_replacing_file_with_a_doubt_lets_nobody_go(clinic: Practice) -> None:
    send(clinic, {ADA: range(1, 14), BRUNO: range(20, 26)})
    clinic.sent += 1
    at = find_morning(clinic)
    blind = write_roster({ADA: range(1, 11), BRUNO: range(20, 26)}) + f",A,B,1940-01-01,F,{ADA}\r\n".encode()
    delivery = clinic.deliver(blind, as_of_at=at)
    assert delivery.state == "accepted", delivery.hold_reason
    assert not any(ended for ended, _ in read_states(clinic).values())


def send_held(practice: Practice, panels: dict[str, range], *, days_ago: int = 0) -> DeliveryView:
    """Send a roster that waits, because it is much longer than the ones before."""
    practice.sent += 1
    at = find_morning(practice) - timedelta(days=days_ago)
    delivery = practice.deliver(write_roster(panels) + b"\r\n" * practice.sent, as_of_at=at)
    assert delivery.state == "held"
    return delivery


def test_a_file_that_was_held_does_not_replace_the_one_that_corrected_it(clinic: Practice) -> None:
    held = send_held(clinic, {ADA: range(1, 40), BRUNO: range(20, 27)})
    correction = send(clinic, {ADA: range(1, 13), BRUNO: range(20, 26)})
    clinic.accept(held.id)
    states = read_states(clinic)
    assert states[build_mbi(11)] == states[build_mbi(12)] == (False, 0)
    assert build_mbi(39) not in states
    assert find_state(clinic, correction) == "accepted"


def test_a_file_that_was_held_counts_for_whom_its_correction_does_not_cover(clinic: Practice) -> None:
    held = send_held(clinic, {ADA: range(1, 40), BRUNO: range(20, 27)})
    send(clinic, {ADA: range(1, 13)})
    clinic.accept(held.id)
    assert read_states(clinic, BRUNO)[build_mbi(26)] == (False, 0)
    assert build_mbi(39) not in read_states(clinic)


def test_whom_only_a_file_released_late_lists_is_missing_from_the_newer_ones(clinic: Practice) -> None:
    held = send_held(clinic, {ADA: range(1, 40), BRUNO: range(20, 27)})
    for _ in range(2):
        assert build_mbi(39) not in read_states(clinic)
        clinic.pass_time(timedelta(days=1))
        send(clinic, {ADA: range(1, 11), BRUNO: range(20, 26)})
    clinic.accept_anew(held.id)
    assert read_states(clinic)[build_mbi(39)] == (True, 2)
    assert read_states(clinic)[build_mbi(10)] == (False, 0)


def test_a_redelivery_goes_back_to_before_nothing_that_was_released_since(practice: Practice) -> None:
    practice.name_practitioners()
    set_feed(practice.rt, "lakeside", "ehr", {"absences_before_removal": 3}, OPERATOR)
    send(practice, {ADA: range(1, 21)}, days_ago=1)
    changes = write_roster({ADA: [70], "3990000044": [60]})
    held = practice.deliver(changes, mode="delta", as_of_at=find_morning(practice) - timedelta(days=1))
    assert held.state == "held"
    for _ in range(20):
        practice.send_roster({ADA: [1]}, mode="delta", as_of_at=find_morning(practice) - timedelta(days=1))
    send(practice, {ADA: range(1, 21)})
    practice.pass_time(timedelta(seconds=5))
    practice.accept_anew(held.id)
    send(practice, {ADA: range(1, 21)})
    assert read_states(practice)[build_mbi(70)][0] is False


def test_one_date_counts_one_absence_whatever_came_between(clinic: Practice) -> None:
    for _ in range(2):
        send(clinic, {ADA: range(1, 9), BRUNO: range(20, 26)})
        clinic.pass_time(timedelta(seconds=5))
        clinic.send_roster({ADA: range(40, 42)}, mode="delta", as_of_at=find_morning(clinic))
    assert read_states(clinic)[build_mbi(9)] == (False, 1)
