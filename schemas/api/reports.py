"""Reports as titled tables."""

from __future__ import annotations

from marshmallow import fields, validate

from schemas.api.base import StrictSchema, UtcTime


class ReportQuery(StrictSchema):
    """In which shape."""

    format = fields.String(
        load_default=None,
        validate=validate.OneOf(("json", "csv")),
        metadata={"description": "json or csv; wins over Accept."},
    )


class ReportSchema(StrictSchema):
    """One report: headings and rows."""

    kind = fields.String(required=True)
    title = fields.String(required=True)
    columns = fields.List(fields.String(), required=True)
    rows = fields.List(fields.List(fields.Raw(allow_none=True)), required=True)
    made_at = UtcTime(required=True)
