"""Practitioners: the NPIs that rosters name, and what DPC calls them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, update

from service.storage.rows import find_values, insert_into
from service.storage.tables.rosters import practitioner as practitioners


@dataclass(frozen=True, slots=True)
class Practitioner:
    """One practitioner; names come from the feed or the registry and may be missing, `dpc_id` until DPC knows them."""

    npi: str
    given: str | None = None
    family: str | None = None
    dpc_id: str | None = None


def upsert_practitioners(
    connection: Connection, organization_id: str, named: Iterable[Practitioner], *, now: datetime
) -> None:
    """Add practitioners or complete what is known of them; a missing value never replaces a known one."""
    rows = [
        {
            "organization_id": organization_id,
            "npi": one.npi,
            "given": one.given,
            "family": one.family,
            "dpc_id": one.dpc_id,
            "updated_at": now,
        }
        for one in {one.npi: one for one in named}.values()
    ]
    if not rows:
        return
    statement = insert_into(connection, practitioners)
    told = statement.excluded
    completed = {name: func.coalesce(told[name], practitioners.c[name]) for name in ("given", "family", "dpc_id")}
    statement = statement.on_conflict_do_update(
        index_elements=["organization_id", "npi"], set_={**completed, "updated_at": told.updated_at}
    )
    connection.execute(statement, rows)


def find_practitioners(connection: Connection, organization_id: str) -> dict[str, Practitioner]:
    """Answer every practitioner of the organisation, by NPI in order."""
    found = find_values(
        connection,
        practitioners,
        Practitioner,
        practitioners.c.organization_id == organization_id,
        order_by=[practitioners.c.npi],
    )
    return {one.npi: one for one in found}


def find_practitioner(connection: Connection, organization_id: str, npi: str) -> Practitioner | None:
    """Answer one practitioner."""
    found = find_values(
        connection,
        practitioners,
        Practitioner,
        practitioners.c.organization_id == organization_id,
        practitioners.c.npi == npi,
        order_by=[practitioners.c.npi],
    )
    return next(iter(found), None)


def set_dpc_ids(connection: Connection, organization_id: str, dpc_ids: Mapping[str, str]) -> None:
    """Record what DPC calls these practitioners (NPI to DPC id)."""
    if not dpc_ids:
        return
    statement = update(practitioners).where(
        practitioners.c.organization_id == organization_id, practitioners.c.npi == bindparam("of_npi")
    )
    rows = [{"of_npi": npi, "to_dpc_id": dpc_id} for npi, dpc_id in dpc_ids.items()]
    connection.execute(statement.values(dpc_id=bindparam("to_dpc_id")), rows)
