"""Bodies of panels are sealed and cannot be compressed; PostgreSQL need not try each time one is written."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision: str | None = "0007"


def upgrade() -> None:
    """Say so; what is stored stays as it is."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE panel ALTER COLUMN body SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Refuse: a schema is left by restoring a backup, because going back would drop what is recorded."""
    raise NotImplementedError("restore a backup instead")
