"""The gate before every call: what was true when a run began must still be true when the next call goes out."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from practice import ADA, BRUNO, CORA, OPERATOR, RUTH, VERA, WILMA, Practice, build_mbi

from service.domain.errors import NotAllowed, StalePlan
from service.domain.people import Actor
from service.storage import intents, ledger, plans
from service.workflows.apply import ApplyReport, ApplyStep
from service.workflows.authorize import authorize, find_authorizations, find_standing, revoke, sign_by_standing
from service.workflows.feeds import add_feed
from service.workflows.holds import decide_hold, find_holds
from service.workflows.onboard import set_organization
from service.workflows.overview import show_overview
from service.workflows.reconcile import ReconcileReport, reconcile_organization

PANELS = {ADA: range(1, 13), BRUNO: range(20, 26)}
NIGHT = Actor.job("nightly")


def reconcile(practice: Practice, progress: object = None) -> ReconcileReport:
    """Reconcile as the night does."""
    return reconcile_organization(practice.rt, "lakeside", actor=NIGHT, progress=progress)  # type: ignore[arg-type]


def let_night_answer(practice: Practice) -> None:
    """Let the attester answer in advance."""
    set_organization(practice.rt, "lakeside", {"approval": "standing"}, OPERATOR)
    authorize(practice.rt, "lakeside", days=90, reason="Our own patients.", actor=VERA)


def load_texts(report: ApplyReport) -> str:
    """Every refusal of a run in words."""
    return " ".join(refused.text for refused in report.refusals)


def test_an_authorisation_revoked_in_the_middle_of_a_run_lets_no_further_attestation_out(delivered: Practice) -> None:
    let_night_answer(delivered)

    def withdraw(step: ApplyStep) -> None:
        if (step.kind, step.npi, step.state) == ("create", ADA, "landed"):
            (view,) = find_authorizations(delivered.rt, "lakeside")
            revoke(delivered.rt, "lakeside", view.id, VERA)

    report = reconcile(delivered, withdraw)
    assert set(delivered.read_active()) == {ADA}
    assert report.applied is not None
    assert "no longer" in load_texts(report.applied)


def test_an_organisation_that_takes_back_its_consent_in_the_middle_is_obeyed(delivered: Practice) -> None:
    let_night_answer(delivered)

    def withdraw(step: ApplyStep) -> None:
        if (step.kind, step.npi, step.state) == ("create", ADA, "landed"):
            set_organization(delivered.rt, "lakeside", {"approval": "every-plan"}, OPERATOR)

    reconcile(delivered, withdraw)
    assert set(delivered.read_active()) == {ADA}


def test_a_patient_who_leaves_the_roster_in_the_middle_of_a_run_is_not_attested(delivered: Practice) -> None:
    fewer = {ADA: range(1, 13), BRUNO: range(20, 25)}

    def shrink(step: ApplyStep) -> None:
        if (step.kind, step.npi, step.state) == ("create", ADA, "landed"):
            delivered.send_roster(fewer)
            delivered.send_roster(fewer)

    report = delivered.apply(delivered.draw_signed(), progress=shrink)
    assert (report.state, report.landed, report.parked) == ("partly-applied", 3, 1)
    assert set(delivered.read_active()) == {ADA}


def test_what_a_reviewer_releases_is_not_attested_under_a_standing_authorisation(loaded: Practice) -> None:
    let_night_answer(loaded)
    add_feed(loaded.rt, "lakeside", feed_id="more", mode="snapshot", actor=OPERATOR)
    loaded.send_roster({BRUNO: range(26, 56)}, feed="more")
    reconcile(loaded)
    holds = find_holds(loaded.rt, "lakeside")
    assert [(h.rule, h.npi, h.n) for h in holds] == [("adds-per-group", BRUNO, 30)]
    for person in (RUTH, WILMA):
        decide_hold(loaded.rt, "lakeside", holds[0].id, "release", "They are ours.", person)
    before = len(loaded.find_writes())
    report = reconcile(loaded)
    assert len(loaded.find_writes()) == before
    assert (report.outcome, report.counts["add"], report.held_n) == ("waiting", 30, 0)


def test_the_night_never_repeats_an_attestation_that_dpc_refused(loaded: Practice) -> None:
    let_night_answer(loaded)
    loaded.send_roster({ADA: range(1, 14), BRUNO: range(20, 26)})
    loaded.emu.set_limits(patient_limit=12)
    reconcile(loaded)
    spoken = len(loaded.find_writes())
    loaded.pass_time("P1D")
    report = reconcile(loaded)
    assert len(loaded.find_writes()) == spoken
    assert (report.outcome, report.counts["add"]) == ("waiting", 1)


def test_once_a_person_has_signed_and_it_landed_the_night_goes_on_by_itself(loaded: Practice) -> None:
    let_night_answer(loaded)
    loaded.send_roster({ADA: range(1, 14), BRUNO: range(20, 26)})
    loaded.emu.set_limits(patient_limit=12)
    reconcile(loaded)
    loaded.emu.set_limits(patient_limit=100)
    loaded.pass_time("P1D")
    assert loaded.apply_all().state == "applied"
    loaded.send_roster({ADA: range(1, 15), BRUNO: range(20, 26)})
    assert reconcile(loaded).outcome == "applied"
    assert build_mbi(14) in loaded.read_active()[ADA]


def test_a_plan_beyond_the_bounds_of_an_authorisation_is_not_signed_by_it(loaded: Practice) -> None:
    let_night_answer(loaded)
    fewer = {ADA: range(1, 12), BRUNO: range(20, 26)}
    loaded.send_roster(fewer)
    loaded.send_roster(fewer)
    plan = loaded.draw_some()
    view = find_standing(loaded.rt, "lakeside")
    assert view is not None
    with pytest.raises(NotAllowed, match="does not cover"):
        sign_by_standing(loaded.rt, "lakeside", plan.head.id, view, NIGHT)
    assert loaded.load_plan_state(plan.head.id) == "drafted"


class Stop(BaseException):
    """The process is told to end."""


def stop_when(state: str, practice: Practice, plan_id: str) -> None:
    """Apply a plan and end in the middle, as soon as a call of Ada's Group has this state."""

    def stop(step: ApplyStep) -> None:
        if (step.state, step.npi) == (state, ADA):
            raise Stop

    with pytest.raises(Stop):
        practice.apply(plan_id, progress=stop)


