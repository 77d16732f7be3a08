"""Proof at the terminal: why a patient is on a roster, reports, and whether the ledger verifies."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.door import Door, end, find_actor, is_terminal
from service.cli.exit_codes import ExitCode
from service.cli.options import add_format, pass_door, with_as, with_format, with_org
from service.cli.output import print_line, print_record, print_rows, to_json
from service.cli.plan_formats import write_csv
from service.domain.errors import InvalidInput

if TYPE_CHECKING:
    from service.workflows.prove import Verification
    from service.workflows.report import Report


@click.command()
@with_org
@click.option("--npi", required=True, metavar="NPI", help="The practitioner.")
@click.option("--mbi", metavar="MBI", help="The patient; `-` reads the number from standard input, out of the history.")
@click.option("--patient", "patient_ref", metavar="REF", help="The patient by our own reference instead.")
@click.option("--unmask", is_flag=True, help="Show the MBI in full; recorded as such.")
@with_as
@with_format
@pass_door
def explain(
    door: Door,
    organization_id: str,
    npi: str,
    mbi: str | None,
    patient_ref: str | None,
    unmask: bool,
    email: str | None,
) -> None:
    """Tell why a patient is on a practitioner's roster, oldest first: file, row, plan, signature, call, period.

    Every look is recorded in the access log.

    Example: rollcall explain --org lakeside --npi 3116145015 --mbi 1S00E00AA00
    """
    if (mbi is None) == (patient_ref is None):
        raise click.UsageError("Give either --mbi or --patient.")
    from service.workflows.explain import explain as tell

    if mbi == "-":
        mbi = sys.stdin.readline().strip() if not is_terminal() else click.prompt("MBI", hide_input=True)
    rt = door.open_for(organization_id)
    actor = find_actor(rt, organization_id, email)
    told = tell(rt, organization_id, npi=npi, mbi=mbi, patient_ref=patient_ref, actor=actor, unmask=unmask)

    def write() -> None:
        facts = [("practitioner", f"{told.npi} {told.practitioner or ''}"), ("patient", told.masked_mbi)]
        print_record([*facts, ("status", told.status), ("from", told.start_at), ("until", told.end_at)])
        print_line()
        print_rows(
            ("when", "what", "how it came about", "reference"),
            [(k.at, k.kind, k.sentence, k.reference) for k in told.links],
        )

    door.show(told, write)


@click.command()
@click.argument("kind", metavar="KIND")
@with_org
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write instead of the screen."
)
@with_as
@add_format("csv")
@pass_door
def report(door: Door, kind: str, organization_id: str, output: Path | None, email: str | None) -> None:
    """Print a report. KIND is one of: expiring, capacity, attestations, removals, exceptions, holds.

    Example: rollcall report expiring --org lakeside --format csv -o expiring.csv
    """
    from service.workflows.report import REPORT_KINDS, build_report

    if kind not in REPORT_KINDS:
        raise click.UsageError(f"There is no report {kind}; choose one of: {', '.join(REPORT_KINDS)}.")
    rt = door.open_for(organization_id)
    made = build_report(rt, organization_id, kind, find_actor(rt, organization_id, email))
    if output is not None:
        _save_report(door, made, output)
    elif door.format == "csv":
        sys.stdout.write(_write_report_csv(made))
    else:
        door.show(made, lambda: _print_report(made))


def _write_report_csv(made: Report) -> str:
    return write_csv(made.columns, [tuple(row) for row in made.rows])


def _print_report(made: Report) -> None:
    print_line(made.title)
    print_rows(made.columns, made.rows)


def _save_report(door: Door, made: Report, output: Path) -> None:
    text = json.dumps(to_json(made), indent=2) + "\n" if door.is_json else _write_report_csv(made)
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(
            f"{output} cannot be written: {error.strerror}.", next_action="Choose another file."
        ) from None
    written = {"written": str(output), "rows": len(made.rows)}
    door.show(written, lambda: print_line(f"{len(made.rows)} rows written to {output}."))


@click.group()
def ledger() -> None:
    """The ledger: the lasting record of what was attested, on which evidence, by whom."""


@ledger.command("verify")
@click.option("--org", "organization_id", metavar="ORG", help="Only this organisation.")
@with_format
@pass_door
def verify(door: Door, organization_id: str | None) -> None:
    """Recompute every hash, root and checkpoint signature. Ends with 14 when anything does not fit.

    Example: rollcall ledger verify
    """
    from service.workflows.prove import verify_ledger

    rt = door.open_for(organization_id) if organization_id else door.open()
    found = verify_ledger(rt, organization_id)
    door.show(found, lambda: _print_verification(found))
    end(ExitCode.DONE if found.ok else ExitCode.LEDGER)


def _print_verification(found: Verification) -> None:
    print_record(
        [("entries", found.entries), ("organisations", found.organizations), ("checkpoints", found.checkpoints)]
    )
    print_line("The ledger verifies." if found.ok else f"The ledger does NOT verify: {found.fault}")


@ledger.command("checkpoint")
@with_org
@with_format
@pass_door
def checkpoint(door: Door, organization_id: str) -> None:
    """Sign the present root of the ledger and print the note; keep it where this database's owner cannot write.

    Example: rollcall ledger checkpoint --org lakeside > checkpoint.txt
    """
    from service.workflows.prove import make_checkpoint

    made = make_checkpoint(door.open_for(organization_id), organization_id)
    if made is None:
        door.show(None, lambda: print_line("Nothing has changed since the last checkpoint."))
        return
    door.show(made, lambda: print_line(made.note.rstrip("\n")))
