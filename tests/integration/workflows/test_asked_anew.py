"""A person's word counts for the doubts and the people that were shown; whatever is new by now is asked anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asking import find_hold, list_wanted, release
from practice import ADA, BRUNO, CORA, OPERATOR, RUTH, VERA, WILMA, Practice, build_mbi, write_roster

from service.domain.errors import WrongState
from service.workflows.deliveries import DeliveryView, load_delivery
from service.workflows.effects import find_departures
from service.workflows.feeds import add_feed, set_feed
from service.workflows.holds import find_holds

EVERYBODY: dict[str, Any] = {ADA: range(1, 13), BRUNO: range(20, 26)}
SHORT: dict[str, Any] = {ADA: range(1, 11), BRUNO: range(20, 25)}
"""Three patients fewer than before."""
TINY: dict[str, Any] = {ADA: range(1, 6), BRUNO: [20]}
"""Twelve patients fewer, which is a hard stop."""
STRANGE = {"3990000044": [300]}
"""A practitioner whom nobody knows, so that a file with him waits."""
OLD = timedelta(days=3)
BLIND = f",Pat,Gone,1940-01-01,F,{ADA}\r\n".encode()
"""A row of which nobody knows whom it is about, so that the roster with it lets nobody go by itself."""


def write_change(former: int, new: int) -> bytes:
    """An HL7 v2 message: change of patient identifier list."""
    message = "MSH|^~\\&|EHR|CLINIC|||20260302083000||ADT^A47|M1|P|2.5"
    return f"{message}\rPID|1||{build_mbi(new)}^^^CMS^MC\rMRG|{build_mbi(former)}^^^CMS^MC".encode()


def look(practice: Practice, delivery: DeliveryView) -> int:
    return len(find_departures(practice.rt, "lakeside", delivery.id, RUTH).items)


def add_thirty(practice: Practice) -> None:
    """Let a late file of changes add so many that most of the feed's patients are not on the roster in question."""
    at = practice.rt.now() - timedelta(hours=1)
    added = practice.deliver(write_roster({ADA: range(30, 60)}), mode="delta", as_of_at=at)
    if added.state == "held":
        practice.accept(added.id)


@pytest.fixture
def impatient(delivered: Practice) -> Practice:
    """A practice whose feed lets patients go at their first absence; 18 patients are known since two hours ago."""
    set_feed(delivered.rt, "lakeside", "ehr", {"absences_before_removal": 1}, OPERATOR)
    delivered.pass_time("PT2H")
    return delivered


@pytest.fixture
def joining(delivered: Practice) -> tuple[Practice, DeliveryView]:
    """A changed MBI was held because it is old; by now a roster lists both numbers."""
    add_feed(delivered.rt, "lakeside", feed_id="adt", actor=OPERATOR)
    held = delivered.deliver(write_change(1, 91), feed="adt", as_of_at=delivered.rt.now() - OLD)
    assert (held.state, held.hold_code) == ("held", "old_input")
    delivered.send_roster(EVERYBODY | {ADA: [*range(1, 13), 91]})
    return delivered, held


# Doubts


def test_a_release_for_one_doubt_lets_no_newer_doubt_pass(joining: tuple[Practice, DeliveryView]) -> None:
    practice, held = joining
    asked = find_hold(practice, held.id)
    with pytest.raises(WrongState) as refused:
        release(practice, asked)
    assert "doubt" in refused.value.message and "anew" in refused.value.next_action
    assert load_delivery(practice.rt, "lakeside", held.id).state == "held"
    assert {build_mbi(1), build_mbi(91)} < list_wanted(practice)
    (former,) = [hold for hold in find_holds(practice.rt, "lakeside", None) if hold.id == asked.id]
    assert former.state == "moot"


def test_the_new_question_tells_every_doubt_of_now(joining: tuple[Practice, DeliveryView]) -> None:
    practice, held = joining
    with pytest.raises(WrongState):
        release(practice, find_hold(practice, held.id))
    hold = find_hold(practice, held.id)
    assert "1 changed MBI would" in hold.reason and "was made 3 days" in hold.reason
    assert load_delivery(practice.rt, "lakeside", held.id).hold_reason == hold.reason
    assert release(practice, hold).state == "released"
    assert load_delivery(practice.rt, "lakeside", held.id).state == "accepted"


