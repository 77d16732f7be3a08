"""Tables of what arrives and what it adds up to: deliveries, findings, patients, practitioners, panels."""

from __future__ import annotations

from sqlalchemy import DDL, BigInteger, Boolean, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, event

from service.storage.tables.types import UtcDatetime, column, metadata, of_organization, one_of, refers, tenant

delivery = Table(
    "delivery",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("number", Integer),
    column("feed_id", Text),
    column("state", Text),
    column("sha256", Text),
    column("size", BigInteger),
    column("mode", Text, null=True),
    column("as_of_at", UtcDatetime, null=True),
    column("sequence", Text, null=True),
    column("content_type", Text),
    column("received_at", UtcDatetime),
    column("received_by", Text),
    column("idempotency_key", Text, null=True),
    column("body_path", Text),
    column("format", Text, null=True),
    column("mode_signal", Text, null=True),
    column("encoding", Text, null=True),
    column("file_error", Text, null=True),
    column("data_rows", Integer),
    column("present_count", Integer),
    column("remove_count", Integer),
    column("error_count", Integer),
    column("warning_count", Integer),
    column("blind_count", Integer),
    column("header_hash", Text, null=True),
    column("hold_code", Text, null=True),
    column("hold_reason", Text, null=True),
    column("costs_from", UtcDatetime, null=True),
    column("decided_at", UtcDatetime, null=True),
    column("decided_by", Text, null=True),
    column("decided_reason", Text, null=True),
    column("declared_count", Integer, null=True),
    column("absent_count", Integer, null=True),
    column("ended_count", Integer, null=True),
    column("folded_at", UtcDatetime, null=True),
    column("settings_digest", Text, null=True),
    column("removals_reason", Text, null=True),
    column("declared_as_of_at", UtcDatetime, null=True),
    of_organization(),
    refers("feed", "feed_id"),
    UniqueConstraint("organization_id", "number"),
    one_of("state", "state", "received", "accepted", "held", "rejected", "superseded"),
)
Index(
    "uq_delivery_sequence",
    delivery.c.organization_id,
    delivery.c.feed_id,
    delivery.c.sequence,
    unique=True,
    sqlite_where=delivery.c.sequence.is_not(None),
    postgresql_where=delivery.c.sequence.is_not(None),
)
Index(
    "uq_delivery_idempotency_key",
    delivery.c.organization_id,
    delivery.c.feed_id,
    delivery.c.idempotency_key,
    unique=True,
    sqlite_where=delivery.c.idempotency_key.is_not(None),
    postgresql_where=delivery.c.idempotency_key.is_not(None),
)
Index("ix_delivery_digest", delivery.c.organization_id, delivery.c.feed_id, delivery.c.sha256)
Index("ix_delivery_date", delivery.c.organization_id, delivery.c.feed_id, delivery.c.as_of_at, delivery.c.number)

finding = Table(
    "finding",
    metadata,
    tenant(),
    column("delivery_id", Text, key=True),
    column("n", Integer, key=True),
    column("position", Text),
    column("code", Text),
    column("severity", Text),
    column("blind", Boolean),
    refers("delivery", "delivery_id"),
)

delivery_effect = Table(
    "delivery_effect",
    metadata,
    tenant(),
    column("delivery_id", Text, key=True),
    column("npi", Text, "public", key=True),
    column("known", Integer),
    column("listed", Integer),
    column("added", Integer),
    column("absent", Integer),
    column("ended", Integer),
    column("version", Integer, null=True),
    refers("delivery", "delivery_id"),
)

mbi_change = Table(
    "mbi_change",
    metadata,
    tenant(),
    column("old_index", LargeBinary, "phi", key=True),
    column("body", LargeBinary, "phi"),
    column("delivery", Integer),
    column("recorded_at", UtcDatetime),
    of_organization(),
)

roster_sketch = Table(
    "roster_sketch",
    metadata,
    tenant(),
    column("feed_id", Text, key=True),
    column("patients", Integer),
    column("marks", LargeBinary, "phi"),
    refers("feed", "feed_id"),
)

patient = Table(
    "patient",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("mbi_index", LargeBinary, "phi"),
    column("identity", LargeBinary, "phi"),
    column("described", Boolean),
    column("dpc_id", Text, null=True),
    column("first_delivery", Integer),
    column("updated_at", UtcDatetime),
    column("identity_digest", LargeBinary, "phi", null=True),
    column("told_by", Text, null=True),
    column("told_at", UtcDatetime, null=True),
    of_organization(),
    UniqueConstraint("organization_id", "mbi_index"),
)
Index("ix_patient_dpc_id", patient.c.organization_id, patient.c.dpc_id)

practitioner = Table(
    "practitioner",
    metadata,
    tenant(),
    column("npi", Text, "public", key=True),
    column("given", Text, "public", null=True),
    column("family", Text, "public", null=True),
    column("dpc_id", Text, null=True),
    column("updated_at", UtcDatetime),
    of_organization(),
)

panel = Table(
    "panel",
    metadata,
    tenant(),
    column("npi", Text, "public", key=True),
    column("side", Text, key=True),
    column("source", Text, key=True),
    column("version", Integer, key=True),
    column("n", Integer),
    column("n_active", Integer),
    column("min_end", UtcDatetime, null=True),
    column("group_id", Text, null=True),
    column("created_at", UtcDatetime),
    column("read_at", UtcDatetime, null=True),
    column("body", LargeBinary, "phi"),
    of_organization(),
    one_of("side", "side", "claims", "observed"),
)
_KEEP_AS_IT_IS = DDL("ALTER TABLE panel ALTER COLUMN body SET STORAGE EXTERNAL")  # type: ignore[no-untyped-call]
"""What is sealed cannot be compressed, and PostgreSQL would try each time."""
event.listen(panel, "after_create", _KEEP_AS_IT_IS.execute_if(dialect="postgresql"))
