"""What version 2 keeps, in tables of its own beside those of version 1."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Table, Text

from service.emulator.tables import metadata


def _owner_column(name: str, target: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, ForeignKey(target, ondelete="CASCADE"), nullable=nullable)


implementers = Table(
    "v2_implementers",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String, nullable=False),
)

relations = Table(
    "v2_relations",
    metadata,
    Column("implementer_id", ForeignKey("v2_implementers.id", ondelete="CASCADE"), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True),
    Column("status", String, nullable=False),
)

systems = Table(
    "v2_systems",
    metadata,
    Column("id", String(36), primary_key=True),
    _owner_column("organization_id", "organizations.id"),
    _owner_column("implementer_id", "v2_implementers.id", nullable=True),
)

client_tokens = Table(
    "v2_client_tokens",
    metadata,
    Column("id", String(36), primary_key=True),
    _owner_column("system_id", "v2_systems.id"),
    Column("label", String, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)

public_keys = Table(
    "v2_public_keys",
    metadata,
    Column("id", String(36), primary_key=True),
    _owner_column("system_id", "v2_systems.id"),
    Column("pem", Text, nullable=False),
)

organization_versions = Table(
    "v2_organization_versions",
    metadata,
    Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
)

groups = Table(
    "v2_groups",
    metadata,
    Column("id", String(36), primary_key=True),
    _owner_column("organization_id", "organizations.id"),
    Column("version", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
)

jobs = Table(
    "v2_jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    _owner_column("organization_id", "organizations.id"),
    Column("request", Text, nullable=False),
    Column("types", JSON, nullable=False),
    Column("since_us", BigInteger),
    Column("submitted_us", BigInteger, nullable=False),
    Column("completed_us", BigInteger),
    Column("is_failed", Integer, nullable=False),
    Column("polls", Integer, nullable=False),
)

batches = Table(
    "v2_batches",
    metadata,
    Column("id", String(36), primary_key=True),
    _owner_column("job_id", "v2_jobs.id"),
    Column("position", Integer, nullable=False),
    Column("mbis", JSON, nullable=False),
)

files = Table(
    "v2_files",
    metadata,
    Column("name", String, primary_key=True),
    _owner_column("job_id", "v2_jobs.id"),
    Column("kind", String, nullable=False),
    Column("count", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
