"""The command line: one verb per line of work, loaded only when it is called, so that help and checks start fast."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module

import click

from service.cli.door import Door, RootGroup

VERBS: Mapping[str, str] = {
    "serve": "service.cli.set_up:serve",
    "emulator": "service.cli.set_up:emulator",
    "migrate": "service.cli.set_up:migrate",
    "doctor": "service.cli.set_up:doctor",
    "settings": "service.cli.set_up:settings",
    "org": "service.cli.organizations:org",
    "keys": "service.cli.organizations:keys",
    "feed": "service.cli.feeds:feed",
    "user": "service.cli.people:user",
    "client": "service.cli.people:client",
    "check": "service.cli.rosters:check",
    "receive": "service.cli.rosters:receive",
    "delivery": "service.cli.rosters:delivery",
    "plan": "service.cli.plans:plan",
    "sign": "service.cli.signing:sign",
    "authorize": "service.cli.signing:authorize",
    "revoke": "service.cli.signing:revoke",
    "hold": "service.cli.holds:hold",
    "apply": "service.cli.nightly:apply",
    "reconcile": "service.cli.nightly:reconcile",
    "settle": "service.cli.nightly:settle",
    "sweep": "service.cli.nightly:sweep",
    "explain": "service.cli.proof:explain",
    "report": "service.cli.proof:report",
    "ledger": "service.cli.proof:ledger",
    "demo": "service.cli.demo:demo",
}
"""Every verb and the place of its command; the order is that of the help."""


class VerbGroup(RootGroup):
    """The root: knows its verbs by name and loads one when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Answer the names of all verbs in the order of a first day."""
        return [*VERBS, *sorted(set(super().list_commands(ctx)) - set(VERBS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Answer one verb, None when there is none of that name."""
        place = VERBS.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="rollcall", prog_name="rollcall")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Keep a practice's DPC Groups equal to what the practice will answer for, and keep the proof.

    Settings come from ROLLCALL_* environment variables (`rollcall settings new` makes a first set, `rollcall doctor`
    explains them). Exit codes: 0 done, 1 unexpected, 2 usage, 10 changes are planned, 11 something is held for a
    person, 12 refused by a rule, 13 DPC unreachable or refused, 14 the ledger does not verify, 15 settings wrong.
    """
    if ctx.obj is None:
        ctx.obj = Door(dict(os.environ))
