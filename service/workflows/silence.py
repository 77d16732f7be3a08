"""Opens an incident for each feed that has missed its cadence, with what the silence costs, and closes it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domain.feeds import find_due_at, read_feed_settings
from service.runtime import Runtime
from service.storage import feeds, people
from service.storage.connection import Connection
from service.workflows.feeds import find_heard_at, find_last_delivery
from service.workflows.incidents import Watch
from service.workflows.waiting import find_cost_of_silence

KIND = "feed_silent"
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Silence:
    """A feed that sends nothing of use: since when, and how often it was expected to send.

    `is_useless` says that files came since then, and that each of them was rejected because it cannot be used.
    """

    feed_id: str
    since: datetime
    every: timedelta
    is_useless: bool = False

    @property
    def mark(self) -> str:
        """What an incident begins with; the same for as long as the silence is the same."""
        return self.marks[self.is_useless]

    @property
    def marks(self) -> tuple[str, str]:
        """What an incident begins with while nothing comes at all, and once something came that cannot be used."""
        since = f"since {self.since:%Y-%m-%d %H:%M} UTC;"
        feed = f"Feed {self.feed_id} has sent"
        return f"{feed} nothing {since}", f"{feed} nothing that could be used {since}"

    @property
    def sentence(self) -> str:
        """What is wrong."""
        return f"{self.mark} a delivery was expected every {tell_span(self.every)}."


def watch_feeds(rt: Runtime, organization_id: str) -> Watch:
    """Compare the newest delivery of every feed with its cadence, and keep the incidents true.

    1. A feed from which nothing of use came for longer than expected: one incident for the whole silence.
    2. A silence of which something else must be said by now, such as that only useless files come: another incident.
    3. A silence that is over, because something came or nothing is expected any more: its incident is closed.

    Asks nothing of DPC. Raises SealBroken with other keys.
    """
    now = rt.now()
    with rt.database.begin() as connection:
        silences = find_silences(connection, organization_id, now)
        known = people.find_incidents(connection, organization_id, kind=KIND, only_open=True)
        over = [i for i in known if not any(i.cause.startswith(one.mark) for one in silences)]
        for incident in over:
            people.close_incident(connection, organization_id, incident.id, now=now)
        new = [one for one in silences if not any(i.cause.startswith(one.mark) for i in known)]
        keys = rt.open_keys(connection, organization_id) if new else None
        for silence in new:
            costs_from = find_cost_of_silence(connection, keys, organization_id, silence.feed_id, now) if keys else None
            cause = f"{silence.sentence} {tell_cost(costs_from)}"
            people.open_incident(connection, organization_id, people.Incident(kind=KIND, cause=cause, opened_at=now))
        return Watch(len(new), len(over), len(silences))


def find_silences(connection: Connection, organization_id: str, now: datetime) -> list[Silence]:
    """Answer the feeds that are silent for longer than expected, by id."""
    found = []
    for feed in feeds.find_feeds(connection, organization_id):
        settings = read_feed_settings(feed.settings)
        if settings.expected_every is None:
            continue
        heard_at = find_heard_at(connection, organization_id, feed)
        due_at = find_due_at(settings, heard_at)
        if due_at and now > due_at:
            last = find_last_delivery(connection, organization_id, feed.id)
            is_useless = last is not None and last.received_at > heard_at
            found.append(Silence(feed.id, heard_at, settings.expected_every, is_useless))
    return found


def find_feed_cost(rt: Runtime, organization_id: str, feed_id: str) -> datetime | None:
    """Answer the same as `find_cost_of_silence`, for a page."""
    keys = rt.load_keys(organization_id)
    with rt.database.read() as connection:
        return find_cost_of_silence(connection, keys, organization_id, feed_id, rt.now())


def tell_cost(costs_from: datetime | None) -> str:
    """Answer in one sentence what waiting costs."""
    if costs_from is None:
        return "No attribution lapses for want of it for now."
    return f"Without a new one, attributions start to lapse on {costs_from:%Y-%m-%d %H:%M} UTC."


def tell_span(span: timedelta) -> str:
    """Answer a cadence like `24 hours` or `7 days`."""
    n, unit = (span // _DAY, "day") if span % _DAY == timedelta(0) and span > _DAY else (span // _HOUR, "hour")
    return f"{n} {unit}" + ("" if n == 1 else "s")


def is_silent_still(cause: str, silences: Iterable[Silence]) -> bool:
    """Answer whether the incident with this cause is about one of these silences."""
    return any(cause.startswith(one.marks) for one in silences)


def find_feed_id(cause: str) -> str | None:
    """Answer which feed the incident with this cause is about; None when the words are others."""
    words = cause.split(" ", 2)
    return words[1] if words[0] == "Feed" and len(words) == 3 else None
