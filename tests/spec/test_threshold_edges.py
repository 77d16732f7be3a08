"""Every limit of the guards at its edge, for panels of 1, 5, 20, 100 and 1,350.

    of   | free up to | one person up to
    1350 | 67         | 270

says that 67 of 1,350 go by themselves, that 68 to 270 wait for one person, and that 271 and more wait for two. Each
table is asked one below, at and one above both of its limits. Where a bare percentage would say less than five rows or
patients (twenty adds), the number stands instead: in a small clinic one retirement is a large percentage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.domain.change import Change, ChangeKind, PlannedPatient, keep_plain
from service.domain.guards import Exposure, hold_changes
from service.domain.intake import Effect, History
from service.domain.policy import GuardLimits
from tests.spec.files import build_facts, weigh_file
from tests.spec.tables import NOW, Row, Rows, read_span, read_table

GRAY, MOSS = "3905293015", "2323232225"
ELSEWHERE = 10_000_000
"""So many active patients of another practitioner that the limits of the organisation stay out of sight."""
SIZES = {1, 5, 20, 100, 1350}

Weigh = Callable[[int, int], str]
"""Answers `free`, or the level and the rule, for so many of so many."""


def check_edges(table: Rows, rule: str, weigh: Weigh, most: Callable[[int], int] | None = None) -> None:
    """Ask one below, at and one above both limits of each row; of more than `most` of a size there is no question."""
    assert {int(row["of"]) for row in table} == SIZES
    for row in table:
        of, free, one = (int(row[heading]) for heading in ("of", "free up to", "one person up to"))
        assert free <= one
        asked = {n + step for n in (free, one) for step in (-1, 0, 1)}
        found = {n: weigh(of, n) for n in asked if 0 <= n <= (most(of) if most else n)}
        levels = {n: "free" if n <= free else f"hold {rule}" if n <= one else f"hard-stop {rule}" for n in found}
        assert found == levels, f"of {of}"


# Changes of a plan


def test_removals_of_one_group() -> None:
    """All that are left of a Group always take two people: it would be empty."""
    table = read_table("""
        of   | free up to | one person up to
        1    | 0          | 0
        5    | 4          | 4
        20   | 5          | 5
        100  | 5          | 20
        1350 | 67         | 270
    """)

    def weigh(of: int, n: int) -> str:
        return weigh_changes([build_change(ChangeKind.REMOVE, GRAY, n)], {GRAY: of, MOSS: ELSEWHERE})

    check_edges(table, "removals-per-group", weigh, most=lambda of: of)


def test_all_of_a_group_takes_two_people_whatever_its_size() -> None:
    for of in SIZES:
        everybody = [build_change(ChangeKind.REMOVE, GRAY, of)]
        assert weigh_changes(everybody, {GRAY: of, MOSS: ELSEWHERE}) == "hard-stop removals-per-group"


def test_removals_of_one_group_with_those_of_the_last_seven_days() -> None:
    """`of` is who was active before; what went lately is part of the limit, so that five times four percent trip."""
    table = read_table("""
        of   | lately | free up to | one person up to
        1    | 0      | 0          | 0
        5    | 1      | 3          | 3
        20   | 4      | 1          | 1
        100  | 4      | 1          | 16
        1350 | 60     | 7          | 210
    """)
    lately = {int(row["of"]): int(row["lately"]) for row in table}

    def weigh(of: int, n: int) -> str:
        gone = lately[of]
        change = [build_change(ChangeKind.REMOVE, GRAY, n)]
        return weigh_changes(change, {GRAY: of - gone, MOSS: ELSEWHERE}, {GRAY: gone})

    check_edges(table, "removals-per-group", weigh, most=lambda of: of - lately[of])


def spread(of: int, n: int) -> tuple[list[Change], dict[str, int]]:
    """One removal from each of n Groups of two, so that no single Group reaches a limit of its own."""
    groups = {f"practitioner-{place}": 2 for place in range(n)} | {"practitioner-of-the-rest": of - 2 * n}
    return [build_change(ChangeKind.REMOVE, f"practitioner-{place}", 1, place) for place in range(n)], groups


def test_removals_of_the_organization() -> None:
    """Of one patient nothing can be spread, of five only two."""
    table = read_table("""
        of   | free up to | one person up to
        1    | 0          | 0
        5    | 2          | 2
        20   | 5          | 5
        100  | 5          | 10
        1350 | 27         | 135
    """)
    check_edges(table, "removals-per-organization", lambda of, n: weigh_changes(*spread(of, n)), lambda of: of // 2)


def test_removals_of_the_organization_with_those_of_the_last_seven_days() -> None:
    table = read_table("""
        of   | lately | free up to | one person up to
        1    | 0      | 0          | 0
        5    | 1      | 2          | 2
        20   | 3      | 2          | 2
        100  | 4      | 1          | 6
        1350 | 20     | 7          | 115
    """)
    lately = {int(row["of"]): int(row["lately"]) for row in table}

    def weigh(of: int, n: int) -> str:
        changes, active = spread(of - lately[of], n)
        return weigh_changes(changes, active, {"practitioner-of-the-rest": lately[of]})

    check_edges(table, "removals-per-organization", weigh, most=lambda of: (of - lately[of]) // 2)


@pytest.mark.parametrize("kind", [ChangeKind.ADD, ChangeKind.REINSTATE])
def test_adds_to_one_group(kind: ChangeKind) -> None:
    """A practitioner of one patient who gets twenty more is a clinic that begins."""
    table = read_table("""
        of   | free up to | one person up to
        1    | 20         | 20
        5    | 20         | 20
        20   | 20         | 20
        100  | 20         | 50
        1350 | 135        | 675
    """)
    check_edges(table, "adds-per-group", lambda of, n: weigh_changes([build_change(kind, GRAY, n)], {GRAY: of}))


def test_a_first_load_is_not_held_because_the_signature_under_the_whole_plan_is_the_look_at_it() -> None:
    for of in SIZES:
        for kind in (ChangeKind.CREATE, ChangeKind.ADD):
            assert weigh_changes([build_change(kind, GRAY, of)], {}) == "free"
        assert weigh_changes([build_change(ChangeKind.RENEW, GRAY, of)], {GRAY: of}) == "free"


def test_changed_numbers_in_one_group() -> None:
    """Renames have the limits of removals: a wrong one removes a patient under the former number."""
    table = read_table("""
        of   | free up to | one person up to
        1    | 5          | 5
        5    | 5          | 5
        20   | 5          | 5
        100  | 5          | 20
        1350 | 67         | 270
    """)
    for kind in (ChangeKind.ADD, ChangeKind.REMOVE):

        def weigh(of: int, n: int, kind: ChangeKind = kind) -> str:
            return weigh_changes([replace(build_change(kind, GRAY, n), is_rename=True)], {GRAY: of})

        check_edges(table, "renames-per-group", weigh)


# A file


def weigh_fewer(of: int, n: int) -> str:
    return weigh_file(build_facts(of - n), History((of,) * 5))


def weigh_more(of: int, n: int) -> str:
    return weigh_file(build_facts(of + n), History((of,) * 5))


def test_rows_fewer_than_usual() -> None:
    """No row at all is another question, and always one for two people."""
    table = read_table("""
        of   | free up to | one person up to
        1    | 0          | 0
        5    | 4          | 4
        20   | 5          | 6
        100  | 10         | 30
        1350 | 135        | 405
    """)
    check_edges(table, "rows_down", weigh_fewer, most=lambda of: of - 1)
    assert {weigh_fewer(of, of) for of in SIZES} == {"hard-stop zero_rows"}


def test_rows_more_than_usual() -> None:
    table = read_table("""
        of   | free up to | one person up to
        1    | 5          | 5
        5    | 5          | 5
        20   | 5          | 20
        100  | 25         | 100
        1350 | 337        | 1350
    """)
    check_edges(table, "rows_up", weigh_more)


def test_patients_of_before_who_are_not_in_the_file() -> None:
    """The file is as long as ever: other people fill the rows of those who are missing."""
    table = read_table("""
        of   | free up to | one person up to
        1    | 1          | 1
        5    | 5          | 5
        20   | 5          | 10
        100  | 10         | 50
        1350 | 135        | 675
    """)

    def weigh(of: int, n: int) -> str:
        return weigh_file(build_facts(of, effect=Effect(known=of, listed=of, added=n, absent=n)))

    check_edges(table, "patients_missing", weigh, most=lambda of: of)


def test_rows_that_cannot_be_read() -> None:
    """Of very few rows more than half must be right; a file of one wrong row holds nothing."""
    table = read_table("""
        of   | free up to | one person up to
        1    | 0          | 0
        5    | 2          | 2
        20   | 5          | 5
        100  | 5          | 5
        1350 | 13         | 67
    """)

    def weigh(of: int, n: int) -> str:
        return weigh_file(build_facts(of, present=of - n, errors=n))

    check_edges(table, "rejected_rows", weigh, most=lambda of: of - 1)
    assert weigh(1, 1) == "hard-stop zero_rows"


def test_practitioners_who_were_never_named() -> None:
    """The first one waits already; `of` counts the practitioners in the file."""
    table = read_table("""
        of   | free up to | one person up to
        1    | 0          | 1
        5    | 0          | 5
        20   | 0          | 5
        100  | 0          | 5
        1350 | 0          | 67
    """)

    def weigh(of: int, n: int) -> str:
        return weigh_file(build_facts(of, npis=of, unknown_npis=tuple(f"{place:010d}" for place in range(n))))

    check_edges(table, "unknown_practitioners", weigh, most=lambda of: of)


def test_patients_who_are_on_the_roster_of_another_organization() -> None:
    table = read_table("""
        of   | free up to | one person up to
        1    | 1          | 1
        5    | 5          | 5
        20   | 5          | 10
        100  | 20         | 50
        1350 | 270        | 675
    """)

    def weigh(of: int, n: int) -> str:
        return weigh_file(build_facts(of, shared_patients=n))

    check_edges(table, "other_organization", weigh, most=lambda of: of)


def test_patients_with_rows_that_differ_or_with_too_many_practitioners() -> None:
    table = read_table("""
        of   | free up to | one person up to
        1    | 1          | 1
        5    | 5          | 5
        20   | 5          | 5
        100  | 5          | 5
        1350 | 6          | 67
    """)

    def weigh(of: int, n: int) -> str:
        return weigh_file(build_facts(of, odd_patients=n))

    check_edges(table, "odd_patients", weigh, most=lambda of: of)


@pytest.mark.parametrize("of", sorted(SIZES))
def test_a_file_without_a_valid_row_always_takes_two_people(of: int) -> None:
    for rows in (0, of):
        facts = build_facts(rows, present=0, errors=rows)
        for history in (History(), History((of,) * 5)):
            assert weigh_file(facts, history).startswith("hard-stop")
        assert weigh_file(replace(facts, data_rows=0, errors=0)) == "hard-stop zero_rows"


MADE = read_table("""
    made                      | verdict
    0 seconds ago             | free
    47 hours ago              | free
    48 hours ago              | free
    48 hours and 1 second ago | hold old_input
    7 days ago                | hold old_input
    7 days and 1 second ago   | hard-stop old_input
