"""A process of its own that applies a plan and is killed, for good, at a chosen commit.

Arguments: plan id, `before` or `after`, the number of the commit. Settings come from the environment.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from typing import Any

from dying import DyingDatabase

from service.domain.people import Actor
from service.runtime import build_runtime
from service.settings import load_settings
from service.workflows.apply import apply_plan


def main(plan_id: str, when: str, n: int) -> None:
    """Apply; nothing after the kill is ever run, no `finally` either."""

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    rt = build_runtime(load_settings({k: v for k, v in os.environ.items() if k.startswith("ROLLCALL_")}))
    moment: dict[str, Any] = {when: n}
    database = DyingDatabase(rt.database, **moment, kill=kill)
    apply_plan(replace(rt, database=database), "lakeside", plan_id, Actor.operator())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
