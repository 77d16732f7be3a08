"""The real thing: a process that is killed with SIGKILL in the middle of an apply, and another one that carries on."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from practice import ADA, BRUNO, CORA, OPERATOR, Practice, check_settled, find_faults

from service.workflows.reconcile import reconcile_organization

CHILD = Path(__file__).parent / "child_apply.py"
TESTS = Path(__file__).parents[1]
WANTED = {ADA: [*range(1, 11), 30], BRUNO: range(20, 26), CORA: [40, 41]}


def write_environ(practice: Practice) -> dict[str, str]:
    """The settings of the practice as a child process needs them."""
    s = practice.rt.settings
    keys = {"MASTER_KEY": s.master_key, "INDEX_KEY": s.index_key, "CHECKPOINT_KEY": s.checkpoint_key}
    named = {
        "DATA_DIR": str(s.data_dir),
        "DATABASE_URL": s.database_url,
        "SECRET_KEY": s.secret_key,
        "ALLOWED_DPC_ORIGINS": ",".join(s.allowed_dpc_origins),
        "CLOCK": s.clock,
        "READ_TIMEOUT": str(s.read_timeout_seconds),
        "QUIESCE": str(s.quiesce_seconds),
        **{name: base64.b64encode(key).decode() for name, key in keys.items()},
    }
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ROLLCALL_")}
    path = os.pathsep.join([str(TESTS / "kit"), str(TESTS.parent)])
    return plain | {"PYTHONPATH": path} | {f"ROLLCALL_{name}": value for name, value in named.items()}


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
