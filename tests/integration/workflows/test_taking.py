"""One process at a time reads the files of a feed: it keeps the feed as long as it goes on, and writes nothing late."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from asking import list_wanted
from clocks import LONGER, Clock, build_later, build_overtaken
from practice import ADA, BRUNO, OPERATOR, RUTH, Practice, build_mbi, write_roster

from service.domain.errors import Busy, WrongState
from service.workflows.deliveries import load_delivery
from service.workflows.digest import digest_delivery
from service.workflows.feeds import set_feed
from service.workflows.holds import decide_delivery

WHILE_IT_READS, BEFORE_PEOPLE = 2, 4
WHILE_IT_IS_READ_AGAIN, BEFORE_IT_IS_RECORDED, BEFORE_IT_COUNTS = 3, 5, 8
"""How often a process has asked for the time when it asks with no transaction open."""
BEFORE_IT_FOLDS = 7
"""The same, at the beginning of its last transaction."""


def receive(practice: Practice, patients: range) -> str:
    return practice.receive(write_roster({ADA: patients, BRUNO: range(20, 26)})).delivery.id


@pytest.mark.parametrize("moment", [WHILE_IT_READS, BEFORE_PEOPLE], ids=["while it reads", "before it keeps people"])
def test_whoever_was_overtaken_writes_nothing(delivered: Practice, moment: int) -> None:
    slow_one, quick_one = receive(delivered, range(1, 14)), receive(delivered, range(1, 15))
    overtaken = build_overtaken(delivered, moment, quick_one)
    with pytest.raises(Busy):
        digest_delivery(overtaken, "lakeside", slow_one)
    assert load_delivery(delivered.rt, "lakeside", slow_one).state == "received"
    assert list_wanted(delivered, ADA) == {build_mbi(n) for n in range(1, 15)}
    assert digest_delivery(build_later(delivered), "lakeside", slow_one).state == "accepted"


def test_whoever_is_overtaken_at_the_last_moment_writes_nothing(practice_on_postgresql: Practice) -> None:
    practice = practice_on_postgresql
    practice.send_roster({ADA: range(1, 13), BRUNO: range(20, 26)})
    slow_one, quick_one = receive(practice, range(1, 14)), receive(practice, range(1, 15))
    overtaken = build_overtaken(practice, BEFORE_IT_FOLDS, quick_one)
    with pytest.raises(Busy):
        digest_delivery(overtaken, "lakeside", slow_one)
    assert load_delivery(practice.rt, "lakeside", slow_one).state == "received"
    assert list_wanted(practice, ADA) == {build_mbi(n) for n in range(1, 15)}


def test_a_slow_process_that_nobody_overtook_ends_its_work(delivered: Practice) -> None:
    delivery = receive(delivered, range(1, 14))
    clock = Clock(delivered.rt.now(), 0, each_takes=LONGER)
    assert digest_delivery(replace(delivered.rt, clock=clock), "lakeside", delivery).state == "accepted"
    assert build_mbi(13) in list_wanted(delivered, ADA)


def test_nobody_else_begins_while_a_slow_process_goes_on(delivered: Practice) -> None:
    slow_one, quick_one = receive(delivered, range(1, 14)), receive(delivered, range(1, 15))
    clock = Clock(delivered.rt.now(), BEFORE_PEOPLE, each_takes=timedelta(minutes=2))

    def try_to_overtake() -> None:
        with pytest.raises(Busy):
            digest_delivery(replace(delivered.rt, clock=lambda: clock.at), "lakeside", quick_one)

    clock.happens = try_to_overtake
    assert digest_delivery(replace(delivered.rt, clock=clock), "lakeside", slow_one).state == "accepted"
    assert clock.n < 0


@pytest.mark.parametrize("moment", [WHILE_IT_IS_READ_AGAIN, BEFORE_IT_COUNTS], ids=["while it is read", "at the end"])
def test_a_release_that_was_overtaken_is_not_recorded(delivered: Practice, moment: int) -> None:
    strange = {ADA: range(1, 13), BRUNO: range(20, 26), "3990000044": [300]}
    held = delivered.receive(write_roster(strange)).delivery.id
    assert digest_delivery(delivered.rt, "lakeside", held).state == "held"
    quick_one = receive(delivered, range(1, 15))
    overtaken = build_overtaken(delivered, moment, quick_one)
    with pytest.raises(Busy):
        decide_delivery(overtaken, "lakeside", held, "accept", "Looked at it.", RUTH)
    assert load_delivery(delivered.rt, "lakeside", held).state == "held"


def test_what_changes_while_a_release_is_recorded_lets_nobody_go_who_was_not_shown(delivered: Practice) -> None:
    rows = write_roster({ADA: range(1, 11), BRUNO: range(20, 26)})
    blind = delivered.receive(rows + f",A,B,1940-01-01,F,{ADA}\r\n".encode()).delivery.id
    assert digest_delivery(delivered.rt, "lakeside", blind).removals_reason
    clock = Clock(delivered.rt.now(), BEFORE_IT_IS_RECORDED, lambda: None)
    clock.happens = lambda: set_feed(delivered.rt, "lakeside", "ehr", {"absences_before_removal": 1}, OPERATOR)
    with pytest.raises(Busy):
        decide_delivery(replace(delivered.rt, clock=clock), "lakeside", blind, "accept", "Looked at it.", RUTH)
    assert build_mbi(12) in list_wanted(delivered, ADA)
    with pytest.raises(WrongState):
        decide_delivery(delivered.rt, "lakeside", blind, "accept", "Looked at it.", RUTH)
    assert build_mbi(12) in list_wanted(delivered, ADA)
