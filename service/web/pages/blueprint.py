"""The blueprint that all pages share, and how a page acts and tells what came of it."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect
from flask.typing import ResponseReturnValue

from service.web.problems import KNOWN_ERRORS, describe_error, describe_status

pages = Blueprint("pages", __name__)


def act(action: Callable[[], str], *, back: str) -> ResponseReturnValue:
    """Take a step for a person and go back to the page.

    The action answers the sentence to show; a refusal is shown instead with its next action.
    """
    try:
        done = action()
    except KNOWN_ERRORS as error:
        problem = describe_error(error) or describe_status(500)
        flash(f"{problem.detail}\n{problem.next_action}", "refused")
    else:
        flash(done, "done")
    return redirect(back, 303)
