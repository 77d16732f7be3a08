"""Tell people that a feed sends different files under one number, until it sends a file that counts."""

from __future__ import annotations

from datetime import datetime

from service.domain.errors import Conflict
from service.runtime import Runtime
from service.storage import people
from service.storage.connection import Connection

KIND = "feed_conflict"


def note_conflict(rt: Runtime, organization_id: str, feed_id: str, refused: Conflict) -> None:
    """Open an incident for a file that was refused because its number or key belongs to another one.

    One for the feed however often it tries: its sender has the refusal each time (reliability S6.10).
    """
    cause = f"{_name(feed_id)} sent a file that was refused: {refused.message} {refused.next_action}"
    with rt.database.begin() as connection:
        if not _find_open(connection, organization_id, feed_id):
            incident = people.Incident(kind=KIND, cause=cause, opened_at=rt.now())
            people.open_incident(connection, organization_id, incident)


def close_conflicts(connection: Connection, organization_id: str, feed_id: str, *, now: datetime) -> None:
    """Close what a feed's file that counts has put right."""
    for incident in _find_open(connection, organization_id, feed_id):
        people.close_incident(connection, organization_id, incident.id, now=now)


def _find_open(connection: Connection, organization_id: str, feed_id: str) -> list[people.Incident]:
    found = people.find_incidents(connection, organization_id, kind=KIND, only_open=True)
    return [incident for incident in found if incident.cause.startswith(_name(feed_id) + " ")]


def _name(feed_id: str) -> str:
    return f"Feed {feed_id}"
