"""Runs of jobs: a slot is claimed by one row, so that it is run once however many clocks tick."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from service.runtime import Runtime
from service.storage import job_runs
from service.storage.job_runs import JobRun

STALE_AFTER = timedelta(minutes=2)
"""A claim without a sign of life for so long belongs to a dead process."""


def find_last_run(rt: Runtime, organization_id: str, job: str) -> JobRun | None:
    """Answer the run of the latest slot, in whatever state it is."""
    with rt.database.read() as connection:
        return next(iter(job_runs.find_runs(connection, organization_id, job=job, limit=1)), None)


def find_claimed_runs(rt: Runtime, organization_id: str) -> list[JobRun]:
    """Answer the runs that somebody works on, or died over."""
    with rt.database.read() as connection:
        return job_runs.find_runs(connection, organization_id, state="claimed", limit=500)


def claim_run(
    rt: Runtime,
    organization_id: str,
    job: str,
    scheduled_for: datetime,
    *,
    holder: str,
    retry_failed: bool = False,
) -> int | None:
    """Claim a slot and answer the token; None when it is done, missed, failed (unless retried) or somebody's."""
    with rt.database.begin() as connection:
        return job_runs.claim_run(
            connection,
            organization_id,
            job,
            scheduled_for,
            holder=holder,
            now=rt.now(),
            stale_after=STALE_AFTER,
            retry_failed=retry_failed,
        )


def beat_run(rt: Runtime, organization_id: str, job: str, scheduled_for: datetime, token: int) -> bool:
    """Say that the run goes on; False when somebody has taken it over."""
    with rt.database.begin() as connection:
        return job_runs.beat_run(connection, organization_id, job, scheduled_for, token, rt.now())


def finish_run(
    rt: Runtime,
    organization_id: str,
    job: str,
    scheduled_for: datetime,
    token: int,
    *,
    state: str,
    detail: Mapping[str, Any],
) -> None:
    """End a run as `done` or `failed`; raises WrongState when somebody has taken it over."""
    with rt.database.begin() as connection:
        job_runs.finish_run(
            connection, organization_id, job, scheduled_for, token, state=state, now=rt.now(), detail=detail
        )


def record_missed(rt: Runtime, organization_id: str, job: str, scheduled_for: datetime, reason: str) -> bool:
    """Record that a slot was not run; False when it has a row already."""
    with rt.database.begin() as connection:
        return job_runs.record_missed(
            connection, organization_id, job, scheduled_for, now=rt.now(), detail={"reason": reason}
        )
