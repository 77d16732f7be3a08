"""Holds at the terminal: which changes wait for a person, and a person's decision."""

from __future__ import annotations

import click

from service.cli.door import Door, end, find_actor
from service.cli.exit_codes import ExitCode
from service.cli.options import pass_door, with_format, with_needed_as, with_org, with_reason
from service.cli.output import print_line, print_rows
from service.workflows.holds import decide_hold, find_holds
from service.workflows.voices import tell_voices


@click.group()
def hold() -> None:
    """Holds: changes of a plan that wait because a guard doubts them."""


@hold.command("list")
@with_org
@click.option(
    "--state",
    type=click.Choice(["open", "released", "refused"]),
    default="open",
    show_default=True,
    help="Only these.",
)
@with_format
@pass_door
def list_holds(door: Door, organization_id: str, state: str) -> None:
    """List what waits, and from which date waiting costs attributions.

    Example: rollcall hold list --org lakeside
    """
    found = find_holds(door.open_for(organization_id), organization_id, state)
    rows = [
        (h.id, h.rule, h.level, h.npi, h.n, h.reason, h.costs_from_at, f"{h.people_agreed} of {h.people_needed}")
        for h in found
    ]
    columns = ("id", "rule", "level", "npi", "n", "why", "waiting costs from", "have said yes")
    door.show(found, lambda: print_rows(columns, rows, empty="Nothing is held."))


@hold.command("decide")
@click.argument("hold_id", metavar="HOLD")
@click.argument("verdict", type=click.Choice(["release", "refuse"]))
@with_org
@with_needed_as
@with_reason
@with_format
@pass_door
def decide(door: Door, hold_id: str, verdict: str, organization_id: str, email: str, reason: str) -> None:
    """Release or refuse held changes; a hard stop needs two people.

    Released changes enter the next plan, which is signed like every other. Ends with 11 while another person must say
    yes too.

    Example: rollcall hold decide HOLD release --org lakeside --as officer@lakeside.example --reason "clinic closed"
    """
    rt = door.open_for(organization_id)
    view = decide_hold(rt, organization_id, hold_id, verdict, reason, find_actor(rt, organization_id, email))
    said = tell_voices(view.people_needed, view.people_agreed) if view.state == "open" else f"The hold is {view.state}."
    door.show(view, lambda: print_line(f"Hold {view.id}: {said}"))
    end(ExitCode.HELD if view.state == "open" else ExitCode.DONE)
