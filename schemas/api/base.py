"""What all bodies of our own API share: unknown fields are refused and times are RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import RAISE, Schema, fields, validate


class StrictSchema(Schema):
    """A body or query in which a field that is not described is a mistake."""

    class Meta:
        unknown = RAISE


class UtcTime(fields.AwareDateTime):
    """An instant, written like 2026-11-20T14:05:00Z."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(format="iso", default_timezone=UTC, **settings)

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **rest: Any) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class PageQuery(StrictSchema):
    """Which part of a list: at most `limit` items after `cursor`."""

    limit = fields.Integer(
        load_default=50,
        validate=validate.Range(1, 200),
        metadata={"description": "How many items at most; 1 to 200."},
    )
    cursor = fields.String(
        load_default=None,
        validate=validate.Length(1, 200),
        metadata={"description": "Where to go on: what the page before has as next."},
    )


class TableQuery(PageQuery):
    """Which part of a list, and in which shape."""

    format = fields.String(
        load_default=None,
        validate=validate.OneOf(("json", "csv")),
        metadata={"description": "json or csv; wins over Accept. CSV holds every row."},
    )
