"""A file that a person has refused: the same bytes again say so, and come in again only when that is asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from practice import ADA, BRUNO, RUTH, Practice, write_roster

from service.domain.errors import Conflict
from service.workflows.deliveries import DeliveryView, load_delivery
from service.workflows.digest import digest_delivery
from service.workflows.holds import decide_delivery

KNOWN = {ADA: range(1, 13), BRUNO: range(20, 26)}
STRANGE = write_roster(KNOWN | {"3990000044": [300]})
"""A roster that waits for a person, because nobody knows one of its practitioners."""


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


def test_a_key_stays_that_of_its_first_delivery(delivered: Practice) -> None:
    refused = refuse(delivered, idempotency_key="monday")
    assert delivered.receive(STRANGE, again=True, idempotency_key="monday").delivery.id == refused.id
    refuse(delivered, STRANGE + b"\r\n", sequence="7")
    with pytest.raises(Conflict):
        delivered.receive(STRANGE, again=True, sequence="7")


def test_what_a_person_refused_is_never_let_in_by_the_guards_alone(delivered: Practice) -> None:
    refuse(delivered)
    delivered.send_odd_roster({ADA: range(1, 13), "3990000044": [300]})
    now = delivered.rt.now()
    again = delivered.deliver(STRANGE, as_of_at=now)
    assert (again.state, again.hold_code) == ("held", "refused_before")
    assert "refused" in (again.hold_reason or "")
    decide_delivery(delivered.rt, "lakeside", again.id, "accept", "By mistake.", RUTH)
    assert delivered.deliver(STRANGE, as_of_at=now + timedelta(minutes=1)).state == "accepted"
