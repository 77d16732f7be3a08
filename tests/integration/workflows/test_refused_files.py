"""A file that a person has refused: the same bytes again say so, and come in again only when that is asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from practice import ADA, BRUNO, OPERATOR, RUTH, Practice, write_roster

from service.domain.errors import Conflict
from service.workflows.deliveries import DeliveryView, load_delivery
from service.workflows.digest import digest_delivery
from service.workflows.feeds import set_feed
from service.workflows.holds import decide_delivery

KNOWN = {ADA: range(1, 13), BRUNO: range(20, 26)}
STRANGE = write_roster(KNOWN | {"3990000044": [300]})
"""A roster that waits for a person, because nobody knows one of its practitioners."""
SHORT = write_roster({ADA: range(1, 12), BRUNO: range(20, 26)})
"""A roster that leaves out one patient."""


def refuse(practice: Practice, content: bytes = STRANGE, **more: Any) -> DeliveryView:
    """Let a file be held, and a person refuse it."""
    delivery = practice.deliver(content, **more)
    assert delivery.state == "held"
    decide_delivery(practice.rt, "lakeside", delivery.id, "reject", "Who is that?", RUTH)
    return load_delivery(practice.rt, "lakeside", delivery.id)


def test_the_same_bytes_again_answer_who_refused_them(delivered: Practice) -> None:
    refused = refuse(delivered)
    again = delivered.receive(STRANGE)
    assert (again.is_new, again.delivery.id, again.delivery.state) == (False, refused.id, "rejected")
    assert (again.delivery.decided_by, again.delivery.decision_reason) == (RUTH.name, "Who is that?")


@pytest.mark.parametrize("named", [{}, {"sequence": "7"}], ids=["by nothing", "by its sequence"])
def test_they_come_in_again_when_that_is_asked_for_and_wait_for_a_person(
    delivered: Practice, named: dict[str, Any]
) -> None:
    refused = refuse(delivered, **named)
    taken = delivered.receive(STRANGE, again=True, **named)
    assert taken.is_new and taken.delivery.id != refused.id
    assert delivered.receive(STRANGE, again=True, **named).delivery.id == taken.delivery.id
    assert digest_delivery(delivered.rt, "lakeside", taken.delivery.id).state == "held"
    assert delivered.receive(STRANGE, again=True).delivery.id == taken.delivery.id
    decide_delivery(delivered.rt, "lakeside", taken.delivery.id, "accept", "She is new.", RUTH)
    assert load_delivery(delivered.rt, "lakeside", taken.delivery.id).state == "accepted"
    assert load_delivery(delivered.rt, "lakeside", refused.id).state == "rejected"


def test_asking_does_not_let_anything_else_in_twice(delivered: Practice) -> None:
    content = write_roster(KNOWN) + 9 * b"\r\n"
    accepted = delivered.deliver(content)
    assert accepted.state == "accepted"
    assert delivered.receive(content, again=True).delivery.id == accepted.id
    useless = delivered.deliver(b"%PDF-1.7\n")
    assert useless.state == "rejected"
    assert delivered.receive(b"%PDF-1.7\n", again=True).delivery.id == useless.id


def test_a_key_and_a_number_go_with_what_comes_in_again_and_fit_no_other_bytes(delivered: Practice) -> None:
    named: dict[str, Any] = {"idempotency_key": "monday", "sequence": "7"}
    refused = refuse(delivered, **named)
    assert delivered.receive(STRANGE, **named).delivery.id == refused.id
    taken = delivered.receive(STRANGE, again=True, **named)
    assert (taken.is_new, taken.delivery.sequence) == (True, "7")
    assert delivered.receive(STRANGE, again=True, **named).delivery.id == taken.delivery.id
    with pytest.raises(Conflict):
        delivered.receive(STRANGE + b"\r\n", again=True, sequence="7")


def refuse_removal(practice: Practice) -> DeliveryView:
    """Let a file count, and a person refuse to let those go whom it leaves out."""
    set_feed(practice.rt, "lakeside", "ehr", {"absences_before_removal": 1, "max_removals": 0}, OPERATOR)
    delivery = practice.deliver(SHORT)
    assert delivery.state == "accepted" and delivery.removals_reason
    decide_delivery(practice.rt, "lakeside", delivery.id, "reject", "Wrong button.", RUTH)
    return delivery


@pytest.mark.parametrize("named", [{}, {"sequence": "7"}], ids=["by nothing", "by its sequence"])
def test_whom_a_file_lets_go_is_asked_once_more_when_it_is_asked_to_come_in_again(
    delivered: Practice, named: dict[str, Any]
) -> None:
    first = refuse_removal(delivered)
    assert delivered.receive(SHORT).delivery.id == first.id
    delivered.pass_time("PT6H")
    taken = delivered.receive(SHORT, again=True, **named)
    assert taken.is_new
    assert taken.delivery.as_of_at == (None if named else first.received_at)  # the same bytes are no fresher
    asked = digest_delivery(delivered.rt, "lakeside", taken.delivery.id)
    assert (asked.state, bool(asked.removals_reason)) == ("accepted", True)
    decide_delivery(delivered.rt, "lakeside", asked.id, "accept", "They left.", RUTH)
    assert load_delivery(delivered.rt, "lakeside", asked.id).removals_reason is None
    assert delivered.receive(SHORT, again=True, **named).delivery.id == asked.id


def test_a_file_is_judged_anew_whose_removals_were_refused_because_it_is_read_otherwise(delivered: Practice) -> None:
    first = refuse_removal(delivered)
    set_feed(delivered.rt, "lakeside", "ehr", {"practitioners": [ADA, BRUNO]}, OPERATOR)
    assert delivered.receive(SHORT).is_new
    assert delivered.receive(SHORT).delivery.id != first.id


def test_another_count_of_rows_is_news_of_a_file_that_had_not_as_many(delivered: Practice) -> None:
    named: dict[str, Any] = {"idempotency_key": "monday"}
    content = write_roster(KNOWN) + 9 * b"\r\n"
    held = delivered.deliver(content, count=17, **named)
    assert (held.state, held.file_error) == ("held", "count_mismatch")
    for count in (17, None):
        assert delivered.receive(content, count=count, **named).delivery.id == held.id
    assert delivered.deliver(content, count=18, **named).state == "accepted"


def test_what_a_person_refused_is_never_let_in_by_the_guards_alone(delivered: Practice) -> None:
    refuse(delivered)
    delivered.send_odd_roster({ADA: range(1, 13), "3990000044": [300]})
    now = delivered.rt.now()
    again = delivered.deliver(STRANGE, as_of_at=now)
    assert (again.state, again.hold_code) == ("held", "refused_before")
    assert "refused" in (again.hold_reason or "")
    decide_delivery(delivered.rt, "lakeside", again.id, "accept", "By mistake.", RUTH)
    assert delivered.deliver(STRANGE, as_of_at=now + timedelta(minutes=1)).state == "accepted"
