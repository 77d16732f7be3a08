"""Every verb explains itself, shows an example and can write JSON."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from jobs.entry import cli


def iter_verbs(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    if command.invoke_without_command:
        yield path, command
    context = click.Context(command, info_name=path[-1] if path else "rollcall")
    for name in command.list_commands(context):
        sub = command.get_command(context, name)
        assert sub is not None
        yield from iter_verbs(sub, (*path, name))


VERBS = dict(iter_verbs(cli))


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_a_verb_shows_an_example_and_takes_a_format(path: tuple[str, ...]) -> None:
    command = VERBS[path]
    assert f"Example: rollcall {path[0]}" in (command.help or "")
    formats = [option for option in command.params if option.name == "format"]
    assert formats, "every verb takes --format text|json"
    assert isinstance(formats[0].type, click.Choice)
    assert {"text", "json"} <= set(formats[0].type.choices)
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{option.name} is not explained"


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_help_needs_no_settings(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*path, "--help"], env={"ROLLCALL_MASTER_KEY": "wrong"})
    assert result.exit_code == 0
    assert "Usage: " in result.stdout


def test_every_promised_verb_is_there() -> None:
    promised = """serve jobs emulator migrate doctor org keys feed user client check receive plan sign authorize revoke
        apply reconcile settle sweep explain report ledger demo settings hold delivery"""
    assert set(promised.split()) == {path[0] for path in VERBS}
