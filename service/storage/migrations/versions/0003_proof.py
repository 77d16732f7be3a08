"""The ledger with its checkpoints, the access log and incidents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service.storage.migrations.triggers import forbid_changes, forbid_gaps, forbid_old_sizes

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    """Create the tables."""
    _create_ledger_head()
    _create_ledger_entry()
    _create_checkpoint()
    _create_access_log()
    _create_incident()
    forbid_gaps()
    forbid_old_sizes()
    for table in ("ledger_entry", "checkpoint", "access_log"):
        forbid_changes(table)


def _create_ledger_head() -> None:
    op.create_table(
        "ledger_head",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_ledger_head_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", name="pk_ledger_head"),
    )


def _create_ledger_entry() -> None:
    op.create_table(
        "ledger_entry",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_opening", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_ledger_entry_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "seq", name="pk_ledger_entry"),
    )


def _create_checkpoint() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_checkpoint_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "size", name="pk_checkpoint"),
    )


def _create_access_log() -> None:
    op.create_table(
        "access_log",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_access_log_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_access_log"),
    )
    op.create_index("ix_access_log_at", "access_log", ["organization_id", "at"], unique=False)


def _create_incident() -> None:
    op.create_table(
        "incident",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("npi", sa.Text(), nullable=True),
        sa.Column("patient_id", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_incident_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_incident"),
    )
    op.create_index("ix_incident_opened_at", "incident", ["organization_id", "opened_at"], unique=False)


def downgrade() -> None:
    """Refuse: a schema is left by restoring a backup, because going back would drop what is recorded."""
    raise NotImplementedError("restore a backup instead")