def test_what_somebody_else_changed_during_an_interruption_is_not_taken_for_our_own_work(loaded: Practice) -> None:
    loaded.pass_time("P76D")
    loaded.send_roster({ADA: range(1, 14), BRUNO: range(20, 26)})
    plan_id = loaded.draw_signed()
    stop_when("landed", loaded, plan_id)
    loaded.pass_time("PT1H")
    loaded.attest_elsewhere(ADA, [20])
    loaded.draw()  # sees the change, and remembers it
    report = loaded.apply(plan_id)
    assert [(refused.npi, refused.next_action) for refused in report.refusals] == [(ADA, "Draw a new plan.")]
    assert loaded.read_ends(ADA)[build_mbi(1)] < loaded.rt.now() + timedelta(days=20)


def test_a_plan_whose_body_is_not_what_was_signed_is_not_applied(loaded: Practice) -> None:
    loaded.send_roster({ADA: range(1, 14), BRUNO: range(20, 27)})
    plan_id = loaded.draw_signed()
    with loaded.rt.database.begin() as connection:
        keys = loaded.rt.open_keys(connection, "lakeside")
        body = json.loads(plans.load_plan_body(connection, keys, "lakeside", plan_id))
        body["changes"] = [change for change in body["changes"] if change["npi"] != BRUNO]
        sealed = keys.seal("plan", "body", plan_id, json.dumps(body).encode())
    replace_plan_body(loaded, plan_id, sealed)
    before = len(loaded.find_writes())
    with pytest.raises(StalePlan):
        loaded.apply(plan_id)
    assert len(loaded.find_writes()) == before


