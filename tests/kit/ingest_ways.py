"""The ways of reading a roster that B1 compares, each run in a process of its own.

Run `python tests/kit/ingest_ways.py WAY FILE WARM TIMED [--answer]`: prints the seconds of every timed run, by
how many bytes the first run raised the peak above the imports and, if asked, what was read.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from measuring import read_memory

MBI_PATTERN = "[0-9]S[A-Z0-9][0-9][A-Z][A-Z0-9][0-9][A-Z][A-Z][0-9][0-9]"
NPI_PATTERN = "[0-9]{10}"
MBI, NPI = re.compile(MBI_PATTERN), re.compile(NPI_PATTERN)
MOST_ROWS = 50_000_000
DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


class Answer(NamedTuple):
    """What all ways must agree on; `pairs` is a digest of the distinct valid pairs."""

    rows: int
    bad_mbis: int
    bad_npis: int
    pairs: str


class Way(NamedTuple):
    """How to read a file, which is timed, and how to tell what was read, which is not."""

    read: Callable[[str], Any]
    answer: Callable[[Any], Answer]


Found = tuple[int, int, int, Any]
"""Rows, bad MBIs, bad NPIs, and the pairs in the form that the way has them in."""


def build_answer(found: Found, pairs: Iterable[tuple[str, str]]) -> Answer:
    rows, bad_mbis, bad_npis, _ = found
    return Answer(rows, bad_mbis, bad_npis, digest_pairs(pairs))


def digest_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256("\n".join(sorted(f"{mbi},{npi}" for mbi, npi in pairs)).encode()).hexdigest()


def is_npi(npi: str) -> bool:
    """The check digit of an NPI in plain Python: prefix 80840 counts 24."""
    if not NPI.fullmatch(npi):
        return False
    total = 24 + sum(int(digit) for digit in npi[1::2])
    return (total + sum(DOUBLED[int(digit)] for digit in npi[0::2])) % 10 == 0


def build_naive() -> Way:
    """The plain loop everybody writes first."""

    def read(path: str) -> Found:
        rows = bad_mbis = bad_npis = 0
        pairs: set[tuple[str, str]] = set()
        with Path(path).open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                rows += 1
                if not MBI.fullmatch(row["mbi"]):
                    bad_mbis += 1
                elif not is_npi(row["npi"]):
                    bad_npis += 1
                else:
                    pairs.add((row["mbi"], row["npi"]))
        return rows, bad_mbis, bad_npis, pairs

    return Way(read, lambda found: build_answer(found, found[3]))


def build_ours() -> Way:
    from service.domain.identifiers import Environment
    from service.rosters.read import read_roster
    from service.rosters.reading import RosterOptions, RosterReading

    def read(path: str) -> RosterReading:
        return read_roster(Path(path), RosterOptions(Environment.SANDBOX, max_rows=MOST_ROWS))

    def answer(reading: RosterReading) -> Answer:
        errors = [finding.code for finding in reading.findings if finding.severity == "error"]
        bad_mbis = sum(code.startswith("mbi") for code in errors)
        pairs = digest_pairs((mbi, str(npi)) for mbi, npi in reading.present.iter_pairs())
        return Answer(reading.data_rows, bad_mbis, len(errors) - bad_mbis, pairs)

    return Way(read, answer)


def build_pandas() -> Way:
    """The pyarrow engine on the two columns; check digits once per distinct NPI."""
    import numpy as np
    import pandas as pd

    def read(path: str) -> Found:
        frame = pd.read_csv(path, engine="pyarrow", usecols=["mbi", "npi"], dtype=str, keep_default_na=False)
        good_mbi = frame["mbi"].str.fullmatch(MBI_PATTERN).to_numpy(bool, na_value=False)
        codes, distinct = pd.factorize(frame["npi"])
        good_npi = np.array([is_npi(npi) for npi in distinct.tolist()] + [False])[codes]
        pairs = frame[good_mbi & good_npi].drop_duplicates()
        return len(frame), int((~good_mbi).sum()), int((good_mbi & ~good_npi).sum()), pairs

    return Way(read, lambda found: build_answer(found, found[3].itertuples(index=False, name=None)))


def build_polars() -> Way:
    """Lazy and streaming, in its fair form: `with_columns`, then `filter`; check digits by arithmetic on columns."""
    import polars as pl

    def read(path: str) -> Found:
        number = pl.col("npi").cast(pl.Int64, strict=False)
        digits = [number // 10**place % 10 for place in range(10)]
        total = 24 + sum(digits[0::2]) + sum(2 * digit - 9 * (digit > 4).cast(pl.Int64) for digit in digits[1::2])
        rows = (
            pl.scan_csv(path, infer_schema=False)
            .select("mbi", "npi")
            .with_columns(
                good_mbi=pl.col("mbi").str.contains(f"^{MBI_PATTERN}$").fill_null(value=False),
                good_npi=(pl.col("npi").str.contains(f"^{NPI_PATTERN}$") & (total % 10 == 0)).fill_null(value=False),
            )
        )
        good = pl.col("good_mbi") & pl.col("good_npi")
        counts = rows.select(
            pl.len(), bad_mbis=(~pl.col("good_mbi")).sum(), bad_npis=(pl.col("good_mbi") & ~pl.col("good_npi")).sum()
        )
        pairs = rows.filter(good).select("mbi", "npi").unique()
        told, found = pl.collect_all([counts, pairs], engine="streaming")
        row_count, bad_mbis, bad_npis = told.row(0)
        return row_count, bad_mbis, bad_npis, found

    return Way(read, lambda found: build_answer(found, found[3].iter_rows()))


def build_duckdb() -> Way:
    """One table of the two columns with the checks, the digits once per distinct NPI."""
    import duckdb

    doubled = " + ".join(f"[0,2,4,6,8,1,3,5,7,9][npi[{place}]::int + 1]" for place in range(1, 11, 2))
    plain = " + ".join(f"npi[{place}]::int" for place in range(2, 11, 2))
    query = f"""
        create or replace temp table rows as
        with cells as materialized (select mbi, npi from read_csv($path, header = true, all_varchar = true, delim = ',',
            quote = '"', nullstr = 'there is no such text')),
        npis as (select npi, case when regexp_full_match(npi, '{NPI_PATTERN}')
            then (24 + {doubled} + {plain}) % 10 = 0 else false end as good_npi
            from (select distinct npi from cells))
        select mbi, cells.npi, regexp_full_match(mbi, '{MBI_PATTERN}') as good_mbi, good_npi
        from cells join npis on cells.npi = npis.npi"""

    def read(path: str) -> Found:
        with duckdb.connect() as base:
            base.execute(query, {"path": path})
            told = base.execute("select count(*), count(*) filter (not good_mbi), "
                                "count(*) filter (good_mbi and not good_npi) from rows").fetchall()  # fmt: skip
            pairs = base.sql("select distinct mbi, npi from rows where good_mbi and good_npi").to_arrow_table()
        return *told[0], pairs

    def answer(found: Found) -> Answer:
        return build_answer(found, zip(*(column.to_pylist() for column in found[3].columns), strict=True))

    return Way(read, answer)


WAYS: dict[str, Callable[[], Way]] = {
    "naive": build_naive,
    "ours": build_ours,
    "pandas": build_pandas,
    "polars": build_polars,
    "duckdb": build_duckdb,
}


def main(name: str, path: str, warm: int, timed: int, *, is_answer_asked: bool) -> None:
    way = WAYS[name]()
    before = read_memory("VmRSS")
    seconds: list[float] = []
    grown, found = 0, None
    for run in range(warm + timed):
        del found
        start = time.perf_counter()
        found = way.read(path)
        seconds.append(time.perf_counter() - start)
        if run == 0:
            grown = read_memory("VmHWM") - before
    answer = way.answer(found) if is_answer_asked else None
    print(json.dumps({"seconds": seconds[warm:], "grown": grown, "answer": answer}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), is_answer_asked="--answer" in sys.argv)
