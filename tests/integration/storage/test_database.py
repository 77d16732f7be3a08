"""Transactions are durable, readers cannot write, and breakages speak our words without quoting a row."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text

from service.domain.errors import NotFound
from service.storage.database import Database, check_writable, open_database
from service.storage.errors import AlreadyRecorded, RecordRefused, StorageError, StorageUnavailable
from service.storage.feeds import Feed, add_feed, find_feeds, load_feed, update_feed
from service.storage.schema import migrate

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def _feed(feed_id: str, created_at: datetime = NOW) -> Feed:
    return Feed(id=feed_id, mode="snapshot", environment="sandbox", scope="file", created_at=created_at)


def test_what_a_block_writes_is_there_when_it_has_ended(database: Database) -> None:
    with database.begin() as connection:
        add_feed(connection, "lakeside", _feed("ehr-daily"))
    with database.read() as connection:
        assert load_feed(connection, "lakeside", "ehr-daily") == _feed("ehr-daily")


def test_what_a_block_writes_is_gone_when_it_raises(database: Database) -> None:
    with pytest.raises(KeyError), database.begin() as connection:
        add_feed(connection, "lakeside", _feed("ehr-daily"))
        raise KeyError
    with database.read() as connection:
        assert find_feeds(connection, "lakeside") == []


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StorageError), database.read() as connection:
        add_feed(connection, "lakeside", _feed("ehr-daily"))
    with database.begin() as connection:
        assert find_feeds(connection, "lakeside") == []
        add_feed(connection, "lakeside", _feed("ehr-daily"))


def test_a_reader_sees_one_moment(database: Database) -> None:
    with database.read() as reader:
        assert find_feeds(reader, "lakeside") == []
        with database.begin() as writer:
            add_feed(writer, "lakeside", _feed("ehr-daily"))
        assert find_feeds(reader, "lakeside") == []
    with database.read() as reader:
        assert len(find_feeds(reader, "lakeside")) == 1


def test_a_repeated_key_is_already_recorded_inside_the_block_too(database: Database) -> None:
    with database.begin() as connection:
        add_feed(connection, "lakeside", _feed("ehr-daily"))
    with database.begin() as connection:
        with pytest.raises(AlreadyRecorded), connection.begin_nested():
            add_feed(connection, "lakeside", _feed("ehr-daily"))
        add_feed(connection, "lakeside", _feed("weekly"))
    with database.read() as connection:
        assert [feed.id for feed in find_feeds(connection, "lakeside")] == ["ehr-daily", "weekly"]


def test_a_row_of_an_unknown_organization_is_refused(database: Database) -> None:
    with pytest.raises(RecordRefused), database.begin() as connection:
        add_feed(connection, "nowhere", _feed("ehr-daily"))


def test_a_naive_datetime_is_refused(database: Database) -> None:
    naive = datetime(2026, 11, 20, 12, 0)  # noqa: DTZ001
    with pytest.raises(ValueError, match="without time zone"), database.begin() as connection:
        add_feed(connection, "lakeside", _feed("ehr-daily", naive))


def test_a_time_comes_back_aware_in_utc_to_the_microsecond(database: Database) -> None:
    told = datetime(2026, 11, 20, 6, 0, 0, 123456, tzinfo=timezone(-timedelta(hours=6)))
    with database.begin() as connection:
        add_feed(connection, "lakeside", _feed("ehr-daily", told))
        kept = load_feed(connection, "lakeside", "ehr-daily").created_at
    assert kept == told
    assert kept.tzinfo is UTC
    assert kept.hour == 12


def test_settings_of_a_feed_come_back_as_they_were(database: Database) -> None:
    with database.begin() as connection:
        add_feed(connection, "lakeside", _feed("ehr-daily"))
        changed = update_feed(connection, "lakeside", "ehr-daily", settings={"delimiter": "|", "skip": 2}, mode="delta")
        assert changed.settings == {"delimiter": "|", "skip": 2}
        assert load_feed(connection, "lakeside", "ehr-daily") == changed


def test_an_unknown_or_fixed_column_cannot_be_changed(database: Database) -> None:
    with database.begin() as connection:
        add_feed(connection, "lakeside", _feed("ehr-daily"))
        for changes in ({"id": "x"}, {"organization_id": "hillside"}, {"colour": "red"}):
            with pytest.raises(TypeError):
                update_feed(connection, "lakeside", "ehr-daily", **changes)


def test_changing_a_missing_feed_is_not_found(database: Database) -> None:
    with database.begin() as connection, pytest.raises(NotFound):
        update_feed(connection, "lakeside", "ehr-daily", mode="delta")


def test_a_writing_transaction_passes_the_check_and_a_reading_one_does_not(database: Database) -> None:
    with database.begin() as connection:
        check_writable(connection)
    with pytest.raises(StorageError), database.read() as connection:
        check_writable(connection)


def test_an_error_never_quotes_what_was_written(database: Database) -> None:
    with database.begin() as connection:
        add_feed(connection, "lakeside", _feed("canary-1S00E00AA00"))
    with pytest.raises(AlreadyRecorded) as caught, database.begin() as connection:
        add_feed(connection, "lakeside", _feed("canary-1S00E00AA00"))
    assert "canary" not in str(caught.value) + caught.value.next_action
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("migrated_database_url", ["sqlite"], indirect=True)
def test_sqlite_is_opened_with_the_settings_that_make_it_durable(database: Database) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "recursive_triggers": 1}
    wanted |= {"temp_store": 2, "secure_delete": 1, "busy_timeout": 5000}
    with database.begin() as connection:
        assert {name: connection.scalar(text(f"PRAGMA {name}")) for name in wanted} == wanted


@pytest.mark.parametrize("migrated_database_url", ["postgresql"], indirect=True)
def test_postgresql_commits_to_disk(database: Database) -> None:
    with database.begin() as connection:
        assert connection.scalar(text("SHOW synchronous_commit")) == "on"


@pytest.mark.parametrize("migrated_database_url", ["sqlite"], indirect=True)
def test_a_second_writer_waits_for_the_first(database: Database) -> None:
    """The second block reads only after the first has written, so both add one to the same number."""
    started = threading.Barrier(2)

    def add_one() -> None:
        started.wait()
        for _ in range(20):
            with database.begin() as connection:
                n = connection.scalar(text("SELECT patient_limit FROM organization WHERE id = 'lakeside'"))
                connection.execute(
                    text("UPDATE organization SET patient_limit = :n WHERE id = 'lakeside'"), {"n": n + 1}
                )

    threads = [threading.Thread(target=add_one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        n = connection.scalar(text("SELECT patient_limit FROM organization WHERE id = 'lakeside'"))
    assert n == 5_000 + 40


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "rollcall.db").write_bytes(b"this is no database" * 100)
    database = open_database(f"sqlite:///{tmp_path / 'rollcall.db'}")
    with pytest.raises(StorageUnavailable) as caught, database.read():
        pass
    assert caught.value.next_action
    database.close()


def test_a_database_out_of_reach_is_unavailable(tmp_path: Path) -> None:
    database = open_database(f"postgresql://postgres@/rollcall?host={tmp_path}")
    with pytest.raises(StorageUnavailable), database.begin():
        pass
    with pytest.raises(StorageUnavailable):
        migrate(f"postgresql://postgres@/rollcall?host={tmp_path}")
    database.close()
