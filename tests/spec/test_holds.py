"""Which changes wait for a person, how many people it takes, and what lets them go."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from service.domain.change import Change, ChangeKind, PlannedPatient, keep_plain
from service.domain.guards import Exposure, HeldChanges, hold_changes
from service.domain.policy import GuardLimits
from tests.spec.tables import Row, read_table

GRAY, MOSS = "3905293015", "2323232225"
ELSEWHERE = 10_000_000
"""Active patients of another practitioner: so many that the limits of the organisation stay out of sight."""

GROUP_REMOVALS = read_table("""
    active | removed | verdict
    1      | 1       | hard-stop
    5      | 1       | free
    5      | 4       | free
    5      | 5       | hard-stop
    6      | 5       | free
    7      | 6       | hard-stop
    20     | 4       | free
    20     | 5       | free
    20     | 6       | hard-stop
    30     | 6       | hold
    30     | 7       | hard-stop
    100    | 4       | free
    100    | 5       | free
    100    | 6       | hold
    100    | 19      | hold
    100    | 20      | hold
    100    | 21      | hard-stop
    100    | 99      | hard-stop
    100    | 100     | hard-stop
    1350   | 66      | free
    1350   | 67      | free
    1350   | 68      | hold
    1350   | 269     | hold
    1350   | 270     | hold
    1350   | 271     | hard-stop
    1350   | 1350    | hard-stop
""")


@pytest.mark.parametrize("row", GROUP_REMOVALS, ids=lambda row: f"{row['removed']} of {row['active']}")
def test_removals_of_one_group_wait_above_five_percent_and_stop_hard_above_twenty_or_at_zero(row: Row) -> None:
    held = weigh([remove(GRAY, int(row["removed"]))], {GRAY: int(row["active"]), MOSS: ELSEWHERE})
    assert describe(held) == ([] if row["verdict"] == "free" else [f"removals-per-group {row['verdict']}"])


ORGANIZATION_REMOVALS = read_table("""
    active | removed | verdict
    20     | 5       | free
    20     | 6       | hard-stop
    100    | 5       | free
    100    | 6       | hold
    100    | 10      | hold
    100    | 11      | hard-stop
    1350   | 26      | free
    1350   | 27      | free
    1350   | 28      | hold
    1350   | 134     | hold
    1350   | 135     | hold
    1350   | 136     | hard-stop
""")


@pytest.mark.parametrize("row", ORGANIZATION_REMOVALS, ids=lambda row: f"{row['removed']} of {row['active']}")
def test_removals_of_the_organization_wait_above_two_percent_and_stop_hard_above_ten(row: Row) -> None:
    """Spread over Groups of two, one removal each, so that the limit of each single Group stays out of sight."""
    removed, active = int(row["removed"]), int(row["active"])
    groups = {f"practitioner-{n}": 2 for n in range(removed)} | {"practitioner-of-the-rest": active - 2 * removed}
    held = weigh([remove(f"practitioner-{n}", 1, start=n) for n in range(removed)], groups)
    expected = [] if row["verdict"] == "free" else [f"removals-per-organization {row['verdict']}"]
    assert describe(held) == expected


GROUP_ADDS = read_table("""
    active | added | verdict
    0      | 500   | free
    1      | 20    | free
    1      | 21    | hard-stop
    5      | 20    | free
    5      | 21    | hard-stop
    20     | 20    | free
    20     | 21    | hard-stop
    42     | 20    | free
    42     | 21    | hold
    42     | 22    | hard-stop
    100    | 20    | free
    100    | 21    | hold
    100    | 49    | hold
    100    | 50    | hold
    100    | 51    | hard-stop
    1350   | 134   | free
    1350   | 135   | free
    1350   | 136   | hold
    1350   | 674   | hold
    1350   | 675   | hold
    1350   | 676   | hard-stop
