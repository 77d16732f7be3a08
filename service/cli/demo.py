"""`rollcall demo`: the whole product on this machine in a minute, with an emulator in CMS's place."""

from __future__ import annotations

import shlex
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.cli.demo_data import (
    DEFAULT_PATIENTS,
    DEFAULT_PRACTITIONERS,
    FEED_ID,
    ORGANIZATION_ID,
    RosterFile,
    build_rosters,
    check_size,
)
from service.cli.door import Door, end
from service.cli.exit_codes import ExitCode
from service.cli.options import pass_door, with_format
from service.cli.output import print_json
from service.domain.errors import Conflict, Refusal

if TYPE_CHECKING:
    from service.cli.demo_story import Login, Story, Teller
    from service.workflows.apply import ApplyStep

DEFAULT_PORT = 8080


@click.command()
@click.option(
    "--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(1, 65535), help="Port of the pages."
)
@click.option("--no-serve", is_flag=True, help="Stop after the run; any free port is used meanwhile.")
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), help="Folder that keeps everything.")
@click.option(
    "--summary", type=click.Path(dir_okay=False, path_type=Path), help="JSON file for the numbers of the run."
)
@click.option(
    "--practitioners", default=DEFAULT_PRACTITIONERS, show_default=True, type=click.IntRange(1, 500), help="How many."
)
@click.option("--patients", default=DEFAULT_PATIENTS, show_default=True, type=click.IntRange(6), help="How many.")
@with_format
@pass_door
def demo(
    door: Door,
    port: int,
    no_serve: bool,
    directory: Path | None,
    summary: Path | None,
    practitioners: int,
    patients: int,
) -> None:
    """Play eleven weeks of one practice on this machine, then leave the pages running until Ctrl-C.

    Needs no settings and no credentials. Afterwards `set -a; . DIR/env` makes every verb work on the demo's data
    (organisation lakeside, feed ehr-daily); `rollcall emulator --data DIR/emulator.db --port PORT`, with the port named
    in DIR/env, lets DPC go on. Ends with 0 only if the ledger verifies and a second reconcile finds nothing.

    Example: rollcall demo --no-serve --directory ./demo --summary ./demo.json
    """
    check_size(practitioners, patients)
    folder = _make_folder(directory)
    with _ending_on_sigterm():
        is_well = run_demo(door, folder, build_rosters(practitioners, patients), None if no_serve else port, summary)
    end(ExitCode.DONE if is_well else ExitCode.UNEXPECTED)


def run_demo(door: Door, folder: Path, files: list[RosterFile], port: int | None, summary_file: Path | None) -> bool:
    """Run the demo in a folder and answer whether it ended as it must; without `port` it stops after the run.

    1. Emulator, settings, schema, service.
    2. The story: onboarding, eleven weeks, the last reconcile.
    3. The numbers; then, with a port, wait until somebody ends it.
    """
    from service.cli.demo_servers import ServiceProcess, find_free_port, is_port_free, run_emulator
    from service.cli.demo_story import Story
    from service.cli.demo_summary import build_summary, save_summary
    from service.runtime import build_runtime
    from service.settings import load_settings
    from service.workflows.set_up import migrate

    started = time.monotonic()
    console = Console(stderr=door.is_json, highlight=False)
    if port is not None and not is_port_free(port):
        raise Refusal(f"Port {port} is taken.", next_action="Choose another one with --port.")
    with ExitStack() as stack:
        teller = stack.enter_context(_tell(console))
        emulator = stack.enter_context(run_emulator(folder / "emulator.db"))
        teller.say(f"Emulator of DPC at {emulator.base_url}")
        environ = make_environment(folder, emulator.base_url)
        teller.say(f"Settings written to {folder / 'env'}")
        settings = load_settings(environ)
        migrate(settings)
        service = ServiceProcess(environ, port or find_free_port(), folder / "service.log")
        stack.callback(service.stop)
        save_rosters(folder / "rosters", files)
        rt = stack.enter_context(build_runtime(settings))
        story = Story(rt, emulator, service.port, teller)
        story.set_up()
        story.add_people()
        service.wait_until_ready()
        teller.say(f"Service at {service.address}")
        story.play(files)
        story.finish()
        requests = len(emulator.log())
        summary = build_summary(rt, story.tally, requests, time.monotonic() - started)
        if summary_file is not None:
            save_summary(summary_file, summary)
        _show_summary(door, console, summary)
        _end_story(console, folder, emulator.base_url, service.address if port else None, story)
    return bool(summary["ledger"]["verified"] and summary["converged"])


