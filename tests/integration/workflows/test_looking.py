"""Looking at things: overview, panel, explanation, reports; masked, and each look at patients is recorded."""

from __future__ import annotations

import pytest
from practice import ADA, ADAM, BRUNO, CORA, FRED, RUTH, VERA, Practice, build_mbi

from service.domain.errors import InvalidInput, NotAllowed, NotFound
from service.domain.people import Actor
from service.storage import people
from service.workflows import explain as module
from service.workflows.explain import explain
from service.workflows.incidents import watch_expiry
from service.workflows.overview import show_overview
from service.workflows.panel import show_panel
from service.workflows.plans import load_plan_view, view_plan
from service.workflows.report import REPORT_KINDS, build_report
from service.workflows.status import show_status


def list_looks(practice: Practice) -> list[tuple[str, str, str]]:
    """The access log, newest first: who, what, which."""
    with practice.rt.database.read() as connection:
        return [(a.actor, a.action, a.subject) for a in people.find_accesses(connection, "lakeside")]


def test_the_overview_counts_by_days_left(loaded: Practice) -> None:
    shown = show_overview(loaded.rt, "lakeside")
    assert (shown.active, shown.totals["61-90"]) == (18, 18)
    assert [(p.npi, p.active, p.wanted) for p in shown.practitioners] == [(ADA, 12, 12), (BRUNO, 6, 6)]


@pytest.mark.parametrize(
    ("days", "bucket"),
    [(0, "61-90"), (30, "31-60"), (60, "16-30"), (75, "8-15"), (83, "0-7"), (91, "expired")],
)
def test_time_moves_attributions_from_bucket_to_bucket(loaded: Practice, days: int, bucket: str) -> None:
    loaded.pass_time(f"P{days}D")
    assert show_overview(loaded.rt, "lakeside").totals[bucket] == 18


def test_what_waits_is_on_the_overview(delivered: Practice) -> None:
    plan = delivered.draw_some()
    delivered.deliver(b"MBI,NPI\r\n1X,3990000002\r\n")
    shown = show_overview(delivered.rt, "lakeside")
    assert shown.waiting_plan is not None
    assert shown.waiting_plan.id == plan.head.id
    assert len(shown.held_deliveries) == 1


def test_the_status_counts_what_waits_for_a_person(loaded: Practice) -> None:
    loaded.deliver(b"MBI,NPI\r\n1X,3990000002\r\n")
    (status,) = show_status(loaded.rt, ["lakeside"])
    assert (status.held_deliveries, status.suspended_removals, status.open_holds) == (1, 0, 1)
    assert status.last_change_at is not None
    assert show_status(loaded.rt, []) == []


def test_a_panel_is_masked_and_the_look_is_recorded(loaded: Practice) -> None:
    panel = show_panel(loaded.rt, "lakeside", ADA, RUTH)
    assert (len(panel.rows), {row.status for row in panel.rows}) == (12, {"active"})
    assert "1S00E" not in repr(panel)
    assert list_looks(loaded)[0] == (RUTH.name, "read-panel", ADA)


def test_an_unknown_practitioner_is_not_found(loaded: Practice) -> None:
    with pytest.raises(NotFound):
        show_panel(loaded.rt, "lakeside", "3990000051", RUTH)


@pytest.mark.parametrize("actor", [FRED, ADAM], ids=lambda a: a.name)
def test_feeders_and_admins_see_no_patients(loaded: Practice, actor: Actor) -> None:
    looks = (
        lambda: show_panel(loaded.rt, "lakeside", ADA, actor),
        lambda: build_report(loaded.rt, "lakeside", "expiring", actor),
        lambda: explain(loaded.rt, "lakeside", npi=ADA, mbi=build_mbi(1), actor=actor),
        lambda: load_plan_view(loaded.rt, "lakeside", "0", actor),
    )
    for look in looks:
        with pytest.raises(NotAllowed):
            look()
    assert list_looks(loaded) == []


def test_an_explanation_tells_the_chain_from_file_to_proof(loaded: Practice) -> None:
    told = explain(loaded.rt, "lakeside", npi=ADA, mbi=build_mbi(1), actor=VERA)
    kinds = [link.kind for link in told.links]
    assert kinds[0] == "delivery"
    assert kinds[-1] == "standing"
    assert {"plan", "sign-off", "attestation", "outcome"} <= set(kinds)
    assert [link.at for link in told.links] == sorted(link.at for link in told.links)
    assert "row 2" in told.links[0].sentence
    assert any(VERA.name in link.sentence for link in told.links if link.kind == "sign-off")
    assert (told.status, told.mbi) == ("active", None)


def test_the_patient_is_found_by_reference_too(loaded: Practice) -> None:
    told = explain(loaded.rt, "lakeside", npi=ADA, mbi=build_mbi(1), actor=VERA)
    by_reference = explain(loaded.rt, "lakeside", npi=ADA, patient_ref=told.patient_ref, actor=VERA)
    assert by_reference.masked_mbi == told.masked_mbi


