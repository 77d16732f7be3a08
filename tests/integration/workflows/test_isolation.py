"""Two organisations in one installation: nothing of one is seen, changed or said by the other."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from practice import ADA, BRUNO, Practice, build_mbi, build_person, write_practitioners

from service.domain.errors import NotAllowed, NotFound
from service.domain.people import Role
from service.workflows.deliveries import find_findings, load_delivery
from service.workflows.digest import digest_delivery
from service.workflows.explain import explain
from service.workflows.holds import decide_hold, find_holds
from service.workflows.onboard import find_keys
from service.workflows.panel import show_panel
from service.workflows.plans import load_plan_view
from service.workflows.prove import find_attestations, find_ledger_entries, load_attestation, verify_ledger
from service.workflows.report import build_report
from service.workflows.sign import sign_plan

HILDE = build_person("hilde", Role.ATTESTER, Role.REVIEWER, organization_id="hillside")
HARRY = build_person("harry", Role.FEEDER, organization_id="hillside")


@pytest.fixture
def both(practice: Practice, second_key: Any) -> Practice:
    """Two organisations that share a practitioner and a patient, each with its own Group at DPC."""
    practice.start_with({ADA: range(1, 6)})
    practice.add_organization("hillside", second_key)
    practice.organization_id = "hillside"
    practice.deliver(write_practitioners())
    practice.send_roster({ADA: [1, 50, 51]})
    practice.apply(practice.sign(practice.draw_some(), HILDE))
    return practice


def test_a_private_key_that_is_in_memory_already_is_still_not_found_by_another_organisation(both: Practice) -> None:
    (key,) = find_keys(both.rt, "hillside")
    with both.rt.database.begin() as connection, pytest.raises(NotFound):
        both.rt.load_key(connection, "lakeside", key.id)


def test_each_has_its_own_group_for_the_same_practitioner(both: Practice) -> None:
    assert both.read_active() == {ADA: {build_mbi(n) for n in (1, 50, 51)}}
    both.organization_id = "lakeside"
    assert both.read_active() == {ADA: {build_mbi(n) for n in range(1, 6)}}
    assert verify_ledger(both.rt).organizations == 2


def test_the_ids_of_one_are_not_found_by_the_other(both: Practice) -> None:
    both.organization_id = "lakeside"
    delivery = both.send_roster({ADA: range(1, 7), BRUNO: [20]}).id
    plan = both.draw_some().head
    held = both.deliver(b"MBI,NPI\r\n1X,3990000002\r\n").id
    hold = find_holds(both.rt, "lakeside")[0].id
    attempt = find_attestations(both.rt, "lakeside")[0].attempt_id
    rt = both.rt
    tries: list[Callable[[], object]] = [
        lambda: load_delivery(rt, "hillside", delivery),
        lambda: find_findings(rt, "hillside", held),
        lambda: digest_delivery(rt, "hillside", delivery),
        lambda: load_plan_view(rt, "hillside", plan.id, HILDE),
        lambda: sign_plan(rt, "hillside", plan.id, fingerprint=plan.fingerprint, reason="x", actor=HILDE),
        lambda: decide_hold(rt, "hillside", hold, "release", "x", HILDE),
        lambda: load_attestation(rt, "hillside", attempt),
        lambda: explain(rt, "hillside", npi=ADA, mbi=build_mbi(2), actor=HILDE),
        lambda: show_panel(rt, "hillside", BRUNO + "0", HILDE),
    ]
    for attempted in tries:
        with pytest.raises(NotFound):
            attempted()


def test_people_of_one_may_do_nothing_in_the_other(both: Practice) -> None:
    both.organization_id = "lakeside"
    plan = both.send_roster({ADA: range(1, 7)}) and both.draw_some()
    assert plan
    tries: list[Callable[[], object]] = [
        lambda: both.sign(plan, HILDE),
        lambda: both.apply(plan.head.id, HILDE),
        lambda: both.draw(actor=HILDE),
        lambda: both.receive(b"MBI,NPI\r\n", actor=HARRY),
        lambda: build_report(both.rt, "lakeside", "expiring", HILDE),
        lambda: load_plan_view(both.rt, "lakeside", plan.head.id, HILDE),
        lambda: explain(both.rt, "lakeside", npi=ADA, mbi=build_mbi(2), actor=HILDE),
    ]
    for attempted in tries:
        with pytest.raises(NotAllowed):
            attempted()


def test_the_same_file_counts_for_each_on_its_own(both: Practice) -> None:
    lake = both.rt.settings.uploads_dir / "lakeside"
    hill = both.rt.settings.uploads_dir / "hillside"
    assert {p.name for p in lake.iterdir()}.isdisjoint(p.name for p in hill.iterdir())
    assert next(row.seq for row in find_ledger_entries(both.rt, "hillside")) == 1


def test_calls_are_made_with_each_organisations_own_credentials(both: Practice) -> None:
    by_organization: dict[str, set[str]] = {}
    for entry in both.find_writes():
        by_organization.setdefault(entry["organization_id"], set()).add(entry["provenance_text"])
    assert len(by_organization) == 2
    for dpc_id, texts in by_organization.items():
        assert all(f"Organization/{dpc_id}" in text for text in texts)


def test_a_ledger_entry_moved_to_the_other_is_found(both: Practice) -> None:
    path = both.rt.settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f'DROP TRIGGER "{name}"')
        raw.execute("DELETE FROM ledger_entry WHERE organization_id = 'hillside' AND seq = 2")
        raw.execute(
            "UPDATE ledger_entry SET organization_id = 'hillside' WHERE organization_id = 'lakeside' AND seq = 2"
        )
    assert not verify_ledger(both.rt, "hillside").ok
    assert not verify_ledger(both.rt, "lakeside").ok


def test_every_call_is_recorded_by_exactly_one(both: Practice) -> None:
    hillside = {a.id for a in both.find_attempts()}
    both.organization_id = "lakeside"
    lakeside = {a.id for a in both.find_attempts()}
    assert hillside.isdisjoint(lakeside)
    assert {e["request_id"] for e in both.find_writes()} <= hillside | lakeside
