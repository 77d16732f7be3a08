"""Numpy tables that validate and pack identifiers in one pass over the bytes of a column."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.domain.identifiers import (
    LOOSE_ALPHABETS,
    MBI_LENGTH,
    SANDBOX_ALPHABETS,
    STRICT_ALPHABETS,
    Environment,
)

NO_MBI = np.uint64(2**64 - 1)
"""Stands for a cell without a valid MBI."""
NO_NPI = np.int64(-1)
"""Stands for a cell without a valid NPI."""

NPI_LENGTH = 10
CHUNK = 32_768
"""Rows per pass, so that temporaries stay in the second-level cache."""

_BAD_MBI = 1 << 58  # eleven of them stay below 2**63, so that a bad character never wraps into a valid key
_BAD_NPI = 1 << 56
_LUHN_SHIFT = 40
_NPI_MASK = (1 << _LUHN_SHIFT) - 1
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_LUHN_OF_PREFIX = 24

_RADIX = np.array([len(alphabet) for alphabet in LOOSE_ALPHABETS], np.uint64)
_CHARS = tuple(np.frombuffer(alphabet.encode(), np.uint8) for alphabet in LOOSE_ALPHABETS)


@cache
def build_mbi_tables(environment: Environment) -> NDArray[np.int64]:
    """Answers an (11, 256) table whose entries sum to the packed MBI, or to 2**58 and more for a bad one."""
    strict = SANDBOX_ALPHABETS if environment is Environment.SANDBOX else STRICT_ALPHABETS
    tables = np.full((MBI_LENGTH, 256), _BAD_MBI, np.int64)
    weight = 1
    for position in reversed(range(MBI_LENGTH)):
        loose = LOOSE_ALPHABETS[position]
        for char in strict[position]:
            tables[position, ord(char)] = loose.index(char) * weight
        weight *= len(loose)
    return tables


@cache
def build_npi_tables(environment: Environment) -> NDArray[np.int64]:
    """Answers a (10, 256) table whose entries sum to the number with its Luhn sum above bit 40."""
    tables = np.full((NPI_LENGTH, 256), _BAD_NPI, np.int64)
    for position in range(NPI_LENGTH):
        digits = (1, 2) if position == 0 and environment is Environment.PRODUCTION else range(10)
        for digit in digits:
            luhn = _LUHN_DOUBLED[digit] if position % 2 == 0 else digit
            value = digit * 10 ** (NPI_LENGTH - 1 - position)
            tables[position, ord("0") + digit] = value + (luhn << _LUHN_SHIFT)
    return tables


_LUHN_FITS = np.array([(total + _LUHN_OF_PREFIX) % 10 == 0 for total in range(128)])


def pack_mbi_column(cells: pa.StringArray, environment: Environment) -> NDArray[np.uint64]:
    """Answers the packed MBI of each cell that is canonical and allowed, `NO_MBI` for every other."""
    sums = _sum_tables(cells, build_mbi_tables(environment))
    sums[sums >= _BAD_MBI] = -1
    return sums.view(np.uint64)


def read_npi_column(cells: pa.StringArray, environment: Environment) -> NDArray[np.int64]:
    """Answers the NPI of each cell that is ten digits and passes Luhn, `NO_NPI` for every other."""
    sums = _sum_tables(cells, build_npi_tables(environment))
    luhn = np.minimum(sums >> _LUHN_SHIFT, 127)
    bad = ~_LUHN_FITS.take(luhn) | (sums >= _BAD_NPI)
    sums &= _NPI_MASK
    sums[bad] = NO_NPI
    return sums


def unpack_codes(codes: NDArray[np.uint64]) -> list[str]:
    """Answers the canonical MBIs of packed ones."""
    text = np.empty((len(codes), MBI_LENGTH), np.uint8)
    rest = codes.astype(np.uint64, copy=True)
    for position in reversed(range(MBI_LENGTH)):
        rest, index = np.divmod(rest, _RADIX[position])
        text[:, position] = _CHARS[position][index.astype(np.intp)]
    raw = text.tobytes().decode("ascii")
    return [raw[start : start + MBI_LENGTH] for start in range(0, len(raw), MBI_LENGTH)]


def view_strings(cells: pa.StringArray) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Answers the offsets (n + 1) and the bytes of a string column without copying."""
    buffers = cells.buffers()
    offsets = np.frombuffer(buffers[1], np.int32, len(cells) + 1 + cells.offset)[cells.offset :]
    content = np.frombuffer(buffers[2], np.uint8) if buffers[2] is not None else np.empty(0, np.uint8)
    return offsets, content


def gather_fixed(
    offsets: NDArray[np.int32], content: NDArray[np.uint8], width: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Answers a (rows, width) matrix of cell bytes and which cells have that width; other rows are arbitrary."""
    count = len(offsets) - 1
    fits = np.diff(offsets) == width
    if fits.all():
        start = int(offsets[0]) if count else 0
        return content[start : start + count * width].reshape(count, width), fits
    if len(content) < width:
        return np.zeros((count, width), np.uint8), fits
    windows: NDArray[np.void] = np.ndarray(
        (len(content) - width + 1,), dtype=f"V{width}", buffer=content, strides=(1,)
    )
    starts = np.where(fits, offsets[:-1], 0)
    return windows[starts].view(np.uint8).reshape(count, width), fits


def _sum_tables(cells: pa.StringArray, tables: NDArray[np.int64]) -> NDArray[np.int64]:
    """Answers per cell the sum of its table entries; a cell of another length gets the last, impossible value."""
    offsets, content = view_strings(cells)
    count = len(cells)
    width = len(tables)
    sums = np.zeros(count, np.int64)
    term = np.empty(min(CHUNK, count), np.int64)
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        matrix, fits = gather_fixed(offsets[start : stop + 1], content, width)
        total = sums[start:stop]
        part = term[: stop - start]
        for position in range(width):
            np.take(tables[position], matrix[:, position], out=part, mode="clip")
            total += part
        if not fits.all():
            total[~fits] = 1 << 62
    return sums


def build_strings(values: Sequence[str | None]) -> pa.StringArray:
    """Answers a string column; None is kept as null."""
    return cast("pa.StringArray", pa.array(values, pa.string()))
