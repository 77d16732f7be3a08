"""B1: reads seeded rosters with `read_roster`, with the plain csv loop and with pandas, polars and duckdb.

Run `python tests/benchmarks/bench_ingest.py [rows] [--growth] [--only=SHAPE]`. Every reading is done in a process of
its own, the ways taking turns. All of them must have read the same before any time is printed. `--growth` adds a file
of five times the rows: how time grows, and memory where it is large enough to tell. polars and duckdb come with the
extra `bench`; without them the run goes on.
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent / "kit"))

from ingest_ways import Answer, is_npi
from measuring import ForeignWork, Seconds, check_equal, print_load, print_target

from service.domain.identifiers import LETTERS

CHILD = Path(__file__).parent.parent / "kit" / "ingest_ways.py"
SEED = 20_261
ROUNDS = 5
GROWTH = 5
MEBIBYTE = 2**20
ALLOWANCE = 150 * MEBIBYTE
SMALL_FILE = 100 * MEBIBYTE
FAMILIES = ("Prosacco", "Núñez", "Doe", "Roe", "Müller", "Holguin", "O’Brien", "Ruecker", "Klocko")
GIVENS = ("Jonathan", "Leonor", "Ann", "Richard", "Zoë", "Edgar", "Eva", "Luz")
SHAPES = {"npis": 1.5, "bad": 1.5, "quoted": 1.5, "sorted": 1.5, "wide": 3.0}
"""Shapes of files, and how many times as long as the plain one each may take."""
Row = list[str]


class Figures(NamedTuple):
    """Seconds of the rounds, and the bytes by which the first reading raised the peak above the imports."""

    seconds: Seconds
    grown: int


def build_npi(rng: random.Random) -> str:
    nine = "3" + "".join(rng.choices("0123456789", k=8))
    return next(nine + str(digit) for digit in range(10) if is_npi(nine + str(digit)))


def build_mbi(rng: random.Random) -> str:
    digit, letter = "0123456789", LETTERS
    either = digit + letter
    kinds = (digit, "S", either, digit, letter, either, digit, letter, letter, digit, digit)
    return "".join(rng.choice(kind) for kind in kinds)


def spoil(mbi: str, npi: str, kind: int) -> tuple[str, str]:
    """Eight kinds of bad rows: half in the MBI, half in the NPI."""
    return (
        ("", npi),
        (mbi[:10], npi),
        (mbi + "1", npi),
        (mbi[:3] + "O" + mbi[4:], npi),
        (mbi, npi[:9]),
        (mbi, npi[:9] + str((int(npi[9]) + 1) % 10)),
        (mbi, ""),
        (mbi, npi[:4] + "X" + npi[5:]),
    )[kind]


def build_rows(count: int, bad: float = 0.01, distinct_npis: int = 2_000) -> list[Row]:
    """Rows of five columns: some bad, 0.5 % repeated, 0.1 % with names that need quotes."""
    rng = random.Random(SEED)
    npis = [build_npi(rng) for _ in range(distinct_npis)]
    rows: list[Row] = []
    for _ in range(count):
        if rows and rng.random() < 0.005:
            rows.append(rng.choice(rows))
            continue
        mbi, npi = build_mbi(rng), rng.choice(npis)
        if rng.random() < bad:
            mbi, npi = spoil(mbi, npi, rng.randrange(8))
        family = rng.choice(FAMILIES) if rng.random() > 0.001 else "Doe, Jr"
        born = f"{rng.randrange(1920, 1960)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
        rows.append([mbi, npi, rng.choice(GIVENS), family, born])
    return rows


def save_roster(path: Path, rows: Iterable[Row], *, quoting: Literal[0, 1] = csv.QUOTE_MINIMAL, more: int = 0) -> None:
    """Writes rows under their headings, with more columns of text behind them."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, quoting=quoting, lineterminator="\n")
        writer.writerow(["mbi", "npi", "first_name", "last_name", "dob", *(f"flag_{place}" for place in range(more))])
        writer.writerows(cells + ["some text"] * more for cells in rows)