""")


@pytest.mark.parametrize("row", MADE, ids=lambda row: row["made"])
def test_the_age_of_a_file(row: Row) -> None:
    made_at = NOW - read_span(row["made"].removesuffix(" ago"))
    assert {weigh_file(replace(build_facts(of), as_of_at=made_at)) for of in SIZES} == {row["verdict"]}


SERIES = read_table("""
    made             | number | last made     | last numbers | verdict
    now              | -      | now           | -            | free
    1 second ago     | -      | now           | -            | hold stale_input
    now              | -      | 1 second ago  | -            | free
    now              | 8      | now           | 8, 7         | free
    now              | 9      | now           | 8, 7         | free
    now              | 10     | now           | 8, 7         | hold sequence_gap
    now              | 7      | now           | 8, 7         | hold stale_input
    now              | 8 taken | now          | 8, 7         | hold sequence_repeats
    now              | 10     | now           | 8            | free
    now              | 10     | now           | 8, 6         | free
    now              | b      | now           | 8, 7         | free
    now              | 10     | now           | 8, 7 / 9, 8  | free
    now              | 11     | now           | 8, 7 / 9, 8  | hold sequence_gap
    now              | 10     | now           | 7, 6 / 9, 8  | free
    now              | 11     | now           | 8, 7 / 10, 8 | free
    now              | 12     | now           | 8, 7 / 10, 8 | hold sequence_gap
    now              | 10     | now           | 9, 6 / 9, 8  | free
    now              | 9      | now           | 8, 7 / 10, 8 | free
    now              | 30     | now           | - / 20, 10   | free
    now              | 4      | now           | - / 2, 1     | hold sequence_gap
    now              | 20261201 | now         | 20261130, 20261129 | free
    now              | 20261207 | now         | 20261204, 20261203 | free
    now              | 20261203 | now         | 20261204, 20261202 | hold stale_input
    now              | 20261340 | now         | 20261338, 20261337 | hold sequence_gap
    now              | 01122026 | now         | 30112026, 29112026 | free
    now              | 01012027 | now         | 12312026, 12302026 | free
    now              | 10102024 | now         | 10102022, 10102021 | free
    now              | 2026-11-18 | now       | 2026-11-19   | hold stale_input
    now              | 2026-11-19 | now       | 2026-11-18   | free
    now              | 2026-11-09T06:00 | now | 2026-11-10T05:00 | hold stale_input
    now              | 01-12-2026 | now       | 30-11-2026   | free
    now              | 01/02/2027 | now       | 12/31/2026   | free
    now              | 2021-9 | now           | 2021-17      | free
    now              | run-41 | now           | run-42       | hold stale_input
    now              | run-9  | now           | run-42       | free
    now              | 7      | now           | b, 8, 7      | hold stale_input
    now              | ward-1 | now           | desk-2       | free
    now              | a      | now           | b            | free
    now              | -      | now           | 8, 7         | free
