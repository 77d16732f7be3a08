"""The headings that a person's choice of columns was made for, learned from the first file that counts with it."""

from __future__ import annotations

from service.domain.feeds import change_feed_settings, read_feed_settings, write_feed_settings
from service.runtime import Runtime
from service.storage import feeds
from service.storage.connection import Connection
from service.workflows.reading import Reading
from service.workflows.record import record_fact


def keep_header(rt: Runtime, connection: Connection, organization_id: str, opened: Reading) -> None:
    """Keep the header of a roster that counts, where a person chose columns and no header is known for them yet.

    From then on other headings hold a file (feeds 3.4). `rollcall feed map` has looked at a header before; a list of
    practitioners' names, and a file without headings, show none.
    """
    reading, chosen = opened.reading, opened.settings.column_mapping
    if not (chosen and reading.header_hash and len(reading.present) + len(reading.remove)):
        return
    feed = feeds.lock_feed(connection, organization_id, opened.feed.id)
    settings = read_feed_settings(feed.settings)
    if settings.header_hash is not None or dict(settings.column_mapping) != dict(chosen):
        return  # somebody has chosen anew while the file was read
    changed = write_feed_settings(change_feed_settings(settings, {"header_hash": reading.header_hash}))
    feeds.update_feed(connection, organization_id, feed.id, settings=changed)
    record_fact(
        connection,
        organization_id,
        "feed-changed",
        at=rt.now(),
        actor="rollcall",
        body={
            "feed": feed.id,
            "delivery": opened.delivery.id,
            "changes": {"header_hash": {"old": None, "new": reading.header_hash}},
        },
    )
