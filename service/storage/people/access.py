"""The access log (who looked at what) and incidents (attributions that lapsed, and why)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, update

from service.domain.errors import WrongState
from service.storage.rows import find_values, new_id, write_value
from service.storage.tables.proof import access_log as accesses
from service.storage.tables.proof import incident as incidents


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One look at patient values: `subject` names records by handle, never by value; `rows` says how many."""

    id: str = field(default_factory=new_id)
    at: datetime
    actor: str
    action: str
    subject: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that cost an attribution or may, with its cause; `patient_id` is ours, never an MBI."""

    id: str = field(default_factory=new_id)
    kind: str
    npi: str | None = None
    patient_id: str | None = None
    cause: str
    opened_at: datetime
    closed_at: datetime | None = None


def record_access(connection: Connection, organization_id: str, access: Access) -> None:
    """Record a look at patient values, in the transaction that reads them (45 CFR 164.312(b)); it cannot be changed."""
    write_value(connection, accesses, access, organization_id=organization_id)


def find_accesses(
    connection: Connection,
    organization_id: str,
    *,
    actor: str | None = None,
    subject: str | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int = 100,
) -> list[Access]:
    """Answer a page of looks, newest first; `after` is (at, id) of the last one on the page before."""
    where = [accesses.c.organization_id == organization_id]
    if actor is not None:
        where.append(accesses.c.actor == actor)
    if subject is not None:
        where.append(accesses.c.subject == subject)
    if after is not None:
        at, access_id = after
        where.append((accesses.c.at < at) | ((accesses.c.at == at) & (accesses.c.id < access_id)))
    order = [accesses.c.at.desc(), accesses.c.id.desc()]
    return find_values(connection, accesses, Access, *where, order_by=order, limit=limit)


def open_incident(connection: Connection, organization_id: str, incident: Incident) -> None:
    """Record an incident."""
    write_value(connection, incidents, incident, organization_id=organization_id)


def close_incident(connection: Connection, organization_id: str, incident_id: str, *, now: datetime) -> None:
    """Close an incident; raises WrongState when it is closed or unknown."""
    statement = update(incidents).where(
        incidents.c.organization_id == organization_id,
        incidents.c.id == incident_id,
        incidents.c.closed_at.is_(None),
    )
    if connection.execute(statement.values(closed_at=now)).rowcount != 1:
        raise WrongState("The incident is not open.", next_action="Look at the list of incidents again.")


def find_incidents(
    connection: Connection, organization_id: str, *, kind: str | None = None, only_open: bool = False
) -> list[Incident]:
    """Answer incidents, newest first."""
    where = [incidents.c.organization_id == organization_id]
    if kind is not None:
        where.append(incidents.c.kind == kind)
    if only_open:
        where.append(incidents.c.closed_at.is_(None))
    order = [incidents.c.opened_at.desc(), incidents.c.id]
    return find_values(connection, incidents, Incident, *where, order_by=order)