def save_shapes(folder: Path, count: int, chosen: Iterable[str]) -> dict[str, Path]:
    """Writes the plain file and the chosen shapes of it."""
    paths = {shape: folder / f"{shape}.csv" for shape in ("plain", *chosen)}
    rows = build_rows(count)
    for shape, path in paths.items():
        if shape == "bad":
            save_roster(path, build_rows(count, bad=0.5))
        elif shape == "npis":
            save_roster(path, build_rows(count, distinct_npis=100_000))
        elif shape == "sorted":
            save_roster(path, sorted(rows, key=lambda cells: cells[1]))
        elif shape == "wide":
            save_roster(path, rows, more=25)
        else:
            save_roster(path, rows, quoting=csv.QUOTE_ALL if shape == "quoted" else csv.QUOTE_MINIMAL)
    return paths


def run_way(way: str, path: Path, warm: int, timed: int, *, is_answer_asked: bool) -> tuple[float, int, Answer | None]:
    """Reads a file in a fresh process: the median of the timed runs, the growth of the peak, and what was read."""
    command = [sys.executable, str(CHILD), way, str(path), str(warm), str(timed)]
    if is_answer_asked:
        command.append("--answer")
    told = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    answer = Answer(*told["answer"]) if told["answer"] else None
    return median(told["seconds"]), told["grown"], answer


