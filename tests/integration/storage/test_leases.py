"""One holder at a time, and whoever lost a lease cannot touch it any more."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from service.domain.errors import Busy
from service.storage.database import Database
from service.storage.leases import acquire_lease, check_lease, find_lease_end, is_lease_held, release_lease, renew_lease

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TTL = timedelta(seconds=195)
GROUP = "group/1234567893"


def test_only_one_of_two_holders_gets_the_lease(database: Database) -> None:
    with database.begin() as connection:
        assert acquire_lease(connection, "lakeside", GROUP, "one", NOW, TTL) == 1
        assert acquire_lease(connection, "lakeside", GROUP, "two", NOW, TTL) is None
        assert acquire_lease(connection, "lakeside", GROUP, "one", NOW, TTL) is None
        assert is_lease_held(connection, "lakeside", GROUP, 1, NOW)
        assert find_lease_end(connection, "lakeside", GROUP, 1, NOW) == NOW + TTL


def test_another_group_and_another_organization_have_leases_of_their_own(database: Database) -> None:
    with database.begin() as connection:
        assert acquire_lease(connection, "lakeside", GROUP, "one", NOW, TTL) == 1
        assert acquire_lease(connection, "lakeside", "group/1245319599", "two", NOW, TTL) == 1
        assert acquire_lease(connection, "hillside", GROUP, "two", NOW, TTL) == 1


def test_a_lease_that_is_over_goes_to_the_next_with_a_greater_token(database: Database) -> None:
    with database.begin() as connection:
        acquire_lease(connection, "lakeside", GROUP, "one", NOW, TTL)
        assert acquire_lease(connection, "lakeside", GROUP, "two", NOW + TTL, TTL) == 2


def test_a_token_that_is_over_touches_nothing(database: Database) -> None:
    later = NOW + TTL
    with database.begin() as connection:
        acquire_lease(connection, "lakeside", GROUP, "one", NOW, TTL)
        acquire_lease(connection, "lakeside", GROUP, "two", later, TTL)
        assert not renew_lease(connection, "lakeside", GROUP, 1, later, TTL)
        assert not release_lease(connection, "lakeside", GROUP, 1)
        assert not is_lease_held(connection, "lakeside", GROUP, 1, later)
        with pytest.raises(Busy):
            check_lease(connection, "lakeside", GROUP, 1, later)
        check_lease(connection, "lakeside", GROUP, 2, later)
        assert is_lease_held(connection, "lakeside", GROUP, 2, later)


def test_a_lease_that_ran_out_is_not_renewed_even_if_nobody_took_it(database: Database) -> None:
    with database.begin() as connection:
        acquire_lease(connection, "lakeside", GROUP, "one", NOW, TTL)
        assert renew_lease(connection, "lakeside", GROUP, 1, NOW + TTL / 3, TTL)
        assert find_lease_end(connection, "lakeside", GROUP, 1, NOW) == NOW + TTL / 3 + TTL
        assert not renew_lease(connection, "lakeside", GROUP, 1, NOW + 2 * TTL, TTL)


def test_a_released_lease_is_free_and_its_token_never_comes_back(database: Database) -> None:
    with database.begin() as connection:
        acquire_lease(connection, "lakeside", GROUP, "one", NOW, TTL)
        assert release_lease(connection, "lakeside", GROUP, 1)
        assert not is_lease_held(connection, "lakeside", GROUP, 1, NOW)
        assert acquire_lease(connection, "lakeside", GROUP, "one", NOW, TTL) == 2


def test_of_eight_workers_at_once_one_gets_the_lease(database: Database) -> None:
    tokens: list[int | None] = []
    started = threading.Barrier(8)

    def work(holder: str) -> None:
        started.wait()
        with database.begin() as connection:
            tokens.append(acquire_lease(connection, "lakeside", GROUP, holder, NOW, TTL))

    threads = [threading.Thread(target=work, args=(f"worker {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(tokens, key=str) == [1] + [None] * 7
