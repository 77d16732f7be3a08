"""The migrations and the tables say the same, on both databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Inspector, inspect, text

from service.storage.database import open_database, open_engine
from service.storage.errors import StorageError
from service.storage.organizations import find_organizations
from service.storage.schema import current_revision, is_at_head, migrate
from service.storage.tables import metadata


@contextmanager
def _connect(url: str) -> Iterator[Connection]:
    engine = open_engine(url, pooled=False)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _describe_index(index: Mapping[str, Any]) -> str:
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return f"{index['name']} {index['column_names']} {bool(index['unique'])} {options}"


def _describe_tables(inspector: Inspector) -> dict[str, Any]:
    described = {}
    for table in sorted(set(inspector.get_table_names()) - {"alembic_version"}):
        columns = inspector.get_columns(table)
        described[table] = {
            "columns": [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in columns],
            "key": inspector.get_pk_constraint(table),
            "foreign": sorted(map(repr, inspector.get_foreign_keys(table))),
            "unique": sorted(map(repr, inspector.get_unique_constraints(table))),
            "checks": sorted(map(repr, inspector.get_check_constraints(table))),
            "indexes": sorted(_describe_index(index) for index in inspector.get_indexes(table)),
        }
    return described


def test_migrating_gives_exactly_the_tables_of_the_metadata(empty_database_url: str) -> None:
    with _connect(empty_database_url) as connection:
        metadata.create_all(connection)
        wanted = _describe_tables(inspect(connection))
    with _connect(empty_database_url) as connection:
        metadata.drop_all(connection)
    migrate(empty_database_url)
    with _connect(empty_database_url) as connection:
        assert _describe_tables(inspect(connection)) == wanted
    assert len(wanted) == len(metadata.tables)


def test_a_migrated_database_needs_no_further_step(migrated_database_url: str) -> None:
    with _connect(migrated_database_url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_an_empty_database_is_at_no_step_and_not_at_head(empty_database_url: str) -> None:
    assert current_revision(empty_database_url) is None
    assert not is_at_head(empty_database_url)


def test_migrating_again_changes_nothing(empty_database_url: str) -> None:
    first = migrate(empty_database_url)
    assert migrate(empty_database_url) == first == current_revision(empty_database_url)
    assert is_at_head(empty_database_url)


def test_a_step_that_fails_leaves_the_database_as_it_was(empty_database_url: str) -> None:
    with _connect(empty_database_url) as connection:
        connection.execute(text("CREATE TABLE checkpoint (x INTEGER)"))
    with pytest.raises(StorageError):
        migrate(empty_database_url)
    assert current_revision(empty_database_url) is None
    with _connect(empty_database_url) as connection:
        assert inspect(connection).get_table_names() in (["checkpoint"], ["alembic_version", "checkpoint"])


def test_using_a_database_without_tables_says_to_migrate(empty_database_url: str) -> None:
    database = open_database(empty_database_url)
    with pytest.raises(StorageError) as caught, database.read() as connection:
        find_organizations(connection)
    database.close()
    assert "rollcall migrate" in caught.value.next_action
