"""What the preview keeps, in tables of its own beside those of the versions that followed."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from service.emulator.tables import metadata


def _organization_column() -> Column[str]:
    return Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False)


tokens = Table(
    "preview_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    _organization_column(),
)

people = Table(
    "preview_people",
    metadata,
    Column("id", String(36), primary_key=True),
    _organization_column(),
    Column("kind", String, nullable=False),
    Column("identifier", String, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
    UniqueConstraint("organization_id", "kind", "identifier"),
)

groups = Table(
    "preview_groups",
    metadata,
    Column("id", String(36), primary_key=True),
    _organization_column(),
    Column("npi", String, nullable=False),
    UniqueConstraint("organization_id", "npi"),
)

members = Table(
    "preview_members",
    metadata,
    Column("group_id", ForeignKey("preview_groups.id", ondelete="CASCADE"), primary_key=True),
    Column("patient_id", ForeignKey("preview_people.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("end_us", BigInteger, nullable=False),
)

jobs = Table(
    "preview_jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    _organization_column(),
    Column("request", Text, nullable=False),
    Column("types", JSON, nullable=False),
    Column("identifiers", JSON, nullable=False),
    Column("submitted_us", BigInteger, nullable=False),
    Column("completed_us", BigInteger),
    Column("polls", Integer, nullable=False),
)

files = Table(
    "preview_files",
    metadata,
    Column("name", String, primary_key=True),
    Column("job_id", ForeignKey("preview_jobs.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
