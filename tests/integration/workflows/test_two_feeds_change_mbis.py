"""Changed MBIs concern the whole organisation: of two feeds that tell some at the same moment, one comes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from asking import list_wanted
from clocks import Clock, build_overtaken
from practice import ADA, OPERATOR, RUTH, Practice, build_mbi, write_roster

from service.domain.errors import Busy
from service.runtime import Runtime
from service.workflows.deliveries import load_delivery
from service.workflows.digest import digest_delivery, digest_waiting
from service.workflows.feeds import add_feed
from service.workflows.holds import decide_hold, find_holds

FIRST, SECOND = "adt", "portal"
BEFORE_IT_WEIGHS, BEFORE_PEOPLE, BEFORE_IT_IS_RECORDED = 4, 5, 7
"""How often a process has asked for the time when it asks with nothing locked."""


def write_change(former: int, new: int) -> bytes:
    """An HL7 v2 message: change of patient identifier list."""
    message = f"MSH|^~\\&|EHR|CLINIC|||20260302083000||ADT^A47|M{former}|P|2.5"
    return f"{message}\rPID|1||{build_mbi(new)}^^^CMS^MC\rMRG|{build_mbi(former)}^^^CMS^MC".encode()


@pytest.fixture
def two_feeds(practice_on_postgresql: Practice) -> Practice:
    """Two streams of messages; where several processes write at once."""
    practice = practice_on_postgresql
    practice.name_practitioners()
    practice.send_roster({ADA: range(1, 13)})
    for feed in (FIRST, SECOND):
        add_feed(practice.rt, "lakeside", feed_id=feed, actor=OPERATOR)
    return practice


def build_undisturbed(practice: Practice, moment: int, other: str) -> tuple[Runtime, list[Busy]]:
    """A process in whose work another one tries to read a delivery, and what that one was refused with."""
    refused: list[Busy] = []

    def come_between() -> None:
        with pytest.raises(Busy) as busy:
            digest_delivery(practice.rt, "lakeside", other)
        refused.append(busy.value)

    return replace(practice.rt, clock=Clock(practice.rt.now(), moment, come_between)), refused


@pytest.mark.parametrize("moment", [BEFORE_IT_WEIGHS, BEFORE_PEOPLE], ids=["before weighing", "after weighing"])
def test_of_two_that_contradict_one_another_the_second_waits(two_feeds: Practice, moment: int) -> None:
    one = two_feeds.receive(write_change(1, 91), feed=FIRST).delivery.id
    other = two_feeds.receive(write_change(2, 91), feed=SECOND).delivery.id
    rt, refused = build_undisturbed(two_feeds, moment, other)
    assert digest_delivery(rt, "lakeside", one).state == "accepted"
    assert len(refused) == 1
    assert load_delivery(two_feeds.rt, "lakeside", other).state == "received"
    assert digest_waiting(two_feeds.rt) == 1
    assert load_delivery(two_feeds.rt, "lakeside", other).hold_code == "joined_patients"
    assert list_wanted(two_feeds, ADA) == {build_mbi(n) for n in [91, *range(2, 13)]}


def test_who_took_so_long_that_another_told_changes_writes_nothing(two_feeds: Practice) -> None:
    one = two_feeds.receive(write_change(1, 91), feed=FIRST).delivery.id
    other = two_feeds.receive(write_change(2, 91), feed=SECOND).delivery.id
    overtaken = build_overtaken(two_feeds, BEFORE_PEOPLE, other)
    with pytest.raises(Busy):
        digest_delivery(overtaken, "lakeside", one)
    assert load_delivery(two_feeds.rt, "lakeside", one).state == "received"
    assert list_wanted(two_feeds, ADA) == {build_mbi(n) for n in [1, 91, *range(3, 13)]}


def test_nobody_tells_changes_while_a_held_one_is_released(two_feeds: Practice) -> None:
    three_days_ago = two_feeds.rt.now() - timedelta(days=3)
    held = two_feeds.deliver(write_change(1, 91), feed=FIRST, as_of_at=three_days_ago)
    assert held.hold_code == "old_input"
    other = two_feeds.receive(write_change(2, 91), feed=SECOND).delivery.id
    (hold,) = find_holds(two_feeds.rt, "lakeside")
    rt, refused = build_undisturbed(two_feeds, BEFORE_IT_IS_RECORDED, other)
    assert decide_hold(rt, "lakeside", hold.id, "release", "Looked at it.", RUTH).state == "released"
    assert len(refused) == 1
    assert digest_delivery(two_feeds.rt, "lakeside", other).hold_code == "joined_patients"


def test_a_roster_is_read_while_another_feed_tells_changes(two_feeds: Practice) -> None:
    one = two_feeds.receive(write_change(1, 91), feed=FIRST).delivery.id
    roster = two_feeds.receive(write_roster({ADA: range(1, 14)})).delivery.id
    states = []

    def come_between() -> None:
        states.append(digest_delivery(two_feeds.rt, "lakeside", roster).state)

    clock = Clock(two_feeds.rt.now(), BEFORE_PEOPLE, come_between)
    assert digest_delivery(replace(two_feeds.rt, clock=clock), "lakeside", one).state == "accepted"
    assert states == ["accepted"]
