"""Practitioners with their capacity and expiry, and the attributions of one of them."""

from __future__ import annotations

from marshmallow import fields

from schemas.api.base import PageQuery, StrictSchema, UtcTime


class PractitionerSchema(StrictSchema):
    """One practitioner: how many attributions end when, and how full the Group is."""

    npi = fields.String(required=True)
    name = fields.String(allow_none=True)
    buckets = fields.Dict(
        keys=fields.String(), values=fields.Integer(), required=True, metadata={"description": "Days left."}
    )
    active = fields.Integer(required=True)
    capacity_percent = fields.Integer(required=True)
    stored = fields.Integer(required=True)
    limit = fields.Integer(required=True)
    is_nearly_full = fields.Boolean(required=True)
    wanted = fields.Integer(allow_none=True)


class PractitionerPage(StrictSchema):
    """Practitioners of the organisation, by NPI."""

    items = fields.List(fields.Nested(PractitionerSchema), required=True)
    next = fields.String(allow_none=True)


class AttributionsQuery(PageQuery):
    """Which attributions of a panel."""

    bucket = fields.String(
        load_default=None, metadata={"description": "expired, 0-7, 8-15, 16-30, 31-60 or 61-90 days left."}
    )


class AttributionSchema(StrictSchema):
    """One attribution; the MBI is masked."""

    patient_ref = fields.String(allow_none=True)
    masked_mbi = fields.String(allow_none=True)
    start_at = UtcTime(allow_none=True)
    end_at = UtcTime(allow_none=True)
    status = fields.String(required=True)
    bucket = fields.String(allow_none=True)
    is_wanted = fields.Boolean(required=True)
    evidence_at = UtcTime(allow_none=True)
    feed_id = fields.String(allow_none=True)
    cause = fields.String(allow_none=True, metadata={"description": "Why it will not be renewed by itself."})


class AttributionPage(StrictSchema):
    """Attributions of one practitioner."""

    npi = fields.String(required=True)
    read_at = UtcTime(allow_none=True)
    items = fields.List(fields.Nested(AttributionSchema), required=True)
    next = fields.String(allow_none=True)
