"""Overwriting a Group: asked for by one person, signed by another, with the state before kept and read back after."""

from __future__ import annotations

from typing import Any

import pytest
from practice import ADA, BRUNO, OPERATOR, QUIET, VERA, WILMA, Practice, build_mbi, check_settled, find_faults

from service.domain.authorisation import StandingTerms
from service.domain.errors import InvalidInput, NotAllowed, StalePlan
from service.storage import panels
from service.workflows.prove import find_attestations
from service.workflows.reconcile import reconcile_organization
from service.workflows.settle import SettleReport, settle


@pytest.fixture
def crowded(loaded: Practice) -> Practice:
    """A Group in which two of twelve are inactive, as after a removal."""
    fewer = {ADA: range(1, 11), BRUNO: range(20, 26)}
    loaded.send_roster(fewer)
    loaded.send_roster(fewer)
    loaded.apply_all()
    loaded.pass_time("P1D")
    return loaded


def draw_overwrite(practice: Practice) -> Any:
    """Draw the overwrite of the first practitioner's Group, asked for by one attester."""
    return practice.draw_some(npi=ADA, overwrite=True, actor=VERA)


def count_stored(practice: Practice) -> int:
    """How many patients DPC stores in the Group, inactive ones included."""
    return len(practice.read_ends(ADA))


def test_an_overwrite_re_attests_exactly_those_listed_and_frees_the_room(crowded: Practice) -> None:
    assert count_stored(crowded) == 12
    plan = draw_overwrite(crowded)
    assert (plan.head.is_overwrite, plan.head.counts["overwrite"]) == (True, 1)
    (diff,) = plan.practitioners
    assert len(diff.rows) == 10
    report = crowded.apply(crowded.sign(plan, WILMA))
    assert (report.state, report.attestations) == ("applied", 1)
    assert set(crowded.read_ends(ADA)) == {build_mbi(n) for n in range(1, 11)}
    check_settled(crowded, {ADA: range(1, 11), BRUNO: range(20, 26)})


def test_it_is_one_put_with_the_recorded_words(crowded: Practice) -> None:
    before = len(crowded.find_writes())
    crowded.apply(crowded.sign(draw_overwrite(crowded), WILMA))
    (put,) = crowded.find_writes()[before:]
    spoken = find_attestations(crowded.rt, "lakeside", limit=1)[0]
    assert (put["method"], put["patients"], put["request_id"]) == ("PUT", 10, spoken.attempt_id)
    assert put["provenance_text"] == spoken.provenance


def test_the_group_as_it_was_before_stays_on_record(crowded: Practice) -> None:
    crowded.apply(crowded.sign(draw_overwrite(crowded), WILMA))
    with crowded.rt.database.begin() as connection:
        heads = [h for h in panels.find_panel_heads(connection, "lakeside", side="observed") if h.npi == ADA]
        versions = connection.exec_driver_sql(
            "SELECT version, n FROM panel WHERE npi = ? AND side = 'observed' ORDER BY version", (ADA,)
        ).fetchall()
    assert [n for _, n in versions][-2:] == [12, 10]
    assert heads[0].n == 10


def test_who_asked_for_it_does_not_sign_it(crowded: Practice) -> None:
    plan = draw_overwrite(crowded)
    with pytest.raises(NotAllowed):
        crowded.sign(plan, VERA)
    assert crowded.load_plan_state(plan.head.id) == "drafted"


def test_an_overwrite_with_nobody_in_it_is_refused(crowded: Practice) -> None:
    crowded.pass_time("P36D")
    with pytest.raises(InvalidInput):
        draw_overwrite(crowded)


def test_another_baseline_stops_it(crowded: Practice) -> None:
    plan_id = crowded.sign(draw_overwrite(crowded), WILMA)
    crowded.attest_elsewhere(ADA, [1])
    before = len(crowded.find_writes())
    with pytest.raises(StalePlan):
        crowded.apply(plan_id)
    assert len(crowded.find_writes()) == before


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_overwrite_without_answer_is_read_back(crowded: Practice, when: str) -> None:
    plan_id = crowded.sign(draw_overwrite(crowded), WILMA)
    crowded.emu.add_fault({"method": "PUT", "path": "/Group/", "nth": 1, "when": when, "cut": True})
    assert crowded.apply(plan_id).ambiguous == 1
    crowded.pass_time(QUIET)
    wanted = SettleReport(landed=1) if when == "after" else SettleReport(not_landed=1)
    assert settle(crowded.rt, "lakeside") == wanted
    reconcile_organization(crowded.rt, "lakeside", actor=OPERATOR)
    assert crowded.load_plan_state(plan_id) == "applied"
    assert find_faults(crowded) == []


def test_a_standing_authorisation_never_covers_an_overwrite(crowded: Practice) -> None:
    terms = StandingTerms(crowded.rt.now().replace(year=2100))
    assert crowded.draw(npi=ADA, overwrite=True, standing=terms) is None


def test_no_night_ever_plans_one(crowded: Practice) -> None:
    crowded.pass_time("P76D")
    crowded.send_roster({ADA: range(1, 11), BRUNO: range(20, 26)})
    reconcile_organization(crowded.rt, "lakeside", actor=OPERATOR)
    assert not any(e["method"] == "PUT" for e in crowded.find_writes())
