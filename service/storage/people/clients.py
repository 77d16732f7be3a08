"""API clients of organisations and their short-lived tokens, found by hash."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, delete

from service.storage.rows import change_row, find_value, find_values, new_id, write_value
from service.storage.tables.people import api_client as clients
from service.storage.tables.people import api_token as tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiClient:
    """A machine of one organisation; `scopes` are separated by blanks, `person_id` is who it acts for, if anybody.

    It shows itself with a secret (kept as a hash) or with a key pair (`public_pem`).
    """

    id: str = field(default_factory=new_id)
    organization_id: str
    name: str
    secret_hash: str | None = field(default=None, repr=False)
    public_pem: str | None = None
    scopes: str
    person_id: str | None = None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A bearer token, known by its hash."""

    token_hash: str = field(repr=False)
    client_id: str
    organization_id: str
    scopes: str
    person_id: str | None = None
    expires_at: datetime


def add_client(connection: Connection, client: ApiClient) -> None:
    """Add a client to its organisation."""
    write_value(connection, clients, client)


def find_client(connection: Connection, client_id: str) -> ApiClient | None:
    """Answer the client with this id, whichever organisation it belongs to: a login names no organisation."""
    return find_value(connection, clients, ApiClient, clients.c.id == client_id)


def find_clients(connection: Connection, organization_id: str) -> list[ApiClient]:
    """Answer the clients of an organisation, by name."""
    order = [clients.c.name, clients.c.id]
    return find_values(connection, clients, ApiClient, clients.c.organization_id == organization_id, order_by=order)


def revoke_client(connection: Connection, organization_id: str, client_id: str, *, now: datetime) -> None:
    """End a client and all its tokens at once; raises NotFound."""
    change_row(
        connection,
        clients,
        {"revoked_at": now},
        clients.c.organization_id == organization_id,
        clients.c.id == client_id,
    )
    connection.execute(
        delete(tokens).where(tokens.c.organization_id == organization_id, tokens.c.client_id == client_id)
    )


def add_token(connection: Connection, token: ApiToken) -> None:
    """Record an issued token."""
    write_value(connection, tokens, token)


def find_token(connection: Connection, token_hash: str, now: datetime) -> ApiToken | None:
    """Answer the token unless it is over at `now`."""
    return find_value(connection, tokens, ApiToken, tokens.c.token_hash == token_hash, tokens.c.expires_at > now)


def remove_expired_tokens(connection: Connection, now: datetime) -> int:
    """Remove tokens that are over and answer how many."""
    return connection.execute(delete(tokens).where(tokens.c.expires_at <= now)).rowcount
