"""Onboarding at the terminal: organisations, their way to DPC, and their keys."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from service.cli.door import Door
from service.cli.options import pass_door, with_format, with_org
from service.cli.output import print_line, print_record, print_rows
from service.domain.errors import InvalidInput
from service.domain.people import Actor
from service.workflows import onboard


@click.group()
def org() -> None:
    """Organisations: one per practice with its own connection to DPC."""


def _with_settings(verb: Any) -> Any:
    """The settings of an organisation that can be given and changed."""
    for option in (
        click.option("--time-zone", metavar="ZONE", help="IANA name, such as America/Chicago."),
        click.option("--patient-limit", type=click.IntRange(1), help="Patients per Group, inactive ones included."),
        click.option("--approval", type=click.Choice(["every-plan", "standing"]), help="Who answers for a plan."),
    ):
        verb = option(verb)
    return verb


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


@org.command("add")
@click.argument("organization_id", metavar="ORG")
@click.option("--name", required=True, help="The organisation's name, as DPC knows it.")
@click.option("--npi", required=True, help="The organisation's own NPI.")
@click.option("--environment", type=click.Choice(["sandbox", "production"]), help="Which MBIs are allowed; fixed.")
@click.option("--dialect", type=click.Choice(["v1"]), help="Which DPC API is spoken; fixed.")
@_with_settings
@with_format
@pass_door
def add(door: Door, organization_id: str, name: str, npi: str, **options: Any) -> None:
    """Add an organisation; ORG is its short id from now on.

    Example: rollcall org add lakeside --name "Lakeside Family Practice" --npi 3905293015
    """
    added = onboard.add_organization(
        door.open(), organization_id=organization_id, name=name, npi=npi, actor=Actor.operator(), **_given(options)
    )
    door.show(added, lambda: print_line(f"{organization_id} is added. Next: rollcall keys new --org {organization_id}"))


@org.command("list")
@with_format
@pass_door
def list_organizations(door: Door) -> None:
    """List all organisations.

    Example: rollcall org list --format json
    """
    found = onboard.find_organizations(door.open())
    columns = ("id", "name", "npi", "environment", "dialect", "approval", "base_url", "applies")
    rows = [[getattr(item, column) for column in columns] for item in found]
    door.show(found, lambda: print_rows(columns, rows, empty="There is no organisation yet."))


@org.command("show")
@click.argument("organization_id", metavar="ORG")
@with_format
@pass_door
def show(door: Door, organization_id: str) -> None:
    """Show one organisation's settings.

    Example: rollcall org show lakeside
    """
    found = onboard.load_organization(door.open(), organization_id)
    door.show(found, lambda: _print_fields(found))


@org.command("set")
@click.argument("organization_id", metavar="ORG")
@click.option("--name", help="A new name.")
@click.option("--applies", type=click.Choice(["on", "off"]), help="Whether anything may be sent to DPC.")
@click.option("--renew-within-days", type=click.IntRange(1, 60), help="Days left at which a renewal is due.")
@click.option("--evidence-max-age-days", type=click.IntRange(1, 90), help="How old evidence may be to attest on.")
@_with_settings
@with_format
@pass_door
def set_settings(door: Door, organization_id: str, applies: str | None, **options: Any) -> None:
    """Change an organisation's settings; only what is given changes. `--applies off` stops all sending at once.

    Example: rollcall org set lakeside --patient-limit 1350 --time-zone America/Chicago
    """
    changes = _given(options)
    if applies is not None:
        changes["applies"] = applies == "on"
    if not changes:
        raise click.UsageError("Nothing to change was given; `rollcall org set --help` lists what can be.")
    found = onboard.set_organization(door.open(), organization_id, changes, Actor.operator())
    door.show(found, lambda: _print_fields(found))


@org.command("connect")
@click.argument("organization_id", metavar="ORG")
@click.option("--emulator", "origin", metavar="URL", help="An emulator on this machine; plays CMS's portal by itself.")
@click.option(
    "--base-url", metavar="URL", help="DPC's address with the version, such as https://sandbox.dpc.cms.gov/api/v1."
)
@click.option(
    "--client-token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the client token from CMS's portal.",
)
@click.option("--key", "key_id", metavar="ID", help="Our id of the key that was registered (`rollcall keys list`).")
@click.option("--kid", metavar="UUID", help="The id that CMS's portal gave the public key.")
@with_format
@pass_door
def connect(door: Door, organization_id: str, origin: str | None, **options: Any) -> None:
    """Connect an organisation to DPC and prove it with a token and a read of the organisation.

    At CMS's portal you register the public key and its signature (`rollcall keys list`) and create a client token.
    With --emulator all of that is done on this machine.

    Example: rollcall org connect lakeside --emulator http://127.0.0.1:3002
    """
    rt = door.open_for(organization_id)
    if origin is not None:
        found = onboard.connect_to_emulator(rt, organization_id, origin.rstrip("/"), Actor.operator())
    else:
        found = onboard.connect_organization(rt, organization_id, **_read_connection(options), actor=Actor.operator())
    door.show(found, lambda: print_line(f"{organization_id} is connected to {found.base_url}."))


def _read_connection(options: dict[str, Any]) -> dict[str, Any]:
    missing = [name for name, value in options.items() if value is None]
    if missing:
        names = ", ".join("--" + {"key_id": "key"}.get(name, name).replace("_", "-") for name in missing)
        raise click.UsageError(f"Without --emulator these are needed too: {names}.")
    token_file: Path = options.pop("client_token_file")
    token = token_file.read_text(encoding="utf-8").strip()
    if not token:
        raise InvalidInput(f"{token_file} is empty.", next_action="Copy the client token into it again.")
    return {**options, "client_token": token}


def _print_fields(value: Any) -> None:
    print_record((field.name, getattr(value, field.name)) for field in fields(value))


@click.group()
def keys() -> None:
    """The key pairs with which an organisation proves itself to DPC; private halves never leave the database."""


@keys.command("new")
@with_org
@click.option("--label", default="rollcall", show_default=True, help="What DPC's list of keys shows.")
@with_format
@pass_door
def new(door: Door, organization_id: str, label: str) -> None:
    """Make a 4096-bit key pair and print what CMS's portal asks for: the public key and the signed snippet.

    Example: rollcall keys new --org lakeside --label 2026-a
    """
    made = onboard.create_key(door.open_for(organization_id), organization_id, label, Actor.operator())
    door.show(made, lambda: _print_key(made))


@keys.command("list")
@with_org
@with_format
@pass_door
def list_keys(door: Door, organization_id: str) -> None:
    """List an organisation's keys; `kid` is DPC's id, once registered.

    Example: rollcall keys list --org lakeside
    """
    found = onboard.find_keys(door.open_for(organization_id), organization_id)
    rows = [(key.id, key.label, key.kid, key.created_at) for key in found]
    door.show(found, lambda: print_rows(("id", "label", "kid", "created"), rows, empty="There is no key yet."))


@keys.command("rotate")
@with_org
@click.option("--label", default="rollcall", show_default=True, help="What DPC's list of keys shows.")
@with_format
@pass_door
def rotate(door: Door, organization_id: str, label: str) -> None:
    """Make a new key, register it at DPC with the old one, and use it from now on.

    Example: rollcall keys rotate --org lakeside --label 2026-b
    """
    made = onboard.rotate_key(door.open_for(organization_id), organization_id, label, Actor.operator())
    door.show(made, lambda: print_line(f"Key {made.id} is registered as {made.kid} and in use."))


@keys.command("sign-snippet")
@with_org
@click.option("--key", "key_id", metavar="ID", help="Which key; default: the newest.")
@with_format
@pass_door
def sign_snippet(door: Door, organization_id: str, key_id: str | None) -> None:
    """Print the signature of CMS's verification snippet, which its portal asks for beside the public key.

    Example: rollcall keys sign-snippet --org lakeside
    """
    found = onboard.find_keys(door.open_for(organization_id), organization_id)
    chosen = [key for key in found if key_id in (None, key.id)]
    if not chosen:
        raise InvalidInput("There is no such key.", next_action="Make one: rollcall keys new --org ORG.")
    key = max(chosen, key=lambda item: item.created_at)
    door.show({"id": key.id, "signature": key.signature}, lambda: print_line(key.signature))


def _print_key(key: onboard.KeyView) -> None:
    print_line(f"Key {key.id} ({key.label}). Register this public key and signature at CMS's portal:")
    print_line()
    print_line(key.public_pem.strip())
    print_line()
    print_line(key.signature)
