"""Weeks of a practice whose process is killed again and again, at any moment, while DPC answers badly."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import pytest
from practice import ADA, BRUNO, CORA, Practice, check_settled, find_faults
from process import CHILD, write_environ

from service.domain.errors import StalePlan

ROUNDS = 25
FAULTS: tuple[dict[str, Any], ...] = (
    {"when": "before", "status": 500},
    {"when": "after", "status": 500},
    {"when": "before", "cut": True},
    {"when": "after", "cut": True},
    {"when": "before", "latency": 0.3},
    {"when": "after", "truncate": 40},
    {"preset": "waf"},
)


def send_and_sign(practice: Practice, wanted: dict[str, list[int]]) -> str | None:
    """Send the roster as it is now; answer the id of the signed plan, None when there is nothing to do."""
    practice.send_roster(wanted)
    plan = practice.draw()
    return practice.sign(plan) if plan else None


def kill_while_applying(practice: Practice, plan_id: str, dice: random.Random) -> bool:
    """Apply in another process and kill it after a while; answer whether it was still alive.

    What it had sent is done at DPC before this ends: the time for which a settling waits passes on the emulator's clock
    alone.
    """
    before = practice.emu.count_connections()
    child = subprocess.Popen(
        [sys.executable, str(CHILD), plan_id, "after", "1000"], env=write_environ(practice), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + dice.uniform(0.6, 2.5)
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    is_alive = child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=30)
    deadline = time.monotonic() + 30
    while practice.emu.count_connections() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert practice.emu.count_connections() <= before
    return is_alive


def come_to_rest(practice: Practice) -> None:
    """Settle, go on, draw and sign until nothing is left to do, as nights and an attester would."""
    for _ in range(8):
        practice.pass_time()
        plan = practice.draw()
        if plan is None:
            return
        with suppress(
            StalePlan
        ):  # what a call that was cut off has done is known only now; the next plan is drawn from it
            practice.apply(practice.sign(plan) if plan.head.state == "drafted" else plan.head.id)
    pytest.fail("the practice does not come to rest")


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_doubled_or_unrecorded_however_often_the_process_dies(practice: Practice, seed: int) -> None:
    dice = random.Random(seed)
    wanted: dict[str, list[int]] = {ADA: list(range(40)), BRUNO: list(range(200, 230)), CORA: []}
    practice.name_practitioners()
    kills = 0
    for n in range(ROUNDS):
        wanted[dice.choice([ADA, BRUNO, CORA])].extend([400 + 2 * n, 401 + 2 * n])
        plan_id = send_and_sign(practice, wanted)
        for fault in dice.sample(FAULTS, 2):
            where = {"method": "POST", "path": dice.choice([r".*/Group.*", r".*submit"]), "nth": dice.randint(1, 3)}
            practice.emu.add_fault(where | fault)
        if plan_id:
            kills += kill_while_applying(practice, plan_id, dice)
        practice.emu.clear_faults()
        practice.restart()
        assert find_faults(practice) == []
        come_to_rest(practice)
        check_settled(practice, wanted)
        practice.pass_time("P9D")
    assert kills > ROUNDS // 4, "hardly anything was killed, so nothing was shown"
