"""Two processes at once: one writes, the other is told so; whoever lost the lease says nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from dying import DyingDatabase
from practice import ADA, BRUNO, CORA, OPERATOR, Practice, check_settled, find_faults, follow

from service.domain.errors import Busy
from service.runtime import Runtime, build_runtime
from service.workflows.apply import ApplyReport, ApplyStep, apply_plan
from service.workflows.observe import load_groups
from service.workflows.plan import draw_plan
from service.workflows.settle import SettleReport, settle

WANTED = {ADA: [*range(1, 11), 30], BRUNO: range(20, 26), CORA: [40, 41]}


@pytest.fixture
def other(waiting: Any) -> Iterator[Runtime]:
    """Another process on the same database."""
    rt = waiting.practice.rt
    opened = replace(follow(waiting.practice.emu, build_runtime(rt.settings)), _private_keys=rt._private_keys)
    yield opened
    opened.close()


def test_a_second_apply_is_told_that_somebody_writes(waiting: Any, other: Runtime) -> None:
    practice: Practice = waiting.practice
    refused: list[str] = []

    def try_too(step: ApplyStep) -> None:
        if step.state == "sending":
            with pytest.raises(Busy) as busy:
                apply_plan(other, "lakeside", waiting.plan_id, OPERATOR)
            refused.append(busy.value.code)

    assert practice.apply(waiting.plan_id, progress=try_too).state == "applied"
    assert refused == ["busy"] * 7
    check_settled(practice, WANTED)


def test_settling_beside_a_running_apply_leaves_its_call_alone(waiting: Any, other: Runtime) -> None:
    practice: Practice = waiting.practice
    practice.emu.add_fault({"method": "POST", "path": r"\$remove$", "nth": 1, "when": "after", "cut": True})
    seen: list[SettleReport] = []

    def settle_too(step: ApplyStep) -> None:
        if step.kind == "renew" and step.state == "sending":
            seen.append(settle(other, "lakeside"))

    practice.apply(waiting.plan_id, progress=settle_too)
    assert set(seen) == {SettleReport(still_open=1)}


def test_a_process_that_slept_past_its_lease_sends_nothing_more(waiting: Any, other: Runtime) -> None:
    practice: Practice = waiting.practice
    taken: list[ApplyReport] = []

    def fall_asleep(step: ApplyStep) -> None:
        if step.kind == "remove" and step.state == "sending":
            practice.pass_time()
            taken.append(apply_plan(other, "lakeside", waiting.plan_id, OPERATOR))

    with pytest.raises(Busy):
        practice.apply(waiting.plan_id, progress=fall_asleep)
    assert [report.state for report in taken] == ["applied"]
    assert practice.load_plan_state(waiting.plan_id) == "applied"
    check_settled(practice, WANTED)


def test_a_process_that_lost_its_lease_does_not_end_the_plan_of_the_one_that_has_it(
    waiting: Any, other: Runtime
) -> None:
    practice: Practice = waiting.practice

    def fall_asleep(step: ApplyStep) -> None:
        if step.kind == "remove" and step.state == "sending":
            practice.pass_time()
            with suppress(Paused):
                apply_plan(other, "lakeside", waiting.plan_id, OPERATOR, let_the_first_go_on)

    def let_the_first_go_on(step: ApplyStep) -> None:
        if step.kind == "renew" and step.state == "sending":
            raise Paused

    with pytest.raises(Busy):
        practice.apply(waiting.plan_id, progress=fall_asleep)
    assert practice.load_plan_state(waiting.plan_id) == "applying"
    assert find_faults(practice) == []
    practice.pass_time()
    assert practice.apply(waiting.plan_id).state == "applied"
    check_settled(practice, WANTED)


class Paused(BaseException):
    """The second process is stopped here."""


def test_a_look_that_is_older_than_a_landed_call_does_not_undo_what_is_known(waiting: Any, other: Runtime) -> None:
    """Somebody draws a plan: DPC is read, then the other process applies, then what was read is to be remembered."""
    practice: Practice = waiting.practice
    begun: list[int] = []

    def apply_in_between(commits: int) -> None:
        begun.append(commits)
        if len(begun) == 2:  # 1: credentials; 2: what was seen
            assert practice.apply(waiting.plan_id).state == "applied"

    slow = DyingDatabase(other.database, on_begin=apply_in_between)
    draw_plan(replace(other, database=slow), "lakeside", actor=OPERATOR)
    with practice.rt.database.begin() as connection:
        groups = load_groups(connection, practice.rt.open_keys(connection, "lakeside"), "lakeside")
    assert len(groups[CORA].attributions) == 2
    assert all(a.owned for npi in (ADA, BRUNO, CORA) for a in groups[npi].attributions)
