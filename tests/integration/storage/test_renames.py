"""Changed MBIs as they are recorded: the last word on each number, and every word that was the last one before."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from threading import Thread

import pytest
from locks import wait_until_somebody_waits
from sqlalchemy import Connection, insert

from service.domain.renames import MbiChange
from service.storage.database import Database
from service.storage.renames import find_renames, save_renames
from service.storage.sealing import OrganizationKeys
from service.storage.tables.rosters import mbi_change

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
A, B, C, D = (f"1S00E00AA0{n}" for n in range(4))


def tell(connection: Connection, keys: OrganizationKeys, delivery: int, *told: tuple[str, str]) -> None:
    save_renames(connection, keys, "lakeside", told, delivery, now=NOW)


def list_found(connection: Connection, keys: OrganizationKeys) -> list[tuple[str, str, int]]:
    return [(c.former, c.new, c.delivery) for c in find_renames(connection, keys, "lakeside")]


def test_every_word_on_a_number_is_found_oldest_first(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        tell(connection, keys, 3, (A, B))
        tell(connection, keys, 5, (B, D))
        tell(connection, keys, 7, (A, C))
        assert list_found(connection, keys) == [(A, B, 3), (B, D, 5), (A, C, 7)]


def test_a_word_told_again_stands_once_at_its_last_time(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        for delivery, new in [(3, B), (4, B), (5, C), (6, B), (7, C), (8, D)]:
            tell(connection, keys, delivery, (A, new))
        assert list_found(connection, keys) == [(A, B, 6), (A, C, 7), (A, D, 8)]


def test_a_word_that_is_released_late_was_never_the_last_one(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        tell(connection, keys, 7, (A, C))
        tell(connection, keys, 3, (A, B))
        assert list_found(connection, keys) == [(A, C, 7)]


def test_of_two_words_in_one_delivery_only_the_last_one_ever_stood(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        tell(connection, keys, 3, (A, B), (C, D), (A, D))
        assert list_found(connection, keys) == [(C, D, 3), (A, D, 3)]


@pytest.mark.parametrize(("first", "second", "found"), [(3, 7, [(A, B, 3), (A, C, 7)]), (7, 3, [(A, B, 7)])])
def test_of_two_first_words_that_are_written_at_once_none_is_lost(
    database: Database, keys: OrganizationKeys, first: int, second: int, found: list[tuple[str, str, int]]
) -> None:
    def tell_too() -> None:
        with database.begin() as connection:
            tell(connection, keys, second, (A, C))

    other = Thread(target=tell_too)
    with database.begin() as connection:
        tell(connection, keys, first, (A, B))
        other.start()
        wait_until_somebody_waits(connection)
    other.join()
    with database.begin() as connection:
        assert list_found(connection, keys) == found


def test_what_a_delivery_is_about_to_tell_stands_where_it_will(database: Database, keys: OrganizationKeys) -> None:
    with database.begin() as connection:
        tell(connection, keys, 3, (A, B))
        tell(connection, keys, 9, (A, D))
        found = find_renames(connection, keys, "lakeside", told=[(A, C)], delivery=7)
    assert found == [MbiChange(A, B, 3), MbiChange(A, C, 7), MbiChange(A, D, 9)]


@pytest.mark.parametrize("body", [[A, B], [A, B, 2]])
def test_words_that_were_recorded_before_earlier_ones_were_kept_are_read(
    database: Database, keys: OrganizationKeys, body: list[object]
) -> None:
    index = keys.index_mbi(A)
    row = {
        "organization_id": "lakeside",
        "old_index": index,
        "body": keys.seal("mbi_change", "body", index.hex(), json.dumps(body).encode()),
        "delivery": 3,
        "recorded_at": NOW,
    }
    with database.begin() as connection:
        connection.execute(insert(mbi_change).values(row))
        assert list_found(connection, keys) == [(A, B, 3)]
        tell(connection, keys, 7, (A, C))
        assert list_found(connection, keys) == [(A, B, 3), (A, C, 7)]
