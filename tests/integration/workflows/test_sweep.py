"""Sweeping: whatever the history says, what DPC holds must be approved."""

from __future__ import annotations

from practice import ADA, BRUNO, Practice

from service.workflows.overview import show_overview
from service.workflows.sweep import sweep


def test_groups_that_hold_what_is_wanted_give_no_finding(loaded: Practice) -> None:
    report = sweep(loaded.rt, "lakeside")
    assert (report.groups, report.findings) == (2, ())


def test_a_stranger_is_found_and_is_one_incident_however_often(loaded: Practice) -> None:
    loaded.attest_elsewhere(BRUNO, [1])
    first = sweep(loaded.rt, "lakeside")
    assert [npi for npi, _ in first.findings] == [BRUNO]
    assert sweep(loaded.rt, "lakeside").findings == first.findings
    assert [i.n for i in show_overview(loaded.rt, "lakeside").incidents if i.npi == BRUNO] == [1]


def test_an_incident_closes_when_its_cause_is_gone(loaded: Practice) -> None:
    loaded.attest_elsewhere(BRUNO, [1])
    sweep(loaded.rt, "lakeside")
    loaded.send_roster({ADA: range(1, 13), BRUNO: [*range(20, 26), *range(1, 3)]})
    assert sweep(loaded.rt, "lakeside").findings == ()
    assert show_overview(loaded.rt, "lakeside").incidents == ()


def test_removals_that_wait_for_a_person_are_no_finding(loaded: Practice) -> None:
    fewer = {ADA: range(1, 11), BRUNO: range(20, 26)}
    loaded.send_roster(fewer)
    loaded.send_roster(fewer)
    assert sweep(loaded.rt, "lakeside").findings == ()


def test_two_groups_of_one_practitioner_are_a_finding(loaded: Practice) -> None:
    dpc_id = next(e["organization_id"] for e in loaded.emu.log() if e["organization_id"])
    loaded.emu.add_group(dpc_id, BRUNO)
    assert [npi for npi, _ in sweep(loaded.rt, "lakeside").findings] == [BRUNO]
