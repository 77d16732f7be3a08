"""People and machines: passwords, sessions, client secrets and bearer tokens."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from service.domain.errors import Conflict, InvalidInput, NotAuthenticated, NotFound
from service.domain.people import Action, Actor, Role, check_may, check_roles
from service.runtime import Runtime
from service.storage import organizations, people
from service.storage.connection import Connection
from service.storage.errors import AlreadyRecorded
from service.workflows.record import record_fact

SHORTEST_PASSWORD = 15
SESSION_IDLE, SESSION_LASTS = timedelta(minutes=15), timedelta(hours=8)
TOKEN_LASTS = timedelta(minutes=15)
CLIENT_LASTS = timedelta(days=365)
FREE_TRIES = 5
LONGEST_LOCK = timedelta(hours=1)
SCOPES: Mapping[str, frozenset[Role]] = {
    "feed:write": frozenset({Role.FEEDER}),
    "status:read": frozenset(),
    "plans:read": frozenset({Role.REVIEWER}),
    "plans:sign": frozenset(),
    "setup:write": frozenset(),
}
"""What each scope lets a machine do by itself; the scopes of `ACTS_FOR_PERSON` act for the person it is bound to."""
ACTS_FOR_PERSON: Mapping[str, frozenset[Role]] = {
    "plans:sign": frozenset(Role) - {Role.ADMIN},
    "setup:write": frozenset({Role.ADMIN}),
}
"""Which of the person's roles a client with this scope acts in, as long as the person holds them."""

_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
_DUMMY_HASH = _hasher.hash(secrets.token_urlsafe(16))


@dataclass(frozen=True, slots=True)
class PersonView:
    """Somebody who has logged in, with their roles per organisation."""

    id: str
    email: str
    name: str
    memberships: Mapping[str, frozenset[Role]]


@dataclass(frozen=True, slots=True)
class NewClient:
    """A client's credentials; the secret is shown this once and kept as a hash only."""

    client_id: str
    client_secret: str


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token for the API; `expires_in` in seconds."""

    access_token: str
    expires_in: int
    scope: str


def add_person(
    rt: Runtime,
    organization_id: str,
    *,
    email: str,
    name: str,
    password: str,
    roles: Iterable[Role | str],
    actor: Actor,
) -> PersonView:
    """Add a local account with roles in one organisation. Raises InvalidInput, NotAllowed (roles), Conflict (email)."""
    check_may(actor, Action.SET_UP, organization_id)
    given = _read_roles(roles)
    if "@" not in email or len(email) > 200:
        raise InvalidInput("The email address cannot be read.")
    if len(password) < SHORTEST_PASSWORD:
        raise InvalidInput(f"A password has at least {SHORTEST_PASSWORD} characters.")
    person = people.Person(
        email=email.strip().lower(), name=name, password_hash=_hasher.hash(password), created_at=rt.now()
    )
    try:
        with rt.database.begin() as connection:
            organizations.load_organization(connection, organization_id)
            people.add_person(connection, person)
            for role in sorted(given):
                people.add_membership(connection, organization_id, person.id, role)
            body = {"person": person.email, "roles": sorted(role.value for role in given)}
            record_fact(connection, organization_id, "person-added", at=rt.now(), actor=actor.name, body=body)
    except AlreadyRecorded:
        raise Conflict("There is an account with this email already.", next_action="Choose another email.") from None
    return PersonView(person.id, person.email, name, {organization_id: given})


def check_password(rt: Runtime, email: str, password: str) -> PersonView:
    """Answer who logs in; raises NotAuthenticated, in the same words and time whether or not the account exists.

    After five failures each further one doubles a waiting time, up to an hour.
    """
    now = _wall_clock()
    refusal = NotAuthenticated(
        "Email or password is wrong, or there were too many tries.", next_action="Wait a moment and try again."
    )
    with rt.database.read() as connection:
        person = people.find_person_by_email(connection, email)
    locked = person is not None and person.locked_until is not None and person.locked_until > now
    is_right = _is_right(person.password_hash if person else _DUMMY_HASH, password)
    if person is None or locked:
        raise refusal
    with rt.database.begin() as connection:
        if not is_right:
            failed = person.failed_logins + 1
            people.set_login_failures(connection, person.id, failed, _lock_until(failed, now))
        elif person.failed_logins:
            people.set_login_failures(connection, person.id, 0, None)
    if not is_right:
        raise refusal
    with rt.database.read() as connection:
        return _view_person(connection, person)


def open_session(rt: Runtime, person_id: str) -> str:
    """Open a web session and answer its secret, for the cookie; the database keeps a hash."""
    secret, now = secrets.token_urlsafe(32), _wall_clock()
    session = people.WebSession(
        id_hash=_hash(secret), person_id=person_id, created_at=now, seen_at=now, expires_at=now + SESSION_LASTS
    )
    with rt.database.begin() as connection:
        people.remove_expired_sessions(connection, now)
        people.add_session(connection, session)
    return secret


def find_session(rt: Runtime, token: str) -> PersonView | None:
    """Answer whose session this is; None when it is unknown, idle for 15 minutes or older than 8 hours."""
    now = _wall_clock()
    with rt.database.begin() as connection:
        session = people.find_session(connection, _hash(token), now)
        if session is None or now - session.seen_at > SESSION_IDLE:
            return None
        people.touch_session(connection, session.id_hash, now=now)
        return _view_person(connection, people.load_person(connection, session.person_id))


def close_session(rt: Runtime, token: str) -> None:
    """End a session at once."""
    with rt.database.begin() as connection:
        people.revoke_session(connection, _hash(token))


def find_person_actor(rt: Runtime, organization_id: str, email: str) -> Actor:
    """Answer a person as an actor in one organisation; raises NotFound when they have no role there."""
    with rt.database.read() as connection:
        person = people.find_person_by_email(connection, email)
        view = _view_person(connection, person) if person else None
    roles = view.memberships.get(organization_id) if view else None
    if view is None or not roles:
        raise NotFound(
            "Nobody with this email has a role in this organisation.", next_action="Add the person: rollcall user add."
        )
    return Actor(view.email, organization_id, roles)


def add_client(
    rt: Runtime,
    organization_id: str,
    *,
    name: str,
    scopes: Iterable[str],
    person_email: str | None = None,
    actor: Actor,
) -> NewClient:
    """Add a machine of the organisation with a secret of 256 bits, valid for a year.

    `plans:sign` and `setup:write` need a person to act for. Raises InvalidInput, NotFound.
    """
    check_may(actor, Action.SET_UP, organization_id)
    chosen = sorted(set(scopes))
    if not chosen or set(chosen) - SCOPES.keys():
        raise InvalidInput(f"Scopes are: {', '.join(SCOPES)}.")
    if ACTS_FOR_PERSON.keys() & set(chosen) and not person_email:
        raise InvalidInput("A client that signs or sets up acts for a person.", next_action="Name the person by email.")
    person_roles = find_person_actor(rt, organization_id, person_email).roles if person_email else frozenset()
    if "setup:write" in chosen and Role.ADMIN not in person_roles:
        raise InvalidInput("Only an admin may set up.", next_action="Name a person with the admin role.")
    secret, now = secrets.token_urlsafe(32), rt.now()
    with rt.database.begin() as connection:
        person = people.find_person_by_email(connection, person_email) if person_email else None
        client = people.ApiClient(
            organization_id=organization_id,
            name=name,
            secret_hash=_hash(secret),
            scopes=" ".join(chosen),
            person_id=person.id if person else None,
            created_at=now,
            expires_at=_wall_clock() + CLIENT_LASTS,
        )
        people.add_client(connection, client)
        body = {"client": client.id, "name": name, "scopes": list(chosen)}
        record_fact(connection, organization_id, "client-added", at=now, actor=actor.name, body=body)
    return NewClient(client.id, secret)


def issue_token(rt: Runtime, client_id: str, client_secret: str) -> Token:
    """Exchange a client's secret for a bearer token of 15 minutes; raises NotAuthenticated."""
    now = _wall_clock()
    refusal = NotAuthenticated(
        "The client id or secret is not valid.", next_action="Check both, or ask for a new client."
    )
    with rt.database.begin() as connection:
        client = people.find_client(connection, client_id)
        known = client.secret_hash if client and client.secret_hash else _hash("")
        if not secrets.compare_digest(known, _hash(client_secret)) or client is None or client.secret_hash is None:
            raise refusal
        if client.revoked_at or (client.expires_at and client.expires_at <= now):
            raise refusal
        secret = secrets.token_urlsafe(32)
        people.remove_expired_tokens(connection, now)
        people.add_token(
            connection,
            people.ApiToken(
                token_hash=_hash(secret),
                client_id=client.id,
                organization_id=client.organization_id,
                scopes=client.scopes,
                person_id=client.person_id,
                expires_at=now + TOKEN_LASTS,
            ),
        )
    return Token(secret, int(TOKEN_LASTS.total_seconds()), client.scopes)


