"""Persons of the installation and their roles in organisations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, delete, select

from service.storage.rows import (
    change_row,
    columns_of,
    find_value,
    find_values,
    insert_into,
    load_value,
    make_value,
    new_id,
    write_value,
)
from service.storage.tables.people import membership as memberships
from service.storage.tables.people import person as persons


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who logs in; the email is kept in lower case."""

    id: str = field(default_factory=new_id)
    email: str
    name: str
    password_hash: str = field(repr=False)
    created_at: datetime
    failed_logins: int = 0
    locked_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """A role of a person in an organisation: feeder, reviewer, attester or admin."""

    organization_id: str
    person_id: str
    role: str


def add_person(connection: Connection, person: Person) -> None:
    """Add a person; raises AlreadyRecorded when the email is taken, in whatever case."""
    write_value(connection, persons, replace(person, email=person.email.strip().lower()))


def load_person(connection: Connection, person_id: str) -> Person:
    """Answer one person; raises NotFound."""
    return load_value(connection, persons, Person, persons.c.id == person_id)


def find_person_by_email(connection: Connection, email: str) -> Person | None:
    """Answer the person with this email, in whatever case it was typed."""
    return find_value(connection, persons, Person, persons.c.email == email.strip().lower())


def set_password_hash(connection: Connection, person_id: str, password_hash: str) -> None:
    """Replace the hash of the password; raises NotFound."""
    change_row(connection, persons, {"password_hash": password_hash}, persons.c.id == person_id)


def set_login_failures(
    connection: Connection, person_id: str, failed_logins: int, locked_until: datetime | None = None
) -> None:
    """Record how often in a row the login failed, 0 after a good one; raises NotFound."""
    changes = {"failed_logins": failed_logins, "locked_until": locked_until}
    change_row(connection, persons, changes, persons.c.id == person_id)


def add_membership(connection: Connection, organization_id: str, person_id: str, role: str) -> None:
    """Give a person a role; giving it twice changes nothing. Raises RecordRefused for an unknown role or person."""
    row = {"organization_id": organization_id, "person_id": person_id, "role": role}
    connection.execute(insert_into(connection, memberships).values(row).on_conflict_do_nothing())


def remove_membership(connection: Connection, organization_id: str, person_id: str, role: str) -> bool:
    """Take a role away and answer whether the person had it."""
    statement = delete(memberships).where(
        memberships.c.organization_id == organization_id,
        memberships.c.person_id == person_id,
        memberships.c.role == role,
    )
    return connection.execute(statement).rowcount == 1


def find_memberships(connection: Connection, person_id: str) -> list[Membership]:
    """Answer every role of a person, in all organisations."""
    order = [memberships.c.organization_id, memberships.c.role]
    return find_values(connection, memberships, Membership, memberships.c.person_id == person_id, order_by=order)


def find_members(connection: Connection, organization_id: str) -> list[tuple[Person, str]]:
    """Answer who has which role in an organisation, by email and role."""
    statement = (
        select(*columns_of(persons, Person), memberships.c.role)
        .join_from(memberships, persons, memberships.c.person_id == persons.c.id)
        .where(memberships.c.organization_id == organization_id)
        .order_by(persons.c.email, memberships.c.role)
    )
    return [(make_value(Person, row[:-1]), row[-1]) for row in connection.execute(statement)]
