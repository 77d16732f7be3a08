"""Take a roster file in: sealed on disk, recorded once, read later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from service.domain.canonical import write_time
from service.domain.errors import Conflict, InvalidInput
from service.domain.intake import AHEAD, REMOVAL_RULES
from service.domain.patient_numbers import holds_patient_number
from service.domain.people import Action, Actor, check_may
from service.rosters.content_types import keep_type, read_media_type
from service.rosters.names import find_name_signal
from service.runtime import Runtime
from service.storage import deliveries, feeds, plans
from service.storage.connection import Connection
from service.storage.deliveries import Delivery
from service.storage.errors import AlreadyRecorded
from service.storage.index_check import check_index_key
from service.storage.raw_files import StoredFile, Stream, delete_raw_file, save_raw_file
from service.storage.rows import new_id
from service.workflows.conflicts import note_conflict
from service.workflows.deliveries import DeliveryView, load_delivery, view_delivery
from service.workflows.reading import digest_settings
from service.workflows.record import record_fact

MOST_ROWS = 1_000_000
MISTYPED, MISCOUNTED, OF_THE_FUTURE = "unsupported_format_mismatch", "count_mismatch", "future_input"
COUNTING = ("accepted", "superseded")


@dataclass(frozen=True, slots=True)
class Upload:
    """What the sender says about the file; `sha256` (hex) is checked against the bytes, `count` against the rows.

    `again` asks to take in bytes that a person has refused before, or of which one has let nobody go.
    """

    content_type: str | None = None
    filename: str | None = None
    mode: str | None = None
    as_of_at: datetime | None = None
    sequence: str | None = None
    idempotency_key: str | None = None
    sha256: str | None = None
    count: int | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class _Arrival:
    """Bytes that have arrived for a feed, what is said of them, and the digest of what its files are read with now."""

    organization_id: str
    feed_id: str
    stored: StoredFile
    upload: Upload
    settings: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """The delivery as recorded; `is_new` is False when the same bytes had been sent before."""

    delivery: DeliveryView
    is_new: bool


def receive(rt: Runtime, organization_id: str, feed_id: str, stream: Stream, upload: Upload, actor: Actor) -> Receipt:
    """Receive one file for a feed.

    1. Stream the bytes to a sealed file, hashing on the way; refuse what is too large, empty or not what was declared.
    2. The same bytes again, or the same idempotency key with the same bytes, answer with the first receipt; unless a
       person refused them, or whom they leave out, and it is asked for: then they come in anew, to be judged again. So
       do bytes that could not be used for their declared type, date or count, once it is another one, or for how the
       feed's files were read. They have the key and the number that the delivery before had.
    3. Record the delivery and the ledger entry in one transaction; only then does it exist.

    Raises UnreadableFile, InvalidInput, Conflict (same sequence or key, other bytes), NotFound (no such feed).
    """
    check_may(actor, Action.SEND_DELIVERY, organization_id)
    _check_upload(upload)
    with rt.database.begin() as connection:
        settings = digest_settings(feeds.load_feed(connection, organization_id, feed_id))
        keys = rt.open_keys(connection, organization_id)
        check_index_key(connection, keys)
    stored = save_raw_file(keys, rt.settings.uploads_dir, new_id(), stream)
    arrival = _Arrival(organization_id, feed_id, stored, upload, settings, rt.now())
    try:
        if upload.sha256 and upload.sha256 != stored.sha256:
            raise InvalidInput(
                "The bytes that arrived do not have the digest that was declared.",
                next_action="Send the file again; something was lost on the way.",
            )
        with rt.database.begin() as connection:
            first = _find_first(connection, arrival)
            if first is None:
                added = _record_delivery(rt, connection, arrival, actor)
                return Receipt(view_delivery(added), is_new=True)
            if not first.is_useless:
                feeds.update_feed(connection, organization_id, feed_id, repeated_at=arrival.at)
    except AlreadyRecorded:
        first = _find_winner(rt, arrival)
    except BaseException as trouble:
        delete_raw_file(rt.settings.uploads_dir, stored.path)
        if isinstance(trouble, Conflict):
            note_conflict(rt, organization_id, feed_id, trouble)
        raise
    delete_raw_file(rt.settings.uploads_dir, stored.path)
    return Receipt(load_delivery(rt, organization_id, first.id), is_new=False)


def _check_upload(upload: Upload) -> None:
    if upload.mode not in (None, "snapshot", "delta"):
        raise InvalidInput(
            "The roster mode must be snapshot or delta.",
            next_action="Send the file again with one of the two, or without a mode: then its feed's counts.",
        )
    if upload.as_of_at and upload.as_of_at.tzinfo is None:
        raise InvalidInput(
            "The as-of time must name its zone, for example 2026-01-31T00:00:00Z.",
            next_action="Send the file again with a time that ends in Z or in an offset such as -05:00.",
        )
    if upload.count is not None and not 0 <= upload.count <= MOST_ROWS:
        raise InvalidInput(
            f"The row count must be a whole number from 0 to {MOST_ROWS:,}.",
            next_action="Send the file again with the number of its rows, or without a count.",
        )
    # A sequence of digits alone is a number to compare with others; it may have nine of them.
    _check_name("sequence", upload.sequence, may_be_number=True)
    _check_name("idempotency key", upload.idempotency_key, may_be_number=False)


def _check_name(name: str, text: str | None, *, may_be_number: bool) -> None:
    """Refuse what is no short text in ASCII, or holds a patient's number: it is kept as it is."""
    if text is None:
        return
    if not (text.isascii() and text.isprintable() and 0 < len(text) <= 100):
        raise InvalidInput(
            f"The {name} must be 1 to 100 printable ASCII characters.",
            next_action=f"Send the file again with another {name}, such as a running number.",
        )
    if not (may_be_number and text.isdecimal()) and holds_patient_number(text):
        raise InvalidInput(
            f"The {name} looks as if it held a patient's number: an MBI, or nine digits like a Social Security number.",
            next_action=f"Send the file again with a {name} made of nothing about patients, such as a date or a UUID.",
        )


