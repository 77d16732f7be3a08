"""A question about a file says from when on it costs attributions to leave it unanswered."""

from __future__ import annotations

import pytest
from practice import ADA, BRUNO, OPERATOR, Practice, write_roster

from service.storage import plans
from service.workflows.deliveries import load_delivery
from service.workflows.feeds import add_feed, set_feed
from service.workflows.holds import find_holds
from service.workflows.questions import renew_question

WAYS = {
    "a file that is held": (write_roster({ADA: range(1, 4)}), "held"),
    "an accepted file that lets nobody go yet": (
        write_roster({ADA: range(1, 12), BRUNO: range(20, 26)}) + f",A,B,1940-01-01,F,{ADA}\r\n".encode(),
        "accepted",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_question_tells_the_first_end_that_passes_without_an_answer(loaded: Practice, way: str) -> None:
    content, state = WAYS[way]
    delivery = loaded.deliver(content)
    (hold,) = find_holds(loaded.rt, "lakeside")
    first = min(min(loaded.read_ends(npi).values()) for npi in (ADA, BRUNO))
    assert (delivery.state, hold.delivery_id) == (state, delivery.id)
    assert delivery.costs_from_at == hold.costs_from_at == first


@pytest.mark.parametrize("way", WAYS)
def test_a_question_that_is_asked_anew_tells_it_too(loaded: Practice, way: str) -> None:
    set_feed(loaded.rt, "lakeside", "ehr", {"absences_before_removal": 1}, OPERATOR)
    delivery = loaded.deliver(WAYS[way][0])
    with loaded.rt.database.read() as connection:
        (hold,) = plans.find_holds(connection, "lakeside", state="open")
    add_feed(loaded.rt, "lakeside", feed_id="portal", mode="delta", actor=OPERATOR)
    loaded.send_roster({ADA: [12]}, feed="portal")  # one of those whom the file leaves out stays now
    renewed = renew_question(loaded.rt, "lakeside", hold)
    assert renewed.id != hold.id and renewed.costs_from == hold.costs_from is not None
    assert load_delivery(loaded.rt, "lakeside", delivery.id).costs_from_at == hold.costs_from