def test_unmasking_is_recorded_as_such(loaded: Practice) -> None:
    told = explain(loaded.rt, "lakeside", npi=ADA, mbi=build_mbi(1), actor=VERA, unmask=True)
    assert told.mbi == build_mbi(1)
    assert build_mbi(1) not in repr(told)
    who, action, subject = list_looks(loaded)[0]
    assert (who, action, subject) == (VERA.name, "explain-unmasked", f"{ADA}/{told.patient_ref}")


def test_an_explanation_needs_a_patient_who_is_known(loaded: Practice) -> None:
    with pytest.raises(InvalidInput):
        explain(loaded.rt, "lakeside", npi=ADA, actor=VERA)
    with pytest.raises(NotFound):
        explain(loaded.rt, "lakeside", npi=ADA, mbi=build_mbi(99), actor=VERA)
    with pytest.raises(NotFound):
        explain(loaded.rt, "lakeside", npi=BRUNO, mbi=build_mbi(1), actor=VERA)


def test_the_first_call_is_told_however_many_came_after(loaded: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    told = explain(loaded.rt, "lakeside", npi=ADA, mbi=build_mbi(1), actor=VERA)
    monkeypatch.setattr(module, "PAGE", 1)
    again = explain(loaded.rt, "lakeside", npi=ADA, mbi=build_mbi(1), actor=VERA)
    assert [(link.kind, link.reference) for link in again.links] == [(link.kind, link.reference) for link in told.links]
    assert {link.kind for link in again.links} >= {"call", "attestation"}


def test_a_removed_patient_is_explained_to_the_end(loaded: Practice) -> None:
    fewer = {ADA: range(1, 11), BRUNO: range(20, 26)}
    loaded.send_roster(fewer)
    loaded.send_roster(fewer)
    loaded.apply_all()
    told = explain(loaded.rt, "lakeside", npi=ADA, mbi=build_mbi(12), actor=VERA)
    assert told.status != "active"
    assert any("by its absence" in link.sentence for link in told.links)
    assert any("remove" in link.sentence for link in told.links if link.kind == "call")


@pytest.mark.parametrize("kind", REPORT_KINDS)
def test_every_report_is_as_wide_as_its_head_masked_and_recorded(loaded: Practice, kind: str) -> None:
    report = build_report(loaded.rt, "lakeside", kind, RUTH)
    assert all(len(row) == len(report.columns) for row in report.rows)
    assert "1S00E" not in repr(report)
    assert list_looks(loaded)[0] == (RUTH.name, f"report-{kind}", kind)


def test_reports_tell_what_happened(loaded: Practice) -> None:
    fewer = {ADA: range(1, 11), BRUNO: range(20, 26)}
    loaded.send_roster(fewer)
    loaded.send_roster(fewer)
    loaded.apply_all()
    rows = {kind: len(build_report(loaded.rt, "lakeside", kind, RUTH).rows) for kind in REPORT_KINDS}
    assert (rows["attestations"], rows["removals"], rows["expiring"], rows["capacity"]) == (2, 1, 16, 2)


def test_a_report_that_does_not_exist_is_refused(loaded: Practice) -> None:
    with pytest.raises(InvalidInput):
        build_report(loaded.rt, "lakeside", "gossip", RUTH)


def test_an_expiry_that_nothing_will_stop_opens_an_incident_and_a_renewal_closes_it(loaded: Practice) -> None:
    loaded.pass_time("P76D")
    assert watch_expiry(loaded.rt, "lakeside").opened == 18  # the evidence is too old
    assert watch_expiry(loaded.rt, "lakeside").opened == 0
    loaded.send_roster({ADA: range(1, 13), BRUNO: range(20, 26)})
    loaded.apply_all()
    assert watch_expiry(loaded.rt, "lakeside").closed == 18


def test_a_lapse_has_an_incident_with_its_cause(loaded: Practice) -> None:
    loaded.pass_time("P91D")
    watch_expiry(loaded.rt, "lakeside")
    incidents = show_overview(loaded.rt, "lakeside").incidents
    assert {(i.kind, i.cause) for i in incidents} == {("lapsed", "stale_evidence")}
    assert sum(i.n for i in incidents) == 18
    assert CORA not in {i.npi for i in incidents}


def test_looking_waits_for_nobody_who_is_writing(loaded: Practice) -> None:
    loaded.send_roster({ADA: range(1, 14), BRUNO: range(20, 26)})
    plan = loaded.draw_some().head
    with loaded.rt.database.begin():  # somebody holds the one lock of writers
        assert show_overview(loaded.rt, "lakeside").waiting_plan == plan
        assert view_plan(loaded.rt, "lakeside", plan.id).head == plan