def _find_first(connection: Connection, arrival: _Arrival) -> Delivery | None:
    """Answer the earlier delivery that this one repeats, None for what is new or comes in anew.

    Raises Conflict for a reused key or sequence with other bytes.
    """
    for named in _find_named(connection, arrival):
        if named and not _comes_anew(connection, arrival, named):
            return named
    told = _find_told(connection, arrival)
    return None if told is None or _comes_anew(connection, arrival, told) else told


def _find_named(connection: Connection, arrival: _Arrival) -> tuple[Delivery | None, Delivery | None]:
    """Answer the earlier deliveries of the same key and of the same sequence; raises Conflict for other bytes."""
    place = (connection, arrival.organization_id, arrival.feed_id)
    key, sequence = arrival.upload.idempotency_key, arrival.upload.sequence
    keyed = deliveries.find_by_idempotency_key(*place, key) if key else None
    numbered = deliveries.find_by_sequence(*place, sequence) if sequence else None
    for name, known in (("idempotency key", keyed), ("sequence", numbered)):
        if known and known.sha256 != arrival.stored.sha256:
            raise Conflict(
                f"This {name} was used before for a different file.",
                next_action=f"Send the file with its own {name}.",
            )
    return keyed, numbered


def _find_told(connection: Connection, arrival: _Arrival) -> Delivery | None:
    """Answer the newest delivery of the same bytes of which its sender said the same.

    Another as-of time or another sequence is news: the roster still stands as it was. The time that its sender said
    before is none, although the file may say an older one, nor is the time that counts.
    """
    upload = arrival.upload
    for same in deliveries.find_by_digest(connection, arrival.organization_id, arrival.feed_id, arrival.stored.sha256):
        if upload.as_of_at in (None, same.declared_as_of_at, same.as_of_at) and upload.sequence in (
            None,
            same.sequence,
        ):
            return same
    return None


