"""The pool behind the answers: bounded, one run per key, nothing overlooked, failures told without values."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest

from service.domain.errors import StalePlan
from service.web.background import SEATS, BackgroundPool


def test_work_that_comes_while_the_same_key_runs_makes_it_run_once_more() -> None:
    pool, started, go, runs = BackgroundPool(), threading.Event(), threading.Event(), []

    def work() -> None:
        runs.append(1)
        started.set()
        go.wait(10)

    assert pool.submit("key", work)
    assert started.wait(10)
    assert pool.submit("key", work) and pool.submit("key", work)
    go.set()
    pool.wait()
    pool.close()
    assert len(runs) == 2


def test_what_is_beyond_the_bound_is_not_taken() -> None:
    pool, go = BackgroundPool(workers=1, bound=2), threading.Event()
    taken = [pool.submit(n, lambda: go.wait(10)) for n in range(5)]
    go.set()
    pool.wait()
    assert taken == [True, True, True, False, False]
    assert pool.submit("later", lambda: None)
    pool.close()
    assert not pool.submit("too late", lambda: None)


def test_one_may_wait_for_the_work_of_one_key_for_a_while() -> None:
    pool, go = BackgroundPool(), threading.Event()
    pool.submit("slow", lambda: go.wait(10))
    pool.submit("quick", lambda: None)
    assert pool.wait_for("quick", 10)
    assert not pool.wait_for("slow", 0.01)
    go.set()
    assert pool.wait_for("slow", 10)
    assert pool.wait_for("nothing of that name", 0)
    pool.close()


def test_few_wait_at_once_and_the_others_go_on() -> None:
    """Were all to wait, a slow file would keep every thread from answering anybody."""
    pool, go = BackgroundPool(), threading.Event()
    pool.submit("slow", lambda: go.wait(10))
    with ThreadPoolExecutor(SEATS + 1) as waiting:
        asked = [waiting.submit(pool.wait_for, "slow", 10) for _ in range(SEATS + 1)]
        done, _ = wait(asked, 10, FIRST_COMPLETED)
        assert [one.result() for one in done] == [False]
        go.set()
        assert sorted(one.result(10) for one in asked) == [False, *[True] * SEATS]
    assert pool.wait_for("slow", 10)
    pool.close()


def test_a_refusal_is_remembered_and_forgotten_when_it_is_tried_again() -> None:
    pool = BackgroundPool()

    def refuse() -> None:
        raise StalePlan("It has changed.")

    pool.submit("plan", refuse)
    pool.wait()
    failure = pool.find_failure("plan")
    assert failure is not None and (failure.code, failure.detail) == ("stale_plan", "It has changed.")
    pool.submit("plan", lambda: None)
    pool.wait()
    pool.close()
    assert pool.find_failure("plan") is None


def test_an_unexpected_failure_is_logged_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    pool = BackgroundPool()

    def fail() -> None:
        raise ValueError("1S00E00AA00")

    with caplog.at_level(logging.DEBUG):
        pool.submit("key", fail)
        pool.wait()
    pool.close()
    assert "ValueError" in caplog.text and "1S00E00AA00" not in caplog.text
    failure = pool.find_failure("key")
    assert failure is not None and "1S00" not in failure.detail
