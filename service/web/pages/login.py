"""Coming in, going out, and choosing the organisation to look at."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import flash, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from service.domain.errors import NotAuthenticated, NotFound
from service.web.access import (
    SESSION_KEY,
    SESSION_ORGANIZATION,
    check_same_origin,
    find_person,
    for_people,
    open_to_all,
)
from service.web.pages.blueprint import pages
from service.web.places import find_runtime
from service.workflows.people import check_password, close_session, open_session


@pages.get("/login")
@open_to_all
def show_login() -> ResponseReturnValue:
    """Show the form for e-mail address and password."""
    if find_person() is not None:
        return redirect(url_for("pages.show_overview_page"), 303)
    return render_template("login.html", wanted=_read_wanted(request.args.get("next")), email="")


@pages.post("/login")
@open_to_all
def log_in() -> ResponseReturnValue:
    """Check the password, open a session of its own and go to the page that was wanted."""
    check_same_origin()
    runtime = find_runtime()
    wanted = _read_wanted(request.form.get("next"))
    email = request.form.get("email", "").strip()
    try:
        person = check_password(runtime, email, request.form.get("password", ""))
    except NotAuthenticated as refused:
        page = render_template("login.html", wanted=wanted, email=email[:200], refused=refused)
        return make_response(page, 401)
    session.clear()  # nothing that was known before the login survives it
    session[SESSION_KEY] = open_session(runtime, person.id)
    return redirect(wanted, 303)


@pages.post("/logout")
@for_people()
def log_out() -> ResponseReturnValue:
    """Close the session here and in the browser."""
    token = session.get(SESSION_KEY)
    if token:
        close_session(find_runtime(), token)
    session.clear()
    flash("You are logged out.", "done")
    answer = make_response(redirect(url_for("pages.show_login"), 303))
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


@pages.post("/organization")
@for_people()
def choose_organization_page() -> ResponseReturnValue:
    """Look at another organisation that the person belongs to; the choice stays in the session."""
    person = find_person()
    chosen = request.form.get("organization", "")
    if person is None or chosen not in person.memberships:
        raise NotFound("You belong to no such organisation.")
    session[SESSION_ORGANIZATION] = chosen
    return redirect(url_for("pages.show_overview_page"), 303)


def _read_wanted(text: str | None) -> str:
    """Answer a path of our own to go to after the login; anything else leads to the overview."""
    parts = urlsplit(text or "")
    is_ours = text and text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc
    return text if text and is_ours and text.isprintable() else "/"