def replace_plan_body(practice: Practice, plan_id: str, sealed: bytes) -> None:
    """Do what only somebody with the database file and the keys in hands can do."""
    path = practice.rt.settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f'DROP TRIGGER "{name}"')
        raw.execute("UPDATE plan SET body = ? WHERE id = ?", (sealed, plan_id))


def test_a_call_refused_before_an_interruption_parks_its_group_when_the_plan_goes_on(loaded: Practice) -> None:
    loaded.pass_time("P76D")
    loaded.send_roster({ADA: range(1, 14), BRUNO: range(20, 26)})
    loaded.emu.set_limits(patient_limit=12)
    plan_id = loaded.draw_signed()
    stop_when("refused", loaded, plan_id)
    loaded.apply(plan_id)
    assert [e["path"].endswith("$add") for e in loaded.find_writes()[2:]] == [True, True]
    with loaded.rt.database.read() as connection:
        states = {(i.npi, i.kind): i.state for i in intents.find_intents(connection, "lakeside", plan_id) if i.npi}
    assert states == {(ADA, "add"): "refused", (ADA, "renew"): "approved", (BRUNO, "renew"): "landed"}


def test_a_signed_plan_that_a_new_one_replaces_is_on_record_as_stale(loaded: Practice) -> None:
    loaded.send_roster({ADA: range(1, 14), BRUNO: range(20, 26)})
    signed = loaded.draw_signed()
    loaded.send_roster({ADA: range(1, 15), BRUNO: range(20, 26)})
    loaded.draw_some()
    assert loaded.load_plan_state(signed) == "stale"
    with loaded.rt.database.read() as connection:
        kinds = [e.kind for e in ledger.find_entries(connection, "lakeside") if signed.encode() in e.leaf]
    assert kinds[-1] == "plan-stale"


def test_a_limit_that_dpc_names_by_refusing_is_shown_until_the_group_takes_patients_again(loaded: Practice) -> None:
    loaded.send_roster({ADA: range(1, 14), BRUNO: range(20, 26)})
    loaded.emu.set_limits(patient_limit=12)
    loaded.apply_all()
    (incident,) = show_overview(loaded.rt, "lakeside").incidents
    assert (incident.kind, incident.npi) == ("roster-limit", ADA)
    assert "12 patients are stored" in incident.cause
    assert "5000 is recorded" in incident.cause
    loaded.emu.set_limits(patient_limit=100)
    loaded.apply_all()
    assert show_overview(loaded.rt, "lakeside").incidents == ()


def test_a_plan_that_repeats_what_dpc_refused_says_so(loaded: Practice) -> None:
    loaded.send_roster({ADA: range(1, 14), BRUNO: range(20, 26)})
    loaded.emu.set_limits(patient_limit=12)
    loaded.apply_all()
    assert any("refused the last attestation" in warning for warning in loaded.draw_some().warnings)


def test_nobody_is_registered_for_the_sake_of_changes_that_wait(loaded: Practice) -> None:
    add_feed(loaded.rt, "lakeside", feed_id="more", mode="snapshot", actor=OPERATOR)
    loaded.send_roster({BRUNO: range(26, 56)}, feed="more")
    assert loaded.draw_some().head.counts == dict.fromkeys(
        ("register", "create", "remove", "add", "reinstate", "renew", "overwrite"), 0
    )


def test_plans_for_single_practitioners_together_stay_below_the_limit_of_the_organisation(loaded: Practice) -> None:
    fewer = {ADA: range(1, 10), BRUNO: range(20, 23), CORA: range(60, 64)}
    loaded.send_odd_roster(fewer)
    loaded.send_odd_roster(fewer)
    first, second = loaded.draw_signed(npi=ADA), loaded.draw_signed(npi=BRUNO)
    assert loaded.apply(first).state == "applied"
    with pytest.raises(StalePlan, match="limit"):
        loaded.apply(second)
    assert len(loaded.read_active()[BRUNO]) == 6
    assert [(hold.rule, hold.n) for hold in loaded.draw_some().holds] == [("removals-per-organization", 3)]
