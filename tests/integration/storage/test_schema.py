"""The migrations and the tables say the same, on both databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Inspector, insert, inspect, select, text

from service.storage import schema
from service.storage.database import open_database, open_engine
from service.storage.errors import StorageError
from service.storage.organizations import Organization, add_organization, find_organizations
from service.storage.schema import current_revision, is_at_head, migrate
from service.storage.tables import metadata

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PRACTICE = Organization(
    id="lakeside",
    name="Lakeside",
    npi="1234567893",
    environment="sandbox",
    dialect="v1",
    time_zone="UTC",
    created_at=NOW,
)
PANEL = {
    "organization_id": "lakeside",
    "npi": "1245319599",
    "side": "claims",
    "source": "ehr",
    "n": 1,
    "n_active": 1,
    "created_at": NOW,
}


@contextmanager
def _connect(url: str) -> Iterator[Connection]:
    engine = open_engine(url, pooled=False)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _describe_index(index: Mapping[str, Any]) -> str:
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return f"{index['name']} {index['column_names']} {bool(index['unique'])} {options}"


def _migrate_to(step: str, connection: Connection) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    command.upgrade(config, step)


def _find_storage(connection: Connection) -> dict[tuple[str, str], str]:
    """How PostgreSQL keeps the columns whose values may be long: compressed (x), beside the row (e), in it (p, m)."""
    if connection.dialect.name != "postgresql":
        return {}
    found = connection.execute(
        text(
            "SELECT relname, attname, attstorage::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
            " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped"
        )
    )
    return {(table, column): storage for table, column, storage in found if table != "alembic_version"}


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
        wanted, wanted_storage = _describe_tables(inspect(connection)), _find_storage(connection)
    with _connect(empty_database_url) as connection:
        metadata.drop_all(connection)
    migrate(empty_database_url)
    with _connect(empty_database_url) as connection:
        assert _describe_tables(inspect(connection)) == wanted
        assert _find_storage(connection) == wanted_storage
    assert len(wanted) == len(metadata.tables)


def test_postgresql_does_not_try_to_compress_what_is_sealed(postgresql_url: str) -> None:
    with _connect(postgresql_url) as connection:
        assert _find_storage(connection)["panel", "body"] == "e"


def test_bodies_stored_before_the_step_that_keeps_them_otherwise_are_still_there(empty_database_url: str) -> None:
    bodies = {version: bytes([version]) * 300 * version for version in range(1, 30)}
    panel = metadata.tables["panel"]
    with _connect(empty_database_url) as connection:
        _migrate_to("0007", connection)
        assert _find_storage(connection).get(("panel", "body")) in (None, "x")
        add_organization(connection, PRACTICE)
        rows = [{**PANEL, "version": version, "body": body} for version, body in bodies.items()]
        connection.execute(insert(panel), rows)
    migrate(empty_database_url)
    with _connect(empty_database_url) as connection:
        assert {row.version: row.body for row in connection.execute(select(panel))} == bodies


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
