"""Rows as frozen values: the few ways in which every table is written and read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import islice
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Table, UpdateBase, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from service.domain.errors import NotFound, WrongState
from service.domain.states import check_move
from service.storage.tables.organizations import organization

Value = TypeVar("Value")
Item = TypeVar("Item")
Where = ColumnElement[bool]
BATCH = 1_000
"""Rows per statement where a statement names its rows; both databases allow many more parameters."""


def new_id() -> str:
    """Answer a fresh id: the text of a random UUID."""
    return str(uuid4())


def columns_of(table: Table, kind: type[Any]) -> list[ColumnElement[Any]]:
    """Answer the columns of a table that a value class has fields for, in the order of its fields."""
    return [table.c[field.name] for field in fields(kind)]


def make_value(kind: type[Value], row: Sequence[Any]) -> Value:
    """Build a value from a row that was selected with `columns_of`."""
    return kind(**dict(zip((field.name for field in fields(kind)), row, strict=True)))  # type: ignore[arg-type]


def write_value(connection: Connection, table: Table, value: Any, **more: Any) -> None:
    """Insert one value; `more` holds the columns that are no fields of it."""
    written = {field.name: getattr(value, field.name) for field in fields(value)}
    connection.execute(insert(table), {**written, **more})


def write_values(connection: Connection, table: Table, values: Iterable[Any], **more: Any) -> int:
    """Insert many values of one class, and answer how many."""
    written = [{**{f.name: getattr(value, f.name) for f in fields(value)}, **more} for value in values]
    if written:
        connection.execute(insert(table), written)
    return len(written)


def find_value(connection: Connection, table: Table, kind: type[Value], *where: Where) -> Value | None:
    """Answer the one row that fits, as a value."""
    row = connection.execute(select(*columns_of(table, kind)).where(*where)).one_or_none()
    return None if row is None else make_value(kind, row)


def load_value(connection: Connection, table: Table, kind: type[Value], *where: Where) -> Value:
    """Answer the one row that fits, as a value; raises NotFound."""
    value = find_value(connection, table, kind, *where)
    if value is None:
        raise not_found(table)
    return value


def not_found(table: Table) -> NotFound:
    """Build the refusal that names what was looked for and nothing else."""
    if table is organization:
        return NotFound("There is no such organisation.", next_action="See which there are: rollcall org list.")
    return NotFound(f"There is no such {table.name.replace('_', ' ')} in this organisation.")


def find_values(
    connection: Connection,
    table: Table,
    kind: type[Value],
    *where: Where,
    order_by: Sequence[ColumnElement[Any]],
    limit: int | None = None,
) -> list[Value]:
    """Answer the rows that fit, as values, in order."""
    rows = connection.execute(select(*columns_of(table, kind)).where(*where).order_by(*order_by).limit(limit))
    return [make_value(kind, row) for row in rows]


def change_row(connection: Connection, table: Table, changes: Mapping[str, Any], *where: Where) -> None:
    """Change exactly one row; raises NotFound when there is none."""
    if connection.execute(update(table).where(*where).values(**changes)).rowcount != 1:
        raise not_found(table)


def check_changes(table: Table, changes: Mapping[str, Any], *, fixed: Iterable[str]) -> None:
    """Raise TypeError when a change names a column that does not exist or is fixed at birth."""
    refused = sorted(name for name in changes if name not in table.c or name in {"organization_id", *fixed})
    if refused:
        raise TypeError(f"{table.name} has no changeable column {', '.join(refused)}")


def move_state(
    connection: Connection, table: Table, kind: str, old: str, new: str, changes: Mapping[str, Any], *where: Where
) -> None:
    """Move exactly one row along an edge of the table of moves; raises WrongState when it is not in `old` any more."""
    check_move(kind, old, new)
    statement = update(table).where(*where, table.c.state == old).values(state=new, **changes)
    if connection.execute(statement).rowcount != 1:
        raise WrongState(
            f"The {kind} is not {old} (any more).",
            next_action=f"Look at the {kind} again; it may have moved on since you last read it.",
        )


def insert_into(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Build an INSERT that knows ON CONFLICT, in the words of the database at hand."""
    return insert_for(connection.dialect.name, table)


def insert_for(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Build an INSERT that knows ON CONFLICT, in the words of a dialect."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def find_returned(connection: Connection, statement: UpdateBase) -> Any | None:
    """Execute a statement that returns at most one column of one row, and answer it."""
    row = connection.execute(statement).one_or_none()
    return None if row is None else row[0]


def in_batches(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """Cut items into lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def take_number(connection: Connection, table: Table, organization_id: str) -> int:
    """Answer the next serial number of a table in an organisation; whoever asks next waits for this transaction.

    Raises NotFound when there is no such organisation.
    """
    lock = select(organization.c.id).where(organization.c.id == organization_id)
    if connection.scalar(lock.with_for_update(key_share=True)) is None:
        raise not_found(organization)
    last = select(func.max(table.c.number)).where(table.c.organization_id == organization_id)
    return int(connection.scalar(last) or 0) + 1
