"""What a delivery declares and would change, changed MBIs, sketches of rosters, and who described a patient."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    """Add columns that may be empty for deliveries and patients of before, and three tables."""
    op.add_column("delivery", sa.Column("declared_count", sa.Integer(), nullable=True))
    op.add_column("delivery", sa.Column("absent_count", sa.Integer(), nullable=True))
    op.add_column("delivery", sa.Column("ended_count", sa.Integer(), nullable=True))
    op.add_column("delivery", sa.Column("folded_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("delivery", sa.Column("settings_digest", sa.Text(), nullable=True))
    op.add_column("delivery", sa.Column("removals_reason", sa.Text(), nullable=True))
    op.add_column("patient", sa.Column("told_by", sa.Text(), nullable=True))
    op.add_column("intent", sa.Column("is_rename", sa.Boolean(), nullable=True))
    _create_delivery_effect()
    _create_mbi_change()
    _create_roster_sketch()


def _create_delivery_effect() -> None:
    op.create_table(
        "delivery_effect",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("npi", sa.Text(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("absent", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id", "delivery_id"],
            ["delivery.organization_id", "delivery.id"],
            name="fk_delivery_effect_organization_id_delivery_id",
        ),
        sa.PrimaryKeyConstraint("organization_id", "delivery_id", "npi", name="pk_delivery_effect"),
    )


def _create_mbi_change() -> None:
    op.create_table(
        "mbi_change",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("old_index", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("delivery", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_mbi_change_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "old_index", name="pk_mbi_change"),
    )


def _create_roster_sketch() -> None:
    op.create_table(
        "roster_sketch",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("feed_id", sa.Text(), nullable=False),
        sa.Column("patients", sa.Integer(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "feed_id"],
            ["feed.organization_id", "feed.id"],
            name="fk_roster_sketch_organization_id_feed_id",
        ),
        sa.PrimaryKeyConstraint("organization_id", "feed_id", name="pk_roster_sketch"),
    )


def downgrade() -> None:
    """Refuse: a schema is left by restoring a backup, because going back would drop what is recorded."""
    raise NotImplementedError("restore a backup instead")
