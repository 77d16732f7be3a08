"""A file that counts but lets nobody go: doubts about whom it leaves out wait for a person, adds do not."""

from __future__ import annotations

from typing import Any

import pytest
from asking import find_hold, list_wanted, release
from practice import ADA, BRUNO, OPERATOR, RUTH, VERA, Practice, build_mbi, write_roster

from service.domain.errors import NotAllowed, WrongState
from service.workflows.deliveries import DeliveryView, load_delivery
from service.workflows.effects import find_effects
from service.workflows.feeds import add_feed, set_feed
from service.workflows.holds import decide_delivery, decide_hold, find_holds

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
    send(impatient, {ADA: range(1, 13), BRUNO: range(20, 26)}, mode="delta")
    assert release(impatient).state == "released"
    assert len(list_wanted(impatient)) == 18


def test_a_snapshot_that_only_removes_leaves_out_nobody_else(impatient: Practice) -> None:
    delivery = impatient.deliver(write_actions({1: "remove"}))
    assert (delivery.state, delivery.ended_count) == ("held", 12)
    assert len(list_wanted(impatient)) == 18


def test_what_waits_is_shown_by_practitioner_as_it_will_be(impatient: Practice) -> None:
    set_feed(impatient.rt, "lakeside", "ehr", {"max_removals": 1}, OPERATOR)
    delivery = send(impatient, SHORT)
    assert list_ended(impatient, delivery) == [2, 1]
    release(impatient)
    assert list_ended(impatient, delivery) == [2, 1]


def test_whom_a_person_keeps_is_not_shown_as_let_go(impatient: Practice) -> None:
    delivery = send(impatient, SHORT, blind=True)
    decide_hold(impatient.rt, "lakeside", find_hold(impatient).id, "refuse", "The export was cut.", RUTH)
    assert load_delivery(impatient.rt, "lakeside", delivery.id).ended_count == 0
    assert list_ended(impatient, delivery) == [0, 0]


# Removals by name


@pytest.fixture
def turnover(delivered: Practice) -> Practice:
    """A feed of changes that may let go two patients by itself; ten are known to it."""
    settings = {"max_removals": 2}
    add_feed(delivered.rt, "lakeside", feed_id="turnover", settings=settings, actor=OPERATOR)
    send_changes(delivered, dict.fromkeys(range(200, 210), "add"))
    return delivered


def write_actions(actions: dict[int, str]) -> bytes:
    rows = "".join(f"{build_mbi(n)},{ADA},{action}\r\n" for n, action in actions.items())
    return f"MBI,NPI,Action\r\n{rows}".encode()


def send_changes(practice: Practice, actions: dict[int, str], **more: Any) -> DeliveryView:
    delivery = practice.deliver(write_actions(actions), feed="turnover", **more)
    assert delivery.state == "accepted", delivery.hold_reason
    return delivery


def list_ended(practice: Practice, delivery: DeliveryView) -> list[int]:
    return [effect.ended for effect in find_effects(practice.rt, "lakeside", delivery.id)]


def test_removals_by_name_that_wait_are_not_forgotten_over_the_next_changes(turnover: Practice) -> None:
    send_changes(turnover, dict.fromkeys(range(200, 204), "remove"))
    send_changes(turnover, {220: "add"})
    assert find_hold(turnover).rule == "many_removals"
    release(turnover)
    assert not list_wanted(turnover) & {build_mbi(n) for n in range(200, 204)}


def test_a_removal_that_waited_yields_to_a_later_word_of_the_same_date(turnover: Practice) -> None:
    at = turnover.rt.now()
    send_changes(turnover, dict.fromkeys(range(200, 204), "remove"), as_of_at=at)
    send_changes(turnover, {200: "add"}, as_of_at=at)
    with pytest.raises(WrongState):
        release(turnover)  # four were shown, and three are left
    release(turnover)
    assert build_mbi(200) in list_wanted(turnover)
    assert build_mbi(201) not in list_wanted(turnover)


# What comes between a question and its answer


