"""Plans, their differences, what is held of them, and the acts of people on them."""

from __future__ import annotations

from marshmallow import fields, validate

from schemas.api.base import StrictSchema, UtcTime


class PlanHeadSchema(StrictSchema):
    """One plan: its state, fingerprint and how much of each kind it changes."""

    id = fields.String(required=True)
    number = fields.Integer(required=True)
    state = fields.String(required=True)
    fingerprint = fields.String(required=True)
    drawn_at = UtcTime(required=True)
    drawn_by = fields.String(required=True)
    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    held_n = fields.Integer(required=True)
    left_out_n = fields.Integer(required=True)
    is_overwrite = fields.Boolean(required=True)


class PlanPage(StrictSchema):
    """Plans, newest first."""

    items = fields.List(fields.Nested(PlanHeadSchema), required=True)
    next = fields.String(allow_none=True)


class DiffRowSchema(StrictSchema):
    """One patient of a change, with the delivery and line that is its evidence; the MBI is masked."""

    kind = fields.String(required=True)
    masked_mbi = fields.String(allow_none=True)
    patient_ref = fields.String(allow_none=True)
    feed_id = fields.String(allow_none=True)
    delivery_id = fields.String(allow_none=True)
    delivery_number = fields.Integer(allow_none=True)
    line = fields.Integer(allow_none=True)
    end_at = UtcTime(allow_none=True)
    held = fields.Boolean(required=True)


class PanelDiffSchema(StrictSchema):
    """The changes of one practitioner's Group; without an NPI, what is to be registered first."""

    npi = fields.String(required=True, allow_none=True)
    name = fields.String(allow_none=True)
    rows = fields.List(fields.Nested(DiffRowSchema), required=True)
    practitioners = fields.List(fields.String(), metadata={"description": "NPIs to be registered at DPC."})


class DecisionSchema(StrictSchema):
    """What one person said about a hold."""

    person = fields.String(required=True)
    verdict = fields.String(required=True)
    reason = fields.String(required=True)
    decided_at = UtcTime(required=True)
    expires_at = UtcTime(required=True)


class HoldSchema(StrictSchema):
    """Changes that wait for a person: the rule, why, and from when waiting costs attributions."""

    id = fields.String(required=True)
    rule = fields.String(required=True)
    level = fields.String(required=True)
    npi = fields.String(allow_none=True)
    reason = fields.String(required=True)
    n = fields.Integer(required=True)
    state = fields.String(required=True)
    fingerprint = fields.String(required=True)
    costs_from_at = UtcTime(allow_none=True)
    opened_at = UtcTime(allow_none=True)
    plan_id = fields.String(allow_none=True)
    delivery_id = fields.String(allow_none=True)
    decisions = fields.List(fields.Nested(DecisionSchema), required=True)
    people_needed = fields.Integer(required=True, metadata={"description": "Different people who must say yes."})
    people_agreed = fields.Integer(required=True, metadata={"description": "How many of them have."})


class LeftOutSchema(StrictSchema):
    """A pair that no change covers, and the rule that left it out."""

    npi = fields.String(required=True)
    masked_mbi = fields.String(allow_none=True)
    rule = fields.String(required=True)
    sentence = fields.String(required=True)


class SignOffSchema(StrictSchema):
    """Who answered for the plan, and why."""

    person = fields.String(required=True)
    reason = fields.String(required=True)
    signed_at = UtcTime(required=True)
    is_standing = fields.Boolean(required=True)


class PlanSchema(StrictSchema):
    """A whole plan."""

    head = fields.Nested(PlanHeadSchema, required=True)
    practitioners = fields.List(fields.Nested(PanelDiffSchema), required=True)
    holds = fields.List(fields.Nested(HoldSchema), required=True)
    left_out = fields.List(fields.Nested(LeftOutSchema), required=True)
    sign_offs = fields.List(fields.Nested(SignOffSchema), required=True)
    warnings = fields.List(fields.String(), required=True)
    costs_from_at = UtcTime(allow_none=True)


_FINGERPRINT = validate.Regexp(r"^[0-9a-fA-F]{64}\Z", error="Must be 64 hexadecimal digits.")
_REASON = validate.Length(3, 1000)


class SignOffWish(StrictSchema):
    """The fingerprint of the plan that was read, and why it is right."""

    fingerprint = fields.String(required=True, validate=_FINGERPRINT)
    reason = fields.String(required=True, validate=_REASON)


class HoldDecisionWish(StrictSchema):
    """Let the held changes go, or refuse them, and why."""

    verdict = fields.String(required=True, validate=validate.OneOf(("release", "refuse")))
    reason = fields.String(required=True, validate=_REASON)
