"""Whom a waiting delivery would let go: exactly those whom releasing it lets go, or nobody goes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asking import find_hold, list_wanted, release
from practice import ADA, BRUNO, OPERATOR, RUTH, Practice, build_mbi, write_roster

from service.domain.errors import WrongState
from service.domain.identifiers import mask_mbi, pack_mbi
from service.workflows.deliveries import DeliveryView, load_delivery
from service.workflows.effects import find_departures
from service.workflows.feeds import set_feed
from service.workflows.holds import decide_hold, find_holds

SHORT: dict[str, Any] = {ADA: range(1, 11), BRUNO: range(20, 25)}
"""Three patients fewer than before: the numbers 11, 12 and 25."""
STRANGE = {"3990000044": [300]}
"""A practitioner whom nobody knows, so that a file with him waits."""


@pytest.fixture
def impatient(delivered: Practice) -> Practice:
    """A practice whose feed lets patients go at their first absence, two at most; 18 are known since two hours ago."""
    set_feed(delivered.rt, "lakeside", "ehr", {"absences_before_removal": 1, "max_removals": 2}, OPERATOR)
    delivered.pass_time("PT2H")
    return delivered


def list_shown(practice: Practice, delivery_id: str) -> list[tuple[str, bool]]:
    found = find_departures(practice.rt, "lakeside", delivery_id, RUTH).items
    return [(item.masked_mbi, item.at_once) for item in found]


def write_shown(*numbers: int, at_once: bool = True) -> list[tuple[str, bool]]:
    return [(mask_mbi(build_mbi(n)), at_once) for n in numbers]


def exchange(practice: Practice) -> None:
    """Let changes list again the three whom the short roster lets go, after three others were added before it."""
    hour = timedelta(hours=1)
    added = practice.deliver(
        write_roster({ADA: range(30, 33)}), mode="delta", as_of_at=practice.rt.now() - hour, sequence="late"
    )
    if added.state == "held":
        practice.accept(added.id)
    again = practice.deliver(
        write_roster({ADA: [11, 12], BRUNO: [25]}), mode="delta", as_of_at=practice.rt.now() + hour / 2
    )
    assert again.state == "accepted", again.hold_reason


def send_short(practice: Practice, panels: dict[str, Any] = SHORT, *, blind: bool = False) -> DeliveryView:
    """Send a roster with fewer patients; with a row that may be anybody's it says nothing of whom it leaves out."""
    row = f",Pat,Gone,1940-01-01,F,{ADA}\r\n".encode() if blind else b""
    return practice.deliver(write_roster(panels) + row, as_of_at=practice.rt.now())


def test_releasing_is_refused_when_as_many_others_would_go_by_now(impatient: Practice) -> None:
    delivery = send_short(impatient, blind=True)
    assert list_shown(impatient, delivery.id) == write_shown(11, 12, 25)
    exchange(impatient)
    asked = find_hold(impatient)
    with pytest.raises(WrongState) as refused:
        release(impatient)
    assert "Look at" in refused.value.next_action
    assert list_wanted(impatient) == {build_mbi(n) for n in [*range(1, 13), *range(20, 26), *range(30, 33)]}
    hold = find_hold(impatient)
    assert hold.id != asked.id and hold.fingerprint != asked.fingerprint
    assert list_shown(impatient, delivery.id) == write_shown(30, 31, 32)
    release(impatient)
    assert list_wanted(impatient) == {build_mbi(n) for n in [*range(1, 13), *range(20, 26)]}


def test_a_held_file_that_would_let_go_others_by_now_counts_and_asks_whom(delivered: Practice) -> None:
    set_feed(delivered.rt, "lakeside", "ehr", {"absences_before_removal": 1}, OPERATOR)
    delivered.pass_time("PT2H")
    delivery = delivered.deliver(write_roster(SHORT | STRANGE))
    assert (delivery.state, delivery.ended_count) == ("held", 3)
    late = delivered.rt.now() - timedelta(hours=1)
    assert delivered.deliver(write_roster({ADA: [30, 31]}), mode="delta", as_of_at=late).state == "accepted"
    delivered.accept(delivery.id)
    assert load_delivery(delivered.rt, "lakeside", delivery.id).state == "accepted"
    assert {build_mbi(n) for n in (11, 12, 25, 30, 31)} < list_wanted(delivered)
    assert "not exactly those who were shown" in find_hold(delivered).reason
    assert list_shown(delivered, delivery.id) == write_shown(11, 12, 30, 31, 25)
    release(delivered)
    assert list_wanted(delivered) == {build_mbi(n) for n in [*range(1, 11), *range(20, 25), 300]}


