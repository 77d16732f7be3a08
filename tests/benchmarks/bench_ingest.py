"""B1: reads a seeded roster with `read_roster` and with the plain csv.DictReader + re + Luhn loop, prints the ratio.

Run `python tests/benchmarks/bench_ingest.py [rows] [shape ...]`; shapes: default, bad, quoted, sorted, npis, wide.
Equality of the results is asserted before any time is printed.
"""

from __future__ import annotations

import csv
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple

from service.domain.identifiers import LETTERS, Environment, is_npi
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions

SEED = 20_261
FAMILIES = ("Prosacco", "Núñez", "Doe", "Roe", "Müller", "Holguin", "O’Brien", "Ruecker", "Klocko")
GIVENS = ("Jonathan", "Leonor", "Ann", "Richard", "Zoë", "Edgar", "Eva", "Luz")
MBI = re.compile(r"[0-9]S[A-Z0-9][0-9][A-Z][A-Z0-9][0-9][A-Z][A-Z][0-9][0-9]")
NPI = re.compile(r"[0-9]{10}")


class Counts(NamedTuple):
    """What both ways must agree on."""

    rows: int
    bad_mbis: int
    bad_npis: int
    pairs: frozenset[tuple[str, str]]


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


def save_roster(path: Path, rows: int, shape: str) -> None:
    """Writes a roster of five columns: 1 % bad rows (or half), 0.5 % repeats, 0.1 % quoted names."""
    rng = random.Random(SEED)
    npis = [build_npi(rng) for _ in range(100_000 if shape == "npis" else 2_000)]
    bad = 0.5 if shape == "bad" else 0.01
    lines: list[list[str]] = []
    for _ in range(rows):
        if lines and rng.random() < 0.005:
            lines.append(rng.choice(lines))
            continue
        mbi, npi = build_mbi(rng), rng.choice(npis)
        if rng.random() < bad:
            mbi, npi = spoil(mbi, npi, rng.randrange(8))
        family = rng.choice(FAMILIES) if rng.random() > 0.001 else "Doe, Jr"
        born = f"{rng.randrange(1920, 1960)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
        lines.append([mbi, npi, rng.choice(GIVENS), family, born])
    if shape == "sorted":
        lines.sort(key=lambda cells: cells[1])
    header = ["mbi", "npi", "first_name", "last_name", "dob"]
    extra = [f"flag_{place}" for place in range(25)] if shape == "wide" else []
    quoting: Literal[0, 1] = csv.QUOTE_ALL if shape == "quoted" else csv.QUOTE_MINIMAL
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, quoting=quoting, lineterminator="\n")
        writer.writerow(header + extra)
        writer.writerows(cells + ["some text"] * len(extra) for cells in lines)


def is_plain_npi(npi: str) -> bool:
    total = 24 + sum(int(digit) for digit in npi[1::2])
    return (total + sum(sum(divmod(2 * int(digit), 10)) for digit in npi[0::2])) % 10 == 0


def read_naively(path: Path) -> Counts:
    rows = bad_mbis = bad_npis = 0
    pairs: set[tuple[str, str]] = set()
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            rows += 1
            if not MBI.fullmatch(row["mbi"]):
                bad_mbis += 1
            elif not NPI.fullmatch(row["npi"]) or not is_plain_npi(row["npi"]):
                bad_npis += 1
            else:
                pairs.add((row["mbi"], row["npi"]))
    return Counts(rows, bad_mbis, bad_npis, frozenset(pairs))


def read_ours(path: Path) -> object:
    return read_roster(path, RosterOptions(Environment.SANDBOX))


def count_ours(path: Path) -> Counts:
    reading = read_roster(path, RosterOptions(Environment.SANDBOX))
    errors = [finding.code for finding in reading.findings if finding.severity == "error"]
    bad_mbis = sum(code.startswith("mbi") for code in errors)
    pairs = frozenset((mbi, str(npi)) for mbi, npi in reading.present.iter_pairs())
    return Counts(reading.data_rows, bad_mbis, len(errors) - bad_mbis, pairs)


def measure(call: Callable[[Path], object], path: Path, repeats: int) -> tuple[float, float]:
    """Answers the best and the median seconds."""
    times: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        call(path)
        times.append(time.perf_counter() - start)
    return min(times), median(times)


def main(rows: int, shapes: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for shape in shapes:
            path = Path(folder) / f"{shape}.csv"
            save_roster(path, rows, shape)
            if count_ours(path) != read_naively(path):
                raise SystemExit(f"{shape}: the two ways differ")
            naive, _ = measure(read_naively, path, 1 if rows > 100_000 else 5)
            best, middle = measure(read_ours, path, 5)
            print(f"{shape:8} {rows} rows: naive {naive:.4f} s, ours {best:.4f} best {middle:.4f} median, "
                  f"{naive / middle:.1f} x")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, sys.argv[2:] or ["default"])
