"""A slot of a job is run once, a dead worker's slot is taken over, and a missed one is on record."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from service.domain.errors import WrongState
from service.storage.database import Database
from service.storage.job_runs import beat_run, claim_run, find_last_done, find_runs, finish_run, record_missed

SLOT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
NOW = SLOT + timedelta(seconds=30)
STALE = timedelta(minutes=3)


def _claim(database: Database, slot: datetime, holder: str, now: datetime, **more: bool) -> int | None:
    with database.begin() as connection:
        return claim_run(connection, "lakeside", "nightly", slot, holder=holder, now=now, stale_after=STALE, **more)


def test_each_slot_is_claimed_once_by_eight_workers(database: Database) -> None:
    slots = [SLOT + timedelta(days=n) for n in range(10)]
    claimed: list[datetime] = []
    started = threading.Barrier(8)

    def work(holder: str) -> None:
        started.wait()
        claimed.extend(slot for slot in slots if _claim(database, slot, holder, NOW) is not None)

    threads = [threading.Thread(target=work, args=(f"worker {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == slots
    with database.read() as connection:
        assert len(find_runs(connection, "lakeside", job="nightly")) == 10


def test_a_run_that_is_done_is_not_claimed_again(database: Database) -> None:
    token = _claim(database, SLOT, "one", NOW)
    assert token == 1
    with database.begin() as connection:
        finish_run(connection, "lakeside", "nightly", SLOT, token, state="done", now=NOW, detail={"plans": 1})
    assert _claim(database, SLOT, "two", NOW + timedelta(days=1)) is None
    with database.read() as connection:
        last = find_last_done(connection, "lakeside", "nightly")
        assert find_last_done(connection, "hillside", "nightly") is None
    assert last is not None
    assert (last.scheduled_for, last.finished_at, last.detail) == (SLOT, NOW, {"plans": 1})


def test_a_dead_claim_is_taken_over_and_its_old_token_ends_nothing(database: Database) -> None:
    assert _claim(database, SLOT, "one", NOW) == 1
    assert _claim(database, SLOT, "two", NOW + STALE) is None
    assert _claim(database, SLOT, "two", NOW + STALE + timedelta(seconds=1)) == 2
    with database.begin() as connection:
        assert not beat_run(connection, "lakeside", "nightly", SLOT, 1, NOW)
        with pytest.raises(WrongState):
            finish_run(connection, "lakeside", "nightly", SLOT, 1, state="done", now=NOW)
        finish_run(connection, "lakeside", "nightly", SLOT, 2, state="done", now=NOW)


def test_a_heartbeat_keeps_the_claim(database: Database) -> None:
    _claim(database, SLOT, "one", NOW)
    with database.begin() as connection:
        assert beat_run(connection, "lakeside", "nightly", SLOT, 1, NOW + STALE)
    assert _claim(database, SLOT, "two", NOW + STALE + timedelta(seconds=1)) is None


def test_a_failed_run_is_repeated_only_on_request(database: Database) -> None:
    _claim(database, SLOT, "one", NOW)
    with database.begin() as connection:
        finish_run(connection, "lakeside", "nightly", SLOT, 1, state="failed", now=NOW)
    assert _claim(database, SLOT, "one", NOW + timedelta(days=1)) is None
    assert _claim(database, SLOT, "one", NOW, retry_failed=True) == 2


def test_a_missed_slot_is_recorded_once_and_never_run(database: Database) -> None:
    with database.begin() as connection:
        assert record_missed(connection, "lakeside", "nightly", SLOT, now=NOW, detail={"reason": "host was down"})
        assert not record_missed(connection, "lakeside", "nightly", SLOT, now=NOW)
    assert _claim(database, SLOT, "one", NOW + timedelta(days=1), retry_failed=True) is None
    with database.read() as connection:
        (run,) = find_runs(connection, "lakeside", state="missed")
    assert run.detail == {"reason": "host was down"}


def test_a_run_cannot_end_as_missed(database: Database) -> None:
    _claim(database, SLOT, "one", NOW)
    with database.begin() as connection, pytest.raises(WrongState):
        finish_run(connection, "lakeside", "nightly", SLOT, 1, state="missed", now=NOW)