def send_strange(practice: Practice, panels: dict[str, Any]) -> DeliveryView:
    """Send a roster that waits, because it names a practitioner whom nobody knows."""
    delivery = practice.deliver(write_roster(panels | {"3990000044": [300]}))
    assert (delivery.state, delivery.hold_code) == ("held", "unknown_practitioners")
    return delivery


def test_accepting_a_file_twice_does_not_answer_whom_it_leaves_out(impatient: Practice) -> None:
    set_feed(impatient.rt, "lakeside", "ehr", {"max_removals": 2}, OPERATOR)
    delivery = send_strange(impatient, SHORT)
    decide_delivery(impatient.rt, "lakeside", delivery.id, "accept", "She is new.", RUTH)
    with pytest.raises(WrongState):
        decide_delivery(impatient.rt, "lakeside", delivery.id, "accept", "She is new.", RUTH)
    assert len(list_wanted(impatient)) == 18 + 1
    hold = find_hold(impatient)
    decide_delivery(impatient.rt, "lakeside", delivery.id, "accept", "They have left.", RUTH, hold.id)
    assert len(list_wanted(impatient)) == 15 + 1


def test_a_file_that_would_let_go_more_by_now_than_was_shown_asks_first(delivered: Practice) -> None:
    delivery = send_strange(delivered, SHORT)
    assert "nobody would be let go yet" in (delivery.hold_reason or "")
    set_feed(delivered.rt, "lakeside", "ehr", {"absences_before_removal": 1}, OPERATOR)
    delivered.accept(delivery.id)
    assert len(list_wanted(delivered)) == 18 + 1
    assert "3 would be let go at once" in find_hold(delivered).reason
    release(delivered)
    assert len(list_wanted(delivered)) == 15 + 1


def test_a_question_that_told_of_fewer_is_asked_anew(delivered: Practice) -> None:
    send(delivered, SHORT, blind=True)
    set_feed(delivered.rt, "lakeside", "ehr", {"absences_before_removal": 1}, OPERATOR)
    with pytest.raises(WrongState):
        release(delivered)
    assert len(list_wanted(delivered)) == 18
    assert "3 would be let go at once" in find_hold(delivered).reason
    release(delivered)
    assert len(list_wanted(delivered)) == 15


def test_a_file_whose_feed_is_read_otherwise_by_now_is_rejected_and_sent_again(delivered: Practice) -> None:
    set_feed(delivered.rt, "lakeside", "ehr", {"practitioners": [ADA, "3990000044"]}, OPERATOR)
    content = write_roster({ADA: range(1, 13), BRUNO: range(20, 50)})
    delivery = delivered.deliver(content)
    assert delivery.state == "held"
    set_feed(delivered.rt, "lakeside", "ehr", {"practitioners": None}, OPERATOR)
    with pytest.raises(WrongState):
        decide_delivery(delivered.rt, "lakeside", delivery.id, "accept", "Looks good.", RUTH)
        decide_delivery(delivered.rt, "lakeside", delivery.id, "accept", "Looks good.", VERA)
    assert delivered.receive(content).is_new is False
    decide_delivery(delivered.rt, "lakeside", delivery.id, "reject", "Read otherwise now.", RUTH)
    assert delivered.receive(content).is_new
    assert len(list_wanted(delivered)) == 18


def test_a_file_released_late_brings_back_nobody_who_was_removed_altogether_since(delivered: Practice) -> None:
    delivery = delivered.deliver(write_roster({ADA: range(1, 13), "3990000044": [1, 2]}))
    assert (delivery.state, delivery.hold_code) == ("held", "unknown_practitioners")
    removal = f"MBI,NPI,Action\r\n{build_mbi(1)},,remove\r\n{build_mbi(3)},{ADA},add\r\n"
    assert delivered.deliver(removal.encode(), mode="delta").state == "accepted"
    delivered.accept(delivery.id)
    assert build_mbi(1) not in list_wanted(delivered)
    assert build_mbi(2) in list_wanted(delivered, "3990000044")
