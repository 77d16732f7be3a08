"""What the jobs do to a practice that is connected: reconcile, watch expiry dates, read files, sign checkpoints."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from jobs.registry import JOBS
from jobs.runner import tick
from service.cli.demo_data import build_rosters
from service.domain.attestation import build_provenance
from service.domain.people import Actor, Role
from service.dpc.records import NewPatient
from service.emulator.server import Emulator, EmulatorOptions
from service.runtime import Runtime, build_runtime
from service.settings import load_settings
from service.storage import people
from service.workflows import job_runs, onboard
from service.workflows.apply import apply_plan
from service.workflows.authorize import authorize
from service.workflows.deliveries import find_deliveries
from service.workflows.feeds import add_feed, set_feed
from service.workflows.incidents import watch_expiry
from service.workflows.people import add_person, find_person_actor
from service.workflows.plan import draw_plan
from service.workflows.receive import Upload, receive
from service.workflows.set_up import migrate, new_settings
from service.workflows.sign import sign_plan

OFFICER = "officer@lakeside.example"
FILES = {file.name[:2]: file for file in build_rosters(2, 10)}


class Practice:
    """A connected practice whose clock is the emulator's."""

    def __init__(self, rt: Runtime, emulator: Emulator) -> None:
        self.rt = rt
        self.emulator = emulator

    def send(self, *names: str) -> None:
        """Receive sample files without reading them."""
        for name in names:
            body = io.BytesIO(FILES[name].body)
            receive(self.rt, "lakeside", "ehr-daily", body, Upload(), Actor.operator())

    def tick(self, job: str) -> list[Any]:
        return tick(self.rt, JOBS[job], "me")

    def sign_and_apply(self) -> None:
        view = draw_plan(self.rt, "lakeside", actor=Actor.operator())
        assert view is not None
        officer = find_person_actor(self.rt, "lakeside", OFFICER)
        fingerprint = view.head.fingerprint
        sign_plan(self.rt, "lakeside", view.head.id, fingerprint=fingerprint, reason="a test", actor=officer)
        assert apply_plan(self.rt, "lakeside", view.head.id, Actor.operator()).state == "applied"

    def find_incidents(self) -> list[tuple[str, str, bool]]:
        with self.rt.database.read() as connection:
            found = people.find_incidents(connection, "lakeside")
        return [(incident.kind, incident.cause, incident.closed_at is None) for incident in found]


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    """A practice with ten patients at DPC and an attester."""
    with Emulator(EmulatorOptions(clock="frozen")) as emulator:
        emulator.set_clock(emulator.now().replace(year=2026, month=11, day=20, hour=17))
        settings = load_settings(new_settings(tmp_path / "data") | {"ROLLCALL_ALLOWED_DPC_ORIGINS": emulator.base_url})
        migrate(settings)
        with build_runtime(settings) as built:
            rt = replace(built, clock=emulator.now)
            operator = Actor.operator()
            onboard.add_organization(rt, organization_id="lakeside", name="Lakeside", npi="3999999998", actor=operator)
            onboard.connect_to_emulator(rt, "lakeside", emulator.base_url, operator)
            add_feed(rt, "lakeside", feed_id="ehr-daily", mode="snapshot", actor=operator)
            add_person(
                rt, "lakeside", email=OFFICER, name="Opal Fields", password="correct horse battery staple",
                roles=frozenset({Role.ATTESTER}), actor=operator,
            )  # fmt: skip
            yield Practice(rt, emulator)


def test_the_digest_job_reads_what_arrived_in_order(practice: Practice) -> None:
    practice.send("00", "01")
    assert [ran.detail for ran in practice.tick("digest")] == [{"digested": 2}]
    assert {d.state for d in find_deliveries(practice.rt, "lakeside")} == {"accepted"}
    assert [ran.detail for ran in practice.tick("digest")] == [{}]


def test_a_night_plans_and_waits_for_a_person_and_a_second_one_plans_nothing_else(practice: Practice) -> None:
    practice.send("00", "01")
    practice.tick("digest")
    practice.emulator.advance("PT16H")
    (ran,) = practice.tick("nightly")
    assert (ran.state, ran.detail["outcome"]) == ("done", "waiting")
    plan = ran.detail["plan"]
    practice.emulator.advance("P1D")
    (again,) = practice.tick("nightly")
    assert (again.detail["outcome"], again.detail["plan"]) == ("waiting", plan)


def test_a_night_under_a_standing_authorisation_applies_and_the_next_finds_nothing(practice: Practice) -> None:
    practice.send("00", "01")
    practice.tick("digest")
    practice.sign_and_apply()
    onboard.set_organization(practice.rt, "lakeside", {"approval": "standing"}, Actor.operator())
    officer = find_person_actor(practice.rt, "lakeside", OFFICER)
    npis = ("3990000002", "3990000010")
    authorize(practice.rt, "lakeside", days=90, reason="weekly panels", actor=officer, npis=npis)
    practice.emulator.advance("P76D")
    practice.send("02")
    practice.tick("digest")
    (ran,) = practice.tick("nightly")
    assert ran.state == "done"
    assert ran.detail["outcome"] == "applied"
    assert ran.detail["landed"] > 0
    practice.emulator.advance("P1D")
    (again,) = practice.tick("nightly")
    assert again.detail["outcome"] == "nothing"


