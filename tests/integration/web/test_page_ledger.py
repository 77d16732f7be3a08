"""/ledger."""

from __future__ import annotations

import re
import sqlite3

from web_stage import OURS, REVIEWER, Stage

from service.workflows.prove import count_ledger_entries, make_checkpoint


def test_the_ledger_is_verified_and_shown_newest_first(begun: Stage) -> None:
    make_checkpoint(begun.runtime, OURS)
    page = begun.log_in(REVIEWER).get("/ledger").text
    assert "The ledger verifies." in page and "1 signed checkpoint" in page
    numbers = [int(n) for n in re.findall(r'<th scope="row" class="n">(\d+)</th>', page)]
    assert numbers == list(range(count_ledger_entries(begun.runtime, OURS), 0, -1))


def test_older_entries_are_on_the_next_page_and_none_is_left_out(begun: Stage) -> None:
    browser, seen, address = begun.log_in(REVIEWER), [], "/ledger"
    for n in range(120):
        begun.send(b"MBI,NPI\nWRONG,%d\n" % n)
    while address:
        page = browser.get(address).text
        seen += [int(n) for n in re.findall(r'<th scope="row" class="n">(\d+)</th>', page)]
        following = re.search(r'rel="next" href="([^"]+)"', page)
        address = following[1] if following else ""
    assert seen == list(range(count_ledger_entries(begun.runtime, OURS), 0, -1))
    assert len(seen) > 200


def test_a_ledger_that_was_touched_does_not_verify(begun: Stage) -> None:
    path = begun.runtime.settings.database_url.removeprefix("sqlite:///")
    outside = sqlite3.connect(path)
    for (name,) in outside.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        outside.execute(f"DROP TRIGGER {name}")
    outside.execute(
        "UPDATE ledger_entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'lakeside', 'leakside') AS BLOB) WHERE seq = 1"
    )
    outside.commit()
    outside.close()
    page = begun.log_in(REVIEWER).get("/ledger").text
    assert "The ledger does not verify" in page
