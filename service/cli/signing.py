"""Who answers, at the terminal: sign one plan, authorise a bounded class of changes, take that back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from service.cli.door import Door, find_actor
from service.cli.options import pass_door, with_format, with_needed_as, with_org, with_reason
from service.cli.output import print_line, print_record, print_rows
from service.cli.plan_places import find_plan_place

if TYPE_CHECKING:
    from service.workflows.authorize import AuthorizationView

_TO_STANDING = "Next: rollcall org set --approval standing "


@click.command()
@click.argument("plan_id", metavar="PLAN")
@click.option("--org", "organization_id", metavar="ORG", help="The organisation; found by the plan when left out.")
@with_needed_as
@with_reason
@click.option("--fingerprint", metavar="SHA256", help="Sign only if the plan still has this fingerprint.")
@with_format
@pass_door
def sign(
    door: Door, plan_id: str, organization_id: str | None, email: str, reason: str, fingerprint: str | None
) -> None:
    """Sign a plan's fingerprint: you answer for exactly its changes. Read it first with `rollcall plan show PLAN`.

    Example: rollcall sign PLAN --as officer@lakeside.example --reason "weekly panel, checked with the front desk"
    """
    from service.workflows.sign import sign_plan

    rt = door.open()
    place = find_plan_place(rt, plan_id, organization_id)
    actor = find_actor(rt, place.organization_id, email)
    bound = fingerprint or place.head.fingerprint
    head = sign_plan(rt, place.organization_id, place.head.id, fingerprint=bound, reason=reason, actor=actor)
    door.show(head, lambda: print_line(f"Plan {head.number} is {head.state}; {email} answers for {head.fingerprint}."))


@click.command()
@with_org
@click.option("--days", type=click.IntRange(1, 90), required=True, help="For how long, at most 90 days.")
@click.option("--npi", "npis", multiple=True, metavar="NPI", help="Only these practitioners; repeat for several.")
@with_needed_as
@with_reason
@with_format
@pass_door
def authorize(door: Door, organization_id: str, days: int, npis: tuple[str, ...], email: str, reason: str) -> None:
    """Authorise adds and renewals on fresh evidence and below all guards, until a date.

    Whether software may attest under a standing approval is for your counsel; removals are never covered.

    Example: rollcall authorize --org lakeside --days 30 --as officer@lakeside.example --reason "weekly panels"
    """
    from service.workflows.authorize import authorize as give
    from service.workflows.onboard import load_organization

    rt = door.open_for(organization_id)
    given = give(rt, organization_id, days=days, reason=reason, actor=find_actor(rt, organization_id, email), npis=npis)
    is_used = load_organization(rt, organization_id).approval == "standing"

    def write() -> None:
        _print_authorizations([given])
        if not is_used:
            print_line(
                f"It covers nothing yet: every plan is still signed by a person. {_TO_STANDING}{organization_id}"
            )

    door.show(given, write)


@click.command()
@click.argument("authorization_id", metavar="AUTHORIZATION", required=False)
@with_org
@click.option("--as", "email", metavar="EMAIL", help="Who takes it back; needed with AUTHORIZATION.")
@with_format
@pass_door
def revoke(door: Door, authorization_id: str | None, organization_id: str, email: str | None) -> None:
    """Take a standing authorisation back at once; without AUTHORIZATION list them.

    Example: rollcall revoke AUTHORIZATION --org lakeside --as officer@lakeside.example
    """
    from service.workflows.authorize import find_authorizations
    from service.workflows.authorize import revoke as take_back

    rt = door.open_for(organization_id)
    if authorization_id is None:
        found = find_authorizations(rt, organization_id)
        door.show(found, lambda: _print_authorizations(found))
        return
    if email is None:
        raise click.UsageError("--as EMAIL is needed to take an authorisation back.")
    take_back(rt, organization_id, authorization_id, find_actor(rt, organization_id, email))
    shown = {"id": authorization_id, "revoked": True}
    door.show(shown, lambda: print_record([("revoked", authorization_id)]))


def _print_authorizations(found: list[AuthorizationView]) -> None:
    rows = [(a.id, a.person, a.from_at, a.until_at, a.npis or "all", a.reason, a.revoked_at) for a in found]
    columns = ("id", "person", "from", "until", "practitioners", "reason", "revoked")
    print_rows(columns, rows, empty="There is no standing authorisation.")
