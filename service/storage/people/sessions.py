"""Web sessions, found by the hash of the secret in the cookie."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, delete, update

from service.storage.rows import find_value, write_value
from service.storage.tables.people import web_session as sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSession:
    """One login of one person; `organization_id` is the organisation they are looking at."""

    id_hash: str = field(repr=False)
    person_id: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    organization_id: str | None = None


def add_session(connection: Connection, session: WebSession) -> None:
    """Record a login."""
    write_value(connection, sessions, session)


def find_session(connection: Connection, id_hash: str, now: datetime) -> WebSession | None:
    """Answer the session unless it is over at `now`."""
    return find_value(connection, sessions, WebSession, sessions.c.id_hash == id_hash, sessions.c.expires_at > now)


def touch_session(connection: Connection, id_hash: str, *, now: datetime, organization_id: str | None = None) -> None:
    """Record that the session is in use and, when given, which organisation it looks at."""
    values: dict[str, object] = {"seen_at": now}
    if organization_id is not None:
        values["organization_id"] = organization_id
    connection.execute(update(sessions).where(sessions.c.id_hash == id_hash).values(**values))


def revoke_session(connection: Connection, id_hash: str) -> None:
    """End a session."""
    connection.execute(delete(sessions).where(sessions.c.id_hash == id_hash))


def revoke_all_sessions(connection: Connection, person_id: str) -> int:
    """End every session of a person and answer how many there were."""
    return connection.execute(delete(sessions).where(sessions.c.person_id == person_id)).rowcount


def remove_expired_sessions(connection: Connection, now: datetime) -> int:
    """Remove sessions that are over and answer how many."""
    return connection.execute(delete(sessions).where(sessions.c.expires_at <= now)).rowcount
