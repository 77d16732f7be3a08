"""Organisations: each with its own connection to DPC, limits and time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from service.storage.rows import change_row, check_changes, find_values, load_value, write_value
from service.storage.tables.organizations import organization


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A provider organisation registered with DPC; `id` is a slug, `dpc_id` what DPC calls it."""

    id: str
    name: str
    npi: str
    dialect: str
    environment: str
    time_zone: str
    created_at: datetime
    dpc_id: str | None = None
    base_url: str | None = None
    patient_limit: int = 5_000
    renew_within_days: int = 15
    evidence_max_age_days: int = 35
    approval: str = "every-plan"
    applies: bool = True


def add_organization(connection: Connection, added: Organization) -> None:
    """Add an organisation; raises AlreadyRecorded when its id is taken."""
    write_value(connection, organization, added)


def load_organization(connection: Connection, organization_id: str) -> Organization:
    """Answer one organisation; raises NotFound."""
    return load_value(connection, organization, Organization, organization.c.id == organization_id)


def find_organizations(connection: Connection) -> list[Organization]:
    """Answer every organisation of the installation, by id."""
    return find_values(connection, organization, Organization, order_by=[organization.c.id])


def update_organization(connection: Connection, organization_id: str, **changes: Any) -> Organization:
    """Change named columns and answer the organisation as it is now; raises NotFound, or TypeError for other names."""
    check_changes(organization, changes, fixed=("id", "created_at"))
    change_row(connection, organization, changes, organization.c.id == organization_id)
    return load_organization(connection, organization_id)
