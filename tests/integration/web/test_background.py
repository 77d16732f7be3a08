"""The pool behind the answers: bounded, one run per key, nothing overlooked, failures told without values."""

from __future__ import annotations

import logging
import threading

import pytest

from service.domain.errors import StalePlan
from service.web.background import BackgroundPool


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
