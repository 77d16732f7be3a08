"""When the database does not take the record, the call is not made."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import pytest
from dying import lend_dying
from practice import ADA, BRUNO, CORA, OPERATOR, Practice, check_settled, find_faults
from sqlalchemy import Engine, event

from service.storage.database import Database, open_engine
from service.storage.errors import StorageError, StorageUnavailable
from service.workflows.reconcile import reconcile_organization

WANTED = {ADA: [*range(1, 11), 30], BRUNO: range(20, 26), CORA: [40, 41]}
BEFORE_THE_ATTEMPT_TO_CREATE = 11


def find_file(practice: Practice) -> str:
    """The file of the practice's database."""
    return practice.rt.settings.database_url.removeprefix("sqlite:///")


def recover(practice: Practice) -> None:
    """Carry on with a sound database and check how it ends."""
    practice.restart()
    assert find_faults(practice) == []
    practice.pass_time()
    reconcile_organization(practice.rt, "lakeside", actor=OPERATOR)
    check_settled(practice, WANTED)


def test_a_database_locked_by_somebody_else_stops_the_call(waiting: Any) -> None:
    practice = waiting.practice
    before = len(practice.find_writes())
    with closing(sqlite3.connect(find_file(practice), isolation_level=None)) as other:

        def lock(commits: int) -> None:
            if other.in_transaction:
                other.execute("ROLLBACK")
            elif commits == BEFORE_THE_ATTEMPT_TO_CREATE:
                other.execute("BEGIN IMMEDIATE")

        lend_dying(practice, on_begin=lock)
        with pytest.raises(StorageUnavailable):
            practice.apply(waiting.plan_id)
    assert len(practice.find_writes()) == before
    recover(practice)


def open_filling(practice: Practice) -> tuple[Engine, list[bool]]:
    """An engine whose disk is full from the moment on at which the list becomes true."""
    engine, is_full = open_engine(practice.rt.settings.database_url), [False]

    def limit(connection: Any) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={1 if is_full[0] else 1_000_000}")

    event.listen(engine, "begin", limit, insert=True)
    return engine, is_full


@pytest.mark.parametrize("n", range(4, 25))
def test_a_disk_that_fills_at_any_moment_leaves_no_call_without_a_record(waiting: Any, n: int) -> None:
    practice = waiting.practice
    engine, is_full = open_filling(practice)
    practice.rt.close()
    practice.rt = replace(practice.rt, database=Database(engine))

    def fill(commits: int) -> None:
        is_full[0] = commits >= n

    lend_dying(practice, on_begin=fill)
    with suppress(StorageError):
        practice.apply(waiting.plan_id)
    is_full[0] = False
    recover(practice)


def test_the_disk_does_fill_up_in_those_trials(waiting: Any) -> None:
    practice = waiting.practice
    engine, is_full = open_filling(practice)
    practice.rt.close()
    practice.rt = replace(practice.rt, database=Database(engine))
    is_full[0] = True
    with pytest.raises(StorageUnavailable):
        practice.apply(waiting.plan_id)
    assert practice.find_attempts() == [] or len(practice.find_attempts()) < 7


def test_a_full_disk_loses_no_delivery_that_was_acknowledged(waiting: Any) -> None:
    practice = waiting.practice
    engine, is_full = open_filling(practice)
    practice.rt.close()
    practice.rt = replace(practice.rt, database=Database(engine))
    is_full[0] = True
    with suppress(StorageError):
        for n in range(200):
            practice.receive(f"MBI,NPI\r\n{n}\r\n".encode())
    files = list(practice.rt.settings.uploads_dir.rglob("*.sealed"))
    with practice.rt.database.read() as connection:
        paths = {row[0] for row in connection.exec_driver_sql("SELECT body_path FROM delivery")}
    assert {p.name for p in files} >= {p.rsplit("/", 1)[1] for p in paths}
