"""Plans, who answers for them, and what is sent to DPC."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service.storage.migrations.triggers import (
    allow_moves,
    create_functions,
    fix_columns,
    forbid_changes,
    forbid_removal,
)

revision = "0002"
down_revision: str | None = "0001"

_INTENT_MOVES = [
    ("planned", "approved"),
    ("approved", "sent"),
    ("sent", "landed"),
    ("sent", "refused"),
    ("sent", "ambiguous"),
    ("ambiguous", "landed"),
    ("ambiguous", "not-landed"),
    ("not-landed", "sent"),
    ("refused", "sent"),
]
_ATTEMPT_MOVES = [
    ("open", "landed"),
    ("open", "refused"),
    ("open", "ambiguous"),
    ("ambiguous", "landed"),
    ("ambiguous", "not-landed"),
]


def upgrade() -> None:
    """Create the tables."""
    _create_plan()
    _create_standing_authorisation()
    _create_sign_off()
    _create_hold()
    _create_hold_decision()
    _create_intent()
    _create_attempt()
    create_functions()
    _keep_what_was_said()


def _keep_what_was_said() -> None:
    forbid_changes("sign_off")
    forbid_changes("hold_decision")
    allow_moves("intent", "planned", _INTENT_MOVES)
    fix_columns("intent", "plan_id", "ordinal", "npi", "kind", "digest", "n", "members")
    forbid_removal("intent")
    allow_moves("attempt", "open", _ATTEMPT_MOVES)
    fix_columns(
        "attempt", "intent_id", "npi", "n", "fencing_token", "sent_at", "request_digest", "provenance", "baseline"
    )
    forbid_removal("attempt")


def _create_plan() -> None:
    op.create_table(
        "plan",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("baseline", sa.Text(), nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("drafted_by", sa.Text(), nullable=False),
        sa.Column("scope_npi", sa.Text(), nullable=True),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("overwrite", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "state IN ('drafted', 'signed', 'applying', 'applied', 'partly-applied', 'stale', 'withdrawn')",
            name=op.f("ck_plan_state"),
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_plan_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_plan"),
        sa.UniqueConstraint("organization_id", "number", name="uq_plan_organization_id_number"),
    )


def _create_standing_authorisation() -> None:
    op.create_table(
        "standing_authorisation",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_standing_authorisation_organization_id"
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_standing_authorisation"),
    )


def _create_sign_off() -> None:
    op.create_table(
        "sign_off",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authorisation_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id", "authorisation_id"],
            ["standing_authorisation.organization_id", "standing_authorisation.id"],
            name="fk_sign_off_organization_id_authorisation_id",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "plan_id"],
            ["plan.organization_id", "plan.id"],
            name="fk_sign_off_organization_id_plan_id",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_sign_off"),
    )
    op.create_index("ix_sign_off_plan", "sign_off", ["organization_id", "plan_id"], unique=False)


def _create_hold() -> None:
    op.create_table(
        "hold",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=True),
        sa.Column("delivery_id", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("npi", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("costs_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("level IN ('hold', 'hard-stop')", name=op.f("ck_hold_level")),
        sa.ForeignKeyConstraint(
            ["organization_id", "delivery_id"],
            ["delivery.organization_id", "delivery.id"],
            name="fk_hold_organization_id_delivery_id",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "plan_id"], ["plan.organization_id", "plan.id"], name="fk_hold_organization_id_plan_id"
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_hold_organization_id"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_hold"),
    )
    op.create_index("ix_hold_state", "hold", ["organization_id", "state"], unique=False)


def _create_hold_decision() -> None:
    op.create_table(
        "hold_decision",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("hold_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("verdict IN ('release', 'refuse')", name=op.f("ck_hold_decision_verdict")),
        sa.ForeignKeyConstraint(
            ["organization_id", "hold_id"],
            ["hold.organization_id", "hold.id"],
            name="fk_hold_decision_organization_id_hold_id",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_hold_decision"),
    )
    op.create_index("ix_hold_decision_hold", "hold_decision", ["organization_id", "hold_id"], unique=False)


def _create_intent() -> None:
    op.create_table(
        "intent",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("npi", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("members", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('planned', 'approved', 'sent', 'landed', 'refused', 'ambiguous', 'not-landed')",
            name=op.f("ck_intent_state"),
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "plan_id"],
            ["plan.organization_id", "plan.id"],
            name="fk_intent_organization_id_plan_id",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_intent"),
        sa.UniqueConstraint("organization_id", "plan_id", "ordinal", name="uq_intent_organization_id_plan_id_ordinal"),
    )


def _create_attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("intent_id", sa.Text(), nullable=False),
        sa.Column("npi", sa.Text(), nullable=True),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("fencing_token", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_offset_ms", sa.Integer(), nullable=True),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=True),
        sa.Column("baseline", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outcome_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.CheckConstraint("settled_by IN ('answer', 'read-back')", name=op.f("ck_attempt_settled_by")),
        sa.CheckConstraint(
            "state IN ('open', 'landed', 'refused', 'ambiguous', 'not-landed')", name=op.f("ck_attempt_state")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "intent_id"],
            ["intent.organization_id", "intent.id"],
            name="fk_attempt_organization_id_intent_id",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name="pk_attempt"),
        sa.UniqueConstraint("organization_id", "intent_id", "n", name="uq_attempt_organization_id_intent_id_n"),
    )
    op.create_index(
        "uq_attempt_unresolved",
        "attempt",
        ["organization_id", "npi"],
        unique=True,
        sqlite_where=sa.text("state IN ('open', 'ambiguous')"),
        postgresql_where=sa.text("state IN ('open', 'ambiguous')"),
    )


def downgrade() -> None:
    """Refuse: a schema is left by restoring a backup, because going back would drop what is recorded."""
    raise NotImplementedError("restore a backup instead")
