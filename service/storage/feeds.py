"""Feeds: the configured sources of an organisation's rosters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from service.storage.rows import change_row, check_changes, find_values, load_value, write_value
from service.storage.tables.organizations import feed as feeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One source; `id` is a slug, `settings` what its reader needs to know (columns, delimiter and the like).

    `repeated_at` is when it last sent the very bytes of an earlier file that is of use.
    """

    id: str
    mode: str
    environment: str
    scope: str
    created_at: datetime
    absences_before_removal: int = 2
    settings: Mapping[str, Any] = field(default_factory=dict)
    repeated_at: datetime | None = None


def add_feed(connection: Connection, organization_id: str, feed: Feed) -> None:
    """Add a feed; raises AlreadyRecorded when its id is taken in this organisation."""
    write_value(connection, feeds, feed, organization_id=organization_id)


def load_feed(connection: Connection, organization_id: str, feed_id: str) -> Feed:
    """Answer one feed; raises NotFound."""
    return load_value(connection, feeds, Feed, feeds.c.organization_id == organization_id, feeds.c.id == feed_id)


def lock_feed(connection: Connection, organization_id: str, feed_id: str) -> Feed:
    """Answer one feed that is about to change; whoever changes it next waits for this transaction. Raises NotFound."""
    named = (feeds.c.organization_id == organization_id, feeds.c.id == feed_id)
    connection.execute(select(feeds.c.id).where(*named).with_for_update())
    return load_feed(connection, organization_id, feed_id)


def find_feeds(
    connection: Connection, organization_id: str, *, after: str | None = None, limit: int | None = None
) -> list[Feed]:
    """Answer the feeds of an organisation, by id; `after` is the id of the last one on the page before."""
    where = [feeds.c.organization_id == organization_id]
    if after is not None:
        where.append(feeds.c.id > after)
    return find_values(connection, feeds, Feed, *where, order_by=[feeds.c.id], limit=limit)


def update_feed(connection: Connection, organization_id: str, feed_id: str, **changes: Any) -> Feed:
    """Change named columns and answer the feed as it is now; raises NotFound, TypeError for a column it has not."""
    check_changes(feeds, changes, fixed=("id", "created_at"))
    change_row(connection, feeds, changes, feeds.c.organization_id == organization_id, feeds.c.id == feed_id)
    return load_feed(connection, organization_id, feed_id)
