"""A roster that loses a few patients every day: each day looks harmless, the week does not, and the week counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from practice import ADA, BRUNO, CORA, OPERATOR, RUTH, Practice, build_mbi, write_roster

from service.workflows.feeds import set_feed
from service.workflows.holds import decide_hold

DAYS = 7


@dataclass
class Drain:
    """What happened day by day: who was removed at DPC, and which holds were open."""

    practice: Practice
    wanted: dict[str, list[int]]
    removed: list[int] = field(default_factory=list)
    holds: list[list[str]] = field(default_factory=list)
    states: list[str] = field(default_factory=lambda: ["accepted"])

    def live_through_a_day(self, losses: dict[str, int]) -> None:
        """The roster arrives, a plan is drawn, and whatever waits for nobody is signed and applied."""
        practice = self.practice
        practice.pass_time(timedelta(days=1))
        for npi, n in losses.items():
            self.wanted[npi] = self.wanted[npi][: len(self.wanted[npi]) - n]
        self.states.append(practice.deliver(write_roster(self.wanted) + b"\r\n" * len(self.states)).state)
        before = self.count_active()
        plan = practice.draw()
        self.holds.append([hold.rule for hold in plan.holds] if plan else [])
        if plan and any(plan.head.counts.values()):
            assert practice.apply(practice.sign(plan)).state == "applied"
        self.removed.append(before - self.count_active())

    def count_active(self) -> int:
        """How many patients are active at DPC."""
        return sum(len(found) for found in self.practice.read_active().values())


def begin(practice: Practice, sizes: dict[str, int]) -> Drain:
    """A practice at DPC whose feed lets go whom a file leaves out once."""
    set_feed(practice.rt, "lakeside", "ehr", {"absences_before_removal": 1}, OPERATOR)
    starts = {npi: 1_000 * place for place, npi in enumerate(sizes)}
    wanted = {npi: list(range(starts[npi], starts[npi] + n)) for npi, n in sizes.items()}
    practice.start_with(wanted)
    return Drain(practice, wanted)


SMALL, LARGE = {ADA: 60, BRUNO: 40}, {ADA: 180, BRUNO: 120, CORA: 100}


@pytest.mark.parametrize(
    ("sizes", "a_day", "trips_on", "limit"),
    [(SMALL, {ADA: 4}, 2, 5), (LARGE, {ADA: 4}, 3, 8), (LARGE, {ADA: 2, BRUNO: 2}, 3, 8), (LARGE, {ADA: 16}, 1, 8)],
    ids=["4 % of a hundred", "1 % of four hundred", "1 % from two panels", "4 % of four hundred"],
)
def test_a_drain_is_stopped_within_three_days_and_stays_stopped_until_somebody_decides(
    practice: Practice, sizes: dict[str, int], a_day: dict[str, int], trips_on: int, limit: int
) -> None:
    """The limit is five patients, or two percent of the organisation within seven days."""
    drain = begin(practice, sizes)
    for _ in range(DAYS):
        drain.live_through_a_day(a_day)
    every = sum(a_day.values())
    assert drain.removed == [every] * (trips_on - 1) + [0] * (DAYS + 1 - trips_on)
    assert sum(drain.removed) <= limit
    assert [bool(rules) for rules in drain.holds] == [day >= trips_on for day in range(1, DAYS + 1)]
    assert all("removals-per-organization" in rules for rules in drain.holds[trips_on - 1 :])


@pytest.mark.parametrize(
    ("between", "removed"), [(timedelta(days=6, hours=23), 0), (timedelta(days=7, hours=1), 4)], ids=["within", "after"]
)
def test_for_seven_days_the_earlier_ones_count(practice: Practice, between: timedelta, removed: int) -> None:
    drain = begin(practice, SMALL)
    drain.live_through_a_day({ADA: 4})
    practice.pass_time(between - timedelta(days=1))
    drain.live_through_a_day({ADA: 4})
    assert drain.removed == [4, removed]
    assert drain.holds[-1] == ([] if removed else ["removals-per-organization"])


def test_a_decision_lets_go_exactly_those_who_were_looked_at_and_the_next_day_needs_its_own(practice: Practice) -> None:
    drain = begin(practice, SMALL)
    drain.live_through_a_day({ADA: 4})
    drain.live_through_a_day({ADA: 4})
    (hold,) = practice.draw_some().holds
    assert (hold.n, hold.people_needed) == (4, 1)
    decide_hold(practice.rt, "lakeside", hold.id, "release", "They moved away.", RUTH)
    assert practice.apply_all().state == "applied"
    assert practice.read_active()[ADA] == {build_mbi(n) for n in range(52)}
    drain.live_through_a_day({ADA: 4})
    assert (drain.removed[-1], drain.holds[-1]) == (0, ["removals-per-organization"])
    assert practice.read_active()[ADA] == {build_mbi(n) for n in range(52)}


def test_a_file_that_has_become_much_shorter_than_usual_is_held_as_well(practice: Practice) -> None:
    drain = begin(practice, SMALL)
    for _ in range(DAYS):
        drain.live_through_a_day({ADA: 4})
    assert "held" in drain.states
