"""Two people who change different settings of one feed at the same moment both get what they asked for."""

from __future__ import annotations

from threading import Thread

from locks import wait_until_somebody_waits
from practice import OPERATOR, Practice

from service.storage import feeds
from service.workflows.feeds import load_feed, set_feed


def test_a_change_that_waits_for_another_keeps_what_that_one_set(practice_on_postgresql: Practice) -> None:
    rt = practice_on_postgresql.rt
    second = Thread(target=set_feed, args=(rt, "lakeside", "ehr", {"min_rows": 7}, OPERATOR))
    with rt.database.begin() as first:
        feeds.lock_feed(first, "lakeside", "ehr")
        feeds.update_feed(first, "lakeside", "ehr", settings={"max_removals": 25})
        second.start()
        wait_until_somebody_waits(first)
    second.join()
    settings = load_feed(rt, "lakeside", "ehr").settings
    assert (settings["min_rows"], settings["max_removals"]) == (7, 25)
