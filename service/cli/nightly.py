"""The nightly verbs at the terminal: apply, reconcile, settle, sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from service.cli.door import Door, end, report_error
from service.cli.exit_codes import ExitCode, find_exit_code
from service.cli.options import pass_door, with_format, with_org
from service.cli.output import print_line, print_record, print_rows
from service.cli.plan_places import find_plan_place
from service.domain.errors import Refusal
from service.domain.people import Actor
from service.dpc.errors import DpcError

if TYPE_CHECKING:
    from service.workflows.apply import ApplyReport, ApplyStep
    from service.workflows.reconcile import ReconcileReport

RECONCILE_CODES = {
    "nothing": ExitCode.DONE,
    "applied": ExitCode.DONE,
    "planned": ExitCode.PLANNED,
    "waiting": ExitCode.HELD,
    "partly-applied": ExitCode.DPC,
}
OUTCOME_SENTENCES = {
    "nothing": "nothing to do",
    "planned": "changes are planned",
    "waiting": "something waits for a person",
    "applied": "everything has landed",
    "partly-applied": "some of it did not land",
}


@click.command()
@click.argument("plan_id", metavar="PLAN")
@click.option("--org", "organization_id", metavar="ORG", help="The organisation; found by the plan when left out.")
@with_format
@pass_door
def apply(door: Door, plan_id: str, organization_id: str | None) -> None:
    """Send a signed plan to DPC, one call at a time, each recorded before it is sent.

    Ends with 13 when DPC refused something or an answer stayed open; `rollcall settle` reads what became of that.

    Example: rollcall apply PLAN
    """
    from service.workflows.apply import apply_plan

    rt = door.open()
    place = find_plan_place(rt, plan_id, organization_id)
    with show_progress(is_shown=not door.is_json) as progress:
        report = apply_plan(rt, place.organization_id, place.head.id, Actor.operator(), progress)
    door.show(report, lambda: _print_report(report, place.organization_id))
    end(find_apply_code(report))


def find_apply_code(report: ApplyReport) -> ExitCode:
    """Answer how a run of applying ended: done, or DPC refused or left something open."""
    is_clean = not (report.refused or report.ambiguous or report.parked)
    return ExitCode.DONE if is_clean else ExitCode.DPC


@contextmanager
def show_progress(*, is_shown: bool) -> Iterator[Callable[[ApplyStep], None]]:
    """Yield what `apply_plan` calls at each step; a bar on a terminal's standard error, silence otherwise."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not (is_shown and console.is_terminal)) as bar:
        task = bar.add_task("Sending", total=None)

        def step(at: ApplyStep) -> None:
            bar.update(task, completed=at.ordinal, total=at.total, description=f"{at.kind} {at.npi or ''} {at.state}")

        yield step


def _print_report(report: ApplyReport, organization_id: str) -> None:
    print_record(
        [
            ("state", report.state),
            ("landed", report.landed),
            ("refused", report.refused),
            ("open", report.ambiguous),
            ("parked", report.parked),
            ("attestations", report.attestations),
            ("requests to DPC", report.requests_to_dpc),
        ]
    )
    if report.refusals:
        print_line()
        rows = [(call.npi, call.kind, call.text, call.next_action) for call in report.refusals]
        print_rows(("practitioner", "change", "DPC said", "next"), rows)
    if report.ambiguous:
        print_line(f"Next: rollcall settle --org {organization_id}")


@click.command()
@click.option("--org", "organization_id", metavar="ORG", help="One organisation.")
@click.option("--all", "is_all", is_flag=True, help="Every organisation.")
@click.option("--dry-run", is_flag=True, help="Draw the plan only; ends with 10 when changes are planned.")
@with_format
@pass_door
def reconcile(door: Door, organization_id: str | None, is_all: bool, dry_run: bool) -> None:
    """Settle, read DPC, draw a plan, and apply what is authorised: what the night does, now.

    Ends with 0 when nothing is left to do, 10 when changes are planned (dry run), 11 when a person has to sign or
    decide, 13 when DPC refused or could not be reached. With --all one organisation's trouble does not stop the others.

    Example: rollcall reconcile --org lakeside --dry-run
    """
    if is_all == (organization_id is not None):
        raise click.UsageError("Give either --org ORG or --all.")
    from service.workflows.onboard import find_organizations

    rt = door.open()
    ids = [organization_id] if organization_id else [item.id for item in find_organizations(rt)]
    reports: list[ReconcileReport] = []
    codes: list[ExitCode] = []
    for name in ids:
        report, code = _reconcile_one(door, name, dry_run=dry_run, may_go_on=is_all)
        codes.append(code)
        if report is not None:
            reports.append(report)
    door.show(reports if is_all else reports[0], lambda: _print_all(reports))
    end(max(codes, default=ExitCode.DONE))


def _print_all(reports: list[ReconcileReport]) -> None:
    for report in reports:
        _print_reconciled(report)


def _reconcile_one(
    door: Door, organization_id: str, *, dry_run: bool, may_go_on: bool
) -> tuple[ReconcileReport | None, ExitCode]:
    from service.workflows.reconcile import reconcile_organization

    try:
        with show_progress(is_shown=not door.is_json) as progress:
            report = reconcile_organization(
                door.open_for(organization_id),
                organization_id,
                dry_run=dry_run,
                actor=Actor.operator(),
                progress=progress,
            )
    except (Refusal, DpcError) as error:
        if not may_go_on:
            raise
        report_error(error, as_json=door.is_json)
        return None, find_exit_code(error)
    return report, RECONCILE_CODES.get(report.outcome, ExitCode.REFUSED)


def _print_reconciled(report: ReconcileReport) -> None:
    print_line(f"{report.organization_id}: {OUTCOME_SENTENCES.get(report.outcome, report.outcome)}")
    facts: list[tuple[str, object]] = [("changes", {k: n for k, n in report.counts.items() if n})]
    if report.plan_id:
        facts.append(("plan", report.plan_id))
    if report.held_n:
        facts.append(("held", report.held_n))
    if report.left_out_n:
        facts.append(("left out", report.left_out_n))
    print_record(facts)
    if report.applied:
        _print_report(report.applied, report.organization_id)


@click.command()
@with_org
@click.option("--wait", is_flag=True, help="Wait until the quiet time after an unanswered write has passed.")
@with_format
@pass_door
def settle(door: Door, organization_id: str, wait: bool) -> None:
    """Find out by reading what became of calls that stayed without a usable answer.

    Ends with 11 while something is still open or DPC did something else than was asked.

    Example: rollcall settle --org lakeside --wait
    """
    from service.workflows.settle import settle as find_out

    report = find_out(door.open_for(organization_id), organization_id, wait=wait)
    facts = [
        ("landed", report.landed),
        ("not landed", report.not_landed),
        ("still open", report.still_open),
        ("breaches", report.breaches),
    ]
    door.show(report, lambda: print_record(facts))
    end(ExitCode.HELD if report.still_open or report.breaches else ExitCode.DONE)


@click.command()
@with_org
@with_format
@pass_door
def sweep(door: Door, organization_id: str) -> None:
    """Read every Group again and name what nobody approved. Changes nothing; ends with 11 when something is found.

    Example: rollcall sweep --org lakeside
    """
    from service.workflows.sweep import sweep as read_again

    report = read_again(door.open_for(organization_id), organization_id)

    def write() -> None:
        print_line(f"{report.groups} Groups read.")
        print_rows(("practitioner", "found"), report.findings, empty="Every Group holds what was approved.")

    door.show(report, write)
    end(ExitCode.HELD if report.findings else ExitCode.DONE)
