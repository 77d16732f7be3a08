"""Plans at the terminal: draw one, list them, read one in the form that suits."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from service.cli.door import Door, end
from service.cli.exit_codes import ExitCode
from service.cli.options import add_format, pass_door, with_format
from service.cli.output import print_json, print_line, print_record, print_rows
from service.cli.plan_formats import (
    CHANGE_COLUMNS,
    iter_changes,
    iter_sections,
    list_facts,
    write_csv,
    write_html,
    write_markdown,
)
from service.cli.plan_places import find_plan_place
from service.domain.people import Actor

if TYPE_CHECKING:
    from service.workflows.plans import PlanView


@click.group(invoke_without_command=True)
@click.option("--org", "organization_id", metavar="ORG", help="The organisation's id.")
@click.option("--npi", metavar="NPI", help="Only this practitioner.")
@click.option(
    "--overwrite", is_flag=True, help="Draw a plan that replaces the practitioner's Group; re-attests everybody."
)
@add_format("markdown", "html", "csv")
@click.pass_context
def plan(ctx: click.Context, organization_id: str | None, npi: str | None, overwrite: bool) -> None:
    """Draw a plan: what would have to change at DPC, on which evidence. Nothing is sent.

    Ends with 0 when there is nothing to do, 10 when changes are planned, 11 when all there is waits for a person.

    Example: rollcall plan --org lakeside
    """
    if ctx.invoked_subcommand is not None:
        return
    if organization_id is None:
        raise click.UsageError("--org is needed to draw a plan.", ctx)
    if overwrite and npi is None:
        raise click.UsageError("--overwrite is for one practitioner: give --npi too.", ctx)
    from service.workflows.plan import draw_plan

    door: Door = ctx.obj
    view = draw_plan(
        door.open_for(organization_id), organization_id, npi=npi, overwrite=overwrite, actor=Actor.operator()
    )
    if view is None:
        door.show(None, lambda: print_line("Nothing to do: DPC holds what the rosters say."))
        return
    print_plan(door, view)
    end(ExitCode.PLANNED if any(view.head.counts.values()) else ExitCode.HELD)


@plan.command("show")
@click.argument("plan_id", metavar="PLAN")
@click.option("--org", "organization_id", metavar="ORG", help="The organisation; found by the plan when left out.")
@add_format("markdown", "html", "csv")
@pass_door
def show_plan(door: Door, plan_id: str, organization_id: str | None) -> None:
    """Show one plan with every change and its evidence; PLAN is an id or a number. Masks MBIs.

    Example: rollcall plan show PLAN --format markdown
    """
    from service.workflows.plans import load_plan_view

    rt = door.open()
    place = find_plan_place(rt, plan_id, organization_id)
    print_plan(door, load_plan_view(rt, place.organization_id, place.head.id, Actor.operator()))


@plan.command("list")
@click.option("--org", "organization_id", metavar="ORG", help="Only this organisation.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many per organisation.")
@with_format
@pass_door
def list_plans(door: Door, organization_id: str | None, limit: int) -> None:
    """List plans, newest first.

    Example: rollcall plan list --org lakeside
    """
    from service.workflows.onboard import find_organizations
    from service.workflows.plans import find_plans

    rt = door.open_for(organization_id) if organization_id else door.open()
    ids = [organization_id] if organization_id else [item.id for item in find_organizations(rt)]
    found = [(name, head) for name in ids for head in find_plans(rt, name, limit=limit)]
    rows = [(name, h.number, h.id, h.state, h.drawn_at, h.drawn_by, h.counts, h.held_n) for name, h in found]
    columns = ("organisation", "number", "id", "state", "drawn", "by", "changes", "held")
    listed = [{"organization_id": name, "plan": head} for name, head in found]
    door.show(listed, lambda: print_rows(columns, rows, empty="There is no plan yet."))


def print_plan(door: Door, view: PlanView) -> None:
    """Write a plan in the format that was asked for."""
    if door.format == "json":
        print_json(view)
    elif door.format == "markdown":
        sys.stdout.write(write_markdown(view))
    elif door.format == "html":
        sys.stdout.write(write_html(view))
    elif door.format == "csv":
        sys.stdout.write(write_csv(CHANGE_COLUMNS, list(iter_changes(view))))
    else:
        _print_text(view)


def _print_text(view: PlanView) -> None:
    print_line(f"Plan {view.head.number}")
    print_record(list_facts(view))
    for title, columns, rows in iter_sections(view):
        print_line()
        print_line(title)
        print_rows(columns, rows)
    if view.head.state == "drafted":
        print_line()
        print_line(f"Next: rollcall sign {view.head.id} --as EMAIL --reason TEXT")
