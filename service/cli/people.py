"""People and machines at the terminal: who may log in, and which programs may send and read."""

from __future__ import annotations

from pathlib import Path

import click

from service.cli.door import Door, is_terminal
from service.cli.options import pass_door, with_format, with_org
from service.cli.output import print_line, print_record
from service.domain.people import Actor, Role
from service.workflows.people import add_client, add_person

SCOPES = ("feed:write", "status:read", "plans:read", "plans:sign", "setup:write")


@click.group()
def user() -> None:
    """People: attesters, reviewers, admins, feeders."""


@user.command("add")
@click.argument("email", metavar="EMAIL")
@with_org
@click.option("--name", required=True, help="The person's name, as it stands beside signatures.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice([role.value for role in Role]),
    help="Repeat for several; nobody is both admin and attester.",
)
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the password; without it a terminal is asked.",
)
@with_format
@pass_door
def add_user(
    door: Door, email: str, organization_id: str, name: str, roles: tuple[str, ...], password_file: Path | None
) -> None:
    """Add a person with roles in one organisation.

    Example: rollcall user add officer@lakeside.example --org lakeside --name "Ada Park" --role attester
    """
    password = _read_password(password_file)
    add_person(
        door.open_for(organization_id),
        organization_id,
        email=email,
        name=name,
        password=password,
        roles=frozenset(Role(role) for role in roles),
        actor=Actor.operator(),
    )
    shown = {"email": email, "name": name, "organization_id": organization_id, "roles": sorted(roles)}
    door.show(shown, lambda: print_line(f"{email} is added to {organization_id}: {', '.join(sorted(roles))}."))


def _read_password(password_file: Path | None) -> str:
    if password_file is not None:
        return password_file.read_text(encoding="utf-8").rstrip("\r\n")
    if not is_terminal():
        raise click.UsageError("--password-file is needed where nobody can be asked.")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


@click.group()
def client() -> None:
    """Programs that send rosters or read results over HTTP."""


@client.command("add")
@click.argument("name", metavar="NAME")
@with_org
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    default=("feed:write", "status:read"),
    show_default=True,
    help="What it may do; repeat for several.",
)
@click.option("--person", "person_email", metavar="EMAIL", help="The person it acts for; needed to sign or set up.")
@with_format
@pass_door
def add_machine(door: Door, name: str, organization_id: str, scopes: tuple[str, ...], person_email: str | None) -> None:
    """Add a program and print its id and secret; the secret is shown this once only.

    Example: rollcall client add ehr --org lakeside --scope feed:write --scope status:read
    """
    made = add_client(
        door.open_for(organization_id),
        organization_id,
        name=name,
        scopes=frozenset(scopes),
        person_email=person_email,
        actor=Actor.operator(),
    )
    record = [("client_id", made.client_id), ("client_secret", made.client_secret)]
    door.show(dict(record), lambda: print_record(record))
