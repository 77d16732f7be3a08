"""When a feed sent the same bytes again, and the date that a sender declared apart from the one that counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"


def upgrade() -> None:
    """Add two columns that are empty for feeds and deliveries of before."""
    op.add_column("feed", sa.Column("repeated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("delivery", sa.Column("declared_as_of_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Refuse: a schema is left by restoring a backup, because going back would drop what is recorded."""
    raise NotImplementedError("restore a backup instead")
