"""Who may come in: every route declares its rule, one gate enforces it, and a route without a rule stays shut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import Flask, current_app, g, request, session

from service.domain.errors import NotAllowed, NotAuthenticated
from service.domain.people import Action, Actor, may
from service.web.places import find_runtime
from service.workflows.people import PersonView, find_session, find_token

View = TypeVar("View", bound=Callable[..., Any])

FEED_WRITE = "feed:write"
STATUS_READ = "status:read"
PLANS_READ = "plans:read"
PLANS_SIGN = "plans:sign"
SETUP_WRITE = "setup:write"
SESSION_KEY = "session"
SESSION_ORGANIZATION = "organization_id"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """Who a route lets in: `everybody`, a `person` with any of the actions, or a `machine` with any of the scopes.

    No actions, or no scopes, means that being logged in is enough.
    """

    kind: str
    actions: tuple[Action, ...] = ()
    scopes: tuple[str, ...] = ()


def open_to_all(view: View) -> View:
    """Declare that a route asks nobody for a name."""
    return _declare(view, AccessRule("everybody"))


def for_people(*actions: Action) -> Callable[[View], View]:
    """Declare that a route is for people who are logged in and may take one of the actions."""
    return lambda view: _declare(view, AccessRule("person", actions=actions))


def for_machines(*scopes: str) -> Callable[[View], View]:
    """Declare that a route is for bearers of a token with one of the scopes."""
    return lambda view: _declare(view, AccessRule("machine", scopes=scopes))


def find_rule(app: Flask, endpoint: str | None) -> AccessRule | None:
    """Answer the declared rule of an endpoint; None if it declares none."""
    view = app.view_functions.get(endpoint or "")
    return getattr(view, "access_rule", None)


def check_access() -> None:
    """Let the request in, and remember who asks, or raise NotAuthenticated or NotAllowed (before each request)."""
    if request.endpoint is None:
        return
    rule = find_rule(current_app, request.endpoint)
    if rule is None:
        raise NotAllowed("This address declares nobody who may use it.")
    if rule.kind == "machine":
        _admit_machine(rule)
    elif rule.kind == "person":
        _admit_person(rule)


def load_actor() -> Actor:
    """Answer who asks, in which organisation; only inside routes that asked for a login."""
    return cast(Actor, g.actor)


def load_organization_id() -> str:
    """Answer the organisation of whoever asks, taken from the verified credential and from nowhere else."""
    organization_id = load_actor().organization_id
    if organization_id is None:
        raise NotAllowed("You belong to no organisation.")
    return organization_id


def find_person() -> PersonView | None:
    """Answer the person of this browser session; None if nobody is logged in."""
    if "person" not in g:
        token = session.get(SESSION_KEY)
        g.person = find_session(find_runtime(), token) if token else None
    return cast(PersonView | None, g.person)


def is_allowed(*actions: Action) -> bool:
    """Answer whether whoever asks may take any of the actions; for showing or leaving out a button."""
    actor: Actor | None = g.get("actor")
    if actor is None or actor.organization_id is None:
        return False
    return any(may(actor, action, actor.organization_id) for action in actions)


def choose_organization(person: PersonView) -> str | None:
    """Answer the organisation that the session has chosen, else the first by name; None without memberships."""
    chosen = session.get(SESSION_ORGANIZATION)
    return chosen if chosen in person.memberships else min(person.memberships, default=None)


def check_same_origin() -> None:
    """Refuse a form sent by another site (ASVS 3.5: Sec-Fetch-Site, else Origin), besides the form's own token."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        is_ours = site in ("same-origin", "none")
    else:
        is_ours = origin in (None, "null") or urlsplit(origin or "").netloc == request.host
    if not is_ours:
        raise NotAllowed("The form was sent by another site.", next_action="Open the page here and send it again.")


def _declare(view: View, rule: AccessRule) -> View:
    view.access_rule = rule  # type: ignore[attr-defined]
    return view


def _admit_machine(rule: AccessRule) -> None:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    actor = find_token(find_runtime(), bearer.strip()) if scheme.lower() == "bearer" and bearer else None
    if actor is None:
        raise NotAuthenticated("A valid bearer token is needed.", next_action="Ask for one with POST /api/v1/token.")
    if rule.scopes and not actor.scopes.intersection(rule.scopes):
        wanted = " or ".join(rule.scopes)
        raise NotAllowed(
            f"The token lacks the scope {wanted}.",
            next_action="Ask an administrator for a client with that scope.",
        )
    g.actor = actor


def _admit_person(rule: AccessRule) -> None:
    person = find_person()
    if person is None:
        raise NotAuthenticated("Please log in.")
    check_same_origin()
    g.actor = build_actor(person, choose_organization(person))
    if rule.actions and not is_allowed(*rule.actions):
        raise NotAllowed("Your role does not open this page.")


def build_actor(person: PersonView, organization_id: str | None) -> Actor:
    """Answer the person as an actor in one of their organisations."""
    roles = person.memberships.get(organization_id or "", frozenset())
    return Actor(person.email, organization_id, roles)
