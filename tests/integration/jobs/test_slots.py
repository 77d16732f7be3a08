"""When a night is due: once per local date, never while clocks are set, and never silently missed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from jobs.slots import Due, LastRun, find_due_hour, find_due_nights, list_nights
from service.domain.nights import find_night

US_ZONES = (
    "America/New_York", "America/Detroit", "America/Indiana/Indianapolis", "America/Kentucky/Louisville",
    "America/Chicago", "America/Indiana/Knox", "America/North_Dakota/Center", "America/Denver", "America/Boise",
    "America/Phoenix", "America/Los_Angeles", "America/Anchorage", "America/Juneau", "America/Adak",
    "Pacific/Honolulu", "Pacific/Guam", "Pacific/Pago_Pago", "America/Puerto_Rico", "America/St_Thomas",
)  # fmt: skip
FIRST, LAST = date(2024, 1, 1), date(2034, 1, 1)
NEW_YORK = "America/New_York"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("name", US_ZONES)
def test_ten_years_have_one_night_per_local_date(name: str) -> None:
    zone = ZoneInfo(name)
    begin, finish = (datetime(d.year, d.month, d.day, tzinfo=UTC) for d in (FIRST, LAST))
    nights = []
    since = begin
    while since < finish:  # a year at a time, because a list of missed nights is bounded
        until = min(since + timedelta(days=365), finish)
        nights += list_nights(since, until, name)
        since = until
    local = [night.astimezone(zone) for night in nights]
    dates = [moment.date() for moment in local]
    assert len(dates) == len(set(dates))
    assert dates == [dates[0] + timedelta(days=n) for n in range(len(dates))]
    assert abs(len(dates) - (LAST - FIRST).days) <= 1
    assert {(moment.hour, moment.minute) for moment in local} == {(3, 30)}


def list_transitions(zone: ZoneInfo) -> list[date]:
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days)]
    noons = [datetime(d.year, d.month, d.day, 12, tzinfo=zone) for d in days]
    return [b.date() for a, b in pairwise(noons) if a.utcoffset() != b.utcoffset()]


@pytest.mark.parametrize("name", US_ZONES)
def test_a_clock_that_ticks_through_every_change_of_time_runs_each_date_once(name: str) -> None:
    zone = ZoneInfo(name)
    for changed_on in list_transitions(zone):
        now = datetime(changed_on.year, changed_on.month, changed_on.day, tzinfo=UTC) - timedelta(days=1)
        last, since, ran = None, now, []
        for _ in range(3 * 96):
            due = find_due_nights(now, name, since, last)
            assert due.missed == ()
            if due.run is not None:
                ran.append(due.run.astimezone(zone).date())
                assert not 1 <= now.astimezone(zone).hour < 3
                last = LastRun(due.run, "done", now)
            now += timedelta(minutes=15)
        assert len(ran) == len(set(ran)) == 3


def test_a_night_is_due_at_half_past_three_where_the_organisation_is() -> None:
    assert find_night(date(2026, 11, 21), NEW_YORK) == at("2026-11-21T08:30")
    assert find_night(date(2026, 7, 1), NEW_YORK) == at("2026-07-01T07:30")


def test_a_new_organisation_waits_for_its_first_night() -> None:
    created = at("2026-11-20T17:00")
    assert find_due_nights(at("2026-11-20T20:00"), NEW_YORK, created, None) == Due()
    assert find_due_nights(at("2026-11-21T08:30"), NEW_YORK, created, None) == Due(at("2026-11-21T08:30"))


def test_a_night_that_fell_into_a_pause_is_run_at_the_next_tick() -> None:
    last = LastRun(at("2026-11-20T08:30"), "done", at("2026-11-20T08:31"))
    assert find_due_nights(at("2026-11-21T14:00"), NEW_YORK, at("2026-11-01T00:00"), last) == Due(
        at("2026-11-21T08:30")
    )


def test_after_three_nights_down_the_newest_is_run_and_two_are_missed() -> None:
    last = LastRun(at("2026-11-20T08:30"), "done", at("2026-11-20T08:31"))
    due = find_due_nights(at("2026-11-23T14:00"), NEW_YORK, at("2026-11-01T00:00"), last)
    assert due == Due(at("2026-11-23T08:30"), (at("2026-11-21T08:30"), at("2026-11-22T08:30")))


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(minutes=-5), timedelta(minutes=5), timedelta(hours=1)])
def test_a_jump_of_the_clock_neither_doubles_nor_loses_a_night(jump: timedelta) -> None:
    now, last, ran = at("2026-11-21T08:00"), None, []
    for n in range(8 * 24):
        due = find_due_nights(now, NEW_YORK, at("2026-11-20T17:00"), last)
        if due.run is not None:
            ran.append(due.run)
            last = LastRun(due.run, "done", now)
        now += timedelta(minutes=15) + (jump if n == 2 else timedelta(0))
    assert ran == sorted(set(ran))
    assert ran[:2] == [at("2026-11-21T08:30"), at("2026-11-22T08:30")]


def test_a_failed_night_is_tried_again_after_an_hour_within_36_hours() -> None:
    slot = at("2026-11-21T08:30")
    failed = LastRun(slot, "failed", slot + timedelta(minutes=5))
    since = at("2026-11-01T00:00")
    assert find_due_nights(slot + timedelta(minutes=64), NEW_YORK, since, failed) == Due()
    assert find_due_nights(slot + timedelta(minutes=65), NEW_YORK, since, failed) == Due(slot, is_retry=True)
    late = LastRun(slot, "failed", slot)
    assert find_due_hour(slot + timedelta(minutes=29), since, late).run != slot


def test_a_night_whose_process_died_is_offered_again_and_one_that_is_done_is_not() -> None:
    slot, since = at("2026-11-21T08:30"), at("2026-11-01T00:00")
    now = slot + timedelta(minutes=10)
    assert find_due_nights(now, NEW_YORK, since, LastRun(slot, "claimed")) == Due(slot)
    assert find_due_nights(now, NEW_YORK, since, LastRun(slot, "done", now)) == Due()
    assert find_due_nights(now, NEW_YORK, since, LastRun(slot, "missed", now)) == Due()


def test_an_hour_is_looked_at_once_and_hours_that_passed_are_not_missed() -> None:
    since = at("2026-11-01T00:00")
    assert find_due_hour(at("2026-11-21T08:10"), since, None) == Due(at("2026-11-21T08:00"))
    last = LastRun(at("2026-11-21T08:00"), "done", at("2026-11-21T08:10"))
    assert find_due_hour(at("2026-11-21T08:59"), since, last) == Due()
    assert find_due_hour(at("2026-11-22T10:01"), since, last) == Due(at("2026-11-22T10:00"))
