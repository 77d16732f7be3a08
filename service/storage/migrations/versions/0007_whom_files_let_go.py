"""Whom a waiting delivery would let go, sealed; and of what time a patient's description tells."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"


def upgrade() -> None:
    """Add a table, and a column that is empty for patients of before until a feed describes them anew."""
    op.add_column("patient", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "departure",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.Text(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "hold_id"],
            ["hold.organization_id", "hold.id"],
            name="fk_departure_organization_id_hold_id",
        ),
        sa.PrimaryKeyConstraint("organization_id", "hold_id", "part", name="pk_departure"),
    )


def downgrade() -> None:
    """Refuse: a schema is left by restoring a backup, because going back would drop what is recorded."""
    raise NotImplementedError("restore a backup instead")
