"""Feeds: where rosters come from, what is normal for each source, and how it is doing."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from schemas.api.base import StrictSchema, UtcTime

_MODES = ("delta", "snapshot")
_SCOPES = ("providers_in_file", "organization")
_ENVIRONMENTS = ("sandbox", "production")
_ENCODINGS = ("utf-8", "utf-16", "windows-1252", "iso-8859-1")


def _describe(text: str, example: object) -> dict[str, Any]:
    return {"description": text, "example": example}


class FeedSettingsSchema(StrictSchema):
    """What was decided about a feed; in a change, null puts a setting back to its default."""

    column_mapping = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        allow_none=True,
        metadata=_describe("The heading that a person chose for each role; replaced as a whole.", {"mbi": "Member No"}),
    )
    header_hash = fields.String(
        allow_none=True,
        validate=validate.Regexp(r"^[0-9a-f]{64}\Z", error="Must be 64 lower-case hexadecimal digits."),
        metadata={
            "description": "The header of the mapping, else learned from the first file that counts; others are held."
        },
    )
    encoding = fields.String(
        allow_none=True,
        validate=validate.OneOf((*_ENCODINGS, None)),
        metadata=_describe("How the files are encoded; null lets each file be recognised.", "windows-1252"),
    )
    practitioners = fields.List(
        fields.String(),
        allow_none=True,
        metadata=_describe("NPIs that the feed may speak for, empty for all; replaced as a whole.", ["3990000002"]),
    )
    expected_every_hours = fields.Integer(
        allow_none=True,
        strict=True,
        metadata=_describe("Hours between deliveries after which silence is an incident; null for none.", 24),
    )
    expects_count = fields.Boolean(
        allow_none=True,
        truthy={True},
        falsy={False},
        metadata=_describe("Whether a file that does not say how many rows it has is held.", False),
    )
    shares_patients = fields.Boolean(
        allow_none=True,
        truthy={True},
        falsy={False},
        metadata=_describe(
            "Whether its patients may well be on the roster of another organisation; if not, many such hold a file.",
            False,
        ),
    )
    min_rows = fields.Integer(
        allow_none=True, strict=True, metadata=_describe("A file with fewer rows is held; 0 for any.", 50)
    )
    rows_down_percent = fields.Integer(
        allow_none=True, strict=True, metadata=_describe("A file that is smaller by this much is held.", 10)
    )
    rows_up_percent = fields.Integer(
        allow_none=True, strict=True, metadata=_describe("A file that is larger by this much is held.", 25)
    )
    rejected_percent = fields.Integer(
        allow_none=True, strict=True, metadata=_describe("A file with more wrong rows than this is held.", 1)
    )
    max_removals = fields.Integer(
        allow_none=True, strict=True, metadata=_describe("A file may let go no more patients than this.", 25)
    )
    max_removal_percent = fields.Integer(
        allow_none=True, strict=True, metadata=_describe("A file may let go no greater part than this.", 10)
    )


class LastDeliverySchema(StrictSchema):
    """The newest file of a feed, whatever became of it."""

    id = fields.String(required=True)
    number = fields.Integer(required=True)
    state = fields.String(required=True)
    received_at = UtcTime(required=True)


class FeedSchema(StrictSchema):
    """One feed: every setting spelled out, and how it is doing."""

    id = fields.String(required=True, metadata=_describe("Its name in addresses.", "ehr-daily"))
    mode = fields.String(
        required=True, metadata=_describe("snapshot: a file is everybody; delta: changes.", "snapshot")
    )
    scope = fields.String(
        required=True,
        metadata=_describe("Of whose patients a snapshot may let some go: practitioners in it, or all.", _SCOPES[0]),
    )
    absences_before_removal = fields.Integer(
        required=True, metadata=_describe("Accepted snapshots in a row without a patient before they are let go.", 2)
    )
    environment = fields.String(
        required=True,
        metadata=_describe("Which MBIs are allowed: synthetic ones (sandbox) or those of people.", "sandbox"),
    )
    created_at = UtcTime(required=True)
    settings = fields.Nested(FeedSettingsSchema, required=True)
    last_delivery = fields.Nested(LastDeliverySchema, allow_none=True)
    open_holds = fields.Integer(
        required=True, metadata={"description": "How many doubts about its files wait for a person."}
    )
    due_at = UtcTime(allow_none=True, metadata={"description": "Until when the next delivery is expected."})
    is_overdue = fields.Boolean(required=True)


class FeedPage(StrictSchema):
    """Feeds of the organisation, by id."""

    items = fields.List(fields.Nested(FeedSchema), required=True)
    next = fields.String(allow_none=True)


class FeedChange(StrictSchema):
    """What changes of a feed; what is not named stays as it is."""

    mode = fields.String(validate=validate.OneOf(_MODES), metadata=_describe("snapshot or delta.", "snapshot"))
    scope = fields.String(
        validate=validate.OneOf(_SCOPES), metadata=_describe("providers_in_file or organization.", _SCOPES[0])
    )
    absences_before_removal = fields.Integer(strict=True, metadata=_describe("1 to 10.", 2))
    environment = fields.String(
        validate=validate.OneOf(_ENVIRONMENTS),
        metadata=_describe("sandbox or production; may be named, but is always the organisation's.", "sandbox"),
    )
    settings = fields.Nested(FeedSettingsSchema)


class FeedWish(FeedChange):
    """A new feed; what is left out has its default."""

    id = fields.String(
        required=True, metadata=_describe("Lower-case letters, digits and hyphens, at most 40.", "ehr-daily")
    )
