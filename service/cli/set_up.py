"""Verbs that start something or get an installation going: serve, emulator, migrate, doctor, settings."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.door import Door, end
from service.cli.exit_codes import ExitCode
from service.cli.options import pass_door, with_format
from service.cli.output import print_line, print_rows
from service.domain.errors import InvalidInput, Refusal

if TYPE_CHECKING:
    from service.workflows.set_up import Check

_AT_DPC = ("organisation ", "clock")
WEB_APP = "service.web.wsgi:build_wsgi_app()"
WORKER = "service.web.worker.PacedWorker"
THREADS = 64
"""Each client that sends slowly has one of them until our patience ends; a few dozen must not stop the others."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@with_format
@pass_door
def serve(door: Door, host: str, port: int) -> None:
    """Serve the pages and the HTTP API until SIGTERM.

    One process with 64 threads; requests under way may finish within 30 seconds. The clock is another process:
    `rollcall jobs`.

    Example: rollcall serve --host 0.0.0.0 --port 8080
    """
    from service.workflows.set_up import check_schema, check_start

    check_schema(door.settings)  # what is wrong is said here, not by a worker that dies
    check_start(door.open())
    check_address(host, port)
    door.open().close()
    command = build_serve_command(host, port)
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - our own interpreter with fixed arguments


def check_address(host: str, port: int) -> None:
    """Raise Refusal when nobody could listen there: the port is taken, or the address is not this machine's."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise Refusal(
            f"Nobody can listen on {host} port {port}: {error.strerror}.",
            next_action="Choose another one with --port or --host, or end what listens there.",
        ) from None


def build_serve_command(host: str, port: int) -> list[str]:
    """Answer the command line of the web process."""
    options = ("--worker-class", WORKER, "--workers", "1", "--threads", str(THREADS), "--graceful-timeout", "30")
    return [sys.executable, "-m", "gunicorn", WEB_APP, *options, "--no-control-socket", "--bind", f"{host}:{port}"]


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on.")
@click.option(
    "--port", default=3002, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
@click.option(
    "--data", type=click.Path(dir_okay=False, path_type=Path), help="Database file; without it all is in memory."
)
@click.option(
    "--clock", type=click.Choice(["real", "frozen"]), default="real", show_default=True, help="How time passes."
)
@click.option("--seed", default=1, show_default=True, help="Seed of everything random.")
@click.option("--patient-limit", default=-1, show_default=True, help="Patients per Group; -1 is none.")
@click.option(
    "--faults", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON file with faults to play."
)
@with_format
def emulator(
    host: str, port: int, data: Path | None, clock: str, seed: int, patient_limit: int, faults: Path | None
) -> None:
    """Run the stand-in for DPC on this machine until SIGTERM; needs no settings.

    Example: rollcall emulator --port 3002 --data emulator.db
    """
    from service.emulator.server import EmulatorOptions, serve_forever

    options = EmulatorOptions(
        data=data, port=port, clock=clock, seed=seed, patient_limit=patient_limit, faults=faults, host=host
    )
    if port:
        check_address(host, port)
    try:
        serve_forever(options)
    except (OSError, ValueError) as error:
        raise Refusal(
            f"The emulator cannot start: {str(error).rstrip('.')}.",
            next_action="Choose another port, data file or faults file.",
        ) from None


@click.command()
@with_format
@pass_door
def migrate(door: Door) -> None:
    """Bring the database's schema to the version of this program. Safe to repeat.

    Example: rollcall migrate
    """
    from service.workflows.set_up import migrate as bring_to_head

    revision = bring_to_head(door.settings)
    door.show({"revision": revision}, lambda: print_line(f"The database is at revision {revision}."))


@click.command()
@with_format
@pass_door
def doctor(door: Door) -> None:
    """Check settings, keys, clock, database, DPC and credentials; say what to do about each fault.

    Ends with 15 when the settings are wrong, 13 when only connections to DPC are at fault, 12 for anything else.

    Example: rollcall doctor
    """
    from service.workflows.set_up import check_health, check_settings

    checks, code = check_settings(door.environ), ExitCode.SETTINGS
    if all(check.ok for check in checks):
        checks = [*checks, *check_health(door.open())]
        code = _find_health_code(checks)
    door.show({"ok": code is ExitCode.DONE, "checks": checks}, lambda: _print_checks(checks))
    end(code)


def _print_checks(checks: Sequence[Check]) -> None:
    rows = [("ok" if check.ok else "FAULT", check.name, check.detail, check.next_action) for check in checks]
    print_rows(("", "Check", "Found", "Next"), rows)


def _find_health_code(checks: Sequence[Check]) -> ExitCode:
    faults = [check for check in checks if not check.ok]
    if not faults:
        return ExitCode.DONE
    return ExitCode.DPC if all(check.name.startswith(_AT_DPC) for check in faults) else ExitCode.REFUSED


@click.group()
def settings() -> None:
    """Make a first set of settings."""


@settings.command("new")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("rollcall-data"),
    show_default=True,
    help="Folder for sealed files and the default database.",
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write, readable by you only."
)
@with_format
@pass_door
def new(door: Door, data_dir: Path, output: Path | None) -> None:
    """Print a fresh set of ROLLCALL_* settings with new keys; needs no settings.

    Keep them safe and apart from backups of the database: losing the master key loses the data.

    Example: rollcall settings new --data-dir /var/lib/rollcall -o rollcall.env
    """
    from service.workflows.set_up import new_settings

    values = new_settings(data_dir.absolute())
    if output is not None:
        save_environment(output, values)
        door.show({"written": output}, lambda: print_line(f"Written to {output}; use it with: set -a; . {output}"))
        return
    door.show(values, lambda: print_line("\n".join(write_environment(values))))


def write_environment(values: dict[str, str]) -> list[str]:
    """Answer NAME=value lines that a shell reads back exactly."""
    return [f"{name}={shlex.quote(value)}" for name, value in values.items()]


def save_environment(path: Path, values: dict[str, str]) -> None:
    """Write a new settings file that only its owner can read; raises InvalidInput when the file exists."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be written: {error.strerror}.", next_action="Choose a new file in a folder that exists."
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as lines:
        lines.write("\n".join(write_environment(values)) + "\n")
