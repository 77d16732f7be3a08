"""Settling what earlier calls left open; the many ways of losing an answer are tried in the fault tests."""

from __future__ import annotations

import pytest
from practice import ADA, BRUNO, Practice, build_mbi

from service.domain.errors import NotFound, Refusal
from service.storage import people
from service.workflows.settle import SettleReport, settle

LARGER = {ADA: range(1, 15), BRUNO: range(20, 26)}


def lose_add(practice: Practice, when: str) -> None:
    """Send an `$add` of two patients whose answer is lost."""
    practice.send_roster(LARGER)
    practice.emu.add_fault({"method": "POST", "path": r"\$add$", "nth": 1, "when": when, "cut": True})
    assert practice.apply_all().ambiguous == 1


def test_nothing_open_costs_no_request(loaded: Practice) -> None:
    before = loaded.count_log()
    assert settle(loaded.rt, "lakeside") == SettleReport()
    assert loaded.count_log() == before


def test_an_organisation_that_does_not_exist_has_nothing_to_settle(practice: Practice) -> None:
    try:
        assert settle(practice.rt, "nowhere") == SettleReport()
    except Refusal as refusal:
        assert isinstance(refusal, NotFound)


@pytest.mark.parametrize(
    ("when", "report"), [("after", SettleReport(landed=1)), ("before", SettleReport(not_landed=1))]
)
def test_one_reading_settles_one_call(loaded: Practice, when: str, report: SettleReport) -> None:
    lose_add(loaded, when)
    loaded.pass_time()
    before = loaded.count_log()
    assert settle(loaded.rt, "lakeside") == report
    assert loaded.find_calls(before) == ["POST /Token/auth", "GET /Group"]


def test_what_is_settled_is_not_settled_again(loaded: Practice) -> None:
    lose_add(loaded, "after")
    loaded.pass_time()
    settle(loaded.rt, "lakeside")
    assert settle(loaded.rt, "lakeside") == SettleReport()


def test_a_call_that_landed_is_owned_from_then_on(loaded: Practice) -> None:
    lose_add(loaded, "after")
    loaded.pass_time()
    settle(loaded.rt, "lakeside")
    fewer = {ADA: range(1, 13), BRUNO: range(20, 26)}
    loaded.send_roster(fewer)
    loaded.send_roster(fewer)
    assert loaded.draw_some().head.counts["remove"] == 2


def test_a_call_that_landed_in_part_opens_an_incident(loaded: Practice) -> None:
    lose_add(loaded, "after")
    with loaded.rt.connect_dpc("lakeside") as dpc:  # somebody takes one of the two out again
        (group,) = dpc.find_groups_by_npi(ADA)
        mbis = {p.patient_id: p.mbi for p in dpc.read_patients()}
        one = next(m.patient_id for m in group.members if mbis[m.patient_id] == build_mbi(13))
        dpc.remove_from_group(group.group_id, ADA, [one], "somebody-else")
    loaded.pass_time()
    assert settle(loaded.rt, "lakeside") == SettleReport(not_landed=1, breaches=1)
    with loaded.rt.database.read() as connection:
        found = people.find_incidents(connection, "lakeside", kind="partly-landed", only_open=True)
    assert [incident.npi for incident in found] == [ADA]


@pytest.mark.parametrize("when", ["before", "after"])
def test_nothing_is_said_of_a_call_while_there_are_two_groups(loaded: Practice, when: str) -> None:
    fewer = {ADA: range(1, 11), BRUNO: range(20, 26)}
    loaded.send_roster(fewer)
    loaded.send_roster(fewer)
    loaded.emu.add_fault({"method": "POST", "path": r"\$remove$", "nth": 1, "when": when, "cut": True})
    assert loaded.apply_all().ambiguous == 1
    dpc_id = next(e["organization_id"] for e in loaded.emu.log() if e["organization_id"])
    loaded.emu.add_group(dpc_id, ADA)
    loaded.pass_time()
    assert settle(loaded.rt, "lakeside") == SettleReport(still_open=1)
