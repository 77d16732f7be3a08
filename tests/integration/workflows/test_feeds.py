"""Two people who change different settings of one feed at the same moment both get what they asked for."""

from __future__ import annotations

import time
from threading import Thread

from practice import OPERATOR, Practice
from sqlalchemy import text

from service.storage import feeds
from service.workflows.feeds import load_feed, set_feed

PATIENCE_SECONDS = 30


def test_a_change_that_waits_for_another_keeps_what_that_one_set(practice_on_postgresql: Practice) -> None:
    rt = practice_on_postgresql.rt
    second = Thread(target=set_feed, args=(rt, "lakeside", "ehr", {"min_rows": 7}, OPERATOR))
    with rt.database.begin() as first:
        feeds.lock_feed(first, "lakeside", "ehr")
        feeds.update_feed(first, "lakeside", "ehr", settings={"max_removals": 25})
        second.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not first.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
            assert time.monotonic() < deadline, "the second change does not wait"
            time.sleep(0.02)
    second.join()
    settings = load_feed(rt, "lakeside", "ehr").settings
    assert (settings["min_rows"], settings["max_removals"]) == (7, 25)
