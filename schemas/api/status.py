"""When an organisation last ran, last changed, and runs next."""

from __future__ import annotations

from marshmallow import fields

from schemas.api.base import StrictSchema, UtcTime


class OrganizationStatusSchema(StrictSchema):
    """One organisation at a glance; no patient values."""

    organization_id = fields.String(required=True)
    name = fields.String(required=True)
    last_run_at = UtcTime(allow_none=True)
    last_run_state = fields.String(allow_none=True)
    last_change_at = UtcTime(allow_none=True)
    next_run_at = UtcTime(allow_none=True)
    open_holds = fields.Integer(
        required=True,
        metadata={
            "description": "All questions that wait for a person: about files, about whom they leave out, about plans."
        },
    )
    held_deliveries = fields.Integer(
        required=True, metadata={"description": "Files whose rows do not count until a person accepts them."}
    )
    suspended_removals = fields.Integer(
        required=True,
        metadata={
            "description": "Accepted files that let nobody go until a person has decided about whom they leave out; "
            "with the held ones they are listed by /deliveries?waiting=true."
        },
    )
    silent_feeds = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Feeds from which nothing came for longer than expected."},
    )


class StatusPage(StrictSchema):
    """The organisations that the token speaks for."""

    items = fields.List(fields.Nested(OrganizationStatusSchema), required=True)
