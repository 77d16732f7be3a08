"""A delivery that is opened: its file read with the settings of its feed, and what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from service.domain.canonical import digest_json
from service.domain.feeds import FeedSettings, read_feed_settings, write_feed_settings
from service.domain.identifiers import Environment
from service.domain.series import Place, find_passed
from service.rosters.findings import Finding, Findings
from service.rosters.own_rows import keep_practitioners
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions, RosterReading
from service.runtime import Runtime
from service.storage import deliveries, feeds, organizations
from service.storage.connection import Connection
from service.storage.deliveries import Delivery, Holding
from service.storage.feeds import Feed
from service.storage.raw_files import open_raw_file
from service.storage.sealing import OrganizationKeys

_READ_WITH = ("column_mapping", "header_hash", "encoding", "practitioners")
"""The settings that decide what a file says; the others only say what of it is unusual."""
LAST_NUMBERED = 50
"""So many files back a series is followed."""
TRAILER_MISSING = "trailer_missing"
"""What is said of a batch that ends without the count of its messages, so that part of the file may be lost."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A delivery with its feed, the keys it is sealed with, what its file says, and where another feed said otherwise.

    `made_before` is the time of the first file that counts and follows this one in the series of the feed although it
    came in earlier, None in a series that is in order. The conflicts of a delivery that is read for the first time are
    among the findings of its reading already.
    """

    delivery: Delivery
    feed: Feed
    settings: FeedSettings
    keys: OrganizationKeys
    reading: RosterReading
    conflicts: Sequence[Finding] = ()
    made_before: datetime | None = None

    @property
    def is_snapshot(self) -> bool:
        """A sender may make a delivery weaker than its feed (delta for snapshot), never stronger (feeds 7.2)."""
        return "delta" not in (self.delivery.mode, self.feed.mode)

    @property
    def as_of_at(self) -> datetime | None:
        """The time the file speaks of; of two statements the older, because evidence never grows younger by itself."""
        told = [at for at in (self.delivery.as_of_at, self.reading.as_of_at) if at]
        return min(told, default=None)

    @property
    def evidence_at(self) -> datetime:
        """From when on what the file says was known to be so."""
        told_at = self.place.told_at
        return min(told_at, self.made_before - timedelta(seconds=1)) if self.made_before else told_at

    @property
    def place(self) -> Place:
        """What orders the delivery among those of its feed."""
        return Place(self.delivery.number, self.as_of_at, self.delivery.received_at)

    @property
    def sequence(self) -> str | None:
        """The number that the sender, or else the file, gives the delivery."""
        return self.delivery.sequence or self.reading.sequence

    @property
    def declared_count(self) -> int | None:
        """The number of rows that the sender or the file states; not the file's when one of its trailers is missing."""
        found = self.reading.findings
        if isinstance(found, Findings) and TRAILER_MISSING in found.count_codes():
            return self.delivery.declared_count
        return self.delivery.declared_count if self.reading.declared_count is None else self.reading.declared_count


def open_delivery(rt: Runtime, organization_id: str, delivery_id: str) -> Reading:
    """Unseal a delivery's file in memory and read it as its feed wants it now. Raises NotFound, SealBroken."""
    with rt.database.begin() as connection:
        delivery = deliveries.load_delivery(connection, organization_id, delivery_id)
        feed = feeds.load_feed(connection, organization_id, delivery.feed_id)
        keys = rt.open_keys(connection, organization_id)
        own = organizations.load_organization(connection, organization_id).npi
    settings = read_feed_settings(feed.settings)
    opened = Reading(delivery, feed, settings, keys, RosterReading("unread"))
    with open_raw_file(keys, rt.settings.uploads_dir, delivery.body_path) as path:
        opened = replace(opened, reading=read_as_told(path, opened, rt.now().date(), own))
    if opened.sequence is None:
        return opened
    with rt.database.read() as connection:
        return replace(opened, made_before=_find_made_before(connection, organization_id, opened))


def read_as_told(path: Path, opened: Reading, today: date, organization_npi: str | None = None) -> RosterReading:
    """Read a file with the settings of the delivery's feed, and add what its bytes alone do not say.

    `organization_npi` is the own number of the organisation, which no row may give a practitioner.
    """
    settings = opened.settings
    options = RosterOptions(
        environment=Environment(opened.feed.environment),
        mode="snapshot" if opened.is_snapshot else "delta",
        content_type=opened.delivery.content_type or None,
        column_mapping=settings.column_mapping,
        header_hash=settings.header_hash,
        encoding=settings.encoding,
        today=today,
        organization_npi=organization_npi,
    )
    return _add_circumstances(opened.delivery, settings, read_roster(path, options))


def _find_made_before(connection: Connection, organization_id: str, opened: Reading) -> datetime | None:
    """Answer the time of the first file that counts, came in before, and follows this one in the series (feeds 7.3).

    Where both say when they were made, that decides. Later files of the series came in later, and tell so themselves.
    """
    numbered = deliveries.find_last_accepted(
        connection,
        organization_id,
        opened.feed.id,
        n=LAST_NUMBERED,
        holding=Holding.SEQUENCE,
        before=opened.delivery.number,
    )
    passed = set(find_passed(opened.sequence, [one.sequence for one in numbered if one.sequence]))
    following = [one for one in numbered if one.sequence in passed and not (one.as_of_at and opened.as_of_at)]
    return min((Place(one.number, one.as_of_at, one.received_at).told_at for one in following), default=None)


def digest_settings(feed: Feed) -> str:
    """Answer the digest of what a feed's files are read with: the same bytes may say something else once it changes."""
    settings = write_feed_settings(read_feed_settings(feed.settings))
    return digest_json({"mode": feed.mode, "settings": {k: v for k, v in settings.items() if k in _READ_WITH}})


def _add_circumstances(delivery: Delivery, settings: FeedSettings, reading: RosterReading) -> RosterReading:
    """Add what the bytes alone do not say: the name they came under, the count that was declared, for whom to speak."""
    if delivery.mode_signal == "delta" and reading.mode_signal == "none":
        reading = replace(reading, mode_signal="delta")
    if reading.file_error is None and delivery.declared_count not in (None, reading.data_rows):
        reading = RosterReading(
            reading.format, file_error="count_mismatch", encoding=reading.encoding, data_rows=reading.data_rows
        )
    return keep_practitioners(reading, settings.practitioners) if settings.practitioners else reading
