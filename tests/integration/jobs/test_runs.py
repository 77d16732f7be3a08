"""One row per slot decides who runs it; a job's failure is a row too, and never stops the clock."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from jobs import runner
from jobs.job import Job
from jobs.registry import JOBS
from jobs.runner import fail_unknown_jobs, run_once, tick
from jobs.slots import Due, LastRun, find_due_nights
from service.domain.errors import Refusal
from service.dpc.errors import DpcUnavailable
from service.runtime import Runtime
from service.workflows import job_runs
from service.workflows.onboard import Organization

SLOTS, CLOCKS = 30, 8


def build_job(run: Any, name: str = "nightly") -> Job:
    def find_due(now: datetime, organization: Organization, last: LastRun | None) -> Due:
        return find_due_nights(now, organization.time_zone, organization.created_at or now, last)

    return Job(name, "for a test", 30, run, find_due)


def count_nothing(_rt: Runtime, _organization_id: str) -> Mapping[str, Any]:
    return {"n": 0}


def test_eight_clocks_claim_each_slot_exactly_once(rt: Runtime) -> None:
    slots = [rt.now() + timedelta(days=n) for n in range(SLOTS)]

    def claim_all(clock: int) -> int:
        claims = [job_runs.claim_run(rt, "lakeside", "nightly", slot, holder=f"clock {clock}") for slot in slots]
        return sum(token is not None for token in claims)

    with ThreadPoolExecutor(CLOCKS) as pool:
        assert sum(pool.map(claim_all, range(CLOCKS))) == SLOTS


def test_a_night_runs_once_and_says_what_it_did(rt: Runtime, clock: Any) -> None:
    job = build_job(count_nothing)
    assert tick(rt, job, "a") == []
    clock.advance(hours=16)
    assert [ran.state for ran in tick(rt, job, "a")] == ["done"]
    assert tick(rt, job, "b") == []
    row = job_runs.find_last_run(rt, "lakeside", "nightly")
    assert row is not None
    assert (row.state, row.detail) == ("done", {"n": 0})


def test_after_three_nights_down_there_is_one_run_and_two_missed_rows(rt: Runtime, clock: Any) -> None:
    job = build_job(count_nothing)
    clock.advance(days=3)
    assert len(tick(rt, job, "a")) == 1
    with rt.database.read() as connection:
        from service.storage.job_runs import find_runs

        states = [run.state for run in find_runs(connection, "lakeside", job="nightly")]
    assert states == ["done", "missed", "missed"]


def test_a_failure_is_a_row_with_its_reason_and_is_tried_again_later(rt: Runtime, clock: Any) -> None:
    tries = []

    def fail_first(_rt: Runtime, organization_id: str) -> Mapping[str, Any]:
        tries.append(organization_id)
        if len(tries) == 1:
            raise Refusal("The door is closed.", next_action="Open it.")
        return {}

    job = build_job(fail_first)
    clock.advance(days=1)
    assert [ran.state for ran in tick(rt, job, "a")] == ["failed"]
    row = job_runs.find_last_run(rt, "lakeside", "nightly")
    assert row is not None
    assert row.detail == {"code": "refused", "message": "The door is closed.", "next_action": "Open it."}
    assert tick(rt, job, "a") == []
    clock.advance(minutes=61)
    assert [ran.state for ran in tick(rt, job, "a")] == ["done"]


def test_a_defect_shows_its_kind_only(rt: Runtime, clock: Any) -> None:
    def break_down(_rt: Runtime, _organization_id: str) -> Mapping[str, Any]:
        raise ValueError("1S70R00AA00")

    clock.advance(days=1)
    (ran,) = tick(rt, build_job(break_down), "a")
    assert ran.state == "failed"
    assert "ValueError" in ran.detail["message"]
    assert "1S70R00AA00" not in str(ran.detail)


def test_the_slot_of_a_dead_process_is_taken_over_once_it_is_silent(rt: Runtime, clock: Any) -> None:
    job = build_job(count_nothing)
    clock.advance(days=1)
    slot = job.find_due and job.find_due(rt.now(), _load(rt), None).run
    assert slot
    assert job_runs.claim_run(rt, "lakeside", "nightly", slot, holder="dead") == 1
    assert tick(rt, job, "b") == []
    clock.advance(minutes=3)
    assert [ran.state for ran in tick(rt, job, "b")] == ["done"]


def test_a_run_that_was_taken_over_does_not_end_the_other_ones(rt: Runtime, clock: Any) -> None:
    def lose(rt: Runtime, organization_id: str) -> Mapping[str, Any]:
        clock.advance(minutes=3)
        taken = job_runs.find_last_run(rt, organization_id, "nightly")
        assert taken is not None
        assert job_runs.claim_run(rt, organization_id, "nightly", taken.scheduled_for, holder="other") == 2
        return {}

    clock.advance(days=1)
    assert [ran.state for ran in tick(rt, build_job(lose), "a")] == ["lost"]
    row = job_runs.find_last_run(rt, "lakeside", "nightly")
    assert row is not None
    assert (row.state, row.holder) == ("claimed", "other")


def test_by_hand_a_job_runs_now_also_when_its_night_is_done(rt: Runtime, clock: Any) -> None:
    job = build_job(count_nothing)
    assert run_once(rt, job, "lakeside", "me").state == "done"
    clock.advance(days=1)
    assert [ran.state for ran in tick(rt, job, "a")] == ["done"]
    assert run_once(rt, job, "lakeside", "me").state == "done"
    clock.advance(days=1)
    assert [ran.state for ran in tick(rt, job, "a")] == ["done"]


def test_a_claim_for_a_job_that_is_unknown_now_ends_as_failed(rt: Runtime) -> None:
    job_runs.claim_run(rt, "lakeside", "nightly-of-old", rt.now(), holder="old")
    assert fail_unknown_jobs(rt) == 1
    row = job_runs.find_last_run(rt, "lakeside", "nightly-of-old")
    assert row is not None
    assert row.state == "failed"
    assert fail_unknown_jobs(rt) == 0


def test_one_failing_organisation_does_not_stop_the_others(rt: Runtime, clock: Any) -> None:
    from service.domain.people import Actor
    from service.workflows.onboard import add_organization

    add_organization(rt, organization_id="hillside", name="Hillside", npi="3990000002", actor=Actor.operator())

    def fail_hillside(_rt: Runtime, organization_id: str) -> Mapping[str, Any]:
        if organization_id == "hillside":
            raise Refusal("No.")
        return {}

    clock.advance(days=1)
    ran = {one.organization_id: one.state for one in tick(rt, build_job(fail_hillside), "a")}
    assert ran == {"hillside": "failed", "lakeside": "done"}


def test_an_organisation_whose_times_cannot_be_told_does_not_stop_the_others(rt: Runtime, clock: Any) -> None:
    from service.domain.people import Actor
    from service.workflows.onboard import add_organization

    add_organization(rt, organization_id="hillside", name="Hillside", npi="3990000002", actor=Actor.operator())

    def find_due(now: datetime, organization: Organization, last: LastRun | None) -> Due:
        if organization.id == "hillside":
            raise KeyError(organization.time_zone)
        return find_due_nights(now, organization.time_zone, organization.created_at or now, last)

    clock.advance(days=1)
    ran = {
        one.organization_id: one.state for one in tick(rt, replace(build_job(count_nothing), find_due=find_due), "a")
    }
    assert ran == {"hillside": "failed", "lakeside": "done"}


def test_a_clock_that_fails_once_does_not_end_the_signs_of_life(
    rt: Runtime, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BEAT_SECONDS", 0.001)
    beats, has_beaten_again = [], threading.Event()

    def fail_first() -> datetime:
        if threading.current_thread().name.startswith("beat-"):
            beats.append(1)
            if len(beats) == 1:
                raise DpcUnavailable("The emulator's clock could not be reached.")
            has_beaten_again.set()
        return clock.at  # type: ignore[no-any-return]

    def wait(_rt: Runtime, _organization_id: str) -> Mapping[str, Any]:
        return {"has beaten again": has_beaten_again.wait(5)}

    clock.advance(days=1)
    (ran,) = tick(replace(rt, clock=fail_first), build_job(wait), "a")
    assert ran.detail == {"has beaten again": True}


def test_the_six_jobs_are_known_and_jobs_without_slots_leave_no_rows(rt: Runtime) -> None:
    assert set(JOBS) == {"nightly", "expiry", "digest", "settle", "checkpoint", "tidy"}
    for name in ("digest", "settle", "checkpoint", "tidy"):
        assert [ran.state for ran in tick(rt, JOBS[name], "a")] == ["done"]
        assert job_runs.find_last_run(rt, "lakeside", name) is None


def test_an_organisation_without_connection_has_no_nights(rt: Runtime, clock: Any) -> None:
    clock.advance(days=2)
    assert tick(rt, JOBS["nightly"], "a") == []


def test_a_job_that_cannot_be_recorded_does_not_stop_the_clock(rt: Runtime, clock: Any) -> None:
    clock.advance(days=1)
    nowhere = replace(rt, clock=clock)
    with rt.database.begin():  # the write lock is taken for longer than anybody waits
        ran = tick(nowhere, build_job(count_nothing), "a")
    assert [one.state for one in ran] == ["failed"]


def _load(rt: Runtime) -> Organization:
    from service.workflows.onboard import load_organization

    return load_organization(rt, "lakeside")