""")


@pytest.mark.parametrize("kind", [ChangeKind.ADD, ChangeKind.REINSTATE])
@pytest.mark.parametrize("row", GROUP_ADDS, ids=lambda row: f"{row['added']} to {row['active']}")
def test_adds_wait_above_twenty_and_ten_percent_and_stop_hard_above_fifty(row: Row, kind: ChangeKind) -> None:
    held = weigh([build_change(kind, GRAY, int(row["added"]))], {GRAY: int(row["active"])})
    assert describe(held) == ([] if row["verdict"] == "free" else [f"adds-per-group {row['verdict']}"])


def test_adds_and_reinstatements_of_one_group_are_counted_together_and_over_all_calls() -> None:
    changes = [
        build_change(ChangeKind.ADD, GRAY, 10),
        build_change(ChangeKind.ADD, GRAY, 6, start=10),
        build_change(ChangeKind.REINSTATE, GRAY, 5, start=16),
    ]
    held = weigh(changes, {GRAY: 100})
    assert [(h.rule, h.n) for h in held] == [("adds-per-group", 21)]


CUMULATIVE = read_table("""
    active now | removed in seven days | removed now | verdict
    96         | 4                     | 1           | free
    96         | 4                     | 2           | hold
    95         | 5                     | 1           | hold
    84         | 16                    | 4           | hold
    84         | 16                    | 5           | hard-stop
    2          | 0                     | 2           | hard-stop
    1          | 3                     | 1           | hard-stop
""")


@pytest.mark.parametrize(
    "row", CUMULATIVE, ids=lambda row: f"{row['removed now']} after {row['removed in seven days']}"
)
def test_removals_are_counted_together_with_those_of_the_last_seven_days(row: Row) -> None:
    exposure = Exposure({GRAY: int(row["active now"]), MOSS: ELSEWHERE}, {GRAY: int(row["removed in seven days"])})
    _, held = hold_changes(
        [remove(GRAY, int(row["removed now"]))], exposure, GuardLimits(), "lakeside", {}, conceal=keep_plain
    )
    assert describe(held) == ([] if row["verdict"] == "free" else [f"removals-per-group {row['verdict']}"])


def test_the_organization_too_counts_the_removals_of_the_last_seven_days() -> None:
    changes = [remove(GRAY, 2)]
    for lately, verdict in [(18, []), (19, ["removals-per-organization hold"])]:
        exposure = Exposure({GRAY: 200, MOSS: 800 - lately}, {MOSS: lately})
        _, held = hold_changes(changes, exposure, GuardLimits(), "lakeside", {}, conceal=keep_plain)
        assert describe(held) == verdict


def test_a_slow_drain_of_four_percent_a_day_trips_by_the_second_day() -> None:
    active, lately, tripped_on = 100, 0, 0
    for day in range(1, 8):
        exposure = Exposure({GRAY: active, MOSS: ELSEWHERE}, {GRAY: lately})
        _, held = hold_changes([remove(GRAY, 4)], exposure, GuardLimits(), "lakeside", {}, conceal=keep_plain)
        if held:
            tripped_on = day
            break
        active, lately = active - 4, lately + 4
    assert tripped_on == 2


def test_removals_that_wait_stop_neither_adds_nor_renewals_nor_removals_of_another_group() -> None:
    changes = [
        remove(GRAY, 30),
        remove(MOSS, 3, start=30),
        build_change(ChangeKind.ADD, GRAY, 5, start=40),
        build_change(ChangeKind.RENEW, GRAY, 50, start=50),
    ]
    free, held = hold_changes(
        changes, Exposure({GRAY: 300, MOSS: ELSEWHERE}, {}), GuardLimits(), "lakeside", {}, conceal=keep_plain
    )
    assert free == (changes[1], changes[2], changes[3])
    assert [h.changes for h in held] == [(changes[0],)]


def test_adds_that_wait_stop_neither_renewals_nor_registrations() -> None:
    register = Change(ChangeKind.REGISTER, None, build_patients(60))
    changes = [register, build_change(ChangeKind.ADD, GRAY, 60), build_change(ChangeKind.RENEW, GRAY, 90, start=60)]
    free, held = hold_changes(changes, Exposure({GRAY: 100}, {}), GuardLimits(), "lakeside", {}, conceal=keep_plain)
    assert free == (changes[0], changes[2])
    assert describe(held) == ["adds-per-group hard-stop"]


def test_renewals_registrations_and_first_loads_are_never_held() -> None:
    changes = [
        Change(ChangeKind.REGISTER, None, build_patients(900)),
        build_change(ChangeKind.CREATE, MOSS, 500),
        build_change(ChangeKind.ADD, MOSS, 400, start=500),
        build_change(ChangeKind.RENEW, GRAY, 90),
    ]
    assert weigh(changes, {GRAY: 90}) == ()


def test_a_hold_of_the_whole_organization_does_not_hide_that_one_group_needs_two_people() -> None:
    changes = [remove(GRAY, 30), remove(MOSS, 2, start=30)]
    exposure = Exposure({GRAY: 30, MOSS: 1320}, {})
    _, held = hold_changes(changes, exposure, GuardLimits(), "lakeside", {}, conceal=keep_plain)
    assert describe(held) == ["removals-per-group hard-stop", "removals-per-organization hold"]
    assert [h.changes for h in held] == [(changes[0],), (changes[1],)]
    one_person = {h.fingerprint: 1 for h in held}
    free, held = hold_changes(changes, exposure, GuardLimits(), "lakeside", one_person, conceal=keep_plain)
    assert free == (changes[1],)
    assert describe(held) == ["removals-per-group hard-stop"]


def test_a_hold_of_the_whole_organization_is_not_opened_for_nobody() -> None:
    _, held = hold_changes(
        [remove(GRAY, 30)], Exposure({GRAY: 30, MOSS: 1320}, {}), GuardLimits(), "lakeside", {}, conceal=keep_plain
    )
    assert describe(held) == ["removals-per-group hard-stop"]


RELEASES = read_table("""
    active | removed | people | goes
    100    | 6       | 0      | no
    100    | 6       | 1      | yes
    100    | 6       | 2      | yes
    100    | 21      | 0      | no
    100    | 21      | 1      | no
    100    | 21      | 2      | yes
