"""What the benchmarks share: times, memory, the load of the machine, and one line per target."""

from __future__ import annotations

import gc
import os
import resource
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


NOMINAL_SECONDS = 0.03
"""What the plain work of `measure_slowness` takes on a core of its own of an ordinary machine."""


def measure_slowness() -> float:
    """How many times longer plain work takes here and now than on an ordinary core, 1 where it takes no longer.

    Bounds in seconds of processor time are meant for such a core; one that is shared with other machines is slower.
    """
    times = []
    for _ in range(5):
        started, total = time.process_time(), 0
        for n in range(500_000):
            total += n
        times.append(time.process_time() - started)
    return max(1.0, median(times) / NOMINAL_SECONDS)


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


class ForeignWork:
    """What the rest of the machine computes meanwhile: busy processor time less our own and that of our children."""

    MOST_SHARE = 0.05
    """Above this part of all processors the figures of a run are worth nothing."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._busy = _read_busy_seconds()
        self._own = _read_own_seconds()

    def read_share(self) -> float:
        """Foreign processor time since the beginning, as a part of all processors; children count once they ended."""
        foreign = _read_busy_seconds() - self._busy - (_read_own_seconds() - self._own)
        return max(0.0, foreign / ((time.perf_counter() - self._began) * (os.cpu_count() or 1)))

    def print_share(self) -> bool:
        """Print how much foreign work there was, and answer whether the run can be used."""
        share = self.read_share()
        is_usable = share <= self.MOST_SHARE
        print(f"foreign work: {share:.1%} of {os.cpu_count()} cores"
              + ("" if is_usable else ": THIS RUN IS UNUSABLE, the machine was busy with something else"))  # fmt: skip
        return is_usable


def _read_busy_seconds() -> float:
    """Seconds that all processors together were busy since the start, without those that waited."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _read_own_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def print_target(what: str, figure: str, target: str, *, is_met: bool) -> bool:
    """Print one figure beside its target, and answer whether it is met."""
    print(f"{'pass' if is_met else 'FAIL'}  {what:<58} {figure:>14}  wanted {target}")
    return is_met


def check_equal(what: str, one: object, other: object) -> None:
    """End the run when two ways disagree: a time for another answer means nothing."""
    if one != other:
        raise SystemExit(f"{what}: the ways differ")
