"""The metadata, the column types that behave alike on both databases, and the builder of classified columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import CheckConstraint, Column, DateTime, Dialect, ForeignKeyConstraint, MetaData, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

DataClass = Literal["public", "internal", "phi", "secret"]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDatetime(TypeDecorator[datetime]):
    """An aware UTC datetime on both databases; a naive one is refused with ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without time zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonText(TypeDecorator[Mapping[str, Any]]):
    """A JSON object kept as text with sorted keys, the same bytes on both databases."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, Any] | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return json.dumps(dict(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Mapping[str, Any] | None:
        return None if value is None else dict(json.loads(value))


def column(
    name: str,
    kind: TypeEngine[Any] | type[TypeEngine[Any]],
    classified: DataClass = "internal",
    *,
    key: bool = False,
    null: bool = False,
) -> Column[Any]:
    """Build a column that says how confidential it is: public, internal, phi (sealed or keyed) or secret."""
    return Column(name, kind, primary_key=key, nullable=null, autoincrement=False, info={"class": classified})


def tenant() -> Column[Any]:
    """Build the first key column of every table that belongs to an organisation."""
    return column("organization_id", Text, key=True)


def refers(table: str, *columns: str, to: tuple[str, ...] = ("id",)) -> ForeignKeyConstraint:
    """Build a foreign key that carries the organisation with it, so that rows cannot point across."""
    return ForeignKeyConstraint(
        ["organization_id", *columns], [f"{table}.organization_id", *(f"{table}.{name}" for name in to)]
    )


def of_organization() -> ForeignKeyConstraint:
    """Build the foreign key to the organisation itself."""
    return ForeignKeyConstraint(["organization_id"], ["organization.id"])


def one_of(name: str, column_name: str, *values: str) -> CheckConstraint:
    """Build the constraint that a column holds one of the given words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column_name} IN ({listed})", name=name)
