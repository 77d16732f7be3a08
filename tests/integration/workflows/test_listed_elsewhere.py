"""Whom one feed lets go and another still lists stays: told so, shown so, and asked anew once that is otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from asking import find_hold, list_wanted, release
from changing_mbis import tell_change
from practice import ADA, BRUNO, OPERATOR, RUTH, Practice, build_mbi, write_roster

from service.domain.errors import WrongState
from service.domain.identifiers import mask_mbi
from service.workflows.deliveries import DeliveryView, load_delivery
from service.workflows.effects import find_departures, find_effects
from service.workflows.feeds import add_feed, set_feed

OF_ADA, OF_BRUNO = range(1, 13), range(20, 26)
SHORT = range(1, 10)
"""Three patients fewer than before: the numbers 10 to 12."""


@pytest.fixture
def two_feeds(delivered: Practice) -> Practice:
    """A practice whose first feed lets patients go at their first absence, two at most; 18 patients are known to it.

    A second feed lists the twelve of one practitioner as well.
    """
    set_feed(delivered.rt, "lakeside", "ehr", {"absences_before_removal": 1, "max_removals": 2}, OPERATOR)
    add_feed(delivered.rt, "lakeside", feed_id="portal", mode="snapshot", absences_before_removal=1, actor=OPERATOR)
    send_portal(delivered, OF_ADA)
    return delivered


def send_portal(practice: Practice, of_ada: Sequence[int]) -> DeliveryView:
    return practice.send_roster({ADA: of_ada}, feed="portal")


def send_short(practice: Practice, of_ada: Sequence[int] = SHORT, of_bruno: Sequence[int] = OF_BRUNO) -> DeliveryView:
    practice.sent += 1
    return practice.deliver(write_roster({ADA: of_ada, BRUNO: of_bruno}) + b"\r\n" * practice.sent)


def list_shown(practice: Practice, delivery_id: str) -> list[tuple[str, bool, bool]]:
    found = find_departures(practice.rt, "lakeside", delivery_id, RUTH).items
    return [(item.masked_mbi, item.at_once, item.listed_elsewhere) for item in found]


def write_shown(*numbers: int, at_once: bool = True, listed_elsewhere: bool = False) -> list[tuple[str, bool, bool]]:
    return [(mask_mbi(build_mbi(n)), at_once, listed_elsewhere) for n in numbers]


def test_a_question_tells_that_they_stay_and_its_release_lets_nobody_go(two_feeds: Practice) -> None:
    delivery = send_short(two_feeds)
    assert (delivery.state, delivery.absent_count, delivery.ended_count) == ("accepted", 3, 0)
    hold = find_hold(two_feeds)
    assert hold.rule == "many_removals"
    assert "3 are missing; nobody would be let go: 3 stay because another feed still lists them." in hold.reason
    assert list_shown(two_feeds, delivery.id) == write_shown(10, 11, 12, at_once=False, listed_elsewhere=True)
    release(two_feeds)
    assert list_wanted(two_feeds, ADA) == {build_mbi(n) for n in OF_ADA}
    assert load_delivery(two_feeds.rt, "lakeside", delivery.id).ended_count == 0


def test_those_who_go_and_those_who_stay_are_told_apart(two_feeds: Practice) -> None:
    delivery = send_short(two_feeds, of_bruno=OF_BRUNO[:-1])
    told = "4 are missing; 1 would be let go at once, and 3 stay because another feed still lists them."
    assert told in find_hold(two_feeds).reason
    assert delivery.ended_count == 1
    staying = write_shown(10, 11, 12, at_once=False, listed_elsewhere=True)
    assert list_shown(two_feeds, delivery.id) == [*staying, *write_shown(25)]
    effects = {e.npi: (e.absent, e.ended) for e in find_effects(two_feeds.rt, "lakeside", delivery.id)}
    assert effects == {ADA: (3, 0), BRUNO: (1, 1)}


def test_a_release_is_refused_once_the_other_feed_lists_one_no_longer(two_feeds: Practice) -> None:
    delivery = send_short(two_feeds)
    asked = find_hold(two_feeds)
    send_portal(two_feeds, range(1, 12))
    with pytest.raises(WrongState):
        release(two_feeds)
    hold = find_hold(two_feeds)
    assert hold.id != asked.id and hold.fingerprint != asked.fingerprint
    assert list_wanted(two_feeds, ADA) == {build_mbi(n) for n in OF_ADA}
    staying = write_shown(10, 11, at_once=False, listed_elsewhere=True)
    assert list_shown(two_feeds, delivery.id) == [*staying, *write_shown(12)]
    release(two_feeds)
    assert list_wanted(two_feeds, ADA) == {build_mbi(n) for n in range(1, 12)}


def test_looking_shows_who_stays_by_now(two_feeds: Practice) -> None:
    delivery = send_short(two_feeds)
    assert list_shown(two_feeds, delivery.id) == write_shown(10, 11, 12, at_once=False, listed_elsewhere=True)
    asked = find_hold(two_feeds)
    send_portal(two_feeds, SHORT)
    assert list_shown(two_feeds, delivery.id) == write_shown(10, 11, 12)
    assert find_hold(two_feeds).id != asked.id
    assert "3 would be let go at once." in find_hold(two_feeds).reason


def test_another_file_of_the_other_feed_that_lists_the_same_changes_no_question(two_feeds: Practice) -> None:
    send_short(two_feeds)
    asked = find_hold(two_feeds)
    send_portal(two_feeds, OF_ADA)
    release(two_feeds, asked)
    assert list_wanted(two_feeds, ADA) == {build_mbi(n) for n in OF_ADA}


def test_a_file_that_counts_by_itself_does_not_tell_of_those_who_stay_that_they_went(two_feeds: Practice) -> None:
    delivery = send_short(two_feeds, range(1, 12))
    assert (delivery.state, delivery.removals_reason) == ("accepted", None)
    assert (delivery.absent_count, delivery.ended_count) == (1, 0)
    assert list_wanted(two_feeds, ADA) == {build_mbi(n) for n in OF_ADA}


def test_a_patient_whom_the_other_feed_lists_by_a_former_number_stays(two_feeds: Practice) -> None:
    add_feed(two_feeds.rt, "lakeside", feed_id="adt", actor=OPERATOR)
    assert tell_change(two_feeds, 12, 91).state == "accepted"
    delivery = send_short(two_feeds)
    assert list_shown(two_feeds, delivery.id) == write_shown(10, 11, 91, at_once=False, listed_elsewhere=True)
    release(two_feeds)
    assert build_mbi(91) in list_wanted(two_feeds, ADA)


def test_a_held_file_tells_who_stays_and_is_asked_anew_when_they_do_not(two_feeds: Practice) -> None:
    practice = two_feeds
    delivery = practice.deliver(write_roster({ADA: SHORT, BRUNO: OF_BRUNO, "3990000044": [300]}))
    assert (delivery.state, delivery.ended_count) == ("held", 0)
    assert "3 stay because another feed still lists them." in find_hold(practice).reason
    send_portal(practice, SHORT)
    practice.accept(delivery.id)
    assert {build_mbi(n) for n in (10, 11, 12, 300)} < list_wanted(practice)
    assert "3 would be let go at once." in find_hold(practice).reason
    assert list_shown(practice, delivery.id) == write_shown(10, 11, 12)
    release(practice)
    assert list_wanted(practice, ADA) == {build_mbi(n) for n in SHORT}