def test_the_same_doubt_that_takes_two_people_by_now_is_asked_of_two(impatient: Practice) -> None:
    held = impatient.deliver(write_roster({ADA: range(1, 9), BRUNO: range(20, 24), CORA: range(70, 76)}))
    assert (held.state, held.hold_code, find_hold(impatient, held.id).level) == ("held", "patients_missing", "hold")
    add_thirty(impatient)
    with pytest.raises(WrongState):
        release(impatient, find_hold(impatient, held.id))
    hold = find_hold(impatient, held.id)
    assert (hold.rule, hold.level, hold.people_needed) == ("patients_missing", "hard-stop", 2)


def test_a_file_of_which_nothing_is_doubted_any_more_needs_no_other_word(delivered: Practice) -> None:
    held = delivered.deliver(write_roster(EVERYBODY | STRANGE))
    asked = find_hold(delivered, held.id)
    assert delivered.deliver(b"NPI,First Name,Last Name\r\n3990000044,Dora,Dunes\r\n").state == "accepted"
    assert release(delivered, asked).state == "released"
    assert build_mbi(300) in list_wanted(delivered)


def test_who_was_not_shown_stays_although_nothing_is_doubted_any_more(impatient: Practice) -> None:
    held = impatient.deliver(write_roster(SHORT | STRANGE))
    asked = find_hold(impatient, held.id)
    assert impatient.deliver(b"NPI,First Name,Last Name\r\n3990000044,Dora,Dunes\r\n").state == "accepted"
    late = impatient.rt.now() - timedelta(hours=1)
    assert impatient.deliver(write_roster({ADA: [30]}), mode="delta", as_of_at=late).state == "accepted"
    release(impatient, asked)
    assert build_mbi(30) in list_wanted(impatient) and build_mbi(12) in list_wanted(impatient)
    assert "not exactly those who were shown" in find_hold(impatient, held.id).reason


# Levels


def test_a_question_about_removals_that_is_graver_by_now_takes_two_people(impatient: Practice) -> None:
    delivery = impatient.deliver(write_roster(SHORT) + BLIND)
    assert find_hold(impatient, delivery.id).level == "hold"
    add_thirty(impatient)
    with pytest.raises(WrongState):
        release(impatient, find_hold(impatient, delivery.id))
    hold = find_hold(impatient, delivery.id)
    assert (hold.level, hold.people_needed) == ("hard-stop", 2)
    assert release(impatient, hold).state == "open"
    assert {build_mbi(n) for n in range(30, 60)} < list_wanted(impatient)


def test_looking_at_whom_a_file_lets_go_asks_as_many_people_as_it_takes_by_now(impatient: Practice) -> None:
    delivery = impatient.deliver(write_roster(SHORT) + BLIND)
    add_thirty(impatient)
    assert look(impatient, delivery) == 33
    assert find_hold(impatient, delivery.id).level == "hard-stop"


def test_a_hard_stop_that_lets_go_others_by_now_takes_two_people_again(impatient: Practice) -> None:
    held = impatient.deliver(write_roster(TINY))
    assert find_hold(impatient, held.id).level == "hard-stop"
    late = impatient.rt.now() - timedelta(hours=1)
    assert impatient.deliver(write_roster({ADA: [30]}), mode="delta", as_of_at=late).state == "accepted"
    hold = find_hold(impatient, held.id)
    release(impatient, hold, VERA)
    release(impatient, hold, RUTH)
    again = find_hold(impatient, held.id)
    assert (again.rule, again.level) == ("many_removals", "hard-stop")


# Newer rosters


def send_newer(practice: Practice, panels: dict[str, Any], **more: Any) -> None:
    """Let a roster count, whatever its length."""
    newer = practice.deliver(write_roster(panels), **more)
    if newer.state == "held":
        practice.accept(newer.id)


@pytest.fixture
def asked(impatient: Practice) -> tuple[Practice, DeliveryView]:
    """Three patients of two practitioners wait for a person."""
    set_feed(impatient.rt, "lakeside", "ehr", {"max_removals": 2}, OPERATOR)
    delivery = impatient.deliver(write_roster(SHORT))
    assert find_hold(impatient, delivery.id).rule == "many_removals"
    impatient.pass_time(timedelta(hours=1))
    return impatient, delivery


