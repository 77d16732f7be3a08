"""Attestations as they were sent, and the signed checkpoints of the ledger."""

from __future__ import annotations

from marshmallow import fields

from schemas.api.base import StrictSchema, UtcTime


class AttestationSchema(StrictSchema):
    """One statement to DPC and what became of it; `provenance` is the exact text that was sent."""

    attempt_id = fields.String(required=True)
    intent_id = fields.String(required=True)
    plan_id = fields.String(allow_none=True)
    npi = fields.String(allow_none=True)
    kind = fields.String(required=True)
    n = fields.Integer(required=True, metadata={"description": "How many patients it concerned."})
    sent_at = UtcTime(required=True)
    state = fields.String(required=True)
    settled_by = fields.String(allow_none=True)
    provenance = fields.String(allow_none=True)


class AttestationPage(StrictSchema):
    """Attestations, newest first."""

    items = fields.List(fields.Nested(AttestationSchema), required=True)
    next = fields.String(allow_none=True)


class CheckpointSchema(StrictSchema):
    """A signed root over all facts so far (C2SP tlog-checkpoint)."""

    size = fields.Integer(required=True)
    root_hex = fields.String(required=True)
    note = fields.String(required=True)
    signed_at = UtcTime(required=True)


class CheckpointPage(StrictSchema):
    """Checkpoints, newest first."""

    items = fields.List(fields.Nested(CheckpointSchema), required=True)
