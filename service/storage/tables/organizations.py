"""Tables of organisations, what opens DPC for them, their data keys and their feeds."""

from __future__ import annotations

from sqlalchemy import Boolean, Index, Integer, LargeBinary, Table, Text

from service.storage.tables.types import JsonText, UtcDatetime, column, metadata, of_organization, one_of, tenant

organization = Table(
    "organization",
    metadata,
    column("id", Text, key=True),
    column("name", Text),
    column("npi", Text, "public"),
    column("dpc_id", Text, null=True),
    column("base_url", Text, null=True),
    column("dialect", Text),
    column("environment", Text),
    column("time_zone", Text),
    column("patient_limit", Integer),
    column("renew_within_days", Integer),
    column("evidence_max_age_days", Integer),
    column("approval", Text),
    column("applies", Boolean),
    column("created_at", UtcDatetime),
    one_of("dialect", "dialect", "v1", "v2", "preview"),
    one_of("approval", "approval", "every-plan", "standing"),
)

dpc_credential = Table(
    "dpc_credential",
    metadata,
    tenant(),
    column("client_token", LargeBinary, "secret"),
    column("updated_at", UtcDatetime),
    of_organization(),
)

dpc_key = Table(
    "dpc_key",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("kid", Text, null=True),
    column("label", Text),
    column("public_pem", Text, "public"),
    column("private_pem", LargeBinary, "secret"),
    column("created_at", UtcDatetime),
    column("retired_at", UtcDatetime, null=True),
    of_organization(),
)

data_key = Table(
    "data_key",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("wrapped", LargeBinary, "secret"),
    column("created_at", UtcDatetime),
    column("retired_at", UtcDatetime, null=True),
    of_organization(),
)
Index(
    "uq_data_key_primary",
    data_key.c.organization_id,
    unique=True,
    sqlite_where=data_key.c.retired_at.is_(None),
    postgresql_where=data_key.c.retired_at.is_(None),
)

feed = Table(
    "feed",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("mode", Text),
    column("environment", Text),
    column("scope", Text),
    column("absences_before_removal", Integer),
    column("settings", JsonText),
    column("created_at", UtcDatetime),
    column("repeated_at", UtcDatetime, null=True),
    of_organization(),
)
