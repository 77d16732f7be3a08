"""The emulator's own tables: what DPC's two databases keep, in one SQLite file."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()


def _organization_column() -> Column[str]:
    return Column("organization_id", ForeignKey("organizations.id", ondelete="CASCADE"), nullable=False)


settings = Table("settings", metadata, Column("name", String, primary_key=True), Column("value", Text))

organizations = Table(
    "organizations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("npi", String, nullable=False, unique=True),
    Column("body", JSON, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(36), primary_key=True),
    _organization_column(),
    Column("label", String, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)

public_keys = Table(
    "public_keys",
    metadata,
    Column("id", String(36), primary_key=True),
    _organization_column(),
    Column("label", String, nullable=False),
    Column("pem", Text, nullable=False, unique=True),
    Column("created_us", BigInteger, nullable=False),
    UniqueConstraint("organization_id", "label", name="organization_id_label"),
)

addresses = Table(
    "addresses",
    metadata,
    Column("id", String(36), primary_key=True),
    _organization_column(),
    Column("address", String, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

practitioners = Table(
    "practitioners",
    metadata,
    Column("id", String(36), primary_key=True),
    _organization_column(),
    Column("npi", String, nullable=False),
    Column("given", String, nullable=False),
    Column("family", String, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    UniqueConstraint("organization_id", "npi", name="provider_npi_organization"),
)

patients = Table(
    "patients",
    metadata,
    Column("id", String(36), primary_key=True),
    _organization_column(),
    Column("mbi", String, nullable=False),
    Column("given", String, nullable=False),
    Column("family", String, nullable=False),
    Column("gender", String, nullable=False),
    Column("birth_on", String, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    UniqueConstraint("organization_id", "mbi", name="patient_mbi_organization"),
)

# Deliberately not unique per practitioner: DPC has no such constraint (contract-v1 9.4).
groups = Table(
    "groups",
    metadata,
    Column("id", String(36), primary_key=True),
    _organization_column(),
    Column("practitioner_id", ForeignKey("practitioners.id", ondelete="CASCADE"), nullable=False, index=True),
)

attributions = Table(
    "attributions",
    metadata,
    Column("group_id", ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("patient_id", ForeignKey("patients.id", ondelete="CASCADE"), primary_key=True),
    Column("begin_us", BigInteger, nullable=False),
    Column("end_us", BigInteger, nullable=False),
    Column("inactive", Boolean, nullable=False),
    sqlite_with_rowid=False,
)
# What an export was asked for; the patients are those of the Group at that moment.
export_jobs = Table(
    "export_jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    _organization_column(),
    Column("request", String, nullable=False),
    Column("kinds", JSON, nullable=False),
    Column("patients", JSON, nullable=False),
    Column("npi", String, nullable=False),
    Column("since_us", BigInteger),
    Column("submitted_us", BigInteger, nullable=False),
    Column("completed_us", BigInteger),
    Column("polls", Integer, nullable=False),
    Column("failed", Boolean, nullable=False),
)

# Stored as DPC stores them: compressed, the checksum being that of the content before.
export_files = Table(
    "export_files",
    metadata,
    Column("name", String, primary_key=True),
    Column("job_id", ForeignKey("export_jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    _organization_column(),
    Column("kind", String, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    Column("checksum", String, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

# What the claims server answers for one MBI, by script; a patient without a row is found.
claims_outcomes = Table(
    "claims_outcomes",
    metadata,
    Column("mbi", String, primary_key=True),
    Column("outcome", String, nullable=False),
)

Index("attributions_patient", attributions.c.patient_id)
Index("attributions_end", attributions.c.end_us)
