"""One tick of one job: find what is due, claim it, run it, and say how it ended."""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.deadman import ping
from jobs.job import Job
from jobs.registry import JOBS
from jobs.slots import LastRun
from service.domain.errors import WrongState
from service.runtime import Runtime
from service.workflows import job_runs
from service.workflows.onboard import Organization, find_organizations

log = logging.getLogger(__name__)
BEAT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Ran:
    """How one run ended: `state` is done, failed or lost (somebody else took it over)."""

    organization_id: str
    job: str
    state: str
    detail: Mapping[str, Any]
    error: Exception | None = None


def name_holder() -> str:
    """Answer a name for this process that no other process has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def tick(rt: Runtime, job: Job, holder: str) -> list[Ran]:
    """Do what is due of one job for every organisation; one organisation's trouble does not stop the others."""
    ran: list[Ran] = []
    for organization in find_organizations(rt):
        try:
            found = _tick_one(rt, job, organization, holder)
        except Exception as error:  # nor does its defect, wherever it lies
            log.error(
                "job %s of %s could not be run: %s", job.name, organization.id, describe_failure(error)["message"]
            )
            found = Ran(organization.id, job.name, "failed", {}, error)
        if found is not None:
            ran.append(found)
    return ran


def _tick_one(rt: Runtime, job: Job, organization: Organization, holder: str) -> Ran | None:
    """Run one organisation's due slot.

    1. Without slots: do what there is to do.
    2. Find the newest due slot by the latest row; older ones are recorded as missed.
    3. Claim it; whoever does not get it leaves it alone.
    4. Run it while saying every half minute that it goes on.
    """
    if job.find_due is None:
        return _attempt(rt, job, organization.id)
    due = job.find_due(rt.now(), organization, _find_last(rt, organization.id, job))
    for slot in due.missed:
        if job_runs.record_missed(rt, organization.id, job.name, slot, "no clock process ran at that time"):
            log.error("job %s of %s was missed at %s", job.name, organization.id, slot.isoformat())
    if due.run is None:
        return None
    token = job_runs.claim_run(rt, organization.id, job.name, due.run, holder=holder, retry_failed=due.is_retry)
    return None if token is None else run_claimed(rt, job, organization.id, due.run, token)


def run_claimed(rt: Runtime, job: Job, organization_id: str, slot: datetime, token: int) -> Ran:
    """Run a slot that is ours and record how it ended; a watched job that is done tells the outside monitor."""
    with _beat(rt, job, organization_id, slot, token):
        ran = _attempt(rt, job, organization_id)
    try:
        job_runs.finish_run(rt, organization_id, job.name, slot, token, state=ran.state, detail=ran.detail)
    except WrongState as lost:
        log.error("job %s of %s was taken over by another process", job.name, organization_id)
        return Ran(organization_id, job.name, "lost", ran.detail, lost)
    if ran.state == "done" and job.is_watched:
        ping(rt.settings.deadman_url)
    return ran


def run_once(rt: Runtime, job: Job, organization_id: str, holder: str) -> Ran:
    """Run a job now: in its due slot if that is free, in a slot of its own otherwise."""
    if job.find_due is None:
        return _attempt(rt, job, organization_id)
    organization = next(item for item in find_organizations(rt) if item.id == organization_id)
    due = job.find_due(rt.now(), organization, _find_last(rt, organization_id, job))
    for slot in (due.run, rt.now()):
        if slot is None:
            continue
        token = job_runs.claim_run(rt, organization_id, job.name, slot, holder=holder, retry_failed=True)
        if token is not None:
            return run_claimed(rt, job, organization_id, slot, token)
    return Ran(organization_id, job.name, "lost", {"reason": "another process runs it now"})


def fail_unknown_jobs(rt: Runtime) -> int:
    """Record as failed what was claimed for a job of an unknown name (after a rename); nothing is deleted."""
    failed = 0
    for organization in find_organizations(rt):
        for run in job_runs.find_claimed_runs(rt, organization.id):
            if run.job not in JOBS:
                detail = {"reason": "this program has no job of that name"}
                job_runs.finish_run(
                    rt, organization.id, run.job, run.scheduled_for, run.token, state="failed", detail=detail
                )
                log.error("job %s of %s is unknown to this program", run.job, organization.id)
                failed += 1
    return failed


def _find_last(rt: Runtime, organization_id: str, job: Job) -> LastRun | None:
    last = job_runs.find_last_run(rt, organization_id, job.name)
    return LastRun(last.scheduled_for, last.state, last.finished_at) if last else None


def _attempt(rt: Runtime, job: Job, organization_id: str) -> Ran:
    """Run and turn whatever goes wrong into a failed run: the clock itself never stops for a job."""
    try:
        detail = job.run(rt, organization_id)
    except Exception as error:  # a defect in one job must not silence the others
        detail = describe_failure(error)
        log.error("job %s of %s failed: %s", job.name, organization_id, detail["message"])
        return Ran(organization_id, job.name, "failed", detail, error)
    if detail:
        log.info("job %s of %s: %s", job.name, organization_id, dict(detail))
    return Ran(organization_id, job.name, "done", detail)


def describe_failure(error: Exception) -> dict[str, str]:
    """Answer code, sentence and next step of a failure; an unknown one shows its kind only, for its text could tell."""
    message = getattr(error, "message", None)
    if isinstance(message, str):
        code, action = str(getattr(error, "code", "failed")), str(getattr(error, "next_action", ""))
        return {"code": code, "message": message, "next_action": action}
    return {
        "code": "unexpected",
        "message": f"Something unexpected went wrong ({type(error).__name__}).",
        "next_action": "Run `rollcall doctor`; then run the job again with `rollcall jobs --once`.",
    }


@contextmanager
def _beat(rt: Runtime, job: Job, organization_id: str, slot: datetime, token: int) -> Iterator[None]:
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            try:
                job_runs.beat_run(rt, organization_id, job.name, slot, token)
            except Exception as error:  # a thread that ended would let another process take the run over
                message = describe_failure(error)["message"]
                log.warning("a sign of life of job %s could not be recorded: %s", job.name, message)

    thread = threading.Thread(target=beat, name=f"beat-{job.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