""")


@pytest.mark.parametrize("row", SERIES, ids=lambda row: f"{row['made']}, {row['number']} after {row['last numbers']}")
def test_the_place_of_a_file_in_its_series(row: Row) -> None:
    """A gap is one only where the last two numbers had none; `taken` is another file's number, not this one's again.

    The last numbers are those of the accepted files, and behind a stroke those of all files that have arrived.
    """
    number, _, taken = row["number"].partition(" ")
    facts = replace(
        build_facts(100),
        as_of_at=find_time(row["made"]),
        sequence=None if number == "-" else number,
        sequence_taken=bool(taken),
    )
    accepted, _, arrived = row["last numbers"].partition(" / ")
    history = History((100,) * 5, find_time(row["last made"]), read_numbers(accepted), read_numbers(arrived))
    assert weigh_file(facts, history) == row["verdict"]


def read_numbers(cell: str) -> tuple[str, ...]:
    return tuple(cell.split(", ")) if cell not in ("", "-") else ()


def find_time(cell: str) -> Any:
    return NOW if cell == "now" else NOW - read_span(cell.removesuffix(" ago"))


def weigh_changes(changes: list[Change], active: dict[str, int], recently_removed: dict[str, int] | None = None) -> str:
    exposure = Exposure(active, recently_removed or {})
    _, held = hold_changes(changes, exposure, GuardLimits(), "lakeside", {}, conceal=keep_plain)
    return " and ".join(f"{one.level.value} {one.rule}" for one in held) or "free"


def build_change(kind: ChangeKind, npi: str, n: int, start: int = 0) -> Change:
    places = range(start, start + n)
    patients = (PlannedPatient(f"1S{place // 100:02d}E00AA{place % 100:02d}", None, 1, place) for place in places)
    return Change(kind, npi, tuple(patients))
