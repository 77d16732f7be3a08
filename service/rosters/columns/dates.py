"""Checks a column of birth dates: two fixed shapes by table, every other cell by its distinct text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.rosters.columns.fixed import Matrix, SumTables, gather_fixed
from service.rosters.columns.kernels import CHUNK, number_distinct, take_cells, view_strings
from service.rosters.findings import CODE_INDEX
from service.rosters.values import read_birth_date

_WIDTH = 10
_MONTHS_AND_DAYS = (1 << 14) - 1
_YEAR = _MONTHS_AND_DAYS + 1


def _build_sums(shape: str) -> SumTables:
    """Answers tables whose values sum to the year above bit 14 and mmdd below it; `shape` is like YYYY-MM-DD."""
    values: list[dict[str, int]] = []
    weights = {"Y": 1_000 * _YEAR, "M": 1_000, "D": 10}
    for kind in shape:
        if kind not in weights:
            values.append({kind: 0})
            continue
        values.append({str(digit): digit * weights[kind] for digit in range(10)})
        weights[kind] //= 10
    return SumTables(values)


def _build_days() -> NDArray[np.bool_]:
    """Answers which numbers, read as mmdd, are days of a common year."""
    days = np.zeros(_MONTHS_AND_DAYS + 1, np.bool_)
    for month, last in enumerate((31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), start=1):
        days[month * 100 + 1 : month * 100 + last + 1] = True
    return days


_YEAR_FIRST, _MONTH_FIRST = _build_sums("YYYY-MM-DD"), _build_sums("MM/DD/YYYY")
_DAYS = _build_days()


def check_birth_dates(cells: pa.StringArray) -> tuple[NDArray[np.uint8], int]:
    """Answers the dob_* warning of each cell (0 = none) and how many have a month over twelve."""
    codes = np.zeros(len(cells), np.uint8)
    rows = find_unusual_dates(cells)
    if not len(rows):
        return codes, 0
    index, texts = number_distinct(take_cells(cells, rows))
    readings = [read_birth_date(text) for text in texts]
    codes[rows] = np.array([CODE_INDEX[r.code] if r.code else 0 for r in readings], np.uint8)[index]
    over = np.array([r.month_over_twelve for r in readings], np.bool_)[index]
    return codes, int(np.count_nonzero(over))


def find_unusual_dates(cells: pa.StringArray) -> NDArray[np.intp]:
    """Answers the rows that are not plainly YYYY-MM-DD or MM/DD/YYYY."""
    offsets, content = view_strings(cells)
    usual = np.zeros(len(cells), np.bool_)
    for start in range(0, len(cells), CHUNK):
        stop = min(start + CHUNK, len(cells))
        text = gather_fixed(offsets[start : stop + 1], content, _WIDTH)
        usual[start:stop] = _are_dates(text, _YEAR_FIRST)
        if np.count_nonzero(usual[start:stop]) * 2 < stop - start:
            usual[start:stop] |= _are_dates(text, _MONTH_FIRST)
    return np.flatnonzero(~usual)


def _are_dates(text: Matrix, sums: SumTables) -> NDArray[np.bool_]:
    dates = sums.sum(text)
    good = _DAYS.take(dates & _MONTHS_AND_DAYS)
    good &= dates >= _YEAR
    return good
