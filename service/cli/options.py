"""Options that many verbs share, each written once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from service.cli.door import Door

Verb = TypeVar("Verb", bound=Callable[..., Any])


def _remember_format(ctx: click.Context, _parameter: click.Parameter, value: str) -> None:
    door = ctx.find_root().obj
    if isinstance(door, Door):
        door.format = value


def add_format(*others: str) -> Callable[[Verb], Verb]:
    """Add `--format text|json` and whatever else the verb can write."""
    return click.option(
        "--format",
        type=click.Choice(["text", "json", *others]),
        default="text",
        show_default=True,
        expose_value=False,
        is_eager=True,
        callback=_remember_format,
        help="How to write the result.",
    )


with_format = add_format()
with_org = click.option("--org", "organization_id", required=True, metavar="ORG", help="The organisation's id.")
with_as = click.option(
    "--as", "email", metavar="EMAIL", help="Who decides: a person of the organisation with the role for it."
)
with_needed_as = click.option(
    "--as", "email", metavar="EMAIL", required=True, help="Who answers: a person of the organisation with the role."
)
with_reason = click.option("--reason", required=True, metavar="TEXT", help="Why, in one sentence; it is kept.")


def pass_door(verb: Verb) -> Verb:
    """Give the verb the door as its first argument."""
    return cast(Verb, click.make_pass_decorator(Door)(verb))
