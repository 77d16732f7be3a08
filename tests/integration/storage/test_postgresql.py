"""Statements that are sent ahead to PostgreSQL: all count, the first failure speaks our words, nothing is half done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from locks import wait_until_somebody_waits
from sqlalchemy import Connection, text

from service.storage.database import Database, open_database
from service.storage.errors import AlreadyRecorded, RecordRefused, StorageUnavailable
from service.storage.postgresql import write_ahead

INSERT = "INSERT INTO number SELECT * FROM unnest(%b::int[])"
INSERT_IF_NEW = f"{INSERT} ON CONFLICT DO NOTHING"
ENOUGH_SECONDS = 60


@pytest.fixture
def numbers(postgresql_url: str) -> Iterator[Database]:
    """A database on PostgreSQL with a table of its own that takes each number below 100 once."""
    database = open_database(postgresql_url)
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE number (n INTEGER PRIMARY KEY CHECK (n < 100))"))
    yield database
    with database.begin() as connection:
        connection.execute(text("DROP TABLE number"))
    database.close()


def _read_numbers(connection: Connection) -> list[int]:
    return [*connection.scalars(text("SELECT n FROM number ORDER BY n"))]


def test_the_rows_of_all_executions_are_counted(numbers: Database) -> None:
    with numbers.begin() as connection:
        assert write_ahead(connection, INSERT, []) == 0
        assert write_ahead(connection, INSERT, (([n, n + 1],) for n in range(0, 40, 2))) == 40
        assert write_ahead(connection, INSERT_IF_NEW, (([n],) for n in range(30, 50))) == 10
    with numbers.read() as connection:
        assert _read_numbers(connection) == [*range(50)]


@pytest.mark.parametrize("failing", [0, 1, 19])
def test_a_repeated_key_is_already_recorded_and_what_came_before_is_gone_with_it(
    numbers: Database, failing: int
) -> None:
    with numbers.begin() as connection:
        write_ahead(connection, INSERT, [([failing],)])
    with numbers.begin() as connection:
        with pytest.raises(AlreadyRecorded, match="number_pkey"), connection.begin_nested():
            write_ahead(connection, INSERT, (([n],) for n in range(20)))
        assert _read_numbers(connection) == [failing]


def test_a_row_that_a_constraint_forbids_is_refused_without_its_value(numbers: Database) -> None:
    with pytest.raises(RecordRefused) as caught, numbers.begin() as connection:
        write_ahead(connection, INSERT, (([n],) for n in (1, 4_711, 2)))
    assert "4711" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)
    with numbers.read() as connection:
        assert _read_numbers(connection) == []


def test_what_fails_while_parameters_are_made_is_passed_on_and_leaves_a_connection_that_works(
    numbers: Database,
) -> None:
    def make_some() -> Iterator[tuple[list[int]]]:
        yield ([1],)
        raise KeyError

    with numbers.begin() as connection:
        with pytest.raises(KeyError), connection.begin_nested():
            write_ahead(connection, INSERT, make_some())
        assert write_ahead(connection, INSERT, [([2],)]) == 1
    with numbers.read() as connection:
        assert _read_numbers(connection) == [2]


def test_a_connection_that_breaks_on_the_way_is_a_breakage_and_the_next_one_works(numbers: Database) -> None:
    def break_off(process: int) -> Iterator[tuple[list[int]]]:
        yield ([1],)
        with numbers.begin() as other:
            other.execute(text("SELECT pg_terminate_backend(:process, 60000)"), {"process": process})
        yield ([2],)

    with pytest.raises(StorageUnavailable), numbers.begin() as connection:
        write_ahead(connection, INSERT, break_off(_find_process(connection)))
    with numbers.begin() as connection:
        assert _read_numbers(connection) == []


def test_whoever_writes_at_the_same_time_is_waited_for_and_counted_out(numbers: Database) -> None:
    written: list[int] = []

    def write_too() -> None:
        with numbers.begin() as connection:
            written.append(write_ahead(connection, INSERT_IF_NEW, (([n],) for n in range(5))))

    with _joined(threading.Thread(target=write_too)) as late, numbers.begin() as connection:
        write_ahead(connection, INSERT, [([3],)])
        late.start()
        wait_until_somebody_waits(connection)
    assert written == [4]


@contextmanager
def _joined(thread: threading.Thread) -> Iterator[threading.Thread]:
    try:
        yield thread
    finally:
        thread.join(ENOUGH_SECONDS)


def _find_process(connection: Connection) -> int:
    return int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)
