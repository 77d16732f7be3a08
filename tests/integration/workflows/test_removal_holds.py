"""A file that counts but lets nobody go: doubts about whom it leaves out wait for a person, adds do not."""

from __future__ import annotations

from typing import Any

import pytest
from practice import ADA, BRUNO, OPERATOR, RUTH, Practice, build_mbi, write_roster

from service.domain.errors import NotAllowed
from service.workflows.deliveries import DeliveryView, load_delivery
from service.workflows.desired import load_desired
from service.workflows.feeds import set_feed
from service.workflows.holds import HoldView, decide_hold, find_holds

SHORT: dict[str, Any] = {ADA: range(1, 11), BRUNO: range(20, 25)}
"""Three patients fewer than before."""


def send(practice: Practice, panels: dict[str, Any], *, blind: bool = False, **more: Any) -> DeliveryView:
    practice.sent += 1
    content = write_roster(panels) + b"\r\n" * practice.sent
    if blind:
        content += f",A,B,1940-01-01,F,{ADA}\r\n".encode()
    delivery = practice.deliver(content, **more)
    assert delivery.state == "accepted", delivery.hold_reason
    return delivery


def list_wanted(practice: Practice) -> set[str]:
    with practice.rt.database.begin() as connection:
        keys = practice.rt.open_keys(connection, "lakeside")
        return {mbi for panel in load_desired(connection, keys, "lakeside") for mbi in panel.wanted}


def find_hold(practice: Practice) -> HoldView:
    (hold,) = find_holds(practice.rt, "lakeside")
    return hold


def release(practice: Practice) -> HoldView:
    return decide_hold(practice.rt, "lakeside", find_hold(practice).id, "release", "Looked at the file.", RUTH)


@pytest.fixture
def impatient(delivered: Practice) -> Practice:
    """A practice whose feed lets patients go at their first absence; 18 patients are known."""
    set_feed(delivered.rt, "lakeside", "ehr", {"absences_before_removal": 1}, OPERATOR)
    return delivered


def test_a_row_about_nobody_knows_whom_suspends_all_removals(impatient: Practice) -> None:
    delivery = send(impatient, SHORT | {"3990000028": [70]}, blind=True)
    assert len(list_wanted(impatient)) == 19
    hold = find_hold(impatient)
    assert (hold.rule, hold.n, hold.people_needed, hold.delivery_id) == ("blind_errors", 3, 1, delivery.id)
    assert hold.reason.startswith("1 row could be about anybody. Nobody was let go.")
    assert "3 are missing; 3 would be let go at once" in hold.reason


def test_a_person_lets_them_count(impatient: Practice) -> None:
    delivery = send(impatient, SHORT, blind=True)
    assert release(impatient).state == "released"
    assert list_wanted(impatient) == {build_mbi(n) for n in [*SHORT[ADA], *SHORT[BRUNO]]}
    assert load_delivery(impatient.rt, "lakeside", delivery.id).state == "accepted"


def test_a_person_refuses_and_the_file_still_counts(impatient: Practice) -> None:
    delivery = send(impatient, SHORT | {"3990000028": [70]}, blind=True)
    decide_hold(impatient.rt, "lakeside", find_hold(impatient).id, "refuse", "The export was cut.", RUTH)
    assert len(list_wanted(impatient)) == 19
    assert load_delivery(impatient.rt, "lakeside", delivery.id).state == "accepted"


def test_whoever_sent_the_file_does_not_decide(impatient: Practice) -> None:
    send(impatient, SHORT, blind=True)
    with pytest.raises(NotAllowed):
        decide_hold(impatient.rt, "lakeside", find_hold(impatient).id, "release", "x", OPERATOR)


def test_where_nobody_is_missing_nothing_waits(impatient: Practice) -> None:
    send(impatient, {ADA: range(1, 13), BRUNO: range(20, 26)}, blind=True)
    assert find_holds(impatient.rt, "lakeside") == []


def test_a_file_that_says_it_is_not_everybody_lets_nobody_go(impatient: Practice) -> None:
    send(impatient, SHORT, filename="roster_changes.csv")
    assert find_hold(impatient).rule == "partial_input"
    assert len(list_wanted(impatient)) == 18


def test_a_delivery_that_its_sender_calls_a_delta_leaves_nobody_out(impatient: Practice) -> None:
    send(impatient, SHORT, mode="delta")
    assert find_holds(impatient.rt, "lakeside") == []
    assert len(list_wanted(impatient)) == 18


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"max_removals": 3}, None),
        ({"max_removals": 2}, "many_removals"),
        ({"max_removals": 0}, "many_removals"),
        ({"max_removal_percent": 0}, None),
    ],
    ids=["as many as allowed", "one more", "none allowed", "a percentage below the floor"],
)
def test_a_feed_may_be_given_a_limit_of_its_own(
    impatient: Practice, settings: dict[str, Any], rule: str | None
) -> None:
    set_feed(impatient.rt, "lakeside", "ehr", settings, OPERATOR)
    send(impatient, SHORT)
    assert [hold.rule for hold in find_holds(impatient.rt, "lakeside")] == ([rule] if rule else [])
    assert len(list_wanted(impatient)) == (18 if rule else 15)


def test_the_question_is_closed_when_a_newer_roster_comes(impatient: Practice) -> None:
    send(impatient, SHORT, blind=True)
    send(impatient, SHORT)
    assert find_holds(impatient.rt, "lakeside") == []
    assert len(list_wanted(impatient)) == 15


def test_absences_that_are_released_count_once(delivered: Practice) -> None:
    send(delivered, SHORT, blind=True)
    release(delivered)
    assert len(list_wanted(delivered)) == 18
    send(delivered, SHORT)
    assert len(list_wanted(delivered)) == 15


def test_nobody_who_was_listed_again_meanwhile_is_let_go(impatient: Practice) -> None:
    send(impatient, SHORT, blind=True)
    hold = find_hold(impatient)
    send(impatient, {ADA: range(1, 13), BRUNO: range(20, 26)}, mode="delta")
    assert find_holds(impatient.rt, "lakeside") == []
    assert hold.state == "open"
    assert len(list_wanted(impatient)) == 18
