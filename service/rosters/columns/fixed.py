"""Cells of one width as a matrix of bytes, and sums of a value per byte over each of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.uint8]
"""One row of bytes per cell."""

_ALLOWED = 1 << 58  # added for every pair of allowed bytes: the few of them stay below 2**63
_RUNS_FROM = 64
"""Cells of another width are cut out one by one where they are at most one in so many."""


class SumTables:
    """A value for each byte allowed at each place of a text, looked up two bytes at a time.

    The tables of pairs are large and nearly empty: memory is taken only for the parts of them in which allowed bytes
    lie. No sum of values may reach 2**58.
    """

    def __init__(self, values: Sequence[Mapping[str, int]]) -> None:
        pairs = zip(values[0::2], [*values[1::2], {"": 0}] if len(values) % 2 else values[1::2], strict=True)
        self._tables = [_build_pairs(low, high) for low, high in pairs]
        self._width = len(values)

    def sum(self, text: Matrix, out: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Answers the sum of each row's bytes, a negative number where one of them is not allowed at its place."""
        total = np.empty(len(text), np.int64) if out is None else out
        term = np.empty(len(text), np.int64)
        for number, table in enumerate(self._tables):
            first = number * 2
            places = text[:, first : first + 2].view("<u2")[:, 0] if first + 1 < self._width else text[:, first]
            if number:
                table.take(places, out=term, mode="clip")
                total += term
            else:
                table.take(places, out=total, mode="clip")
        total -= _ALLOWED * len(self._tables)
        return total


def _build_pairs(low: Mapping[str, int], high: Mapping[str, int]) -> NDArray[np.int64]:
    """Answers the table of two bytes, found by the number that they are in little-endian order; 0 is not allowed."""
    chars = [f"{one}{other}".encode("ascii") for one in low for other in high]
    places = [int.from_bytes(pair, "little") for pair in chars]
    table = np.zeros(1 << 16 if "" not in high else 1 << 8, np.int64)
    table[places] = [_ALLOWED + one + other for one in low.values() for other in high.values()]
    return table


def gather_fixed(offsets: NDArray[np.int32], content: NDArray[np.uint8], width: int) -> Matrix:
    """Answers a (rows, width) matrix of the bytes of cells; a cell of another width is a row of zeros."""
    count = len(offsets) - 1
    other = np.flatnonzero(np.diff(offsets) != width)
    if not len(other):
        start = int(offsets[0]) if count else 0
        return content[start : start + count * width].reshape(count, width)
    if len(other) * _RUNS_FROM <= count:
        return _copy_runs(offsets, content, width, other)
    return _copy_cells(offsets, content, width, other)


def _copy_runs(offsets: NDArray[np.int32], content: NDArray[np.uint8], width: int, other: NDArray[np.intp]) -> Matrix:
    """Copies the cells between those of another width at once, which is quicker where few are."""
    text = np.empty((len(offsets) - 1) * width, np.uint8)
    end, start = 0, int(offsets[0])
    for stop, following in zip((other * width).tolist(), offsets[other + 1].tolist(), strict=True):
        text[end:stop] = content[start : start + stop - end]
        text[stop : stop + width] = 0
        end, start = stop + width, following
    text[end:] = content[start : start + len(text) - end]
    return text.reshape(-1, width)


def _copy_cells(offsets: NDArray[np.int32], content: NDArray[np.uint8], width: int, other: NDArray[np.intp]) -> Matrix:
    if len(content) < width:
        return np.zeros((len(offsets) - 1, width), np.uint8)
    windows: NDArray[np.void] = np.ndarray((len(content) - width + 1,), dtype=f"V{width}", buffer=content, strides=(1,))
    starts = offsets[:-1].copy()
    starts[other] = 0
    text = windows[starts].view(np.uint8).reshape(-1, width)
    text[other] = 0
    return text
