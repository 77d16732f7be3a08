"""What the benchmarks share: times, memory, the load of the machine, and one line per target."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Seconds(NamedTuple):
    """The best and the median of several runs."""

    best: float
    middle: float


def measure_seconds(act: Callable[[], object], repeats: int = 5) -> Seconds:
    """Run something several times; what lives before is left out of the collector's sight."""
    gc.collect()
    gc.freeze()
    times: list[float] = []
    for _ in range(repeats):
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
    gc.unfreeze()
    return Seconds(min(times), median(times))


def read_memory(field: str, pid: int | str = "self") -> int:
    """Bytes of a field of a process's status, such as VmRSS or VmHWM (its peak)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) << 10
    raise LookupError(field)


def print_load(when: str) -> None:
    """Print how busy the machine is; figures taken beside other work say little."""
    one, five, _ = os.getloadavg()
    print(f"load {when}: {one:.2f} over one minute, {five:.2f} over five, {os.cpu_count()} cores")


def print_target(what: str, figure: str, target: str, *, is_met: bool) -> bool:
    """Print one figure beside its target, and answer whether it is met."""
    print(f"{'pass' if is_met else 'FAIL'}  {what:<58} {figure:>14}  wanted {target}")
    return is_met


def check_equal(what: str, one: object, other: object) -> None:
    """End the run when two ways disagree: a time for another answer means nothing."""
    if one != other:
        raise SystemExit(f"{what}: the ways differ")