def test_looking_at_them_asks_about_whoever_it_is_by_now(impatient: Practice) -> None:
    delivery = send_short(impatient, blind=True)
    asked = find_hold(impatient)
    exchange(impatient)
    assert list_shown(impatient, delivery.id) == write_shown(30, 31, 32)
    assert find_hold(impatient).id != asked.id
    with pytest.raises(WrongState):
        decide_hold(impatient.rt, "lakeside", asked.id, "release", "Looked at them before.", RUTH)
    release(impatient)
    assert list_wanted(impatient) == {build_mbi(n) for n in [*range(1, 13), *range(20, 26)]}


def test_looking_at_a_held_file_keeps_its_doubt_and_tells_the_new_numbers(delivered: Practice) -> None:
    set_feed(delivered.rt, "lakeside", "ehr", {"absences_before_removal": 1}, OPERATOR)
    delivery = delivered.deliver(write_roster(SHORT | STRANGE))
    asked = find_hold(delivered)
    changes = {ADA: [11, 12], BRUNO: [25]}
    delivered.deliver(write_roster(changes), mode="delta", as_of_at=delivered.rt.now() + timedelta(minutes=5))
    assert list_shown(delivered, delivery.id) == []
    hold = find_hold(delivered)
    assert (hold.rule, hold.level, hold.n) == (asked.rule, asked.level, asked.n)
    assert hold.id != asked.id and hold.reason.startswith(asked.reason)
    told = load_delivery(delivered.rt, "lakeside", delivery.id)
    assert (told.state, told.ended_count, told.hold_reason) == ("held", 0, hold.reason)
    release(delivered)
    assert len(list_wanted(delivered)) == 18 + 1 and find_holds(delivered.rt, "lakeside") == []


def test_whoever_newer_evidence_lists_is_not_left_out_by_a_late_file(delivered: Practice) -> None:
    delivery = send_short(delivered, SHORT | STRANGE)
    assert list_shown(delivered, delivery.id) == write_shown(11, 12, 25, at_once=False)
    later = write_roster({ADA: [11], BRUNO: [25, 40]})
    assert (
        delivered.deliver(later, mode="delta", as_of_at=delivered.rt.now() + timedelta(minutes=5)).state == "accepted"
    )
    assert list_shown(delivered, delivery.id) == write_shown(12, at_once=False)


def test_another_look_reads_no_file(impatient: Practice) -> None:
    delivery = send_short(impatient)
    for path in impatient.rt.settings.uploads_dir.rglob("*"):
        if path.is_file():
            path.unlink()
    assert list_shown(impatient, delivery.id) == write_shown(11, 12, 25)
    page = find_departures(impatient.rt, "lakeside", delivery.id, RUTH, start=1, limit=1)
    assert ([item.masked_mbi for item in page.items], page.total, page.next_start) == ([mask_mbi(build_mbi(12))], 3, 2)
    assert page.hold_id == find_hold(impatient).id


def test_pages_of_departures_are_together_all_of_them(delivered: Practice) -> None:
    everybody = {ADA: range(1200)}
    delivered.send_odd_roster(everybody)
    delivery = send_short(delivered, {ADA: range(100)})
    assert delivery.state == "held"
    whole = find_departures(delivered.rt, "lakeside", delivery.id, RUTH)
    assert (whole.total, len(whole.items), whole.next_start) == (1100, 1100, None)
    page = find_departures(delivered.rt, "lakeside", delivery.id, RUTH, limit=170)
    paged = page.items
    while page.next_start is not None:
        page = find_departures(delivered.rt, "lakeside", delivery.id, RUTH, start=page.next_start, limit=170)
        paged = paged + page.items
    assert paged == whole.items
    beyond = find_departures(delivered.rt, "lakeside", delivery.id, RUTH, start=5_000, limit=10)
    assert (beyond.items, beyond.next_start) == ([], None)


def test_who_is_shown_is_sealed_and_forgotten_once_it_is_decided(impatient: Practice) -> None:
    send_short(impatient)
    code = pack_mbi(build_mbi(11)).to_bytes(8, "little")
    assert (kept := read_kept(impatient))
    assert not [body for body in kept if code in body or build_mbi(11).encode() in body]
    release(impatient)
    assert read_kept(impatient) == []


def read_kept(practice: Practice) -> list[bytes]:
    with practice.rt.database.read() as connection:
        return [bytes(row[0]) for row in connection.exec_driver_sql("SELECT body FROM departure")]


def test_a_hold_of_before_asks_anew_about_whom_it_lets_go(impatient: Practice) -> None:
    delivery = send_short(impatient)
    with impatient.rt.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM departure")
        connection.exec_driver_sql("UPDATE hold SET fingerprint = 'of another form'")
    assert list_shown(impatient, delivery.id) == write_shown(11, 12, 25)
    assert len(find_hold(impatient).fingerprint) == 64
    release(impatient)
    assert len(list_wanted(impatient)) == 15
