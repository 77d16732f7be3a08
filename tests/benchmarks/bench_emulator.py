"""B-E: how long the emulator takes to load 200 Groups of 1,000 patients, and to answer GET /Group, $submit and export.

Run `python tests/benchmarks/bench_emulator.py [groups] [patients]`; idle machine, through the socket, sizes asserted.
Wanted for 200 and 1,000 on two idle cores: GET /Group under 2 s, $submit of 1,000 patients under 2 s.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parent.parent / "kit"))

from emulator_customer import build_key_pair, onboard
from emulator_exports import ask, finish
from emulator_volume import count_members, fill, submit

from service.emulator.server import Emulator, EmulatorOptions

Answer = TypeVar("Answer")


def measure(what: str, act: Callable[[], Answer]) -> Answer:
    """Print how long one thing took."""
    started = time.perf_counter()
    answer = act()
    print(f"{what:<44} {time.perf_counter() - started:8.3f} s")
    return answer


def main() -> None:
    groups, patients = (int(text) for text in (sys.argv[1:] + ["200", "1000"][len(sys.argv) - 1 :]))
    with Emulator(EmulatorOptions(clock="frozen")) as emulator:
        customer = onboard(emulator, build_key_pair())
        ids = measure(f"$submit of {patients} patients", lambda: submit(customer, patients))
        group_ids = measure(f"POST /Group, {groups} of {patients} members", lambda: fill(customer, groups, ids))
        for turn in ("first", "second", "third"):
            answer = measure(f"GET /Group, {turn} time", lambda: customer.send("GET", "/Group", timeout=120))
        assert count_members(answer) == [patients] * groups
        print(f"{'size of that answer':<44} {len(answer.content) / 1e6:8.1f} MB")
        completed = measure("export of one Group", lambda: finish(customer, ask(customer, f"/Group/{group_ids[0]}")))
        assert sum(entry["count"] for entry in completed["output"] if entry["type"] == "Patient") == patients
        customer.session.close()


if __name__ == "__main__":
    main()
