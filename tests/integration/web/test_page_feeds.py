"""/feeds and /feeds/{id}."""

from __future__ import annotations

import re

import pytest
from web_stage import ADMIN, FEED, FEEDER, FOREIGN_REVIEWER, OURS, REVIEWER, RIVERS, WELLS, Stage, write_roster

from service.domain.people import Actor
from service.web.pages.feeds import build_bars
from service.workflows.deliveries import find_deliveries
from service.workflows.feeds import add_feed, set_feed
from service.workflows.silence import watch_feeds

OPERATOR = Actor.operator()


def read_page(stage: Stage, address: str, email: str = REVIEWER) -> str:
    """A page as somebody sees it, with its blanks made one."""
    return " ".join(stage.log_in(email).get(address).text.replace("\u00a0", " ").split())


def test_the_list_tells_what_a_feed_may_do_and_what_came_last(begun: Stage) -> None:
    add_feed(begun.runtime, OURS, feed_id="front-desk", actor=OPERATOR)
    page = read_page(begun, "/feeds")
    assert f'href="/feeds/{FEED}"' in page and "after 1 snapshot without them" in page
    assert "by rows that say so" in page and "nothing yet" in page and "no expectation" in page
    newest = find_deliveries(begun.runtime, OURS)[0]
    assert f'<a href="/deliveries/{newest.id}">Delivery 2</a>' in page and "overdue" not in page


def test_a_held_delivery_and_a_silence_stand_in_the_list(begun: Stage) -> None:
    begun.send(write_roster({WELLS: range(3)}))
    set_feed(begun.runtime, OURS, FEED, {"expected_every_hours": 24}, OPERATOR)
    begun.advance(2)
    page = read_page(begun, "/feeds")
    assert '<a href="/holds">1</a>' in page
    assert '<span class="tag bad">overdue</span>' in page and "(1 day ago)" in page


def test_what_was_decided_is_told_in_sentences(begun: Stage) -> None:
    settings = {
        "absences_before_removal": 2,
        "max_removals": 25,
        "max_removal_percent": 10,
        "practitioners": [WELLS, RIVERS],
        "expected_every_hours": 168,
        "min_rows": 40,
        "rejected_percent": 0,
        "expects_count": True,
        "column_mapping": {"mbi": "Member <b>Number</b>"},
        "header_hash": "0" * 64,
        "encoding": "windows-1252",
    }
    set_feed(begun.runtime, OURS, FEED, settings, OPERATOR)
    page = read_page(begun, f"/feeds/{FEED}").replace("&#39;", "'")
    for sentence in (
        "A file may let patients go only after 2 snapshots in a row without them, and only patients of practitioners"
        " who occur in the file.",
        "A file that would let go more than 25 patients or 10 % of the patients known to it (and more than 5)"
        " lets nobody go until",
        f"It may speak for 2 practitioners only: {WELLS}, {RIVERS}.",
        "A delivery is expected at least every 7 days; longer silence is an incident.",
        "A file with fewer than 40 rows waits for a person. A file that is more than 10 % smaller",
        "A file in which more than 5 rows or half of them cannot be read waits for a person",
        "A file must say how many rows it has; one that does not waits for a person.",
        "“Member &lt;b&gt;Number&lt;/b&gt;” is the patient's MBI. Other headings hold the file",
        "Files are read as windows-1252.",
    ):
        assert sentence in page


def test_a_feed_of_changes_never_lets_go_by_absence(begun: Stage) -> None:
    add_feed(begun.runtime, OURS, feed_id="front-desk", actor=OPERATOR)
    page = read_page(begun, "/feeds/front-desk")
    assert "A file never lets patients go because they are missing from it." in page
    assert "Nothing has come from it yet" in page and "<svg" not in page


def test_the_last_deliveries_are_bars_as_tall_as_their_rows(begun: Stage) -> None:
    begun.send(write_roster({WELLS: range(3)}))
    page = read_page(begun, f"/feeds/{FEED}")
    assert "Rows of the last 3 deliveries, oldest first: 3, 20, 3</title>" in page
    bars = re.findall(r'<rect class="s-(\w+)" x="(\d+)" y="(\d+)" width="32" height="(\d+)"', page)
    assert bars == [("accepted", "4", "85", "15"), ("accepted", "44", "0", "100"), ("held", "84", "85", "15")]
    assert build_bars([]) == []


def test_a_silent_feed_says_since_when_and_what_waiting_costs(begun: Stage) -> None:
    set_feed(begun.runtime, OURS, FEED, {"expected_every_hours": 24}, OPERATOR)
    begun.advance(2)
    page = read_page(begun, f"/feeds/{FEED}")
    assert "Nothing has come since" in page and "(2 days ago)" in page
    assert "Waiting starts to cost attributions on" in page and "2027-02-18 14:00 UTC" in page
    assert "See the feed" not in read_page(begun, "/")
    watch_feeds(begun.runtime, OURS)
    overview = read_page(begun, "/")
    assert "A feed is silent</strong>Feed ehr-daily has sent nothing since 2026-11-20 14:00 UTC" in overview
    assert "attributions start to lapse on 2027-02-18 14:00 UTC" in overview
    assert f'<a href="/feeds/{FEED}">See the feed</a>' in overview


def test_the_page_says_how_the_feed_is_changed(stage: Stage) -> None:
    page = read_page(stage, f"/feeds/{FEED}")
    assert f"rollcall feed set {FEED} --org {OURS}" in page and f"PATCH /api/v1/feeds/{FEED}" in page


def test_the_ledger_page_tells_the_old_and_the_new_value(stage: Stage) -> None:
    set_feed(stage.runtime, OURS, FEED, {"min_rows": 40}, OPERATOR)
    assert '<span class="quiet">min rows</span> <span class="mono">0 → 40</span>' in read_page(stage, "/ledger")


@pytest.mark.parametrize(("email", "follows"), [(FEEDER, True), (ADMIN, False)])
def test_feeders_and_admins_read_what_they_look_after(begun: Stage, email: str, follows: bool) -> None:
    for address in ("/feeds", f"/feeds/{FEED}"):
        page = read_page(begun, address, email)
        assert "Delivery 2" in page and ('href="/deliveries' in page) is follows


def test_an_admin_is_led_to_the_feeds(stage: Stage) -> None:
    assert stage.log_in(ADMIN).get("/").headers["Location"] == "/feeds"


def test_without_a_login_there_is_no_feed(stage: Stage) -> None:
    assert stage.browse().get("/feeds").headers["Location"].startswith("/login")


def test_a_feed_of_another_organisation_is_not_found(stage: Stage) -> None:
    add_feed(stage.runtime, OURS, feed_id="ours-alone", actor=OPERATOR)
    browser = stage.log_in(FOREIGN_REVIEWER)
    assert browser.get("/feeds/ours-alone").status_code == browser.get("/feeds/none").status_code == 404
    assert "ours-alone" not in browser.get("/feeds").text


def test_without_a_feed_the_list_names_the_next_step(stage: Stage) -> None:
    from service.storage.tables.organizations import feed

    with stage.runtime.database.begin() as connection:
        connection.execute(feed.delete())
    assert "There is no feed yet" in read_page(stage, "/feeds")