def _comes_anew(connection: Connection, arrival: _Arrival, same: Delivery) -> bool:
    """Answer whether bytes that are of no use as they came before may be of use as they come now.

    They were refused by a person, and it is asked for; or a person has changed how files are read; or what was wrong
    was their declared type, date or count, and that is another one.
    """
    upload = arrival.upload
    is_refused = same.is_refused or _keeps_everybody(connection, arrival, same)
    if not (is_refused or same.file_error or same.state == "rejected"):
        return False
    return (
        (upload.again and is_refused)
        or same.settings_digest not in (None, arrival.settings)
        or (same.file_error == MISTYPED and _find_type(same.content_type) != _find_type(upload.content_type))
        or (same.file_error == MISCOUNTED and upload.count not in (None, same.declared_count))
        or (same.hold_code == OF_THE_FUTURE and _is_redated(same, arrival))
    )


def _keeps_everybody(connection: Connection, arrival: _Arrival, same: Delivery) -> bool:
    """Answer whether a person has refused to let those go whom an accepted file leaves out."""
    if same.state not in COUNTING:
        return False
    asked = plans.find_holds(connection, arrival.organization_id, delivery_id=same.id)
    return any(hold.rule in REMOVAL_RULES and hold.state == "refused" for hold in asked)


def _is_redated(same: Delivery, arrival: _Arrival) -> bool:
    """A file dated in the future is news with another date, and once its day has come."""
    has_come = same.as_of_at is not None and same.as_of_at - arrival.at <= AHEAD
    return has_come or arrival.upload.as_of_at not in (same.declared_as_of_at, same.as_of_at)


def _find_type(content_type: str | None) -> str:
    return read_media_type(keep_type(content_type))


def _free_names(connection: Connection, arrival: _Arrival) -> None:
    """Take key and number from a delivery that is of no use: the one that comes in anew has them."""
    keyed, numbered = _find_named(connection, arrival)
    if keyed:
        deliveries.update_delivery(connection, arrival.organization_id, keyed.id, idempotency_key=None)
    if numbered:
        deliveries.update_delivery(connection, arrival.organization_id, numbered.id, sequence=None)


def _date_again(connection: Connection, arrival: _Arrival) -> datetime | None:
    """Answer the as-of time of a new delivery; bytes that counted before are no fresher for coming in anew undated."""
    told = _find_told(connection, arrival)
    if arrival.upload.as_of_at or told is None or told.state not in COUNTING:
        return arrival.upload.as_of_at
    return told.as_of_at or told.received_at


def _find_winner(rt: Runtime, arrival: _Arrival) -> Delivery:
    with rt.database.read() as connection:
        first = _find_first(connection, arrival)
    if first is None:
        raise Conflict("The same delivery was being recorded by somebody else.", next_action="Send it again.")
    return first


def _record_delivery(rt: Runtime, connection: Connection, arrival: _Arrival, actor: Actor) -> Delivery:
    upload, stored = arrival.upload, arrival.stored
    organization_id, feed_id, now = arrival.organization_id, arrival.feed_id, rt.now()
    as_of_at = _date_again(connection, arrival)
    _free_names(connection, arrival)
    added = deliveries.add_delivery(
        connection,
        organization_id,
        Delivery(
            feed_id=feed_id,
            sha256=stored.sha256,
            size=stored.size,
            content_type=keep_type(upload.content_type),
            mode=upload.mode,
            mode_signal=find_name_signal(upload.filename),
            as_of_at=as_of_at,
            declared_as_of_at=upload.as_of_at,
            sequence=upload.sequence,
            idempotency_key=upload.idempotency_key,
            received_at=now,
            received_by=actor.name,
            body_path=stored.path,
            declared_count=upload.count,
        ),
    )
    record_fact(
        connection,
        organization_id,
        "delivery-received",
        at=now,
        actor=actor.name,
        body={
            "delivery": added.id,
            "number": added.number,
            "feed": feed_id,
            "sha256": stored.sha256,
            "size": stored.size,
            "as_of": write_time(as_of_at) if as_of_at else None,
        },
    )
    return added
