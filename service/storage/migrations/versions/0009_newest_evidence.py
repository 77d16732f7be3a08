"""Whether a file is older than what counts is looked up among all deliveries of its feed, however many there are."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision: str | None = "0008"


def upgrade() -> None:
    """Let the newest date be found at once."""
    op.create_index("ix_delivery_date", "delivery", ["organization_id", "feed_id", "as_of_at", "number"], unique=False)


def downgrade() -> None:
    """Refuse: a schema is left by restoring a backup, because going back would drop what is recorded."""
    raise NotImplementedError("restore a backup instead")
