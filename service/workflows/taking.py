"""One process at a time reads the files of a feed, or tells changed MBIs; one that was overtaken writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from service.domain.errors import Busy
from service.runtime import Runtime
from service.storage import deliveries, leases
from service.storage.connection import Connection
from service.storage.rows import new_id

READING_LASTS = timedelta(minutes=5)
"""A feed is left to the process that reads it for so long after each of its steps."""


@dataclass(frozen=True, slots=True)
class TakenFeed:
    """A feed that this process reads, until somebody takes it who had to believe that the process is dead.

    `more` are the tokens of what else has been taken for its delivery.
    """

    rt: Runtime
    organization_id: str
    resource: str
    token: int
    more: Mapping[str, int] = field(default_factory=dict)

    def keep(self) -> None:
        """Keep the feed for the next step. Raises Busy when somebody else has taken it."""
        with self.rt.database.begin() as connection:
            self.check(connection)

    def check(self, connection: Connection) -> None:
        """Raise Busy when somebody else has taken the feed, or what else was taken; nobody does in this transaction.

        A step that took longer than the feed was kept for does no harm while nobody came between.
        """
        until = self.rt.now() + READING_LASTS
        for resource, token in {self.resource: self.token, **self.more}.items():
            if not leases.extend_lease(connection, self.organization_id, resource, token, until):
                raise Busy("Another process has taken over the reading of this feed.", next_action=_LATER)


@contextmanager
def take_feed(rt: Runtime, organization_id: str, delivery_id: str) -> Iterator[TakenFeed]:
    """Keep the feed of a delivery for ourselves while the block runs; raises Busy when somebody else has it."""
    with rt.database.read() as connection:
        resource = f"feed:{deliveries.load_delivery(connection, organization_id, delivery_id).feed_id}"
    with _take(rt, organization_id, resource, "This feed is being read by another process.") as token:
        yield TakenFeed(rt, organization_id, resource, token)


@contextmanager
def take_changes(taken: TakenFeed, changes: Sized) -> Iterator[TakenFeed]:
    """Keep what is told of changed MBIs for ourselves too while the block runs, when a delivery tells any.

    They concern the whole organisation: two feeds that are read at the same moment would not see that one contradicts
    the other. Raises Busy when somebody else reads some.
    """
    if not changes:
        yield taken
        return
    busy = "Changed MBIs are being read by another process."
    with _take(taken.rt, taken.organization_id, _CHANGES, busy) as token:
        yield replace(taken, more={**taken.more, _CHANGES: token})


@contextmanager
def _take(rt: Runtime, organization_id: str, resource: str, busy: str) -> Iterator[int]:
    with rt.database.begin() as connection:
        token = leases.acquire_lease(connection, organization_id, resource, new_id(), now=rt.now(), ttl=READING_LASTS)
    if token is None:
        raise Busy(busy, next_action=_LATER)
    try:
        yield token
    finally:
        with rt.database.begin() as connection:
            leases.release_lease(connection, organization_id, resource, token)


_CHANGES = "changed-mbis"
_LATER = "Wait a moment and look again."
