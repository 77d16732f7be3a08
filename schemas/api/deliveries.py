"""Posted files and what was found in them, by position and code."""

from __future__ import annotations

from marshmallow import fields, validate

from schemas.api.base import PageQuery, StrictSchema, UtcTime


class DeliveriesQuery(PageQuery):
    """Which deliveries."""

    feed = fields.String(load_default=None, validate=validate.Length(1, 100))
    state = fields.String(
        load_default=None,
        validate=validate.OneOf(("received", "accepted", "held", "rejected", "superseded")),
        metadata={"description": "Only these; an accepted one may still wait for a person, see waiting."},
    )
    waiting = fields.Boolean(
        load_default=None,
        metadata={
            "description": "true: only those about which a person must decide, held as a whole or accepted with "
            "removals_reason, so that they let nobody go yet; false: only the others."
        },
    )


class DeliverySchema(StrictSchema):
    """One posted file: its state, counts, and why it is held if it is."""

    id = fields.String(required=True)
    number = fields.Integer(required=True)
    feed_id = fields.String(required=True)
    state = fields.String(required=True)
    sha256 = fields.String(required=True)
    size = fields.Integer(required=True, metadata={"description": "Bytes."})
    mode = fields.String(allow_none=True, metadata={"description": "How it counts: snapshot or delta."})
    mode_signal = fields.String(
        allow_none=True,
        metadata={"description": "What the file says of itself: none, delta, partial or snapshot; never strengthens."},
    )
    as_of_at = UtcTime(allow_none=True)
    sequence = fields.String(allow_none=True)
    received_at = UtcTime(required=True)
    received_by = fields.String(required=True)
    format = fields.String(allow_none=True)
    encoding = fields.String(allow_none=True)
    file_error = fields.String(allow_none=True)
    data_rows = fields.Integer(allow_none=True)
    present_count = fields.Integer(allow_none=True)
    remove_count = fields.Integer(allow_none=True)
    error_count = fields.Integer(allow_none=True)
    warning_count = fields.Integer(allow_none=True)
    blind_count = fields.Integer(allow_none=True)
    declared_count = fields.Integer(
        allow_none=True, metadata={"description": "Rows that the file or its sender states; compared with data_rows."}
    )
    absent_count = fields.Integer(
        allow_none=True, metadata={"description": "Patients known to the feed who are missing from the file."}
    )
    ended_count = fields.Integer(
        allow_none=True, metadata={"description": "Patients let go at once, if all of it counts; not who stays."}
    )
    hold_code = fields.String(allow_none=True)
    hold_reason = fields.String(allow_none=True)
    costs_from_at = UtcTime(allow_none=True)
    decided_by = fields.String(allow_none=True)
    decided_at = UtcTime(allow_none=True)
    decision_reason = fields.String(allow_none=True)
    removals_reason = fields.String(
        allow_none=True,
        metadata={"description": "Why an accepted file lets nobody go while a person has not decided about that."},
    )
    people_needed = fields.Integer(
        allow_none=True,
        metadata={"description": "How many different people must say yes to the question about it; null for none."},
    )
    people_agreed = fields.Integer(
        allow_none=True, metadata={"description": "How many of them have; a yes holds for as long as its expires_at."}
    )


class DeliveryPage(StrictSchema):
    """Deliveries, newest first."""

    items = fields.List(fields.Nested(DeliverySchema), required=True)
    next = fields.String(allow_none=True)


class FindingSchema(StrictSchema):
    """What is wrong with one row; never the value itself."""

    n = fields.Integer(required=True)
    position = fields.String(required=True)
    code = fields.String(required=True)
    severity = fields.String(required=True)
    is_blind = fields.Boolean(
        required=True,
        metadata={
            "description": "An error of a row about nobody knows whom; the file lets nobody go until a person decides."
        },
    )
    sentence = fields.String(required=True)
    protects_patient = fields.Boolean(
        required=True,
        metadata={"description": "An error of a row whose patient is known; the file does not let that one go."},
    )


class FindingPage(StrictSchema):
    """Findings of one delivery in file order, and how many there are of each code."""

    counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    items = fields.List(fields.Nested(FindingSchema), required=True)
    next = fields.String(allow_none=True)


class EffectSchema(StrictSchema):
    """What a delivery does to one practitioner's patients, in numbers."""

    npi = fields.String(required=True)
    known = fields.Integer(required=True, metadata={"description": "Claimed by the feed before."})
    listed = fields.Integer(required=True, metadata={"description": "In the file."})
    added = fields.Integer(required=True, metadata={"description": "In the file and not claimed before."})
    absent = fields.Integer(required=True, metadata={"description": "Claimed before and missing from the file."})
    ended = fields.Integer(
        required=True, metadata={"description": "Let go at once, if all of it counts; not who stays."}
    )


class EffectPage(StrictSchema):
    """What a delivery changes by practitioner, those with most patients to let go first."""

    total = fields.Integer(required=True, metadata={"description": "How many practitioners it changes in all."})
    items = fields.List(fields.Nested(EffectSchema), required=True)
    next = fields.String(allow_none=True)


class DepartureSchema(StrictSchema):
    """One patient whom a waiting delivery leaves out; the MBI is masked."""

    npi = fields.String(required=True)
    masked_mbi = fields.String(required=True)
    at_once = fields.Boolean(
        required=True,
        metadata={"description": "False while it is only the first of several absences, and for who stays."},
    )
    listed_elsewhere = fields.Boolean(
        required=True, metadata={"description": "Another feed still lists the patient, who stays for that reason."}
    )


class DeparturePage(StrictSchema):
    """Whom a waiting delivery would let go or leaves out, and the hold that asks about exactly them."""

    hold = fields.String(required=True, metadata={"description": "To be named in the decision about them."})
    total = fields.Integer(required=True)
    items = fields.List(fields.Nested(DepartureSchema), required=True)
    next = fields.String(allow_none=True)


class DeliveryDecisionWish(StrictSchema):
    """A person's decision about a held delivery, or about whom an accepted one would let go."""

    verdict = fields.String(
        required=True,
        validate=validate.OneOf(("accept", "reject")),
        metadata={"description": "accept lets the rows, or the removals, count; reject does not."},
    )
    reason = fields.String(required=True, validate=validate.Length(1, 1000))
    hold = fields.String(
        load_default=None,
        metadata={"description": "The hold that is decided on; needed once another about the delivery was decided."},
    )
