"""Checks a column of birth dates: two fixed shapes by table, every other cell by its distinct text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.rosters.columns.kernels import CHUNK, gather_fixed, sum_tables, view_strings
from service.rosters.findings import CODE_INDEX
from service.rosters.values import read_birth_date

_WIDTH = 10
_BAD = 1 << 40


def _build_tables(shape: str) -> NDArray[np.int64]:
    """Answers a (10, 256) table whose entries sum to yyyymmdd; `shape` is like YYYY-MM-DD."""
    tables = np.full((_WIDTH, 256), _BAD, np.int64)
    weights = {"Y": 10_000_000, "M": 1_000, "D": 10}
    for position, kind in enumerate(shape):
        if kind not in weights:
            tables[position, ord(kind)] = 0
            continue
        for digit in range(10):
            tables[position, ord("0") + digit] = digit * weights[kind]
        weights[kind] //= 10
    return tables


def _build_days() -> NDArray[np.bool_]:
    """Answers which of 0000 .. 9999, read as mmdd, are days of a common year."""
    days = np.zeros(10_000, np.bool_)
    for month, last in enumerate((31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), start=1):
        days[month * 100 + 1 : month * 100 + last + 1] = True
    return days


_TABLES = (_build_tables("YYYY-MM-DD"), _build_tables("MM/DD/YYYY"))
_DAYS = _build_days()


def check_birth_dates(cells: pa.StringArray) -> tuple[NDArray[np.uint8], int]:
    """Answers the dob_* warning of each cell (0 = none) and how many have a month over twelve."""
    codes = np.zeros(len(cells), np.uint8)
    rows = find_unusual_dates(cells)
    if not len(rows):
        return codes, 0
    coded = cells.take(rows).dictionary_encode()
    readings = [read_birth_date(cell or "") for cell in coded.dictionary.to_pylist()]
    index = coded.indices.to_numpy()
    codes[rows] = np.array([CODE_INDEX[r.code] if r.code else 0 for r in readings], np.uint8)[index]
    over = np.array([r.month_over_twelve for r in readings], np.bool_)[index]
    return codes, int(np.count_nonzero(over))


def find_unusual_dates(cells: pa.StringArray) -> NDArray[np.intp]:
    """Answers the rows that are not plainly YYYY-MM-DD or MM/DD/YYYY."""
    offsets, content = view_strings(cells)
    usual = np.zeros(len(cells), np.bool_)
    for start in range(0, len(cells), CHUNK):
        stop = min(start + CHUNK, len(cells))
        matrix, fits = gather_fixed(offsets[start : stop + 1], content, _WIDTH)
        usual[start:stop] = _is_date(matrix, _TABLES[0]) & fits
        if np.count_nonzero(usual[start:stop]) * 2 < stop - start:
            usual[start:stop] |= _is_date(matrix, _TABLES[1]) & fits
    return np.flatnonzero(~usual)


def _is_date(matrix: NDArray[np.uint8], tables: NDArray[np.int64]) -> NDArray[np.bool_]:
    total = sum_tables(matrix, tables)
    good = total < _BAD
    np.putmask(total, ~good, 0)
    good &= _DAYS.take(total % 10_000)
    good &= total >= 10_000
    return good
