"""A feed that misses its cadence is one incident for as long as it is silent."""

from __future__ import annotations

import pytest
from practice import ADA, BRUNO, OPERATOR, Practice, write_roster

from service.storage import people
from service.workflows.feeds import add_feed, load_feed, set_feed
from service.workflows.overview import show_overview
from service.workflows.silence import KIND, find_feed_id, watch_feeds
from service.workflows.status import show_status

ROSTER = {ADA: range(1, 13), BRUNO: range(20, 26)}


def find_incidents(practice: Practice) -> list[people.Incident]:
    """The silences that are on record, newest first."""
    with practice.rt.database.read() as connection:
        return people.find_incidents(connection, "lakeside", kind=KIND)


def expect_every(practice: Practice, hours: int | None, feed: str = "ehr") -> None:
    """Say how often a feed sends."""
    set_feed(practice.rt, "lakeside", feed, {"expected_every_hours": hours}, OPERATOR)


def test_a_silence_is_one_incident_that_ends_with_the_next_delivery(loaded: Practice) -> None:
    expect_every(loaded, 24)
    loaded.pass_time("PT23H")
    assert watch_feeds(loaded.rt, "lakeside").still_open == 0
    loaded.pass_time("PT2H")
    assert watch_feeds(loaded.rt, "lakeside").opened == 1
    loaded.pass_time("P3D")
    again = watch_feeds(loaded.rt, "lakeside")
    assert (again.opened, again.closed, again.still_open) == (0, 0, 1)
    (incident,) = find_incidents(loaded)
    assert incident.cause.startswith("Feed ehr has sent nothing since ") and "every 24 hours" in incident.cause
    loaded.send_roster(ROSTER)
    over = watch_feeds(loaded.rt, "lakeside")
    assert (over.closed, over.still_open) == (1, 0)
    assert [one.closed_at is None for one in find_incidents(loaded)] == [False]


def test_a_new_silence_is_a_new_incident_even_when_nobody_looked_in_between(loaded: Practice) -> None:
    expect_every(loaded, 24)
    loaded.pass_time("P2D")
    watch_feeds(loaded.rt, "lakeside")
    loaded.send_roster(ROSTER)
    loaded.pass_time("P2D")
    watch = watch_feeds(loaded.rt, "lakeside")
    assert (watch.opened, watch.closed, watch.still_open) == (1, 1, 1)
    assert [one.closed_at is None for one in find_incidents(loaded)] == [True, False]


def test_another_cadence_is_the_same_silence_and_none_ends_it(loaded: Practice) -> None:
    expect_every(loaded, 24)
    loaded.pass_time("P3D")
    watch_feeds(loaded.rt, "lakeside")
    expect_every(loaded, 48)
    assert watch_feeds(loaded.rt, "lakeside").opened == 0
    expect_every(loaded, None)
    assert watch_feeds(loaded.rt, "lakeside").closed == 1
    assert len(find_incidents(loaded)) == 1


def test_a_feed_that_never_sent_is_silent_since_it_was_added(loaded: Practice) -> None:
    added = add_feed(loaded.rt, "lakeside", feed_id="desk", settings={"expected_every_hours": 168}, actor=OPERATOR)
    loaded.pass_time("P8D")
    watch_feeds(loaded.rt, "lakeside")
    (incident,) = find_incidents(loaded)
    assert f"since {added.created_at:%Y-%m-%d %H:%M} UTC; a delivery was expected every 7 days." in incident.cause
    assert incident.cause.endswith("No attribution lapses for want of it for now.")


def test_the_incident_names_the_day_on_which_attributions_start_to_lapse(loaded: Practice) -> None:
    expect_every(loaded, 24)
    first = min(end for npi in (ADA, BRUNO) for end in loaded.read_ends(npi).values())
    loaded.pass_time("P2D")
    watch_feeds(loaded.rt, "lakeside")
    (incident,) = find_incidents(loaded)
    assert f"attributions start to lapse on {first:%Y-%m-%d %H:%M} UTC." in incident.cause


def test_what_another_feed_shows_later_is_not_lost_by_a_silence(loaded: Practice) -> None:
    expect_every(loaded, 24)
    add_feed(loaded.rt, "lakeside", feed_id="second", mode="snapshot", actor=OPERATOR)
    loaded.pass_time("P74D")
    loaded.send_roster(ROSTER, feed="second")
    watch_feeds(loaded.rt, "lakeside")
    (incident,) = find_incidents(loaded)
    assert incident.cause.endswith("No attribution lapses for want of it for now.")


def test_the_silence_stands_on_the_overview_and_in_the_status(loaded: Practice) -> None:
    expect_every(loaded, 24)
    assert show_status(loaded.rt, ["lakeside"])[0].silent_feeds == ()
    loaded.pass_time("P2D")
    assert show_status(loaded.rt, ["lakeside"])[0].silent_feeds == ("ehr",)
    watch_feeds(loaded.rt, "lakeside")
    (incident,) = show_overview(loaded.rt, "lakeside").incidents
    assert (incident.kind, incident.feed_id) == (KIND, "ehr")
    loaded.send_roster(ROSTER)
    assert show_overview(loaded.rt, "lakeside").incidents == ()  # although nobody has looked since
    assert show_status(loaded.rt, ["lakeside"])[0].silent_feeds == ()


def test_a_feed_that_sends_the_same_bytes_again_and_again_is_not_silent(loaded: Practice) -> None:
    expect_every(loaded, 24)
    for _ in range(3):
        loaded.pass_time("P1D")
        assert not loaded.receive(write_roster(ROSTER) + b"\r\n").is_new
    assert watch_feeds(loaded.rt, "lakeside").still_open == 0
    assert load_feed(loaded.rt, "lakeside", "ehr").is_overdue is False
    loaded.pass_time("P2D")
    assert watch_feeds(loaded.rt, "lakeside").opened == 1


def test_a_feed_that_sends_only_what_cannot_be_used_is_an_incident_that_says_so(loaded: Practice) -> None:
    expect_every(loaded, 24)
    heard_at = load_feed(loaded.rt, "lakeside", "ehr").heard_at
    loaded.pass_time("P2D")
    watch_feeds(loaded.rt, "lakeside")
    assert loaded.deliver(b"%PDF-1.7\n").state == "rejected"
    assert not loaded.receive(b"%PDF-1.7\n").is_new
    assert [one.cause[:24] for one in show_overview(loaded.rt, "lakeside").incidents] == ["Feed ehr has sent nothin"]
    watch = watch_feeds(loaded.rt, "lakeside")
    assert (watch.opened, watch.closed, watch.still_open) == (1, 1, 1)
    said = f"Feed ehr has sent nothing that could be used since {heard_at:%Y-%m-%d %H:%M} UTC;"
    assert [one.cause[: len(said)] for one in find_incidents(loaded) if one.closed_at is None] == [said]
    loaded.send_roster(ROSTER)
    assert watch_feeds(loaded.rt, "lakeside").still_open == 0


@pytest.mark.parametrize("cause", ["", "stale_evidence", "Feed", "A file broke off"])
def test_other_words_name_no_feed(cause: str) -> None:
    assert find_feed_id(cause) is None
