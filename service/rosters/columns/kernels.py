"""Numpy tables that validate and pack identifiers in one pass over the bytes of a column."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

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

Matrix = NDArray[np.uint8]
"""One row of bytes per cell."""

Rows = NDArray[np.signedinteger[Any]]
"""Places of rows; 32 bits where there is one for every row."""

NO_MBI = np.uint64(2**64 - 1)
"""Stands for a cell without a valid MBI."""
NO_NPI = np.int64(-1)
"""Stands for a cell without a valid NPI."""

MBI_WIDTH = MBI_LENGTH
NPI_WIDTH = 10
FEW = 64
"""Up to so many cells are read one by one, which is quicker there."""
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


def build_mbi_tables(environment: Environment) -> NDArray[np.int64]:
    """Answers an (11, 256) table whose entries sum to the packed MBI, or to 2**58 and more for a bad one."""
    return _build_tables(SANDBOX_ALPHABETS if environment is Environment.SANDBOX else STRICT_ALPHABETS)


@cache
def _build_tables(alphabets: tuple[str, ...]) -> NDArray[np.int64]:
    tables = np.full((MBI_WIDTH, 256), _BAD_MBI, np.int64)
    weight = 1
    for position in reversed(range(MBI_WIDTH)):
        loose = LOOSE_ALPHABETS[position]
        for char in alphabets[position]:
            tables[position, ord(char)] = loose.index(char) * weight
        weight *= len(loose)
    return tables


@cache
def build_npi_tables(environment: Environment) -> NDArray[np.int64]:
    """Answers a (10, 256) table whose entries sum to the number with its Luhn sum above bit 40."""
    tables = np.full((NPI_WIDTH, 256), _BAD_NPI, np.int64)
    for position in range(NPI_WIDTH):
        digits = (1, 2) if position == 0 and environment is Environment.PRODUCTION else range(10)
        for digit in digits:
            luhn = _LUHN_DOUBLED[digit] if position % 2 == 0 else digit
            value = digit * 10 ** (NPI_WIDTH - 1 - position)
            tables[position, ord("0") + digit] = value + (luhn << _LUHN_SHIFT)
    return tables


_LUHN_FITS = np.array([(total + _LUHN_OF_PREFIX) % 10 == 0 for total in range(128)])


def pack_mbi_column(cells: pa.StringArray, environment: Environment) -> NDArray[np.uint64]:
    """Answers the packed MBI of each cell that is canonical and allowed, `NO_MBI` for every other."""
    packed = np.empty(len(cells), np.uint64)
    offsets, content = view_strings(cells)
    for start in range(0, len(cells), CHUNK):
        stop = min(start + CHUNK, len(cells))
        matrix, fits = gather_fixed(offsets[start : stop + 1], content, MBI_WIDTH)
        part = pack_mbi_matrix(matrix, environment)
        np.putmask(part, ~fits, NO_MBI)
        packed[start:stop] = part
    return packed


def read_npi_column(cells: pa.StringArray, environment: Environment) -> NDArray[np.int64]:
    """Answers the NPI of each cell that is ten digits and passes Luhn, `NO_NPI` for every other."""
    npis = np.empty(len(cells), np.int64)
    offsets, content = view_strings(cells)
    for start in range(0, len(cells), CHUNK):
        stop = min(start + CHUNK, len(cells))
        matrix, fits = gather_fixed(offsets[start : stop + 1], content, NPI_WIDTH)
        part = read_npi_matrix(matrix, environment)
        np.putmask(part, ~fits, NO_NPI)
        npis[start:stop] = part
    return npis


def pack_mbi_matrix(text: Matrix, environment: Environment) -> NDArray[np.uint64]:
    """Answers the packed MBI of each row of eleven bytes, `NO_MBI` for one that is not allowed."""
    sums = sum_tables(text, build_mbi_tables(environment))
    np.putmask(sums, sums >= _BAD_MBI, -1)
    return sums.view(np.uint64)


def read_npi_matrix(text: Matrix, environment: Environment) -> NDArray[np.int64]:
    """Answers the NPI of each row of ten bytes, `NO_NPI` for one that is not allowed."""
    sums = sum_tables(text, build_npi_tables(environment))
    bad = sums >= _BAD_NPI
    bad |= ~_LUHN_FITS.take(sums >> _LUHN_SHIFT, mode="clip")
    sums &= _NPI_MASK
    np.putmask(sums, bad, NO_NPI)
    return sums


def find_loose_mbis(text: Matrix) -> NDArray[np.bool_]:
    """Answers which rows of eleven bytes are MBI-shaped."""
    return sum_tables(text, _build_tables(LOOSE_ALPHABETS)) < _BAD_MBI


def find_strict_mbis(text: Matrix) -> NDArray[np.bool_]:
    """Answers which rows of eleven bytes CMS could have issued to a person."""
    return sum_tables(text, _build_tables(STRICT_ALPHABETS)) < _BAD_MBI


def unpack_codes(codes: NDArray[np.uint64]) -> list[str]:
    """Answers the canonical MBIs of packed ones."""
    text = np.empty((len(codes), MBI_WIDTH), np.uint8)
    rest = codes.astype(np.uint64, copy=True)
    for position in reversed(range(MBI_WIDTH)):
        rest, index = np.divmod(rest, _RADIX[position])
        text[:, position] = _CHARS[position][index.astype(np.intp)]
    raw = text.tobytes().decode("ascii")
    return [raw[start : start + MBI_WIDTH] for start in range(0, len(raw), MBI_WIDTH)]


def view_strings(cells: pa.Array[pa.StringScalar]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Answers the offsets (n + 1) and the bytes of a string column without copying."""
    _, places, text = cells.buffers()
    if places is None or len(cells) == 0:
        return np.zeros(len(cells) + 1, np.int32), np.empty(0, np.uint8)
    offsets = np.frombuffer(memoryview(places), np.int32, len(cells) + 1 + cells.offset)[cells.offset :]
    content = np.empty(0, np.uint8) if text is None else np.frombuffer(memoryview(text), np.uint8)
    return offsets, content


def take_texts(cells: pa.Array[pa.StringScalar], rows: Rows) -> list[str]:
    """Answers the text of a few cells, blank for none; quicker than a column of them."""
    offsets, content = view_strings(cells)
    text = content.data
    bounds = zip(offsets[rows].tolist(), offsets[rows + 1].tolist(), strict=True)
    return [str(text[start:stop], "utf-8") for start, stop in bounds]


def number_texts(cells: pa.Array[pa.StringScalar], rows: Rows) -> NDArray[np.signedinteger[Any]]:
    """Answers a number for each of some rows of a column, the same for the same text; none is a blank text."""
    if len(rows) > FEW:
        return cells.take(rows).fill_null("").dictionary_encode().indices.to_numpy()
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in take_texts(cells, rows)], np.int32)


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
    windows: NDArray[np.void] = np.ndarray((len(content) - width + 1,), dtype=f"V{width}", buffer=content, strides=(1,))
    starts = np.where(fits, offsets[:-1], 0)
    return windows[starts].view(np.uint8).reshape(count, width), fits


def sum_tables(text: Matrix, tables: NDArray[np.int64]) -> NDArray[np.int64]:
    """Answers per row the sum of its bytes' table entries."""
    total: NDArray[np.int64] = tables[0].take(text[:, 0])
    term = np.empty(len(text), np.int64)
    for position in range(1, len(tables)):
        tables[position].take(text[:, position], out=term, mode="clip")
        total += term
    return total


def build_strings(values: Sequence[str | None]) -> pa.StringArray:
    """Answers a string column; None is kept as null."""
    return pa.array(values, pa.string())
