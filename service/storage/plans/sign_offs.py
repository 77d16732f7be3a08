"""Sign-offs and standing authorisations: who answers for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_

from service.domain.errors import WrongState
from service.storage.rows import find_values, load_value, new_id, write_value
from service.storage.tables.plans import sign_off as sign_offs
from service.storage.tables.plans import standing_authorisation as authorisations


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOff:
    """A person's approval of one plan fingerprint, or a standing authorisation's."""

    id: str = field(default_factory=new_id)
    plan_id: str
    fingerprint: str
    person: str
    reason: str
    signed_at: datetime
    authorisation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingAuthorisation:
    """A person's approval of a bounded class of changes until a date; `terms` are its bounds."""

    id: str = field(default_factory=new_id)
    person: str
    reason: str
    from_at: datetime
    until_at: datetime
    terms: Mapping[str, Any] = field(default_factory=dict)
    revoked_at: datetime | None = None
    revoked_by: str | None = None


def add_sign_off(connection: Connection, organization_id: str, sign_off: SignOff) -> None:
    """Record a sign-off; it can be neither changed nor removed. Raises RecordRefused for a foreign plan."""
    write_value(connection, sign_offs, sign_off, organization_id=organization_id)


def find_sign_offs(connection: Connection, organization_id: str, plan_id: str) -> list[SignOff]:
    """Answer the sign-offs of a plan, oldest first."""
    return find_values(
        connection,
        sign_offs,
        SignOff,
        sign_offs.c.organization_id == organization_id,
        sign_offs.c.plan_id == plan_id,
        order_by=[sign_offs.c.signed_at, sign_offs.c.id],
    )


def add_standing_authorisation(
    connection: Connection, organization_id: str, authorisation: StandingAuthorisation
) -> None:
    """Record a standing authorisation."""
    write_value(connection, authorisations, authorisation, organization_id=organization_id)


def load_authorisation(connection: Connection, organization_id: str, authorisation_id: str) -> StandingAuthorisation:
    """Answer one standing authorisation; raises NotFound."""
    return load_value(
        connection,
        authorisations,
        StandingAuthorisation,
        authorisations.c.organization_id == organization_id,
        authorisations.c.id == authorisation_id,
    )


def find_authorisations(connection: Connection, organization_id: str) -> list[StandingAuthorisation]:
    """Answer every standing authorisation there ever was, newest first."""
    return find_values(
        connection,
        authorisations,
        StandingAuthorisation,
        authorisations.c.organization_id == organization_id,
        order_by=[authorisations.c.from_at.desc(), authorisations.c.id],
    )


def find_active_authorisations(
    connection: Connection, organization_id: str, now: datetime
) -> list[StandingAuthorisation]:
    """Answer the standing authorisations that hold at `now`: begun, not over, not revoked by then."""
    return find_values(
        connection,
        authorisations,
        StandingAuthorisation,
        authorisations.c.organization_id == organization_id,
        authorisations.c.from_at <= now,
        authorisations.c.until_at > now,
        or_(authorisations.c.revoked_at.is_(None), authorisations.c.revoked_at > now),
        order_by=[authorisations.c.until_at.desc(), authorisations.c.id],
    )


def revoke_authorisation(
    connection: Connection, organization_id: str, authorisation_id: str, *, person: str, now: datetime
) -> None:
    """End a standing authorisation at once; raises NotFound, WrongState when it was revoked before."""
    found = load_authorisation(connection, organization_id, authorisation_id)
    statement = authorisations.update().where(
        authorisations.c.organization_id == organization_id,
        authorisations.c.id == authorisation_id,
        authorisations.c.revoked_at.is_(None),
    )
    if connection.execute(statement.values(revoked_at=now, revoked_by=person)).rowcount != 1:
        raise WrongState(
            f"The standing authorisation was revoked by {found.revoked_by}.", next_action="Nothing is left to do."
        )
