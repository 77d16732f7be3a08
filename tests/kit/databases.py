"""Copies of databases: a file copied, or a PostgreSQL database made from a template."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import create_engine, text


def name_database(server: str, name: str) -> str:
    """The URL of another database of the same server."""
    return server.replace("/postgres?", f"/{name}?", 1)


@contextmanager
def copy_database(server: str, template: str) -> Iterator[str]:
    """The URL of a database that is a copy of `template` and goes away at the end; nobody may be connected to it."""
    name = f"practice_{uuid4().hex}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield name_database(server, name)
    execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def execute(server: str, statement: str) -> None:
    """Run one statement outside any transaction."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