def find_token(rt: Runtime, bearer: str) -> Actor | None:
    """Answer who a bearer token stands for, with scopes; None when it is unknown, over, or its client revoked."""
    now = _wall_clock()
    with rt.database.read() as connection:
        token = people.find_token(connection, _hash(bearer), now)
        client = people.find_client(connection, token.client_id) if token else None
        if token is None or client is None or client.revoked_at:
            return None
        scopes = frozenset(token.scopes.split())
        roles = frozenset(role for scope in scopes for role in SCOPES.get(scope, frozenset()))
        if token.person_id and scopes & ACTS_FOR_PERSON.keys():
            person = _view_person(connection, people.load_person(connection, token.person_id))
            lent = {role for scope in scopes for role in ACTS_FOR_PERSON.get(scope, frozenset())}
            held = person.memberships.get(token.organization_id, frozenset()) & lent
            own = frozenset() if "plans:sign" in scopes else roles  # who signs in a name has that name's roles alone
            return Actor(person.email, token.organization_id, held | own, "person", scopes)
    return Actor(f"client:{client.name}", token.organization_id, roles, "machine", scopes)


def _wall_clock() -> datetime:
    """Logins and tokens live by this machine's clock, also where the service follows an emulator's."""
    return datetime.now(UTC)


def _read_roles(roles: Iterable[Role | str]) -> frozenset[Role]:
    try:
        given = frozenset(Role(role) for role in roles)
    except ValueError:
        raise InvalidInput(f"Roles are: {', '.join(role.value for role in Role)}.") from None
    if not given:
        raise InvalidInput("A person needs at least one role.")
    check_roles(given)
    return given


def _is_right(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _lock_until(failed: int, now: datetime) -> datetime | None:
    if failed < FREE_TRIES:
        return None
    return now + min(LONGEST_LOCK, timedelta(seconds=2 ** min(failed - FREE_TRIES + 1, 12)))


def _hash(secret: str) -> str:
    """Secrets of 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _view_person(connection: Connection, person: people.Person) -> PersonView:
    memberships: dict[str, frozenset[Role]] = {}
    for member in people.find_memberships(connection, person.id):
        memberships[member.organization_id] = memberships.get(member.organization_id, frozenset()) | {Role(member.role)}
    return PersonView(person.id, person.email, person.name, memberships)
