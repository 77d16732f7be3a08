"""Leases: one writer per resource, with a token that only grows and fences off whoever lost it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, select, update

from service.domain.errors import Busy
from service.storage.rows import find_returned, insert_into
from service.storage.tables.running import lease

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def acquire_lease(
    connection: Connection, organization_id: str, resource: str, holder: str, now: datetime, ttl: timedelta
) -> int | None:
    """Take a resource that nobody holds at `now` and answer the token, or None while somebody does.

    One conditional statement; every holder's token is greater than all before. A holder does not get it twice.
    """
    statement = insert_into(connection, lease).values(
        organization_id=organization_id, resource=resource, holder=holder, token=1, until_at=now + ttl
    )
    taken = statement.on_conflict_do_update(
        index_elements=["organization_id", "resource"],
        set_={"holder": holder, "token": lease.c.token + 1, "until_at": now + ttl},
        where=lease.c.until_at <= now,
    )
    token: int | None = find_returned(connection, taken.returning(lease.c.token))
    return token


def renew_lease(
    connection: Connection, organization_id: str, resource: str, token: int, now: datetime, ttl: timedelta
) -> bool:
    """Hold on for `ttl` from `now` and answer True, or False when the lease is over or somebody else's."""
    statement = update(lease).where(*_held(organization_id, resource, token), lease.c.until_at > now)
    return connection.execute(statement.values(until_at=now + ttl)).rowcount == 1


def extend_lease(connection: Connection, organization_id: str, resource: str, token: int, until: datetime) -> bool:
    """Hold on until a moment and answer True, or False when somebody else has taken the resource since.

    It may have been over for a while: the token says that nobody came between. Nobody takes it before this transaction
    ends.
    """
    statement = update(lease).where(*_held(organization_id, resource, token))
    return connection.execute(statement.values(until_at=until)).rowcount == 1


def release_lease(connection: Connection, organization_id: str, resource: str, token: int) -> bool:
    """Let go at once and answer True, or False when it was somebody else's already."""
    statement = update(lease).where(*_held(organization_id, resource, token))
    return connection.execute(statement.values(until_at=_LONG_AGO)).rowcount == 1


def is_lease_held(connection: Connection, organization_id: str, resource: str, token: int, now: datetime) -> bool:
    """Answer whether this token still holds the resource at `now`."""
    return find_lease_end(connection, organization_id, resource, token, now) is not None


def find_lease_end(
    connection: Connection, organization_id: str, resource: str, token: int, now: datetime
) -> datetime | None:
    """Answer until when this token holds the resource, None when it does not at `now`."""
    statement = select(lease.c.until_at)
    return connection.scalar(statement.where(*_held(organization_id, resource, token), lease.c.until_at > now))


def check_lease(connection: Connection, organization_id: str, resource: str, token: int, now: datetime) -> None:
    """Raise Busy unless this token holds the resource; nobody else can take it before this transaction ends."""
    statement = select(lease.c.token).where(*_held(organization_id, resource, token), lease.c.until_at > now)
    if connection.scalar(statement.with_for_update()) is None:
        raise Busy("Another worker has taken over this Group; what this one knows is out of date.")


def _held(organization_id: str, resource: str, token: int) -> tuple[ColumnElement[bool], ...]:
    return lease.c.organization_id == organization_id, lease.c.resource == resource, lease.c.token == token
