"""Problems as every error of the API tells them (RFC 9457)."""

from __future__ import annotations

from marshmallow import fields

from schemas.api.base import StrictSchema


class ProblemSchema(StrictSchema):
    """What went wrong, for people and for machines, and what to do next."""

    type = fields.String(required=True, metadata={"description": "Where the kind of problem is described."})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "One sentence for people."})
    instance = fields.String(required=True, metadata={"description": "The path that was asked for."})
    code = fields.String(required=True, metadata={"description": "The kind of problem for machines."})
    next_action = fields.String(required=True, metadata={"description": "What to do about it."})
    mistakes = fields.List(fields.String(), metadata={"description": "Each wrong field in one sentence."})
