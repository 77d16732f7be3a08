"""Tables of people and machines: persons, memberships, web sessions, API clients and their tokens."""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, Index, Integer, Table, Text, UniqueConstraint

from service.storage.tables.types import UtcDatetime, column, metadata, of_organization, one_of, refers, tenant

person = Table(
    "person",
    metadata,
    column("id", Text, key=True),
    column("email", Text),
    column("name", Text),
    column("password_hash", Text, "secret"),
    column("created_at", UtcDatetime),
    column("failed_logins", Integer),
    column("locked_until", UtcDatetime, null=True),
    UniqueConstraint("email"),
)

membership = Table(
    "membership",
    metadata,
    tenant(),
    column("person_id", Text, key=True),
    column("role", Text, key=True),
    of_organization(),
    ForeignKeyConstraint(["person_id"], ["person.id"]),
    one_of("role", "role", "feeder", "reviewer", "attester", "admin"),
)
Index("ix_membership_person", membership.c.person_id)

web_session = Table(
    "web_session",
    metadata,
    column("id_hash", Text, "secret", key=True),
    column("person_id", Text),
    column("created_at", UtcDatetime),
    column("seen_at", UtcDatetime),
    column("expires_at", UtcDatetime),
    column("organization_id", Text, null=True),
    of_organization(),
    ForeignKeyConstraint(["person_id"], ["person.id"]),
)
Index("ix_web_session_person", web_session.c.person_id)

api_client = Table(
    "api_client",
    metadata,
    tenant(),
    column("id", Text, key=True),
    column("name", Text),
    column("secret_hash", Text, "secret", null=True),
    column("public_pem", Text, "public", null=True),
    column("scopes", Text),
    column("person_id", Text, null=True),
    column("created_at", UtcDatetime),
    column("expires_at", UtcDatetime, null=True),
    column("revoked_at", UtcDatetime, null=True),
    of_organization(),
    ForeignKeyConstraint(["person_id"], ["person.id"]),
    UniqueConstraint("id"),
)

api_token = Table(
    "api_token",
    metadata,
    column("token_hash", Text, "secret", key=True),
    column("client_id", Text),
    column("organization_id", Text),
    column("scopes", Text),
    column("person_id", Text, null=True),
    column("expires_at", UtcDatetime),
    refers("api_client", "client_id"),
    ForeignKeyConstraint(["person_id"], ["person.id"]),
)
