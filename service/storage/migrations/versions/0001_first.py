"""Organisations, their feeds, and what the feeds bring."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Create the tables."""
    _create_organization()
    _create_dpc_credential()
    _create_dpc_key()
    _create_data_key()
    _create_feed()
    _create_delivery()
    _create_finding()
    _create_patient()
    _create_practitioner()
    _create_panel()


def _create_organization() -> None:
    op.create_table(
        "organization",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("npi", sa.Text(), nullable=False),
        sa.Column("dpc_id", sa.Text(), nullable=True),
        sa.Column("base_url", sa.Text(), nullable=True),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("patient_limit", sa.Integer(), nullable=False),
        sa.Column("renew_within_days", sa.Integer(), nullable=False),
        sa.Column("evidence_max_age_days", sa.Integer(), nullable=False),
        sa.Column("approval", sa.Text(), nullable=False),
        sa.Column("applies", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("approval IN ('every-plan', 'standing')", name=op.f("ck_organization_approval")),
        sa.CheckConstraint("dialect IN ('v1', 'v2', 'preview')", name=op.f("ck_organization_dialect")),
        sa.PrimaryKeyConstraint("id", name="pk_organization"),
    )


def _create_dpc_credential() -> None:
    op.create_table(
        "dpc_credential",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("client_token", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_dpc_credential_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", name="pk_dpc_credential"),
    )


def _create_dpc_key() -> None:
    op.create_table(
        "dpc_key",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kid", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("public_pem", sa.Text(), nullable=False),
        sa.Column("private_pem", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_dpc_key_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_dpc_key"),
    )


def _create_data_key() -> None:
    op.create_table(
        "data_key",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_data_key_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_data_key"),
    )
    op.create_index(
        "uq_data_key_primary",
        "data_key",
        ["organization_id"],
        unique=True,
        sqlite_where=sa.text("retired_at IS NULL"),
        postgresql_where=sa.text("retired_at IS NULL"),
    )


def _create_feed() -> None:
    op.create_table(
        "feed",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("absences_before_removal", sa.Integer(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_feed_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_feed"),
    )


def _create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("feed_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=True),
        sa.Column("as_of_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sequence", sa.Text(), nullable=True),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_by", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("body_path", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=True),
        sa.Column("mode_signal", sa.Text(), nullable=True),
        sa.Column("encoding", sa.Text(), nullable=True),
        sa.Column("file_error", sa.Text(), nullable=True),
        sa.Column("data_rows", sa.Integer(), nullable=False),
        sa.Column("present_count", sa.Integer(), nullable=False),
        sa.Column("remove_count", sa.Integer(), nullable=False),
        sa.Column("error_count", sa.Integer(), nullable=False),
        sa.Column("warning_count", sa.Integer(), nullable=False),
        sa.Column("blind_count", sa.Integer(), nullable=False),
        sa.Column("header_hash", sa.Text(), nullable=True),
        sa.Column("hold_code", sa.Text(), nullable=True),
        sa.Column("hold_reason", sa.Text(), nullable=True),
        sa.Column("costs_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('received', 'accepted', 'held', 'rejected', 'superseded')", name=op.f("ck_delivery_state")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "feed_id"],
            ["feed.organization_id", "feed.id"],
            name="fk_delivery_organization_id_feed_id",
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_delivery_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_delivery"),
        sa.UniqueConstraint("organization_id", "number", name="uq_delivery_organization_id_number"),
    )
    op.create_index("ix_delivery_digest", "delivery", ["organization_id", "feed_id", "sha256"], unique=False)
    op.create_index(
        "uq_delivery_idempotency_key",
        "delivery",
        ["organization_id", "feed_id", "idempotency_key"],
        unique=True,
        sqlite_where=sa.text("idempotency_key IS NOT NULL"),
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_index(
        "uq_delivery_sequence",
        "delivery",
        ["organization_id", "feed_id", "sequence"],
        unique=True,
        sqlite_where=sa.text("sequence IS NOT NULL"),
        postgresql_where=sa.text("sequence IS NOT NULL"),
    )


def _create_finding() -> None:
    op.create_table(
        "finding",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "delivery_id"],
            ["delivery.organization_id", "delivery.id"],
            name="fk_finding_organization_id_delivery_id",
        ),
        sa.PrimaryKeyConstraint("organization_id", "delivery_id", "n", name="pk_finding"),
    )


def _create_patient() -> None:
    op.create_table(
        "patient",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("mbi_index", sa.LargeBinary(), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("described", sa.Boolean(), nullable=False),
        sa.Column("dpc_id", sa.Text(), nullable=True),
        sa.Column("first_delivery", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_patient_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_patient"),
        sa.UniqueConstraint("organization_id", "mbi_index", name="uq_patient_organization_id_mbi_index"),
    )
    op.create_index("ix_patient_dpc_id", "patient", ["organization_id", "dpc_id"], unique=False)


def _create_practitioner() -> None:
    op.create_table(
        "practitioner",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("npi", sa.Text(), nullable=False),
        sa.Column("given", sa.Text(), nullable=True),
        sa.Column("family", sa.Text(), nullable=True),
        sa.Column("dpc_id", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_practitioner_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "npi", name="pk_practitioner"),
    )


def _create_panel() -> None:
    op.create_table(
        "panel",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("npi", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("n_active", sa.Integer(), nullable=False),
        sa.Column("min_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("group_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("side IN ('claims', 'observed')", name=op.f("ck_panel_side")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_panel_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "npi", "side", "source", "version", name="pk_panel"),
    )


def downgrade() -> None:
    """Refuse: a schema is left by restoring a backup, because going back would drop what is recorded."""
    raise NotImplementedError("restore a backup instead")
