"""Feeds at the terminal: where rosters come from, what is normal for each source, and what its files may remove."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from service.cli.door import Door
from service.cli.options import pass_door, with_format, with_org
from service.cli.output import print_line, print_record, print_rows, show_cell
from service.domain.errors import InvalidInput
from service.domain.feeds import ENCODINGS, MAPPABLE_ROLES, SETTING_NAMES
from service.domain.people import Actor

if TYPE_CHECKING:
    from service.workflows.feeds import FeedView
    from service.workflows.map_columns import HeadingsView

Verb = TypeVar("Verb", bound=Callable[..., Any])
_MODE = click.Choice(["snapshot", "delta"])
_SCOPE = click.Choice(["providers_in_file", "organization"])
_SPAN = re.compile(r"([1-9][0-9]{0,4})([hd])")
_ENVIRONMENT = click.Choice(["sandbox", "production"])
_CLEARABLE = click.Choice([name.replace("_", "-") for name in SETTING_NAMES])


class _Mapping(click.ParamType[tuple[str, str]]):
    """Text like `mbi=Member Number`: what a column is, and the heading above it."""

    name = "ROLE=HEADING"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Read one choice; fails where there is no `=` or no such role."""
        role, equals, heading = str(value).partition("=")
        if not equals or not heading.strip() or role not in MAPPABLE_ROLES:
            roles = ", ".join(MAPPABLE_ROLES)
            self.fail(f'write it as mbi="Member Number"; a column can be: {roles}.', param, ctx)
        return role, heading


class _Span(click.ParamType[int]):
    """Time like `24h` or `7d`, read as hours."""

    name = "24h|7d"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a number of hours or days; fails for anything else."""
        found = _SPAN.fullmatch(str(value))
        if found is None:
            self.fail("write it in hours or days, such as 24h or 7d.", param, ctx)
        return int(found[1]) * (24 if found[2] == "d" else 1)


_MAP = click.option(
    "--map", "column_mapping", type=_Mapping(), multiple=True, help="Which heading is what; replaces what was chosen."
)
_SETTINGS = (
    click.option(
        "--practitioner", "practitioners", metavar="NPI", multiple=True, help="For whom alone the feed may speak."
    ),
    _MAP,
    click.option("--encoding", type=click.Choice(ENCODINGS), help="How its files are encoded."),
    click.option(
        "--expected-every", "expected_every_hours", type=_Span(), help="After how long silence is an incident."
    ),
    click.option(
        "--expects-count/--no-expects-count",
        default=None,
        help="Whether a file must say how many rows it has, or waits for a person.",
    ),
    click.option(
        "--shares-patients/--no-shares-patients",
        default=None,
        help="Whether its patients may well be on another organisation's roster; if not, many such hold a file.",
    ),
    click.option("--min-rows", type=int, help="A file with fewer rows waits for a person."),
    click.option("--rows-down-percent", type=int, help="A snapshot smaller by more than this waits for a person."),
    click.option("--rows-up-percent", type=int, help="A snapshot larger by more than this waits for a person."),
    click.option("--rejected-percent", type=int, help="A file with a larger part of wrong rows waits for a person."),
    click.option("--max-removals", type=int, help="A file that lets go more patients lets nobody go unseen."),
    click.option("--max-removal-percent", type=int, help="The same, in percent of the patients known to the feed."),
)


def with_settings(verb: Verb) -> Verb:
    """Add an option for every setting of a feed."""
    for option in reversed(_SETTINGS):
        verb = option(verb)
    return verb


def _read_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Answer what was given of the settings; what is left out is None or empty and no change."""
    given = {name: options[name] for name in SETTING_NAMES if options.get(name) not in (None, ())}
    if "column_mapping" in given:
        given["column_mapping"] = _read_mapping(given["column_mapping"])
    if "practitioners" in given:
        given["practitioners"] = list(given["practitioners"])
    return given


def _read_mapping(chosen: Sequence[tuple[str, str]]) -> dict[str, str]:
    mapping = dict(chosen)
    if len(mapping) < len(chosen):
        raise InvalidInput("A role was mapped twice.", next_action="Give one heading for each role.")
    return mapping


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
@click.option(
    "--environment",
    type=_ENVIRONMENT,
    help="Which MBIs are allowed: synthetic ones, or those of people; always the organisation's.",
)
@with_settings
@with_format
@pass_door
def add(door: Door, feed_id: str, organization_id: str, **options: Any) -> None:
    """Add a feed. Only a snapshot feed ever removes somebody because they are absent.

    Example: rollcall feed add ehr-daily --org lakeside --mode snapshot --expected-every 7d
    """
    from service.workflows.feeds import COLUMNS, ENVIRONMENT, add_feed

    added = add_feed(
        door.open_for(organization_id),
        organization_id,
        feed_id=feed_id,
        settings=_read_settings(options),
        actor=Actor.operator(),
        **{name: options[name] for name in (*COLUMNS, ENVIRONMENT)},
    )
    door.show(added, lambda: print_line(f"Feed {feed_id} of {organization_id} is added."))


