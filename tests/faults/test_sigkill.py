"""The real thing: a process that is killed with SIGKILL in the middle of an apply, and another one that carries on."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest
from practice import ADA, BRUNO, CORA, OPERATOR, check_settled, find_faults
from process import CHILD, write_environ

from service.workflows.reconcile import reconcile_organization

WANTED = {ADA: [*range(1, 11), 30], BRUNO: range(20, 26), CORA: [40, 41]}


@pytest.mark.parametrize(
    ("when", "n"),
    [
        pytest.param("before", 4, id="before the intents are committed"),
        pytest.param("after", 15, id="after the attempt to remove is committed, before a byte is sent"),
        pytest.param("before", 13, id="after the creation is answered, before its outcome is committed"),
        pytest.param("before", 22, id="after the renewal is answered, before its outcome is committed"),
    ],
)
def test_a_killed_process_leaves_what_the_next_one_needs(waiting: Any, when: str, n: int) -> None:
    practice = waiting.practice
    child = subprocess.run(
        [sys.executable, str(CHILD), waiting.plan_id, when, str(n)],
        env=write_environ(practice),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    practice.restart()
    assert find_faults(practice) == []
    practice.pass_time()
    assert reconcile_organization(practice.rt, "lakeside", actor=OPERATOR).outcome == "applied"
    check_settled(practice, WANTED)
