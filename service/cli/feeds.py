"""Feeds at the terminal: where rosters come from and what they may remove."""

from __future__ import annotations

from typing import Any

import click

from service.cli.door import Door
from service.cli.options import pass_door, with_format, with_org
from service.cli.output import print_line, print_rows
from service.domain.people import Actor
from service.workflows import onboard

_MODE = click.Choice(["snapshot", "delta"])
_SCOPE = click.Choice(["providers_in_file", "organization"])


@click.group()
def feed() -> None:
    """Feeds: configured sources of rosters."""


@feed.command("add")
@click.argument("feed_id", metavar="FEED")
@with_org
@click.option(
    "--mode", type=_MODE, default="delta", show_default=True, help="Whether a file is everybody, or changes only."
)
@click.option(
    "--scope", type=_SCOPE, default="providers_in_file", show_default=True, help="Whom a snapshot may remove."
)
@click.option(
    "--absences",
    "absences_before_removal",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Accepted snapshots in a row without a patient before the patient is let go.",
)
@with_format
@pass_door
def add(door: Door, feed_id: str, organization_id: str, **options: Any) -> None:
    """Add a feed. Only a snapshot feed ever removes somebody because they are absent.

    Example: rollcall feed add ehr-daily --org lakeside --mode snapshot
    """
    added = onboard.add_feed(
        door.open_for(organization_id), organization_id, feed_id=feed_id, actor=Actor.operator(), **options
    )
    door.show(added, lambda: print_line(f"Feed {feed_id} of {organization_id} is added."))


@feed.command("list")
@with_org
@with_format
@pass_door
def list_feeds(door: Door, organization_id: str) -> None:
    """List an organisation's feeds.

    Example: rollcall feed list --org lakeside
    """
    found = onboard.find_feeds(door.open_for(organization_id), organization_id)
    columns = ("id", "mode", "scope", "absences_before_removal")
    rows = [[getattr(item, column) for column in columns] for item in found]
    door.show(found, lambda: print_rows(columns, rows, empty="There is no feed yet."))


@feed.command("set")
@click.argument("feed_id", metavar="FEED")
@with_org
@click.option("--mode", type=_MODE, help="Whether a file is everybody, or changes only.")
@click.option("--scope", type=_SCOPE, help="Whom a snapshot may remove.")
@click.option("--absences", "absences_before_removal", type=click.IntRange(1), help="Absences before removal.")
@with_format
@pass_door
def set_feed(door: Door, feed_id: str, organization_id: str, **options: Any) -> None:
    """Change a feed; only what is given changes.

    Example: rollcall feed set ehr-daily --org lakeside --absences 3
    """
    changes = {name: value for name, value in options.items() if value is not None}
    if not changes:
        raise click.UsageError("Nothing to change was given; `rollcall feed set --help` lists what can be.")
    changed = onboard.set_feed(door.open_for(organization_id), organization_id, feed_id, changes, Actor.operator())
    door.show(changed, lambda: print_line(f"Feed {feed_id} of {organization_id} is changed."))