def make_environment(folder: Path, origin: str) -> dict[str, str]:
    """Write `env` with fresh keys for this folder and an emulator, and answer it."""
    from service.cli.set_up import save_environment
    from service.workflows.set_up import new_settings

    environ = new_settings(folder / "data") | {
        "ROLLCALL_ALLOWED_DPC_ORIGINS": origin,
        "ROLLCALL_CLOCK": f"emulator:{origin}",
        "ROLLCALL_SECURE_COOKIES": "no",
        "ROLLCALL_QUIESCE": "5",
        "ROLLCALL_READ_TIMEOUT": "20",
    }
    save_environment(folder / "env", environ)
    return environ


def save_rosters(folder: Path, files: list[RosterFile]) -> None:
    """Keep the files that were sent, so that they can be sent again by hand."""
    folder.mkdir(exist_ok=True)
    for file in files:
        (folder / file.name).write_bytes(file.body)


def _make_folder(directory: Path | None) -> Path:
    if directory is None:
        return Path(tempfile.mkdtemp(prefix="rollcall-demo-"))
    if (directory / "env").exists():
        raise Conflict(f"{directory} holds a demo already.", next_action="Name another folder, or remove this one.")
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return directory.resolve()


@contextmanager
def _tell(console: Console) -> Iterator[Teller]:
    """Show each step as a line; while calls are sent, a terminal shows how many."""
    from service.cli.demo_story import Teller

    with console.status("Starting") as status:

        def say(text: str) -> None:
            status.update(Text(text))
            console.print(Text(f"• {text}"), soft_wrap=True)

        def step(at: ApplyStep) -> None:
            status.update(Text(f"Sending {at.ordinal} of {at.total}: {at.kind} {at.npi or ''}"))

        yield Teller(say, lambda text: console.print(Text(f"    {text}", style="dim"), soft_wrap=True), step)


def _show_summary(door: Door, console: Console, summary: dict[str, Any]) -> None:
    if door.is_json:
        print_json(summary)
        return
    table = Table(title="The demo in numbers", box=None, show_header=False, pad_edge=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in summary.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name.replace("_", " "), Text(shown))
    console.print()
    console.print(table)


def _end_story(console: Console, folder: Path, origin: str, address: str | None, story: Story) -> None:
    """With an address let people look at the pages there; without one say how to go on later."""
    if address is None:
        _tell_how_to_go_on(console, folder, origin, story)
    else:
        _serve_on(console, address, story)


def _tell_how_to_go_on(console: Console, folder: Path, origin: str, story: Story) -> None:
    """Say how the demo's data can be looked at, now that nothing of it runs any more."""
    lines = [
        "To go on with it, in one terminal and then in another:",
        f"  rollcall emulator --data {shlex.quote(str(folder / 'emulator.db'))} --port {origin.rpartition(':')[2]}",
        f"  set -a; . {shlex.quote(str(folder / 'env'))}; set +a; rollcall serve",
        "and log in as:",
        *(_write_login(login) for login in story.logins),
    ]
    console.print()
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def _serve_on(console: Console, address: str, story: Story) -> None:
    """Say where the pages are and who may log in; return at Ctrl-C."""
    lines = [f"The pages are at {address} (organisation {ORGANIZATION_ID}, feed {FEED_ID}). Log in as:"]
    lines += [_write_login(login) for login in story.logins]
    lines.append("Ctrl-C ends the demo; its folder stays.")
    try:
        console.print()
        for line in lines:
            console.print(Text(line), soft_wrap=True)
        sys.stdout.flush()
        ended = threading.Event()
        while not ended.wait(1):  # wakes up to notice a signal that was delivered to another thread
            pass
    except KeyboardInterrupt:
        console.print("Ending.")


def _write_login(login: Login) -> str:
    return f"  {login.email}  {login.password}  ({login.roles})"


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """SIGTERM ends the demo like Ctrl-C does, so that what it started ends as well."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, interrupt) if is_main else None
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)
