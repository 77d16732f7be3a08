"""The entry point `rollcall`: the command line with the clock's own verb added."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import click

from service.cli.door import Door, end
from service.cli.exit_codes import ExitCode, find_exit_code
from service.cli.main import cli
from service.cli.options import pass_door, with_format
from service.cli.output import print_rows


@click.command("jobs")
@click.option(
    "--once", "name", metavar="NAME", help="Run one job now and end: nightly, expiry, digest, settle, checkpoint."
)
@click.option("--org", "organization_id", metavar="ORG", help="With --once: only this organisation.")
@with_format
@pass_door
def run_jobs(door: Door, name: str | None, organization_id: str | None) -> None:
    """Run the clock until SIGTERM: nightly runs, expiry watch, deliveries, open calls, checkpoints.

    With SQLite exactly one clock runs; a second one ends with 12. SIGTERM lets the runs under way finish.

    Example: rollcall jobs --once nightly --org lakeside
    """
    if name is not None:
        _run_one(door, name, organization_id)
        return
    if organization_id is not None:
        raise click.UsageError("--org goes with --once.")
    from jobs.clock import run_clock
    from service.workflows.set_up import check_start

    check_start(door.open())
    start_logging(door.settings.log_format)
    run_clock(door.open())


def _run_one(door: Door, name: str, organization_id: str | None) -> None:
    from jobs.registry import JOBS
    from jobs.runner import name_holder, run_once
    from service.workflows.onboard import find_organizations, load_organization

    if name not in JOBS:
        raise click.UsageError(f"There is no job {name}; choose one of: {', '.join(JOBS)}.")
    rt = door.open()
    ids = [load_organization(rt, organization_id).id] if organization_id else [o.id for o in find_organizations(rt)]
    ran = [run_once(rt, JOBS[name], one, name_holder()) for one in ids]
    rows = [(r.organization_id, r.job, r.state, r.detail) for r in ran]
    shown: list[dict[str, Any]] = [
        {"organization_id": r.organization_id, "job": r.job, "state": r.state, "detail": r.detail} for r in ran
    ]
    door.show(shown, lambda: print_rows(("organisation", "job", "state", "detail"), rows, empty="No organisation yet."))
    codes = [find_exit_code(r.error) for r in ran if r.error is not None]
    end(max(codes, default=ExitCode.DONE))


def start_logging(log_format: str) -> None:
    """Write log lines to standard error, as text or as one JSON object per line; APScheduler's own stay out."""
    text = "%(asctime)s %(levelname)s %(name)s %(message)s"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if log_format == "json" else logging.Formatter(text))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)


class _JsonLines(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        import json

        line = {"level": record.levelname, "logger": record.name, "message": record.getMessage()}
        return json.dumps({"at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"), **line})


cli.add_command(run_jobs)

__all__ = ["cli", "main"]


def main() -> None:
    """Run one verb with the environment of this process."""
    cli(obj=Door(dict(os.environ)), prog_name="rollcall")
