"""Rosters at the terminal: check a file, receive a delivery, look at deliveries and decide on held ones."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.cli.door import Door, end, find_actor
from service.cli.exit_codes import ExitCode
from service.cli.options import pass_door, with_format, with_needed_as, with_org, with_reason
from service.cli.output import print_line, print_record, print_rows
from service.domain.canonical import read_time
from service.domain.errors import InvalidInput
from service.domain.intake import HELD_FILE_ERRORS
from service.domain.people import Actor
from service.rosters.findings import describe_finding

if TYPE_CHECKING:
    from service.runtime import Runtime
    from service.workflows.deliveries import DeliveryView
    from service.workflows.effects import DepartureView, EffectView

_STATE_CODES = {"rejected": ExitCode.REFUSED}
_EFFECTS_SHOWN = 20
_EFFECT_COLUMNS = ("npi", "known", "listed", "added", "absent", "ended")
_FINDINGS_SHOWN = 50
_LONGEST_NUMBER = 9


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--environment",
    type=click.Choice(["sandbox", "production"]),
    help="Which MBIs are allowed: synthetic ones, or those of people; default: the feed's, else sandbox.",
)
@click.option("--mode", type=click.Choice(["snapshot", "delta"]), help="How the feed would read it.")
@click.option(
    "--feed-config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON file with a feed's settings, as `rollcall feed show FEED --org ORG --format json` prints them.",
)
@with_format
@pass_door
def check(door: Door, file: Path, environment: str | None, mode: str | None, feed_config: Path | None) -> None:
    """Read a roster file and print what would be taken from it; needs no settings, database or network.

    Text shows MBIs masked, JSON in full. Ends with 12 when the file would be held or refused whole.

    Example: rollcall check sample_rosters/01_first_roster.csv
    """
    from service.workflows.check import check as check_file

    result = check_file(file, environment=environment, mode=mode, config=_read_config(feed_config))
    door.show(result, lambda: _print_reading(file, result))
    end(ExitCode.REFUSED if result["file_error"] else ExitCode.DONE)


def _read_config(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise InvalidInput(f"{path} is not a JSON object.", next_action="Correct the feed configuration.")
    return config


def _print_reading(file: Path, result: dict[str, Any]) -> None:
    print_line(f"{file.resolve().name}: {result['format']}")
    if result["file_error"]:
        fate = "held for a person" if result["file_error"] in HELD_FILE_ERRORS else "refused whole"
        print_line(f"The file would be {fate}: {result['file_error']}.")
        print_line(f"Next: {describe_finding(result['file_error'])}")
        return
    print_record(
        [
            ("present", len(result["present"])),
            ("remove", len(result["remove"])),
            ("errors", len(result["errors"])),
            ("warnings", len(result["warnings"])),
            ("blind errors", result["blind_errors"]),
            ("signal", result["mode_signal"]),
        ]
    )
    marks = [*((p, "error", c) for p, c in result["errors"]), *((p, "warning", c) for p, c in result["warnings"])]
    if marks:
        print_line()
        rows = [(*mark, describe_finding(mark[2])) for mark in marks[:_FINDINGS_SHOWN]]
        print_rows(("position", "severity", "code", "what to do"), rows)
    if len(marks) > _FINDINGS_SHOWN:
        print_line(f"{len(marks) - _FINDINGS_SHOWN} more; `--format json` lists all.")


@click.command()
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@with_org
@click.option("--feed", "feed_id", required=True, metavar="FEED", help="The feed it belongs to.")
@click.option(
    "--mode", type=click.Choice(["snapshot", "delta"]), help="What the sender says it is; never widens the feed."
)
@click.option("--as-of", metavar="TIME", help="RFC 3339 with zone: when the EHR made the file.")
@click.option("--sequence", metavar="TEXT", help="The sender's serial number.")
@click.option("--count", type=click.IntRange(0), help="How many rows it has; another number in the file holds it.")
@click.option(
    "--again", is_flag=True, help="Take it in although a person has refused the very same file, or its removals."
)
@with_format
@pass_door
def receive(door: Door, file: Path, organization_id: str, feed_id: str, **options: Any) -> None:
    """Take in one roster file as the HTTP endpoint does, read it, and say what became of it.

    The folder of a bulk export, with its manifest.json, is taken in as one file.

    Ends with 11 when the delivery, or whom it would let go, is held for a person, and with 12 when it is rejected. The
    same file twice is taken once.

    Example: rollcall receive sample_rosters/01_first_roster.csv --org lakeside --feed ehr-daily
    """
    from service.rosters.json_text.joined_set import open_delivery
    from service.workflows.digest import digest_delivery
    from service.workflows.receive import Upload
    from service.workflows.receive import receive as take_in

    upload = Upload(
        filename=file.name,
        mode=options["mode"],
        as_of_at=_read_time(options["as_of"]),
        sequence=options["sequence"],
        count=options["count"],
        again=options["again"],
    )
    rt = door.open_for(organization_id)
    with open_delivery(file) as stream:
        receipt = take_in(rt, organization_id, feed_id, stream, upload, Actor.operator())
    view = receipt.delivery
    if view.state == "received":
        view = digest_delivery(rt, organization_id, view.id)
    door.show(view, lambda: _print_receipt(view, organization_id, is_new=receipt.is_new))
    end(ExitCode.HELD if view.waits else _STATE_CODES.get(view.state, ExitCode.DONE))


def _read_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return read_time(text)
    except ValueError:
        raise InvalidInput(
            "--as-of must be a time with its zone.", next_action="Write it as 2026-11-20T06:00:00Z."
        ) from None


@click.group()
def delivery() -> None:
    """Deliveries: the files that were received, what was found in them, and those that wait for a person."""


@delivery.command("list")
@with_org
@click.option("--feed", "feed_id", metavar="FEED", help="Only this feed.")
@click.option(
    "--state", type=click.Choice(["received", "accepted", "held", "rejected", "superseded"]), help="Only these."
)
@click.option(
    "--waiting", is_flag=True, help="Only those that wait for a person: held, or accepted without letting anybody go."
)
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many at most.")
@with_format
@pass_door
def list_deliveries(door: Door, organization_id: str, waiting: bool, **chosen: Any) -> None:
    """List deliveries, newest first.

    Example: rollcall delivery list --org lakeside --waiting
    """
    from service.workflows.deliveries import find_deliveries

    rt = door.open_for(organization_id)
    found = find_deliveries(rt, organization_id, waiting=waiting or None, **chosen)
    columns = (
        "number",
        "id",
        "feed_id",
        "state",
        "received_at",
        "data_rows",
        "present_count",
        "error_count",
        "hold_code",
    )
    rows = [[*(getattr(item, column) for column in columns), item.waits] for item in found]
    door.show(found, lambda: print_rows((*columns, "waits"), rows, empty="There is no delivery."))


@delivery.command("show")
@click.argument("delivery_id", metavar="DELIVERY")
@with_org
@with_format
@pass_door
def show_delivery(door: Door, delivery_id: str, organization_id: str) -> None:
    """Show one delivery with its first findings; they name position and code, never a value.

    DELIVERY is its id or its number.

    Example: rollcall delivery show DELIVERY --org lakeside
    """
    from service.workflows.deliveries import count_findings, find_findings, load_delivery
    from service.workflows.effects import count_effects, find_effects

    rt = door.open_for(organization_id)
    delivery_id = find_delivery_id(rt, organization_id, delivery_id)
    view = load_delivery(rt, organization_id, delivery_id)
    counts = count_findings(rt, organization_id, delivery_id)
    findings = find_findings(rt, organization_id, delivery_id, limit=_FINDINGS_SHOWN)
    effects = find_effects(rt, organization_id, delivery_id, limit=_EFFECTS_SHOWN)
    changed = count_effects(rt, organization_id, delivery_id)
    rows = [(item.position, item.severity, item.effect, item.code, item.sentence) for item in findings]

    def write() -> None:
        _print_delivery(view, organization_id)
        if effects:
            print_line()
            _print_effects(effects)
        if more := max(changed - len(effects), 0):
            print_line(f"{more} more practitioners: rollcall delivery effects {view.number} --org {organization_id}")
        print_line()
        print_rows(("position", "severity", "row", "code", "what to do"), rows, empty="There is no finding.")

    shown = {"delivery": view, "counts": counts, "effects": effects, "effects_total": changed, "findings": findings}
    door.show(shown, write)


@delivery.command("effects")
@click.argument("delivery_id", metavar="DELIVERY")
@with_org
@click.option("--limit", type=click.IntRange(1), help="How many at most; default: all.")
@with_format
@pass_door
def list_effects(door: Door, delivery_id: str, organization_id: str, limit: int | None) -> None:
    """List what a delivery changes by practitioner, in numbers; those with most patients to let go come first.

    Example: rollcall delivery effects DELIVERY --org lakeside
    """
    from service.workflows.effects import find_effects

    rt = door.open_for(organization_id)
    found = find_effects(rt, organization_id, find_delivery_id(rt, organization_id, delivery_id), limit=limit)
    door.show(found, lambda: _print_effects(found))


@delivery.command("departures")
@click.argument("delivery_id", metavar="DELIVERY")
@with_org
@with_needed_as
@with_format
@pass_door
def list_departures(door: Door, delivery_id: str, organization_id: str, email: str) -> None:
    """List whom a delivery that waits for a person would let go, MBIs masked; the look is recorded.

    Example: rollcall delivery departures DELIVERY --org lakeside --as ada@lakeside.example
    """
    from service.workflows.effects import find_departures

    rt = door.open_for(organization_id)
    actor = find_actor(rt, organization_id, email)
    found = find_departures(rt, organization_id, find_delivery_id(rt, organization_id, delivery_id), actor).items
    rows = [(item.npi, item.masked_mbi, _tell_departure(item)) for item in found]
    door.show(found, lambda: print_rows(("practitioner", "patient", "would be"), rows, empty="It leaves out nobody."))


@delivery.command("decide")
@click.argument("delivery_id", metavar="DELIVERY")
@click.argument("verdict", type=click.Choice(["accept", "reject"]))
@with_org
@click.option("--hold", "hold_id", metavar="HOLD", help="Which question; needed once another one was asked.")
@with_needed_as
@with_reason
@with_format
@pass_door
def decide(door: Door, delivery_id: str, verdict: str, organization_id: str, **said: Any) -> None:
    """Accept or reject a held delivery, as a person who answers for it; a hard stop needs two people.

    Ends with 11 while it still waits: for another person's yes, or for an answer about whom it leaves out.

    Example: rollcall delivery decide DELIVERY reject --org lakeside --as ada@lakeside.example --reason "half a file"
    """
    from service.workflows.deliveries import load_delivery
    from service.workflows.holds import decide_delivery
    from service.workflows.voices import tell_voices

    rt = door.open_for(organization_id)
    actor = find_actor(rt, organization_id, said["email"])
    delivery_id = find_delivery_id(rt, organization_id, delivery_id)
    decided = decide_delivery(rt, organization_id, delivery_id, verdict, said["reason"], actor, said["hold_id"])
    view = load_delivery(rt, organization_id, delivery_id)

    def write() -> None:
        if decided.state == "open":
            print_line(f"Your yes is recorded. {tell_voices(decided.people_needed, decided.people_agreed)}")
        if decided.state == "refused" and view.state != "rejected":
            again = f"rollcall receive FILE --org {organization_id} --feed {view.feed_id} --again"
            print_line(f"Whom it leaves out stays. If that was a mistake: {again} (X-Roster-Again: true over HTTP).")
        _print_delivery(view, organization_id)

    door.show(view, write)
    end(ExitCode.HELD if view.waits else ExitCode.DONE)


def find_delivery_id(rt: Runtime, organization_id: str, named: str) -> str:
    """Answer the id of a delivery that is named by id or by its number; what is neither is answered as it is."""
    from service.workflows.deliveries import find_deliveries

    if not (named.isascii() and named.isdigit() and len(named) <= _LONGEST_NUMBER):
        return named
    newest = find_deliveries(rt, organization_id, after=int(named) + 1, limit=1)
    return next((one.id for one in newest if one.number == int(named)), named)


def _print_receipt(view: DeliveryView, organization_id: str, *, is_new: bool) -> None:
    if not is_new:
        print_line(f"The very same file came before, as delivery {view.number}; this is what became of it.")
    _print_delivery(view, organization_id)


def _tell_departure(item: DepartureView) -> str:
    if item.listed_elsewhere:
        return "not let go: another feed lists the patient"
    return "at once" if item.at_once else "absent, not yet let go"


def _print_effects(effects: list[EffectView]) -> None:
    rows = [[getattr(item, name) for name in _EFFECT_COLUMNS] for item in effects]
    print_rows(_EFFECT_COLUMNS, rows, empty="It changes nothing.")


def _print_delivery(view: DeliveryView, organization_id: str) -> None:
    record: list[tuple[str, object]] = [
        ("delivery", f"{view.number} ({view.id})"),
        ("feed", view.feed_id),
        ("state", view.state),
        ("rows", view.data_rows),
        ("present", view.present_count),
        ("removed", view.remove_count),
        ("errors", view.error_count),
        ("warnings", view.warning_count),
    ]
    if view.absent_count or view.ended_count:
        waits = "would be let go" if view.waits else "let go"
        record.append(("known but missing", f"{view.absent_count}; {view.ended_count} of them {waits} at once"))
    if view.file_error:
        record.append(("file error", view.file_error))
    if view.hold_reason:
        record.append((f"{view.state} because" if view.state != "accepted" else "was held because", view.hold_reason))
    if view.removals_reason:
        record.append(("lets nobody go because", view.removals_reason))
    if view.people_needed is not None and not view.never_counts:
        record.append(("have said yes", f"{view.people_agreed} of {view.people_needed} people"))
    if view.waits:
        record.append(("waiting costs from", view.costs_from_at))
    print_record(record)
    _print_next(view, organization_id)


def _print_next(view: DeliveryView, organization_id: str) -> None:
    from service.workflows.deliveries import HEADING_ERRORS

    if view.state == "held" and view.never_counts:
        print_line(f"{view.never_counts} Reject it and have the whole file sent again.")
    elif view.state == "held":
        print_line("Its rows do not count until a person accepts it.")
    elif view.removals_reason:
        print_line("Whom it lists counts; a person decides about the others.")
    elif view.state == "rejected" and view.decided_by:
        print_line(f"{view.decided_by} refused it: {view.decision_reason}")
        again = f"rollcall receive FILE --org {organization_id} --feed {view.feed_id} --again"
        print_line(f"None of its rows count. If that was a mistake: {again}; a person decides anew.")
    elif view.state == "rejected":
        print_line("None of its rows count. Next: correct the file and send it again.")
    where = f"--org {organization_id}"
    if view.waits:
        verdicts = "reject" if view.never_counts else "accept|reject"
        if not view.never_counts:
            print_line(f"See whom it lets go:  rollcall delivery departures {view.number} {where} --as EMAIL")
        print_line(f"Answer:  rollcall delivery decide {view.number} {verdicts} {where} --as EMAIL --reason TEXT")
    if view.file_error in HEADING_ERRORS:
        condition = "If it has headings, say" if view.file_error == "header_unrecognised" else "Or say"
        told = f"{condition} which column is what: rollcall feed map {view.feed_id} --delivery {view.number} {where}"
        print_line(f"{told}; then have the same file sent again.")
