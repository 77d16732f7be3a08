"""Plans: what would be done, with its fingerprint in the open and its body sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select

from service.storage.rows import (
    find_values,
    load_value,
    move_state,
    new_id,
    not_found,
    take_number,
    write_value,
)
from service.storage.sealing import OrganizationKeys
from service.storage.tables.plans import plan as plans


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One plan without its body; `number` is its serial in the organisation, 0 until it is saved.

    `baseline` is the digest of what DPC showed, `scope_npi` the only practitioner it is about, if it is about one.
    """

    id: str = field(default_factory=new_id)
    number: int = 0
    state: str = "drafted"
    fingerprint: str
    baseline: str
    drafted_at: datetime
    drafted_by: str
    scope_npi: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    overwrite: bool = False


def save_plan(connection: Connection, keys: OrganizationKeys, organization_id: str, plan: Plan, body: bytes) -> Plan:
    """Save a plan with its body sealed, and answer it with its number; raises NotFound for another organisation."""
    numbered = replace(plan, number=take_number(connection, plans, organization_id))
    sealed = keys.seal("plan", "body", plan.id, body)
    write_value(connection, plans, numbered, organization_id=organization_id, body=sealed)
    return numbered


def load_plan(connection: Connection, organization_id: str, plan_id: str) -> Plan:
    """Answer one plan without its body; raises NotFound."""
    return load_value(connection, plans, Plan, *_named(organization_id, plan_id))


def load_plan_body(connection: Connection, keys: OrganizationKeys, organization_id: str, plan_id: str) -> bytes:
    """Answer the body of a plan; raises NotFound, SealBroken with other keys."""
    sealed = connection.scalar(select(plans.c.body).where(*_named(organization_id, plan_id)))
    if sealed is None:
        raise not_found(plans)
    return keys.unseal("plan", "body", plan_id, sealed)


def find_plans(
    connection: Connection,
    organization_id: str,
    *,
    state: str | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Plan]:
    """Answer a page of plans, newest first; `after` is the number of the last one on the page before."""
    where = [plans.c.organization_id == organization_id]
    if state is not None:
        where.append(plans.c.state == state)
    if after is not None:
        where.append(plans.c.number < after)
    return find_values(connection, plans, Plan, *where, order_by=[plans.c.number.desc()], limit=limit)


def set_plan_state(connection: Connection, organization_id: str, plan_id: str, old: str, new: str) -> None:
    """Move a plan along an allowed edge; raises WrongState when it is not in `old` any more."""
    move_state(connection, plans, "plan", old, new, {}, *_named(organization_id, plan_id))


def _named(organization_id: str, plan_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return plans.c.organization_id == organization_id, plans.c.id == plan_id