def test_an_unreachable_dpc_is_a_failed_night_with_its_reason(practice: Practice) -> None:
    practice.emulator.advance("PT16H")
    clock_at = practice.emulator.now()
    practice.emulator.stop()
    rt = replace(practice.rt, clock=lambda: clock_at, sleep=lambda _seconds: None)
    (ran,) = tick(rt, JOBS["nightly"], "me")
    assert ran.state == "failed"
    assert ran.detail["code"] == "dpc_unavailable"


def test_attributions_that_nobody_may_renew_get_an_incident_and_lose_it_when_renewed(practice: Practice) -> None:
    practice.send("00", "01")
    practice.tick("digest")
    practice.sign_and_apply()
    assert [ran.detail for ran in practice.tick("expiry")] == [{"opened": 0, "closed": 0, "open": 0}]
    practice.emulator.advance("P76D")
    assert practice.tick("expiry")[0].detail == {"opened": 10, "closed": 0, "open": 10}
    assert set(practice.find_incidents()) == {("lapsing", "stale_evidence", True)}
    assert practice.tick("expiry") == []
    practice.send("02")
    practice.tick("digest")
    practice.sign_and_apply()
    watch = watch_expiry(practice.rt, "lakeside")
    assert (watch.opened, watch.closed) == (0, 8)


def test_an_attribution_that_lapses_on_a_stale_roster_becomes_a_lapsed_incident(practice: Practice) -> None:
    practice.send("00", "01")
    practice.tick("digest")
    practice.sign_and_apply()
    practice.emulator.advance("P91D")
    watch = watch_expiry(practice.rt, "lakeside")
    assert (watch.opened, watch.still_open) == (10, 10)
    assert {(kind, is_open) for kind, _, is_open in practice.find_incidents()} == {("lapsed", True)}


def test_the_hourly_job_notices_a_feed_that_fell_silent_and_one_that_speaks_again(practice: Practice) -> None:
    set_feed(practice.rt, "lakeside", "ehr-daily", {"expected_every_hours": 24}, Actor.operator())
    practice.emulator.advance("PT25H")
    assert practice.tick("expiry")[0].detail == {"opened": 1, "closed": 0, "open": 1}
    assert [(kind, is_open) for kind, _, is_open in practice.find_incidents()] == [("feed_silent", True)]
    practice.send("00")
    practice.emulator.advance("PT1H")
    assert practice.tick("expiry")[0].detail == {"opened": 0, "closed": 1, "open": 0}


def test_a_signed_off_week_without_anybody_is_an_incident_for_want_of_a_signature(practice: Practice) -> None:
    practice.send("00", "01")
    practice.tick("digest")
    practice.sign_and_apply()
    practice.emulator.advance("P84D")
    practice.send("03")
    practice.tick("digest")
    practice.emulator.advance("PT16H")
    (ran,) = practice.tick("nightly")
    assert ran.detail["outcome"] == "waiting"
    watch_expiry(practice.rt, "lakeside")
    causes = {cause for kind, cause, is_open in practice.find_incidents() if kind == "lapsing" and is_open}
    assert "no_authorization" in causes


def test_a_checkpoint_is_signed_only_when_something_was_recorded(practice: Practice) -> None:
    assert practice.tick("checkpoint")[0].detail["size"] > 0
    assert practice.tick("checkpoint")[0].detail == {}


def test_the_nightly_row_shows_no_patient(practice: Practice) -> None:
    practice.send("00", "01")
    practice.tick("digest")
    practice.emulator.advance("PT16H")
    practice.tick("nightly")
    row = job_runs.find_last_run(practice.rt, "lakeside", "nightly")
    assert row is not None
    assert "1S7" not in str(row.detail)


def test_a_file_that_cannot_be_opened_does_not_keep_later_ones_waiting(practice: Practice) -> None:
    practice.send("01")
    (broken,) = find_deliveries(practice.rt, "lakeside", state="received")
    for path in practice.rt.settings.uploads_dir.rglob("*"):
        if path.is_file():
            path.unlink()
    practice.send("02")
    (ran,) = practice.tick("digest")
    assert ran.state == "failed"
    waiting = find_deliveries(practice.rt, "lakeside", state="received")
    assert [delivery.id for delivery in waiting] == [broken.id]


def attest_stranger(rt: Runtime) -> None:
    """Somebody else, with the same token, attests a patient whom no roster of the practice knows."""
    with rt.connect_dpc("lakeside") as dpc:
        group = dpc.read_groups()[0]
        practitioner = next(p for p in dpc.read_practitioners() if p.npi == group.npi)
        (patient,) = dpc.submit_patients([NewPatient("1S00E99AA99", "Stan", "Strange", date(1940, 1, 1), "male")])
        organization = dpc.read_organization().organization_id
        said = build_provenance(organization, practitioner.practitioner_id, rt.now())
        dpc.add_to_group(group.group_id, group.npi, [patient.patient_id], said, "somebody-else")


def test_the_night_reports_attributions_that_no_roster_explains(practice: Practice) -> None:
    practice.send("00", "01")
    practice.tick("digest")
    practice.sign_and_apply()
    attest_stranger(practice.rt)
    practice.emulator.advance("P1D")
    (ran,) = practice.tick("nightly")
    assert (ran.state, ran.detail["unexplained"]) == ("done", 1)
    assert [(kind, is_open) for kind, _, is_open in practice.find_incidents()] == [("unapproved-attribution", True)]
