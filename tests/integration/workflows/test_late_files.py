"""A file that comes late, is held and then released undoes nothing that was made after it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asking import list_wanted
from practice import ADA, BRUNO, OPERATOR, Practice, build_mbi, write_roster

from service.workflows.feeds import set_feed

MORE = {ADA: range(1, 14), BRUNO: range(20, 26)}
LESS = {ADA: range(1, 12), BRUNO: range(20, 26)}
"""Without the last of those who are known (12), and without one whom nobody knows yet (13)."""


@pytest.fixture
def impatient(loaded: Practice) -> Practice:
    """A practice whose feed lets patients go at their first absence."""
    set_feed(loaded.rt, "lakeside", "ehr", {"absences_before_removal": 1}, OPERATOR)
    loaded.pass_time("P1D")
    return loaded


def mark(practice: Practice, series: str) -> list[dict[str, Any]]:
    """How the newer file is sent, and the older one that comes after it."""
    now = practice.rt.now()
    marks: dict[str, list[dict[str, Any]]] = {
        "by date": [{"as_of_at": now}, {"as_of_at": now - timedelta(hours=12)}],
        "by receipt": [{}, {"as_of_at": now - timedelta(hours=12)}],
        "by number": [{"sequence": "10"}, {"sequence": "9"}],
    }
    return marks[series]


@pytest.mark.parametrize("series", ["by date", "by receipt", "by number"])
def test_it_brings_back_nobody_whom_a_newer_roster_has_dropped(impatient: Practice, series: str) -> None:
    newer, older = mark(impatient, series)
    impatient.send_roster(LESS, **newer)
    impatient.apply_all()
    impatient.pass_time("PT1H")
    late = impatient.deliver(write_roster(MORE), **older)
    assert (late.state, late.hold_code) == ("held", "stale_input")
    impatient.accept(late.id)
    assert not list_wanted(impatient, ADA) & {build_mbi(12), build_mbi(13)}
    assert impatient.draw() is None


@pytest.mark.parametrize("series", ["by date", "by receipt", "by number"])
def test_whom_it_alone_lists_is_missing_once_from_one_newer_roster(loaded: Practice, series: str) -> None:
    loaded.pass_time("P1D")
    newer, older = mark(loaded, series)
    loaded.send_roster(LESS, **newer)
    loaded.pass_time("PT1H")
    loaded.accept(loaded.deliver(write_roster(MORE), **older).id)
    assert {build_mbi(12), build_mbi(13)} < list_wanted(loaded, ADA)
    loaded.pass_time("P1D")
    loaded.send_roster(LESS)
    assert not list_wanted(loaded, ADA) & {build_mbi(12), build_mbi(13)}


def test_whom_newer_changes_removed_from_everybody_it_brings_to_nobody_new(impatient: Practice) -> None:
    now = impatient.rt.now()
    content = f"MBI,NPI,Action\r\n{build_mbi(11)},,remove\r\n".encode()
    impatient.deliver(content, mode="delta", as_of_at=now)
    late = impatient.deliver(write_roster({**MORE, "3990000028": [11, 70]}), as_of_at=now - timedelta(hours=12))
    impatient.accept(late.id)
    assert build_mbi(11) not in list_wanted(impatient)
    assert build_mbi(70) in list_wanted(impatient)


def test_the_next_number_of_a_count_that_begins_anew_counts_as_ever(impatient: Practice) -> None:
    impatient.send_roster(LESS, sequence="999")
    impatient.accept(impatient.deliver(write_roster(MORE) + b"\r\n", sequence="1").id)
    impatient.pass_time("PT1H")
    impatient.send_roster(MORE, sequence="2")
    assert {build_mbi(12), build_mbi(13)} < list_wanted(impatient, ADA)
