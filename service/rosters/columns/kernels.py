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
from service.rosters.columns.fixed import Matrix, SumTables, gather_fixed

Rows = NDArray[np.signedinteger[Any]]
"""Places of rows; 32 bits where there is one for every row."""

NO_MBI = np.uint64(2**64 - 1)
"""Stands for a cell without a valid MBI."""
NO_NPI = np.int64(-1)
"""Stands for a cell without a valid NPI."""

MBI_WIDTH = MBI_LENGTH
NPI_WIDTH = 10
FEW = 32
"""Up to so many cells are read one by one, which is quicker there."""
CHUNK = 32_768
"""Rows per pass, so that temporaries stay in the second-level cache."""

_LUHN_SHIFT = 40
_NPI_MASK = (1 << _LUHN_SHIFT) - 1
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_LUHN_OF_PREFIX = 24
_LUHN_FITS = np.array([(total + _LUHN_OF_PREFIX) % 10 == 0 for total in range(128)])
"""By the sum of the digits; the first one, which stands for no number at all as well, is False."""

_RADIX = np.array([len(alphabet) for alphabet in LOOSE_ALPHABETS], np.uint64)
_CHARS = tuple(np.frombuffer(alphabet.encode(), np.uint8) for alphabet in LOOSE_ALPHABETS)


@cache
def _build_mbi_sums(alphabets: tuple[str, ...]) -> SumTables:
    """Answers tables whose values sum to the packed MBI."""
    values: list[dict[str, int]] = []
    weight = 1
    for alphabet, loose in zip(reversed(alphabets), reversed(LOOSE_ALPHABETS), strict=True):
        values.append({char: loose.index(char) * weight for char in alphabet})
        weight *= len(loose)
    return SumTables(values[::-1])


@cache
def _build_npi_sums(environment: Environment) -> SumTables:
    """Answers tables whose values sum to the number with its Luhn sum above bit 40."""
    values: list[dict[str, int]] = []
    for position in range(NPI_WIDTH):
        digits = (1, 2) if position == 0 and environment is Environment.PRODUCTION else range(10)
        weight = 10 ** (NPI_WIDTH - 1 - position)
        luhn = _LUHN_DOUBLED if position % 2 == 0 else range(10)
        values.append({str(digit): digit * weight + (luhn[digit] << _LUHN_SHIFT) for digit in digits})
    return SumTables(values)


def pack_mbi_column(cells: pa.StringArray, environment: Environment) -> NDArray[np.uint64]:
    """Answers the packed MBI of each cell that is canonical and allowed, `NO_MBI` for every other."""
    packed = np.empty(len(cells), np.uint64)
    offsets, content = view_strings(cells)
    for start in range(0, len(cells), CHUNK):
        part = packed[start : start + CHUNK]
        pack_mbi_matrix(gather_fixed(offsets[start : start + CHUNK + 1], content, MBI_WIDTH), environment, part)
    return packed


def read_npi_column(cells: pa.StringArray, environment: Environment) -> NDArray[np.int64]:
    """Answers the NPI of each cell that is ten digits and passes Luhn, `NO_NPI` for every other."""
    npis = np.empty(len(cells), np.int64)
    offsets, content = view_strings(cells)
    for start in range(0, len(cells), CHUNK):
        part = npis[start : start + CHUNK]
        read_npi_matrix(gather_fixed(offsets[start : start + CHUNK + 1], content, NPI_WIDTH), environment, part)
    return npis


def pack_mbi_matrix(
    text: Matrix, environment: Environment, out: NDArray[np.uint64] | None = None
) -> NDArray[np.uint64]:
    """Answers the packed MBI of each row of eleven bytes, `NO_MBI` for one that is not allowed."""
    alphabets = SANDBOX_ALPHABETS if environment is Environment.SANDBOX else STRICT_ALPHABETS
    sums = _build_mbi_sums(alphabets).sum(text, None if out is None else out.view(np.int64))
    np.putmask(sums, sums < 0, -1)
    return sums.view(np.uint64)


def read_npi_matrix(text: Matrix, environment: Environment, out: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Answers the NPI of each row of ten bytes, `NO_NPI` for one that is not allowed."""
    sums = _build_npi_sums(environment).sum(text, out)
    bad = ~_LUHN_FITS.take(sums >> _LUHN_SHIFT, mode="clip")
    sums &= _NPI_MASK
    np.putmask(sums, bad, NO_NPI)
    return sums


def find_loose_mbis(text: Matrix) -> NDArray[np.bool_]:
    """Answers which rows of eleven bytes are MBI-shaped."""
    return _build_mbi_sums(LOOSE_ALPHABETS).sum(text) >= 0


def find_strict_mbis(text: Matrix) -> NDArray[np.bool_]:
    """Answers which rows of eleven bytes CMS could have issued to a person."""
    return _build_mbi_sums(STRICT_ALPHABETS).sum(text) >= 0


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
        return number_column(take_cells(cells, rows))
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in take_texts(cells, rows)], np.int32)


def number_column(cells: pa.Array[pa.StringScalar]) -> NDArray[np.signedinteger[Any]]:
    """Answers a number for each cell, the same for the same text; none is a blank text."""
    return number_distinct(cells)[0]


def number_distinct(cells: pa.Array[pa.StringScalar]) -> tuple[NDArray[np.int32], list[str]]:
    """Answers a number for each cell, and the text of each number; none is a blank text."""
    coded: Any = (cells.fill_null(_BLANK) if cells.null_count else cells).dictionary_encode()
    _, numbers = coded.indices.buffers()
    return np.frombuffer(memoryview(numbers), np.int32, len(coded)), coded.dictionary.to_pylist()


def take_cells(cells: pa.Array[pa.StringScalar], rows: Rows) -> pa.StringArray:
    """Answers some cells of a column; `rows` are handed over as they lie: Arrow would load pandas to look at them."""
    kind: Any = pa.int32() if rows.dtype == np.int32 else pa.int64()
    places: Any = pa.Array.from_buffers(kind, len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows).data)])
    taken: Any = cells.take(places)
    return taken  # type: ignore[no-any-return]


def build_strings(values: Sequence[str | None]) -> pa.StringArray:
    """Answers a string column; None is kept as null. `pyarrow.array` would load pandas to look at the values."""
    texts = [b"" if value is None else value.encode() for value in values]
    ends = np.zeros(len(texts) + 1, np.int32)
    np.cumsum([len(text) for text in texts], out=ends[1:])
    known = np.packbits(np.array([value is not None for value in values], np.bool_), bitorder="little")
    valid = pa.py_buffer(known.data) if None in values else None
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends.data), pa.py_buffer(b"".join(texts)), valid)


_BLANK: Any = build_strings([""])[0]
