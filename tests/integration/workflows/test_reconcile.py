"""The night: what somebody already answers for is done, the rest is planned and waits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from practice import ADA, BRUNO, CORA, OPERATOR, RUTH, VERA, Practice, build_mbi, check_settled

from service.domain.errors import InvalidInput, NotAllowed, NotFound, WrongState
from service.domain.people import Actor
from service.workflows.authorize import authorize, find_authorizations, revoke
from service.workflows.onboard import set_organization
from service.workflows.plans import load_plan_view
from service.workflows.reconcile import ReconcileReport, reconcile_organization

NIGHT = Actor.job("nightly")


def reconcile(practice: Practice, *, dry_run: bool = False) -> ReconcileReport:
    """Reconcile as the night does."""
    return reconcile_organization(practice.rt, "lakeside", dry_run=dry_run, actor=NIGHT)


@pytest.fixture
def standing(practice: Practice) -> Practice:
    """A practice whose attester has answered in advance, and that has a roster."""
    set_organization(practice.rt, "lakeside", {"approval": "standing"}, OPERATOR)
    authorize(practice.rt, "lakeside", days=90, reason="Our own patients.", actor=VERA)
    practice.name_practitioners()
    practice.send_roster({ADA: range(1, 13), BRUNO: range(20, 26)})
    return practice


def test_nothing_to_do_ends_as_nothing(loaded: Practice) -> None:
    report = reconcile(loaded)
    assert (report.outcome, report.plan_id, report.applied) == ("nothing", None, None)


def test_without_authorisation_a_plan_waits_and_nothing_is_sent(delivered: Practice) -> None:
    report = reconcile(delivered)
    assert (report.outcome, report.counts["add"]) == ("waiting", 18)
    assert delivered.find_writes() == []


def test_a_second_night_finds_the_same_plan(delivered: Practice) -> None:
    assert reconcile(delivered).plan_id == reconcile(delivered).plan_id


def test_a_dry_run_sends_nothing_even_under_a_standing_authorisation(standing: Practice) -> None:
    report = reconcile(standing, dry_run=True)
    assert (report.outcome, report.counts["add"]) == ("planned", 18)
    assert standing.find_writes() == []


def test_a_dry_run_leaves_a_signed_plan_alone(delivered: Practice) -> None:
    signed = delivered.draw_signed()
    reconcile(delivered, dry_run=True)
    assert delivered.load_plan_state(signed) == "signed"
    assert delivered.find_writes() == []


def test_a_standing_authorisation_covers_a_first_load(standing: Practice) -> None:
    report = reconcile(standing)
    assert (report.outcome, report.applied is not None and report.applied.landed) == ("applied", 4)
    check_settled(standing, {ADA: range(1, 13), BRUNO: range(20, 26)})


def test_the_signature_names_the_person_who_answers(standing: Practice) -> None:
    report = reconcile(standing)
    assert report.applied is not None
    (sign_off,) = load_plan_view(standing.rt, "lakeside", report.applied.plan_id, VERA).sign_offs
    assert (sign_off.person, sign_off.is_standing) == (VERA.name, True)


def test_renewals_go_under_it_and_removals_wait(standing: Practice) -> None:
    reconcile(standing)
    standing.pass_time("P76D")
    fewer = {ADA: range(1, 11), BRUNO: range(20, 26)}
    standing.send_roster(fewer)
    standing.send_roster(fewer)
    report = reconcile(standing)
    assert report.applied is not None
    assert report.applied.landed == 2
    assert (report.outcome, report.counts["remove"], report.counts["renew"]) == ("waiting", 2, 0)
    ends = standing.read_ends(ADA)
    left = {mbi: end - standing.rt.now() > timedelta(days=80) for mbi, end in ends.items()}
    assert {mbi for mbi, is_renewed in left.items() if not is_renewed} == {build_mbi(11), build_mbi(12)}


def test_only_listed_practitioners_are_covered(practice: Practice) -> None:
    set_organization(practice.rt, "lakeside", {"approval": "standing"}, OPERATOR)
    authorize(practice.rt, "lakeside", days=30, reason="Bruno only.", actor=VERA, npis=[BRUNO])
    practice.name_practitioners()
    practice.send_roster({ADA: range(1, 13), BRUNO: range(20, 26)})
    report = reconcile(practice)
    assert (report.outcome, report.counts["add"]) == ("waiting", 12)
    assert set(practice.read_active()) == {BRUNO}


def test_a_revoked_authorisation_covers_nothing(standing: Practice) -> None:
    (view,) = find_authorizations(standing.rt, "lakeside")
    revoke(standing.rt, "lakeside", view.id, VERA)
    assert reconcile(standing).outcome == "waiting"
    assert standing.find_writes() == []
    with pytest.raises(WrongState):
        revoke(standing.rt, "lakeside", view.id, VERA)


def test_an_authorisation_that_has_run_out_covers_nothing(practice: Practice) -> None:
    set_organization(practice.rt, "lakeside", {"approval": "standing"}, OPERATOR)
    authorize(practice.rt, "lakeside", days=1, reason="Today.", actor=VERA)
    practice.name_practitioners()
    practice.send_roster({ADA: range(1, 13)})
    practice.pass_time("P1DT1M")
    assert reconcile(practice).outcome == "waiting"


def test_without_the_organisations_consent_an_authorisation_covers_nothing(standing: Practice) -> None:
    set_organization(standing.rt, "lakeside", {"approval": "every-plan"}, OPERATOR)
    assert reconcile(standing).outcome == "waiting"


@pytest.mark.parametrize("days", [0, -1, 91])
def test_an_authorisation_lasts_one_to_ninety_days(practice: Practice, days: int) -> None:
    with pytest.raises(InvalidInput):
        authorize(practice.rt, "lakeside", days=days, reason="x", actor=VERA)


def test_only_an_attester_answers_in_advance_and_gives_a_reason(practice: Practice) -> None:
    with pytest.raises(NotAllowed):
        authorize(practice.rt, "lakeside", days=30, reason="x", actor=RUTH)
    with pytest.raises(InvalidInput):
        authorize(practice.rt, "lakeside", days=30, reason=" ", actor=VERA)
    with pytest.raises(NotFound):
        revoke(practice.rt, "lakeside", "0", VERA)


def test_a_signed_plan_that_waits_is_applied_by_the_night(delivered: Practice) -> None:
    delivered.draw_signed()
    assert reconcile(delivered).outcome == "applied"
    check_settled(delivered, {ADA: range(1, 13), BRUNO: range(20, 26)})


def test_a_signed_plan_that_is_no_longer_true_does_not_stop_the_night(loaded: Practice) -> None:
    loaded.pass_time("P1D")
    loaded.send_roster({ADA: range(1, 14), BRUNO: range(20, 26)})
    signed = loaded.draw_signed(npi=ADA)
    loaded.send_roster({ADA: range(1, 15), BRUNO: range(20, 26), CORA: [40]})
    assert reconcile(loaded).outcome in ("waiting", "partly-applied")
    assert loaded.load_plan_state(signed) in ("applied", "stale")


def test_a_night_with_a_refusal_ends_as_partly_applied(standing: Practice) -> None:
    standing.emu.set_limits(patient_limit=10)
    report = reconcile(standing)
    assert report.applied is not None
    assert report.applied.state == "partly-applied"
    assert report.outcome == "waiting"


def test_switched_off_the_night_only_plans(standing: Practice) -> None:
    set_organization(standing.rt, "lakeside", {"applies": False}, OPERATOR)
    report = reconcile(standing)
    assert report.outcome == "waiting"
    assert standing.find_writes() == []


def test_evidence_that_ages_is_never_renewed_to_avoid_a_lapse(standing: Practice) -> None:
    reconcile(standing)
    standing.pass_time("P80D")
    report = reconcile(standing)
    assert (report.outcome, report.applied) == ("nothing", None)
    standing.pass_time("P11D")
    reconcile(standing)
    assert not any(standing.read_active().values())
