"""Let a person say which column of a feed's files is what, and keep the choice with the header that it was made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.domain.errors import InvalidInput, UnreadableFile
from service.domain.identifiers import Environment
from service.domain.people import Action, Actor, check_may
from service.rosters.heading_rows import Headings, read_headings
from service.rosters.headings import PAIR_ROLES, place_roles, simplify_heading
from service.rosters.reading import RosterOptions
from service.runtime import Runtime
from service.storage import deliveries
from service.storage.raw_files import open_raw_file
from service.workflows.access import note_access
from service.workflows.feeds import FeedView, load_feed, set_feed

NEEDED_ROLES = ("mbi", "npi")


@dataclass(frozen=True, slots=True)
class Sample:
    """Where headings are read from: a local file, or a stored delivery of the feed."""

    file: Path | None = None
    delivery_id: str | None = None


@dataclass(frozen=True, slots=True)
class HeadingView:
    """One heading with its place from 1, and what the column is taken for now."""

    number: int
    heading: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeadingsView:
    """The headings of a file with their hash and line, and what no column is taken for although a roster needs it."""

    headings: tuple[HeadingView, ...]
    header_hash: str
    line: int
    missing: tuple[str, ...]


def find_headings(rt: Runtime, organization_id: str, feed_id: str, sample: Sample, actor: Actor) -> HeadingsView:
    """Answer the headings of a file and what each is taken for; looking into a stored delivery is recorded.

    Raises NotFound, and UnreadableFile for a file without headings.
    """
    check_may(actor, Action.SET_UP, organization_id)
    feed = load_feed(rt, organization_id, feed_id)
    found = _read_sample(rt, organization_id, feed, sample, actor)
    places = place_roles(found.cells, feed.settings["column_mapping"])
    shown = tuple(
        HeadingView(place + 1, heading, tuple(role for role, taken in places.items() if place in taken))
        for place, heading in enumerate(found.cells)
    )
    missing = tuple(role for role in NEEDED_ROLES if not places.get(role))
    return HeadingsView(shown, found.header_hash, found.line, missing)


def map_columns(
    rt: Runtime, organization_id: str, feed_id: str, sample: Sample, mapping: Mapping[str, str], actor: Actor
) -> FeedView:
    """Keep which heading is what, with the hash of this file's header; another header is held from then on (feeds 3.4).

    Raises InvalidInput for a heading that the file has not, or has twice, or where MBI or NPI would stay unknown.
    """
    check_may(actor, Action.SET_UP, organization_id)
    feed = load_feed(rt, organization_id, feed_id)
    found = _read_sample(rt, organization_id, feed, sample, actor)
    _check_choice(found.cells, mapping)
    changes = {"column_mapping": dict(mapping), "header_hash": found.header_hash}
    return set_feed(rt, organization_id, feed_id, changes, actor)


def _check_choice(headings: Sequence[str], mapping: Mapping[str, str]) -> None:
    listed = [_simplify(heading) for heading in headings]
    places = place_roles(headings, mapping)
    for role, heading in mapping.items():
        n = listed.count(_simplify(heading))
        if n == 1 and role in places:
            continue
        kinds = {0: "is not in the file", 1: "stands for a number of another kind"}
        raise InvalidInput(
            f"The heading given for {role} {kinds.get(n, 'is in the file more than once')}.",
            next_action="See the headings: the same command without --map. Each must be there exactly once.",
        )
    for role in PAIR_ROLES:
        n = len(places.get(role, ()))
        if n > 1 or (n == 0 and role in NEEDED_ROLES):
            trouble = f"Several columns could be {role}." if n else f"No column is taken for {role}."
            raise InvalidInput(trouble, next_action=f"Say which, with --map {role}=HEADING.")


def _simplify(heading: str) -> str:
    return simplify_heading(heading) or heading.strip()


def _read_sample(rt: Runtime, organization_id: str, feed: FeedView, sample: Sample, actor: Actor) -> Headings:
    if sample.file is not None:
        return _read_headings(sample.file, feed, sample.file.name)
    with rt.database.begin() as connection:
        delivery = deliveries.load_delivery(connection, organization_id, sample.delivery_id or "")
        if delivery.feed_id != feed.id:
            raise InvalidInput(
                f"Delivery {delivery.number} came from the feed {delivery.feed_id}.",
                next_action=f"Choose a delivery of {feed.id}.",
                at_terminal=f"Choose one of: rollcall delivery list --org {organization_id} --feed {feed.id}.",
            )
        keys = rt.open_keys(connection, organization_id)
        note_access(rt, connection, organization_id, actor, "headings", f"delivery:{delivery.id}", 0)
    with open_raw_file(keys, rt.settings.uploads_dir, delivery.body_path) as path:
        return _read_headings(path, feed, None)


def _read_headings(path: Path, feed: FeedView, filename: str | None) -> Headings:
    options = RosterOptions(
        environment=Environment(feed.environment),
        filename=filename,
        column_mapping=feed.settings["column_mapping"],
        encoding=feed.settings["encoding"],
    )
    found = read_headings(path, options)
    if found is None:
        raise UnreadableFile(
            "No headings can be read from this file.",
            next_action="Choose a delimited file or a workbook whose first rows hold headings.",
            code="header_unrecognised",
        )
    return found
