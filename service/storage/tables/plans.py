"""Tables of decisions and of what was sent: plans, sign-offs, holds, intents, attempts."""

from __future__ import annotations

from sqlalchemy import Boolean, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from service.storage.tables.types import (
    JsonText,
    UtcDatetime,
    column,
    metadata,
    of_organization,
    one_of,
    refers,
    tenant,
)

plan = Table(
    "plan",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("number", Integer),
    column("state", Text),
    column("fingerprint", Text),
    column("baseline", Text),
    column("drafted_at", UtcDatetime),
    column("drafted_by", Text),
    column("scope_npi", Text, "public", null=True),
    column("counts", JsonText),
    column("overwrite", Boolean),
    column("body", LargeBinary, "phi"),
    of_organization(),
    UniqueConstraint("organization_id", "number"),
    one_of("state", "state", "drafted", "signed", "applying", "applied", "partly-applied", "stale", "withdrawn"),
)

standing_authorisation = Table(
    "standing_authorisation",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("person", Text),
    column("reason", Text),
    column("from_at", UtcDatetime),
    column("until_at", UtcDatetime),
    column("terms", JsonText),
    column("revoked_at", UtcDatetime, null=True),
    column("revoked_by", Text, null=True),
    of_organization(),
)

sign_off = Table(
    "sign_off",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("plan_id", Text),
    column("fingerprint", Text),
    column("person", Text),
    column("reason", Text),
    column("signed_at", UtcDatetime),
    column("authorisation_id", Text, null=True),
    refers("plan", "plan_id"),
    refers("standing_authorisation", "authorisation_id"),
)
Index("ix_sign_off_plan", sign_off.c.organization_id, sign_off.c.plan_id)

hold = Table(
    "hold",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("plan_id", Text, null=True),
    column("delivery_id", Text, null=True),
    column("rule", Text),
    column("level", Text),
    column("npi", Text, "public", null=True),
    column("fingerprint", Text),
    column("reason", Text),
    column("costs_from", UtcDatetime, null=True),
    column("n", Integer),
    column("state", Text),
    column("opened_at", UtcDatetime),
    of_organization(),
    refers("plan", "plan_id"),
    refers("delivery", "delivery_id"),
    one_of("level", "level", "hold", "hard-stop"),
)
Index("ix_hold_state", hold.c.organization_id, hold.c.state)

departure = Table(
    "departure",
    metadata,
    tenant(),
    column("hold_id", Text, key=True),
    column("part", Integer, key=True),
    column("n", Integer),
    column("basis", Text),
    column("body", LargeBinary, "phi"),
    refers("hold", "hold_id"),
)

hold_decision = Table(
    "hold_decision",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("hold_id", Text),
    column("person", Text),
    column("verdict", Text),
    column("reason", Text),
    column("fingerprint", Text),
    column("decided_at", UtcDatetime),
    column("expires_at", UtcDatetime),
    refers("hold", "hold_id"),
    one_of("verdict", "verdict", "release", "refuse"),
)
Index("ix_hold_decision_hold", hold_decision.c.organization_id, hold_decision.c.hold_id)

intent = Table(
    "intent",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("plan_id", Text),
    column("ordinal", Integer),
    column("npi", Text, "public", null=True),
    column("kind", Text),
    column("state", Text),
    column("digest", Text),
    column("n", Integer),
    column("members", LargeBinary, "phi"),
    column("created_at", UtcDatetime),
    column("updated_at", UtcDatetime),
    column("is_rename", Boolean, null=True),
    refers("plan", "plan_id"),
    UniqueConstraint("organization_id", "plan_id", "ordinal"),
    one_of("state", "state", "planned", "approved", "sent", "landed", "refused", "ambiguous", "not-landed"),
)

attempt = Table(
    "attempt",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("intent_id", Text),
    column("npi", Text, "public", null=True),
    column("n", Integer),
    column("fencing_token", Integer),
    column("sent_at", UtcDatetime),
    column("clock_offset_ms", Integer, null=True),
    column("request_digest", Text),
    column("provenance", Text, null=True),
    column("baseline", Text),
    column("state", Text),
    column("outcome_at", UtcDatetime, null=True),
    column("status", Integer, null=True),
    column("answer", Text, null=True),
    column("settled_by", Text, null=True),
    refers("intent", "intent_id"),
    UniqueConstraint("organization_id", "intent_id", "n"),
    one_of("state", "state", "open", "landed", "refused", "ambiguous", "not-landed"),
    one_of("settled_by", "settled_by", "answer", "read-back"),
)
Index(
    "uq_attempt_unresolved",
    attempt.c.organization_id,
    attempt.c.npi,
    unique=True,
    sqlite_where=attempt.c.state.in_(["open", "ambiguous"]),
    postgresql_where=attempt.c.state.in_(["open", "ambiguous"]),
)
