"""Tables of proof: the append-only ledger and its checkpoints, the access log and incidents."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, Table, Text

from service.storage.tables.types import UtcDatetime, column, metadata, of_organization, tenant

ledger_head = Table(
    "ledger_head",
    metadata,
    tenant(),
    column("seq", BigInteger),
    of_organization(),
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    tenant(),
    column("seq", BigInteger, key=True),
    column("kind", Text),
    column("at", UtcDatetime),
    column("actor", Text),
    column("leaf", LargeBinary),
    column("leaf_hash", LargeBinary),
    column("prev_hash", LargeBinary),
    column("sealed_opening", LargeBinary, "phi", null=True),
    of_organization(),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    tenant(),
    column("size", BigInteger, key=True),
    column("root", LargeBinary, "public"),
    column("note", Text, "public"),
    column("signed_at", UtcDatetime, "public"),
    of_organization(),
)

access_log = Table(
    "access_log",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("at", UtcDatetime),
    column("actor", Text),
    column("action", Text),
    column("subject", Text),
    column("rows", Integer),
    of_organization(),
)
Index("ix_access_log_at", access_log.c.organization_id, access_log.c.at)

incident = Table(
    "incident",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("kind", Text),
    column("npi", Text, "public", null=True),
    column("patient_id", Text, null=True),
    column("cause", Text),
    column("opened_at", UtcDatetime),
    column("closed_at", UtcDatetime, null=True),
    of_organization(),
)
Index("ix_incident_opened_at", incident.c.organization_id, incident.c.opened_at)