@feed.command("set")
@click.argument("feed_id", metavar="FEED")
@with_org
@click.option("--mode", type=_MODE, help="Whether a file is everybody, or changes only.")
@click.option("--scope", type=_SCOPE, help="Whom a snapshot may remove.")
@click.option("--absences", "absences_before_removal", type=click.IntRange(1), help="Absences before removal.")
@with_settings
@click.option("--clear", "cleared", type=_CLEARABLE, multiple=True, help="Put this setting back to its default.")
@with_format
@pass_door
def set_feed(door: Door, feed_id: str, organization_id: str, cleared: tuple[str, ...], **options: Any) -> None:
    """Change a feed; only what is given changes, and the ledger keeps the old and the new value.

    Example: rollcall feed set ehr-daily --org lakeside --absences 3 --expected-every 24h --clear encoding
    """
    from service.workflows.feeds import COLUMNS
    from service.workflows.feeds import set_feed as change

    changes = {name: options[name] for name in COLUMNS if options[name] is not None} | _read_settings(options)
    defaults = {name.replace("-", "_"): None for name in cleared}
    both = sorted(changes.keys() & defaults.keys())
    if both:
        raise click.UsageError(f"{both[0]} is both given and cleared; choose one.")
    if not changes and not defaults:
        raise click.UsageError("Nothing to change was given; `rollcall feed set --help` lists what can be.")
    changed = change(door.open_for(organization_id), organization_id, feed_id, changes | defaults, Actor.operator())
    door.show(changed, lambda: print_line(f"Feed {feed_id} of {organization_id} is changed."))


@feed.command("list")
@with_org
@with_format
@pass_door
def list_feeds(door: Door, organization_id: str) -> None:
    """List an organisation's feeds: what came last, and which of them are silent for longer than expected.

    Example: rollcall feed list --org lakeside
    """
    from service.workflows.feeds import find_feeds

    found = find_feeds(door.open_for(organization_id), organization_id)
    columns = ("id", "mode", "scope", "absences", "last delivery", "received", "expected", "open holds")
    rows = [_list_cells(item) for item in found]
    door.show(found, lambda: print_rows(columns, rows, empty="There is no feed yet."))


def _list_cells(item: FeedView) -> list[object]:
    last = item.last_delivery
    expected = f"OVERDUE since {show_cell(item.due_at)}" if item.is_overdue else item.due_at
    return [
        item.id,
        item.mode,
        item.scope,
        item.absences_before_removal,
        f"{last.number} {last.state}" if last else None,
        last.received_at if last else None,
        expected,
        item.open_holds or None,
    ]


@feed.command("show")
@click.argument("feed_id", metavar="FEED")
@with_org
@with_format
@pass_door
def show_feed(door: Door, feed_id: str, organization_id: str) -> None:
    """Show how a feed is set up, in sentences, and how it is doing.

    The JSON form is what `rollcall check --feed-config` takes.

    Example: rollcall feed show ehr-daily --org lakeside
    """
    from service.workflows.feeds import load_feed

    view = load_feed(door.open_for(organization_id), organization_id, feed_id)
    door.show(view, lambda: _print_feed(view))


def _print_feed(view: FeedView) -> None:
    from service.workflows.feed_words import describe_feed

    last = view.last_delivery
    heard = f"delivery {last.number} ({last.state}), {show_cell(last.received_at)}" if last else "nothing yet"
    print_record(
        [
            ("feed", view.id),
            ("environment", view.environment),
            ("last delivery", heard),
            ("expected until", f"{show_cell(view.due_at)}{', OVERDUE' if view.is_overdue else ''}"),
            ("open holds", view.open_holds or None),
        ]
    )
    print_line()
    words = describe_feed(view)
    print_rows(("about", "what holds", "set by"), [(w.subject, w.sentence, _name_options(w.settings)) for w in words])


def _name_options(names: Sequence[str]) -> str:
    options = {
        "column_mapping": "--map",
        "practitioners": "--practitioner",
        "expected_every_hours": "--expected-every",
        "absences_before_removal": "--absences",
        "header_hash": "`rollcall feed map`",
    }
    return ", ".join(options.get(name, f"--{name.replace('_', '-')}") for name in names)


@feed.command("map")
@click.argument("feed_id", metavar="FEED")
@with_org
@click.option("--delivery", "delivery_id", metavar="DELIVERY", help="A delivery of the feed, by its id or number.")
@click.option(
    "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file with the same headings."
)
@_MAP
@with_format
@pass_door
def map_feed(door: Door, feed_id: str, organization_id: str, **options: Any) -> None:
    """Choose which column is what, once per feed; the choice holds for these very headings.

    Without --map it prints the headings and what each is taken for, and changes nothing.

    Example: rollcall feed map ehr-daily --org lakeside --delivery 7 --map mbi="Member Number"
    """
    from service.cli.rosters import find_delivery_id
    from service.workflows.map_columns import Sample, find_headings, map_columns

    named, file = options["delivery_id"], options["file"]
    if (named is None) == (file is None):
        raise click.UsageError("Give either --delivery DELIVERY or --file FILE.")
    rt = door.open_for(organization_id)
    sample = Sample(file=file, delivery_id=find_delivery_id(rt, organization_id, named) if named else None)
    chosen = _read_mapping(options["column_mapping"])
    if not chosen:
        view = find_headings(rt, organization_id, feed_id, sample, Actor.operator())
        door.show(view, lambda: _print_headings(view))
        return
    changed = map_columns(rt, organization_id, feed_id, sample, chosen, Actor.operator())
    door.show(changed, lambda: print_line(f"The columns of feed {feed_id} are chosen; other headings are held."))


def _print_headings(view: HeadingsView) -> None:
    print_line(f"Headings of line {view.line}:")
    rows = [(one.number, one.heading, ", ".join(one.roles)) for one in view.headings]
    print_rows(("no.", "heading", "taken for"), rows)
    if view.missing:
        next_one = f"Next: say which, with --map {view.missing[0]}=HEADING"
        print_line(f"No column is taken for {' or '.join(view.missing)}. {next_one}")
