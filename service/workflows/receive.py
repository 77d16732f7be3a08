"""Take a roster file in: sealed on disk, recorded once, read later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from service.domain.canonical import write_time
from service.domain.errors import Conflict, InvalidInput
from service.domain.patient_numbers import holds_patient_number
from service.domain.people import Action, Actor, check_may
from service.rosters.content_types import keep_type, read_media_type
from service.rosters.names import find_name_signal
from service.runtime import Runtime
from service.storage import deliveries, feeds
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
MISTYPED = "unsupported_format_mismatch"


@dataclass(frozen=True, slots=True)
class Upload:
    """What the sender says about the file; `sha256` (hex) is checked against the bytes, `count` against the rows.

    `again` asks to take in bytes that a person has refused before.
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
class Receipt:
    """The delivery as recorded; `is_new` is False when the same bytes had been sent before."""

    delivery: DeliveryView
    is_new: bool


def receive(rt: Runtime, organization_id: str, feed_id: str, stream: Stream, upload: Upload, actor: Actor) -> Receipt:
    """Receive one file for a feed.

    1. Stream the bytes to a sealed file, hashing on the way; refuse what is too large, empty or not what was declared.
    2. The same bytes again, or the same idempotency key with the same bytes, answer with the first receipt; unless a
       person refused them and it is asked for: then they come in anew, to be judged and to wait for a person. So do
       bytes that could not be used for their Content-Type alone, once it is another one.
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
    try:
        if upload.sha256 and upload.sha256 != stored.sha256:
            raise InvalidInput(
                "The bytes that arrived do not have the digest that was declared.",
                next_action="Send the file again; something was lost on the way.",
            )
        with rt.database.begin() as connection:
            first = _find_first(connection, organization_id, feed_id, stored, upload, settings)
            if first is None:
                _free_names(connection, organization_id, feed_id, stored, upload)
                added = _record_delivery(rt, connection, organization_id, feed_id, stored, upload, actor)
                return Receipt(view_delivery(added), is_new=True)
    except AlreadyRecorded:
        first = _find_winner(rt, organization_id, feed_id, stored, upload, settings)
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


def _find_first(
    connection: Connection, organization_id: str, feed_id: str, stored: StoredFile, upload: Upload, settings: str
) -> Delivery | None:
    """Answer the earlier delivery of the same bytes; raises Conflict for a reused key or sequence with other bytes."""
    keyed, numbered = _find_named(connection, organization_id, feed_id, stored, upload)
    if any(_is_retyped(named, upload) for named in (keyed, numbered)):
        return None
    if keyed or (numbered and not upload.again):
        return keyed or numbered
    same = deliveries.find_by_digest(connection, organization_id, feed_id, stored.sha256)
    if same is None or (upload.again and same.is_refused):
        return None
    is_news = _is_newer(same, upload) or _may_read_better(same, settings)
    return None if _is_retyped(same, upload) or (not numbered and is_news) else same


def _find_named(
    connection: Connection, organization_id: str, feed_id: str, stored: StoredFile, upload: Upload
) -> tuple[Delivery | None, Delivery | None]:
    """Answer the earlier deliveries of the same key and of the same sequence; raises Conflict for other bytes."""
    key, sequence = upload.idempotency_key, upload.sequence
    keyed = deliveries.find_by_idempotency_key(connection, organization_id, feed_id, key) if key else None
    numbered = deliveries.find_by_sequence(connection, organization_id, feed_id, sequence) if sequence else None
    for name, known in (("idempotency key", keyed), ("sequence", numbered)):
        if known and known.sha256 != stored.sha256:
            raise Conflict(
                f"This {name} was used before for a different file.",
                next_action=f"Send the file with its own {name}.",
            )
    return keyed, numbered


def _may_read_better(same: Delivery, settings: str) -> bool:
    """A file that could not be used, or was rejected, is news once a person has changed how files are read."""
    is_useless = same.file_error is not None or same.state == "rejected"
    return is_useless and same.settings_digest not in (None, settings)


def _is_retyped(same: Delivery | None, upload: Upload) -> bool:
    """A file that could not be used for its declared type alone is news when it comes with another one."""
    if same is None or same.file_error != MISTYPED:
        return False
    return read_media_type(same.content_type) != read_media_type(keep_type(upload.content_type))


def _free_names(connection: Connection, organization_id: str, feed_id: str, stored: StoredFile, upload: Upload) -> None:
    """Take number and key from a delivery of which nothing counts but its declared type is wrong: the next has them."""
    keyed, numbered = _find_named(connection, organization_id, feed_id, stored, upload)
    if keyed and _is_retyped(keyed, upload):
        deliveries.update_delivery(connection, organization_id, keyed.id, idempotency_key=None)
    if numbered and _is_retyped(numbered, upload):
        deliveries.update_delivery(connection, organization_id, numbered.id, sequence=None)


def _is_newer(same: Delivery, upload: Upload) -> bool:
    """The same bytes with a later as-of time or another sequence are news: the roster still stands as it was."""
    later = upload.as_of_at is not None and upload.as_of_at != same.as_of_at
    return later or (upload.sequence is not None and upload.sequence != same.sequence)


def _find_winner(
    rt: Runtime, organization_id: str, feed_id: str, stored: StoredFile, upload: Upload, settings: str
) -> Delivery:
    with rt.database.read() as connection:
        first = _find_first(connection, organization_id, feed_id, stored, upload, settings)
    if first is None:
        raise Conflict("The same delivery was being recorded by somebody else.", next_action="Send it again.")
    return first


def _record_delivery(
    rt: Runtime,
    connection: Connection,
    organization_id: str,
    feed_id: str,
    stored: StoredFile,
    upload: Upload,
    actor: Actor,
) -> Delivery:
    now = rt.now()
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
            as_of_at=upload.as_of_at,
            sequence=_find_free_sequence(connection, organization_id, feed_id, upload),
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
            "as_of": write_time(upload.as_of_at) if upload.as_of_at else None,
        },
    )
    return added


def _find_free_sequence(connection: Connection, organization_id: str, feed_id: str, upload: Upload) -> str | None:
    """Answer the number that the sender gives; what is taken again leaves it with the delivery that was refused."""
    if not (upload.again and upload.sequence):
        return upload.sequence
    is_taken = deliveries.find_by_sequence(connection, organization_id, feed_id, upload.sequence) is not None
    return None if is_taken else upload.sequence
