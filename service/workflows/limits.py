"""What DPC's own limit on patients per practitioner turns out to be: it is never told, only met."""

from __future__ import annotations

from datetime import datetime

from service.storage import people
from service.storage.connection import Connection

KIND = "roster-limit"


def note_limit(
    connection: Connection, organization_id: str, npi: str, *, stored: int, asked: int, recorded: int, now: datetime
) -> None:
    """Open an incident for a Group that DPC calls full: how many it stores, how many were refused, what we believed."""
    settle_limit(connection, organization_id, npi, now)
    cause = (
        f"DPC's limit is reached: {stored} patients are stored in the Group and a call about {asked} was refused,"
        f" while {recorded} is recorded here as the limit"
    )
    incident = people.Incident(kind=KIND, npi=npi, cause=cause, opened_at=now)
    people.open_incident(connection, organization_id, incident)


def settle_limit(connection: Connection, organization_id: str, npi: str, now: datetime) -> None:
    """Close the incident of a Group that DPC has taken patients into again."""
    for incident in people.find_incidents(connection, organization_id, kind=KIND, only_open=True):
        if incident.npi == npi:
            people.close_incident(connection, organization_id, incident.id, now=now)
