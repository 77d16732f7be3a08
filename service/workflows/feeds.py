"""Feeds: configure where an organisation's rosters come from, and tell how each of them is doing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from service.domain.canonical import Json
from service.domain.errors import Conflict, InvalidInput, NotFound
from service.domain.feeds import (
    SETTING_NAMES,
    change_feed_settings,
    find_due_at,
    read_feed_settings,
    show_feed_settings,
    write_feed_settings,
)
from service.domain.identifiers import LONGEST_SLUG, is_slug
from service.domain.people import Action, Actor, check_may
from service.domain.typed_words import check_words
from service.runtime import Runtime
from service.storage import deliveries, feeds, organizations, plans
from service.storage.connection import Connection
from service.storage.errors import AlreadyRecorded
from service.storage.feeds import Feed
from service.workflows.record import record_fact

MODES = ("delta", "snapshot")
SCOPES = ("providers_in_file", "organization")
COLUMNS = ("mode", "scope", "absences_before_removal")
"""What every feed has besides its settings."""
MOST_ABSENCES = 10
ENVIRONMENT = "environment"
"""Which MBIs a feed's files may hold; it is the organisation's, from the beginning to the end."""


@dataclass(frozen=True, slots=True)
class LastDelivery:
    """The newest file of a feed, whatever became of it."""

    id: str
    number: int
    state: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class FeedView:
    """One feed: what was decided about it, every default spelled out, and how it is doing.

    `due_at` is until when the next delivery is expected, None where nothing is; `open_holds` are about its files.
    `heard_at` is when it last sent something that is of use, or came into being.
    """

    id: str
    mode: str
    scope: str
    absences_before_removal: int
    environment: str
    created_at: datetime
    settings: Mapping[str, Any]
    last_delivery: LastDelivery | None
    open_holds: int
    due_at: datetime | None
    is_overdue: bool
    heard_at: datetime


def add_feed(
    rt: Runtime,
    organization_id: str,
    *,
    feed_id: str,
    mode: str = "delta",
    scope: str = "providers_in_file",
    absences_before_removal: int = 2,
    environment: str | None = None,
    settings: Mapping[str, Any] | None = None,
    actor: Actor,
) -> FeedView:
    """Configure a source of rosters; a delta is the default because a delta never removes by absence.

    `settings` are those of `FeedSettings` by name. `environment` is which MBIs are allowed: that of the organisation,
    which is also what is meant where none is given. Raises InvalidInput, Conflict when the id is taken.
    """
    check_may(actor, Action.SET_UP, organization_id)
    _check_id(feed_id)
    columns: dict[str, Any] = {"mode": mode, "scope": scope, "absences_before_removal": absences_before_removal}
    _check_columns(columns)
    written = write_feed_settings(change_feed_settings(read_feed_settings({}), settings or {}))
    try:
        with rt.database.begin() as connection:
            organization = organizations.load_organization(connection, organization_id)
            _check_environment(environment, organization.environment)
            feed = Feed(
                id=feed_id, environment=organization.environment, settings=written, created_at=rt.now(), **columns
            )
            feeds.add_feed(connection, organization_id, feed)
            body: dict[str, Json] = {"feed": feed_id, **columns, "settings": written}
            record_fact(connection, organization_id, "feed-added", at=rt.now(), actor=actor.name, body=body)
    except AlreadyRecorded:
        raise Conflict(
            f"There is a feed {feed_id} already.", next_action="Choose another id, or change that one."
        ) from None
    return load_feed(rt, organization_id, feed_id)


def set_feed(rt: Runtime, organization_id: str, feed_id: str, changes: Mapping[str, Any], actor: Actor) -> FeedView:
    """Change what is named of a feed and nothing else; None puts a setting back to its default.

    What really differs is recorded with its old and new value; asking for what is so already changes nothing. The
    environment may be named, but never becomes another one. Raises InvalidInput, NotFound.
    """
    check_may(actor, Action.SET_UP, organization_id)
    for name in changes:
        check_words(name, "The name of a setting")
    _check_names(changes)
    columns = {name: value for name, value in changes.items() if name in COLUMNS}
    _check_columns(columns)
    with rt.database.begin() as connection:
        feed = _load(connection, organization_id, feed_id, feeds.lock_feed)
        _check_environment(changes.get(ENVIRONMENT), feed.environment)
        wanted = {name: value for name, value in changes.items() if name in SETTING_NAMES}
        settings = change_feed_settings(read_feed_settings(feed.settings), wanted)
        changed = replace(feed, **columns, settings=write_feed_settings(settings))
        differences = _find_differences(_list_values(feed), _list_values(changed))
        if differences:
            feeds.update_feed(connection, organization_id, feed_id, **columns, settings=changed.settings)
            body: dict[str, Json] = {"feed": feed_id, "changes": differences}
            record_fact(connection, organization_id, "feed-changed", at=rt.now(), actor=actor.name, body=body)
    return load_feed(rt, organization_id, feed_id)


def find_feeds(
    rt: Runtime, organization_id: str, *, after: str | None = None, limit: int | None = None
) -> list[FeedView]:
    """Answer the feeds of an organisation by id, those behind `after`."""
    with rt.database.read() as connection:
        found = feeds.find_feeds(connection, organization_id, after=after, limit=limit)
        open_holds = _count_open_holds(connection, organization_id)
        return [_view_feed(connection, organization_id, feed, open_holds[feed.id], rt.now()) for feed in found]


def load_feed(rt: Runtime, organization_id: str, feed_id: str) -> FeedView:
    """Answer one feed; raises NotFound."""
    with rt.database.read() as connection:
        feed = _load(connection, organization_id, feed_id)
        open_holds = _count_open_holds(connection, organization_id)
        return _view_feed(connection, organization_id, feed, open_holds[feed_id], rt.now())


def find_last_delivery(connection: Connection, organization_id: str, feed_id: str) -> LastDelivery | None:
    """Answer the newest file of a feed, None before the first."""
    newest = deliveries.find_deliveries(connection, organization_id, feed=feed_id, limit=1)
    return LastDelivery(newest[0].id, newest[0].number, newest[0].state, newest[0].received_at) if newest else None


def find_heard_at(connection: Connection, organization_id: str, feed: Feed) -> datetime:
    """Answer when a feed last sent a file that is of use, or that waits for a person, or the very bytes of one again.

    Before the first that is when it came into being.
    A file that was rejected by nobody cannot be used; one that a person refused has been looked at.
    """
    last = deliveries.find_last_useful(connection, organization_id, feed.id)
    return max(at for at in (feed.created_at, feed.repeated_at, last and last.received_at) if at)


def _view_feed(connection: Connection, organization_id: str, feed: Feed, open_holds: int, now: datetime) -> FeedView:
    settings = read_feed_settings(feed.settings)
    last = find_last_delivery(connection, organization_id, feed.id)
    heard_at = find_heard_at(connection, organization_id, feed)
    due_at = find_due_at(settings, heard_at)
    return FeedView(
        id=feed.id,
        mode=feed.mode,
        scope=feed.scope,
        absences_before_removal=feed.absences_before_removal,
        environment=feed.environment,
        created_at=feed.created_at,
        settings=show_feed_settings(settings),
        last_delivery=last,
        open_holds=open_holds,
        due_at=due_at,
        is_overdue=due_at is not None and now > due_at,
        heard_at=heard_at,
    )


def _count_open_holds(connection: Connection, organization_id: str) -> Counter[str]:
    """Answer by feed how many open holds are about its files, whether the file is held or only what it removes."""
    found = plans.find_holds(connection, organization_id, state="open")
    named = (deliveries.load_delivery(connection, organization_id, h.delivery_id) for h in found if h.delivery_id)
    return Counter(delivery.feed_id for delivery in named)


def _load(
    connection: Connection,
    organization_id: str,
    feed_id: str,
    load: Callable[[Connection, str, str], Feed] = feeds.load_feed,
) -> Feed:
    try:
        return load(connection, organization_id, feed_id)
    except NotFound as missing:
        raise NotFound(
            missing.message,
            next_action="Check its id; the list of feeds shows which there are.",
            at_terminal=f"See which there are: rollcall feed list --org {organization_id}.",
        ) from None


def _list_values(feed: Feed) -> dict[str, Json]:
    columns: dict[str, Json] = {name: getattr(feed, name) for name in COLUMNS}
    return columns | show_feed_settings(read_feed_settings(feed.settings))


def _find_differences(old: Mapping[str, Json], new: Mapping[str, Json]) -> dict[str, Json]:
    return {name: {"old": old[name], "new": value} for name, value in new.items() if old[name] != value}


def _check_id(feed_id: str) -> None:
    check_words(feed_id, "The feed id")
    if not is_slug(feed_id):
        raise InvalidInput(f"The feed id must be lower-case letters, digits and hyphens, at most {LONGEST_SLUG}.")


def _check_environment(wanted: object, its: str) -> None:
    """Refuse synthetic MBIs among those of people, and the reverse: all of an organisation's go to one DPC."""
    if wanted is not None and wanted != its:
        raise InvalidInput(
            f"The environment of a feed is that of its organisation, {its}, and never another one.",
            next_action="Leave it out, or add the feed to an organisation of that environment.",
        )


def _check_names(changes: Mapping[str, Any]) -> None:
    unknown = sorted(changes.keys() - {*COLUMNS, *SETTING_NAMES, ENVIRONMENT})
    allowed = f"What may be changed is: {', '.join((*COLUMNS, *SETTING_NAMES))}."
    if unknown:
        raise InvalidInput(f"A feed has no {unknown[0]}.", next_action=allowed)
    if not changes:
        raise InvalidInput("Nothing to change was given.", next_action=allowed)


def _check_columns(columns: Mapping[str, Any]) -> None:
    for name, choices in (("mode", MODES), ("scope", SCOPES)):
        if name in columns and columns[name] not in choices:
            raise InvalidInput(f"{name} must be one of: {', '.join(choices)}.")
    absences = columns.get("absences_before_removal", 1)
    if not isinstance(absences, int) or isinstance(absences, bool) or not 1 <= absences <= MOST_ABSENCES:
        raise InvalidInput(f"absences_before_removal must be a whole number from 1 to {MOST_ABSENCES}.")
