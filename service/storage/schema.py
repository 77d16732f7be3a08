"""The schema of the database: brings it to the newest step and says where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from service.storage.database import open_engine, say_in_our_words

_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(url: str) -> str:
    """Bring the database to the newest step, all in one transaction, and answer the step; it may be there already.

    On PostgreSQL the URL is that of the owner of the tables. Raises StorageUnavailable.
    """
    with _connect(url) as connection:
        config = _build_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return _find_head()


def current_revision(url: str) -> str | None:
    """Answer the step that the database is at, None for an empty one. Raises StorageUnavailable."""
    with _connect(url) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_at_head(url: str) -> bool:
    """Answer whether the database is at the newest step. Raises StorageUnavailable."""
    return current_revision(url) == _find_head()


@contextmanager
def _connect(url: str) -> Iterator[Connection]:
    engine = open_engine(url, pooled=False)
    try:
        with say_in_our_words(), engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def _build_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _find_head() -> str:
    head = ScriptDirectory.from_config(_build_config()).get_current_head()
    if head is None:
        raise RuntimeError("the program was installed without its migrations")
    return head