def measure_file(path: Path, ways: Iterable[str], *, naive_rounds: int = ROUNDS, timed: int = 1) -> dict[str, Figures]:
    """Lets the ways take turns on one file; ends the run unless all of them read the same."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    grown: dict[str, int] = {}
    answers: dict[str, Answer | None] = {}
    for number in range(ROUNDS):
        for way, times in seconds.items():
            if way == "naive" and number >= naive_rounds:
                continue
            warm = 0 if way == "naive" and timed == 1 else 1  # a plain loop has nothing to warm up
            took, growth, answer = run_way(way, path, warm, timed, is_answer_asked=number == 0)
            times.append(took)
            if number == 0:
                grown[way], answers[way] = growth, answer
    for way, answer in answers.items():
        check_equal(f"{path.stem}, {way}", answer, answers["ours"])
    return {way: Figures(Seconds(min(times), median(times)), grown[way]) for way, times in seconds.items()}


def print_ways(name: str, path: Path, found: dict[str, Figures]) -> None:
    ours, size = found["ours"].seconds.middle, path.stat().st_size
    print(f"{name}, {size / MEBIBYTE:.1f} MiB; all ways read the same")
    for way, ((best, middle), grown) in found.items():
        print(f"  {way:<7} best {best:9.5f} s  median {middle:9.5f} s  {middle / ours:7.2f} x ours"
              f"  peak {grown / MEBIBYTE:7.1f} MiB = {grown / size:4.1f} x the file")  # fmt: skip


def print_at_least(what: str, ratio: float, wanted: float) -> bool:
    return print_target(what, f"{ratio:.2f} x", f">= {wanted:g} x", is_met=ratio >= wanted)


def print_at_most(what: str, ratio: float, wanted: float) -> bool:
    return print_target(what, f"{ratio:.2f} x", f"<= {wanted:g} x", is_met=ratio <= wanted)


def print_memory(path: Path, found: dict[str, Figures]) -> list[bool]:
    """Memory against the file and against polars; small files are allowed what the libraries take at first use."""
    size = path.stat().st_size
    allowance = ALLOWANCE if size < SMALL_FILE else 0
    grown = max(found["ours"].grown - allowance, 0)
    named = f", less {ALLOWANCE // MEBIBYTE} MiB" if allowance else ""
    met = [print_at_most(f"B1m memory, against the file{named}", grown / size, 2.2)]
    if "polars" in found:
        met.append(print_at_most(f"B1m memory, against polars{named}", grown / found["polars"].grown, 0.7))
    return met


def compare_peers(path: Path, peers: list[str]) -> tuple[Figures, list[bool]]:
    """B1: the plain file against everybody."""
    found = measure_file(path, ["ours", "naive", "pandas", *peers])
    print_ways("plain", path, found)
    ours = found["ours"].seconds.middle
    met = [
        print_at_least("B1 against the plain loop", found["naive"].seconds.middle / ours, 25),
        print_at_least("B1 against pandas", found["pandas"].seconds.middle / ours, 2.5),
    ]
    if "polars" in found:
        met.append(print_at_most("B1 time, against polars", ours / found["polars"].seconds.middle, 1.25))
    return found["ours"], [*met, *print_memory(path, found)]


def compare_shapes(paths: dict[str, Path], plain: float) -> list[bool]:
    """B1s: the other shapes against the plain loop on the same file, and against the plain file."""
    met = []
    for shape, path in paths.items():
        found = measure_file(path, ["ours", "naive"], naive_rounds=1)
        print_ways(shape, path, found)
        ours = found["ours"].seconds.middle
        met.append(print_at_least(f"B1s {shape}, against the plain loop", found["naive"].seconds.middle / ours, 18))
        met.append(print_at_most(f"B1s {shape}, time against the plain file", ours / plain, SHAPES[shape]))
    return met


def compare_small(folder: Path) -> list[bool]:
    """B1t: what a short file costs, and what a file costs that has next to nothing in it."""
    met = []
    for count, wanted in ((10, None), (1_000, 3), (10_000, 12)):
        path = folder / f"rows_{count}.csv"
        save_roster(path, build_rows(count))
        found = measure_file(path, ["ours", "naive"], timed=max(5, 20_000 // count) if count > 10 else 200)
        print_ways(f"{count} rows", path, found)
        ours = found["ours"].seconds.middle
        if wanted is None:
            met.append(print_target("B1t fixed cost", f"{ours * 1000:.2f} ms", "<= 2 ms", is_met=ours <= 0.002))
        else:
            met.append(
                print_at_least(
                    f"B1t {count} rows, against the plain loop", found["naive"].seconds.middle / ours, wanted
                )
            )
    return met


def compare_growth(folder: Path, rows: int, plain: float, peers: list[str]) -> list[bool]:
    """How time grows with the file, and its memory where what libraries take at first use is lost in it."""
    path = folder / "large.csv"
    save_roster(path, build_rows(rows * GROWTH))
    found = measure_file(path, ["ours", "pandas", *peers])
    print_ways(f"{GROWTH} times the rows", path, found)
    ratio = found["ours"].seconds.middle / plain
    return [print_at_most(f"B1 time for {GROWTH} times the rows", ratio, 5.8), *print_memory(path, found)]


def main(rows: int, shapes: list[str], *, is_growth_asked: bool) -> None:
    peers = [name for name in ("polars", "duckdb") if find_spec(name)]
    if missing := [name for name in ("polars", "duckdb") if name not in peers]:
        print(f"without {' and '.join(missing)}: pip install rollcall[bench] to compare with them")
    print_load("before")
    foreign = ForeignWork()
    with TemporaryDirectory(prefix="rollcall-bench-") as name:
        folder = Path(name)
        paths = save_shapes(folder, rows, shapes)
        plain, met = compare_peers(paths.pop("plain"), peers)
        met += compare_shapes(paths, plain.seconds.middle)
        met += compare_small(folder)
        if is_growth_asked:
            met += compare_growth(folder, rows, plain.seconds.middle, peers)
    print(f"{sum(met)} of {len(met)} targets met")
    foreign.print_share()


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    only = [word.removeprefix("--only=") for word in sys.argv[1:] if word.startswith("--only=")]
    main(numbers[0] if numbers else 1_000_000, only or list(SHAPES), is_growth_asked="--growth" in sys.argv)
