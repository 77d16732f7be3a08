"""One process at a time reads the files of a feed; one that was overtaken writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    """A feed that this process reads, until somebody takes it who had to believe that the process is dead."""

    rt: Runtime
    organization_id: str
    resource: str
    token: int

    def keep(self) -> None:
        """Keep the feed for the next step. Raises Busy when somebody else has taken it."""
        with self.rt.database.begin() as connection:
            self.check(connection)

    def check(self, connection: Connection) -> None:
        """Raise Busy when somebody else has taken the feed; nobody takes it before this transaction ends.

        A step that took longer than the feed was kept for does no harm while nobody came between.
        """
        until = self.rt.now() + READING_LASTS
        if not leases.extend_lease(connection, self.organization_id, self.resource, self.token, until):
            raise Busy("Another process has taken over the reading of this feed.", next_action=_LATER)


@contextmanager
def take_feed(rt: Runtime, organization_id: str, delivery_id: str) -> Iterator[TakenFeed]:
    """Keep the feed of a delivery for ourselves while the block runs; raises Busy when somebody else has it."""
    with rt.database.begin() as connection:
        resource = f"feed:{deliveries.load_delivery(connection, organization_id, delivery_id).feed_id}"
        token = leases.acquire_lease(connection, organization_id, resource, new_id(), now=rt.now(), ttl=READING_LASTS)
    if token is None:
        raise Busy("This feed is being read by another process.", next_action=_LATER)
    try:
        yield TakenFeed(rt, organization_id, resource, token)
    finally:
        with rt.database.begin() as connection:
            leases.release_lease(connection, organization_id, resource, token)


_LATER = "Wait a moment and look again."
