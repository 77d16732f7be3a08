"""Runs of jobs: one row per job, organisation and slot decides who runs it and whether it was run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, update

from service.domain.errors import WrongState
from service.domain.states import check_move
from service.storage.rows import find_returned, find_values, insert_into
from service.storage.tables.running import job_run as runs


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One slot of one job; whole-installation jobs use an organisation id of their own choosing."""

    organization_id: str
    job: str
    scheduled_for: datetime
    state: str
    holder: str | None
    token: int
    heartbeat_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    detail: Mapping[str, Any] = field(default_factory=dict)


def claim_run(
    connection: Connection,
    organization_id: str,
    job: str,
    scheduled_for: datetime,
    *,
    holder: str,
    now: datetime,
    stale_after: timedelta,
    retry_failed: bool = False,
) -> int | None:
    """Claim a slot and answer the token, or None when it is somebody's, done or missed.

    A claim whose heartbeat is older than `stale_after` is taken over with a new token; a failed run only on request.
    """
    dead = and_(runs.c.state == "claimed", runs.c.heartbeat_at < now - stale_after)
    statement = insert_into(connection, runs).values(
        organization_id=organization_id,
        job=job,
        scheduled_for=scheduled_for,
        state="claimed",
        holder=holder,
        token=1,
        heartbeat_at=now,
        started_at=now,
        detail={},
    )
    claimed = statement.on_conflict_do_update(
        index_elements=["organization_id", "job", "scheduled_for"],
        set_={
            "state": "claimed",
            "holder": holder,
            "token": runs.c.token + 1,
            "heartbeat_at": now,
            "started_at": now,
            "finished_at": None,
        },
        where=or_(dead, runs.c.state == "failed") if retry_failed else dead,
    )
    token: int | None = find_returned(connection, claimed.returning(runs.c.token))
    return token


def beat_run(
    connection: Connection, organization_id: str, job: str, scheduled_for: datetime, token: int, now: datetime
) -> bool:
    """Say that the run goes on, and answer False when somebody has taken it over."""
    statement = update(runs).where(*_claimed(organization_id, job, scheduled_for, token))
    return connection.execute(statement.values(heartbeat_at=now)).rowcount == 1


def finish_run(
    connection: Connection,
    organization_id: str,
    job: str,
    scheduled_for: datetime,
    token: int,
    *,
    state: str,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """End a run as `done` or `failed`; raises WrongState when somebody has taken it over."""
    check_move("job run", "claimed", state)
    statement = update(runs).where(*_claimed(organization_id, job, scheduled_for, token))
    values = {"state": state, "finished_at": now, "heartbeat_at": now, "detail": detail or {}}
    if connection.execute(statement.values(**values)).rowcount != 1:
        raise WrongState(
            f"The run of {job} is not ours any more.", next_action="Nothing; the one who took it over ends it."
        )


def record_missed(
    connection: Connection,
    organization_id: str,
    job: str,
    scheduled_for: datetime,
    *,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> bool:
    """Record that a slot was not run, and answer False when it has a row already."""
    statement = insert_into(connection, runs).values(
        organization_id=organization_id,
        job=job,
        scheduled_for=scheduled_for,
        state="missed",
        token=0,
        finished_at=now,
        detail=detail or {},
    )
    return find_returned(connection, statement.on_conflict_do_nothing().returning(runs.c.token)) is not None


def find_last_done(connection: Connection, organization_id: str, job: str) -> JobRun | None:
    """Answer the run of the latest slot that was done."""
    return next(iter(find_runs(connection, organization_id, job=job, state="done", limit=1)), None)


def find_runs(
    connection: Connection,
    organization_id: str,
    *,
    job: str | None = None,
    state: str | None = None,
    limit: int = 50,
) -> list[JobRun]:
    """Answer runs, latest slot first."""
    where = [runs.c.organization_id == organization_id]
    if job is not None:
        where.append(runs.c.job == job)
    if state is not None:
        where.append(runs.c.state == state)
    order = [runs.c.scheduled_for.desc(), runs.c.job]
    return find_values(connection, runs, JobRun, *where, order_by=order, limit=limit)


def _claimed(organization_id: str, job: str, scheduled_for: datetime, token: int) -> tuple[ColumnElement[bool], ...]:
    return (
        runs.c.organization_id == organization_id,
        runs.c.job == job,
        runs.c.scheduled_for == scheduled_for,
        runs.c.token == token,
        runs.c.state == "claimed",
    )
