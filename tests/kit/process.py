"""A process of its own that applies a plan: where it is, and the settings it needs."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from practice import Practice

TESTS = Path(__file__).parents[1]
CHILD = TESTS / "faults" / "child_apply.py"


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