""")


@pytest.mark.parametrize("row", RELEASES, ids=lambda row: f"{row['removed']} of {row['active']} by {row['people']}")
def test_one_person_lets_a_hold_go_and_two_a_hard_stop(row: Row) -> None:
    changes, active = [remove(GRAY, int(row["removed"]))], {GRAY: int(row["active"]), MOSS: ELSEWHERE}
    (held,) = weigh(changes, active)
    still_held = weigh(changes, active, {held.fingerprint: int(row["people"])})
    assert (still_held == ()) is (row["goes"] == "yes")


def test_a_release_counts_for_exactly_the_patients_decided_on_and_for_no_other_rule_or_organization() -> None:
    active = {GRAY: 100, MOSS: ELSEWHERE}
    (held,) = weigh([remove(GRAY, 6)], active)
    released = {held.fingerprint: 2}
    assert weigh([remove(GRAY, 6)], active, released) == ()
    assert weigh([remove(GRAY, 3), remove(GRAY, 3, start=3)], active, released) == ()
    assert weigh([remove(GRAY, 7)], active, released)
    assert weigh([remove(GRAY, 6, start=1)], active, released)
    _, elsewhere = hold_changes(
        [remove(GRAY, 6)], Exposure(active, {}), GuardLimits(), "hillside", released, conceal=keep_plain
    )
    assert elsewhere


def test_a_hold_says_in_one_sentence_what_would_happen() -> None:
    exposure = Exposure({GRAY: 96, MOSS: ELSEWHERE}, {GRAY: 4})
    _, (removals,) = hold_changes([remove(GRAY, 2)], exposure, GuardLimits(), "lakeside", {}, conceal=keep_plain)
    (adds,) = weigh([build_change(ChangeKind.ADD, GRAY, 21)], {GRAY: 100})
    (everybody,) = weigh([remove(GRAY, 6)], {GRAY: 20})
    assert removals.reason == (
        f"2 of 96 active patients of practitioner {GRAY} would be removed. 4 were removed in the last seven days."
    )
    assert adds.reason == f"21 patients would be attested anew for practitioner {GRAY}, who has 100 active now."
    assert everybody.reason == "6 of 20 active patients of the organisation would be removed."


def weigh(
    changes: list[Change], active: Mapping[str, int], released: Mapping[str, int] | None = None
) -> tuple[HeldChanges, ...]:
    return hold_changes(changes, Exposure(active, {}), GuardLimits(), "lakeside", released or {}, conceal=keep_plain)[1]


def describe(held: tuple[HeldChanges, ...]) -> list[str]:
    return [f"{h.rule} {h.level.value}" for h in held]


def remove(npi: str, n: int, start: int = 0) -> Change:
    return build_change(ChangeKind.REMOVE, npi, n, start)


def build_change(kind: ChangeKind, npi: str, n: int, start: int = 0) -> Change:
    return Change(kind, npi, build_patients(n, start))


def build_patients(n: int, start: int = 0) -> tuple[PlannedPatient, ...]:
    places = range(start, start + n)
    return tuple(
        PlannedPatient(f"1S{place // 100:02d}E00AA{place % 100:02d}", f"patient-{place}", 1, place) for place in places
    )
