"""What was last told about a patient, as a keyed digest: the same again is seen without opening the identity."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    """Add the column; patients of before get theirs when a roster next names them with something new."""
    op.add_column("patient", sa.Column("identity_digest", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Refuse: a schema is left by restoring a backup, because going back would drop what is recorded."""
    raise NotImplementedError("restore a backup instead")