def test_a_newer_roster_about_somebody_else_leaves_the_question_open(asked: tuple[Practice, DeliveryView]) -> None:
    practice, delivery = asked
    send_newer(practice, {CORA: [70]})
    hold = find_hold(practice, delivery.id)
    assert load_delivery(practice.rt, "lakeside", delivery.id).ended_count == 3
    assert release(practice, hold).state == "released"
    assert {build_mbi(n) for n in (11, 12, 25)}.isdisjoint(list_wanted(practice))


def test_a_newer_roster_about_some_of_them_leaves_the_question_open(asked: tuple[Practice, DeliveryView]) -> None:
    practice, delivery = asked
    send_newer(practice, {BRUNO: range(20, 26)})
    hold = find_hold(practice, delivery.id)
    with pytest.raises(WrongState):
        release(practice, hold)
    release(practice, find_hold(practice, delivery.id))
    wanted = list_wanted(practice)
    assert build_mbi(25) in wanted and {build_mbi(11), build_mbi(12)}.isdisjoint(wanted)


def test_a_newer_roster_of_the_same_date_closes_no_question_about_somebody_else(impatient: Practice) -> None:
    set_feed(impatient.rt, "lakeside", "ehr", {"max_removals": 2}, OPERATOR)
    at = impatient.rt.now()
    delivery = impatient.deliver(write_roster(SHORT), as_of_at=at)
    send_newer(impatient, {CORA: [70]}, as_of_at=at)
    assert find_hold(impatient, delivery.id).state == "open"


def test_a_newer_roster_about_all_of_them_asks_its_own_question(asked: tuple[Practice, DeliveryView]) -> None:
    practice, delivery = asked
    newer = practice.deliver(write_roster(SHORT | {CORA: [70]}))
    assert [hold.delivery_id for hold in find_holds(practice.rt, "lakeside")] == [newer.id]
    assert load_delivery(practice.rt, "lakeside", delivery.id).ended_count == 0


def test_a_roster_of_the_whole_organisation_closes_the_question_about_whom_it_does_not_name(
    asked: tuple[Practice, DeliveryView],
) -> None:
    practice, delivery = asked
    set_feed(practice.rt, "lakeside", "ehr", {"scope": "organization"}, OPERATOR)
    send_newer(practice, {ADA: range(1, 13), CORA: [70]})
    assert delivery.id not in {hold.delivery_id for hold in find_holds(practice.rt, "lakeside")}


# Decisions of before


@pytest.fixture
def half_decided(impatient: Practice) -> tuple[Practice, DeliveryView]:
    """A hard stop on which one of two people has decided."""
    held = impatient.deliver(write_roster(TINY))
    assert release(impatient, find_hold(impatient, held.id), VERA).state == "open"
    return impatient, held


def add_late(practice: Practice) -> None:
    """Let a late file of changes add somebody whom an older roster leaves out."""
    late = practice.rt.now() - timedelta(hours=1)
    assert practice.deliver(write_roster({ADA: [30]}), mode="delta", as_of_at=late).state == "accepted"


def test_a_look_that_finds_the_same_lets_a_decision_stand(half_decided: tuple[Practice, DeliveryView]) -> None:
    practice, held = half_decided
    asked = find_hold(practice, held.id)
    same = practice.deliver(write_roster({CORA: [70]}), mode="delta", as_of_at=practice.rt.now() - timedelta(hours=1))
    assert same.state == "accepted"
    assert look(practice, held) == 12
    assert find_hold(practice, held.id).id == asked.id
    assert release(practice, find_hold(practice, held.id), WILMA).state == "released"


def test_a_look_that_finds_others_says_that_the_decision_no_longer_counts(
    half_decided: tuple[Practice, DeliveryView],
) -> None:
    practice, held = half_decided
    asked = find_hold(practice, held.id)
    add_late(practice)
    assert look(practice, held) == 13
    hold = find_hold(practice, held.id)
    assert hold.id != asked.id and hold.decisions == ()
    assert "earlier decision no longer counts" in hold.reason
    assert load_delivery(practice.rt, "lakeside", held.id).hold_reason == hold.reason


def test_where_nobody_had_decided_no_decision_is_spoken_of(impatient: Practice) -> None:
    held = impatient.deliver(write_roster(TINY))
    add_late(impatient)
    assert look(impatient, held) == 13
    assert "earlier decision" not in find_hold(impatient, held.id).reason
