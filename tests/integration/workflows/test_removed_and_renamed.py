"""Somebody who is removed and gets another MBI is gone under both, whichever was told first."""

from __future__ import annotations

from asking import list_claimed
from changing_mbis import (
    OF_ADA,
    WRONG,
    apply_until_nothing_is_left,
    name,
    send_change_rows,
    tell_change,
)
from practice import ADA, Practice, write_roster


def attest_by_changes(practice: Practice, number: int) -> None:
    """Only the feed of changes lists this patient of Ada's."""
    assert practice.deliver(write_roster({ADA: [number]}), feed="changes").state == "accepted"
    assert apply_until_nothing_is_left(practice) == [("add", 1, False)]


def test_who_was_removed_under_the_new_number_before_the_change_was_told_is_not_attested(told: Practice) -> None:
    attest_by_changes(told, 40)
    send_change_rows(told, (WRONG, "remove"))
    assert tell_change(told, 40, WRONG).state == "accepted"
    assert list_claimed(told)[ADA] == (name(*OF_ADA), name(40, WRONG))
    assert apply_until_nothing_is_left(told) == [("remove", 1, False)]
    assert told.read_active()[ADA] == name(*OF_ADA)


def test_who_leaves_before_the_new_number_is_attested_goes_under_the_former(told: Practice) -> None:
    attest_by_changes(told, 40)
    assert tell_change(told, 40, WRONG).state == "accepted"
    send_change_rows(told, (WRONG, "remove"))
    assert apply_until_nothing_is_left(told) == [("remove", 1, False)]
    assert told.read_active()[ADA] == name(*OF_ADA)


def test_who_leaves_while_dpc_shows_both_numbers_goes_under_both(told: Practice) -> None:
    attest_by_changes(told, 40)
    assert tell_change(told, 40, WRONG).state == "accepted"
    told.apply_all()
    assert told.read_active()[ADA] == name(40, WRONG, *OF_ADA)
    send_change_rows(told, (WRONG, "remove"))
    assert apply_until_nothing_is_left(told) == [("remove", 2, False)]
    assert told.read_active()[ADA] == name(*OF_ADA)
