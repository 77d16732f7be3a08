"""The door of the command line: the environment is read once here and handed inward; errors leave in one shape."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from service.cli.exit_codes import ExitCode, find_exit_code
from service.cli.output import print_error, print_json
from service.domain.people import Actor
from service.settings import Settings, SettingsWrong, load_settings

if TYPE_CHECKING:
    from service.runtime import Runtime

log = logging.getLogger(__name__)


class Door:
    """What verbs are given: the environment, settings and a runtime when they ask for them, and the output format."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.format = "text"
        self._settings: Settings | None = None
        self._runtime: Runtime | None = None

    @property
    def is_json(self) -> bool:
        """True when scripts read the output."""
        return self.format == "json"

    @property
    def settings(self) -> Settings:
        """The settings of the environment; raises SettingsWrong with all mistakes."""
        if self._settings is None:
            self._settings = load_settings(self.environ)
        return self._settings

    def open(self) -> Runtime:
        """Answer the runtime, opened once and closed when the verb ends."""
        if self._runtime is None:
            from service.runtime import build_runtime  # verbs that need no database start without its libraries

            root = click.get_current_context().find_root()
            self._runtime = root.with_resource(build_runtime(self.settings))
        return self._runtime

    def open_for(self, organization_id: str) -> Runtime:
        """Answer the runtime for a verb about one organisation; raises NotFound when there is none of that id."""
        from service.workflows.onboard import load_organization

        rt = self.open()
        load_organization(rt, organization_id)
        return rt

    def show(self, value: object, as_text: Callable[[], object]) -> None:
        """Print `value` as JSON, or call `as_text`."""
        if self.is_json:
            print_json(value)
        else:
            as_text()


class RootGroup(click.Group):
    """The outermost group: every exception of a verb ends here as one sentence, a next action and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; exits with the code of `exit_codes` when it fails."""
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):
            raise
        except click.ClickException as error:
            if not is_json(ctx):
                raise
            print_error("usage", error.format_message(), "Read the verb's --help.", as_json=True)
            raise SystemExit(error.exit_code) from None
        except Exception as error:
            raise SystemExit(report_error(error, as_json=is_json(ctx))) from None


def is_json(ctx: click.Context) -> bool:
    """True when the verb was asked for JSON before it failed."""
    return isinstance(ctx.obj, Door) and ctx.obj.is_json


def report_error(error: Exception, *, as_json: bool) -> int:
    """Print an error for people or scripts and answer the exit code; an unknown one shows its kind, never its text."""
    code = find_exit_code(error)
    if isinstance(error, SettingsWrong):
        message = "The settings cannot be used: " + " ".join(error.mistakes)
        print_error("settings_wrong", message, "Correct them all; `rollcall doctor` explains each.", as_json=as_json)
        return code
    said = getattr(error, "message", None)
    if not isinstance(said, str):
        log.debug("unexpected failure", exc_info=error)
        message = f"Something unexpected went wrong ({type(error).__name__}); nothing more was done."
        print_error("unexpected", message, "Run `rollcall doctor`; then try again.", as_json=as_json)
        return ExitCode.UNEXPECTED
    text = getattr(error, "text", "")
    message = f"{said} DPC said: {text}" if text else said
    action = getattr(error, "at_terminal", None) or str(getattr(error, "next_action", ""))
    name = str(getattr(error, "code", "failed"))
    print_error(name, message, action, as_json=as_json)
    return code


def end(code: ExitCode) -> None:
    """End the verb with an exit code other than 0."""
    if code is not ExitCode.DONE:
        click.get_current_context().exit(int(code))


def find_actor(rt: Runtime, organization_id: str, email: str | None) -> Actor:
    """Answer the person of `--as EMAIL` with the roles held in this organisation; without it the operator.

    Whoever holds the keys at a terminal is taken at their word about who they are; the role is checked.
    Raises NotFound for somebody without any role there.
    """
    if email is None:
        return Actor.operator()
    from service.workflows.people import find_person_actor

    return find_person_actor(rt, organization_id, email)


def is_terminal() -> bool:
    """True when somebody sits at the keyboard; only then may a verb ask."""
    return sys.stdin is not None and sys.stdin.isatty()
