"""The second look at cells that failed the tables: the usual repairs and reasons as array operations.

It only decides what it can decide as `domain.identifiers` would; every other cell is read there, once per
distinct text.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from service.domain.identifiers import EDGE_BLANKS, Environment, Reading, pack_mbi, read_mbi, read_npi
from service.rosters.columns.kernels import (
    FEW,
    MBI_WIDTH,
    NO_MBI,
    NO_NPI,
    NPI_WIDTH,
    Rows,
    find_loose_mbis,
    find_strict_mbis,
    number_distinct,
    pack_mbi_matrix,
    read_npi_matrix,
    take_cells,
    take_texts,
    view_strings,
)
from service.rosters.findings import CODE_INDEX

Codes = NDArray[np.uint8]
Matrix = NDArray[np.uint8]
Lengths = NDArray[np.int32]

_WIDTH = 16
_UNDECIDED = np.uint8(255)
_EIGHT_TRUE = np.uint64(0x0101010101010101)
_WITHIN = np.arange(_WIDTH) < np.arange(_WIDTH + 1)[:, None]
_KEPT = np.where(_WITHIN, np.uint8(255), np.uint8(0)).view(f"V{_WIDTH}")[:, 0]
"""For each length the bytes that belong to the cell, as one value of sixteen bytes."""


def repair_mbis(
    column: pa.StringArray, rows: Rows, environment: Environment, few: int = FEW
) -> tuple[NDArray[np.uint64], Codes]:
    """Answers packed MBIs, and codes where there is none, of those rows of a column that are not plainly valid.

    Up to `few` of them are read one by one, which is quicker there.
    """
    if len(rows) <= few:
        readings = [read_mbi(cell, environment) for cell in take_texts(column, rows)]
        return _list_mbis(readings), _list_codes(readings)
    cells = take_cells(column, rows)
    packed = np.full(len(cells), NO_MBI, np.uint64)
    codes = np.full(len(cells), _UNDECIDED, np.uint8)
    _repair_plain_mbis(cells, environment, packed, codes)
    rows = np.flatnonzero(codes == _UNDECIDED)
    if len(rows):
        index, readings = _read_distinct(cells, rows, lambda cell: read_mbi(cell, environment))
        packed[rows] = _list_mbis(readings)[index]
        codes[rows] = _list_codes(readings)[index]
    return packed, codes


def repair_npis(
    column: pa.StringArray, rows: Rows, environment: Environment, few: int = FEW
) -> tuple[NDArray[np.int64], Codes]:
    """Answers NPIs, and codes where there is none, of those rows of a column that are not plainly valid.

    `few` is as for MBIs.
    """
    if len(rows) <= few:
        readings = [read_npi(cell, environment) for cell in take_texts(column, rows)]
        return _list_npis(readings), _list_codes(readings)
    cells = take_cells(column, rows)
    npis = np.full(len(cells), NO_NPI, np.int64)
    codes = np.full(len(cells), _UNDECIDED, np.uint8)
    _repair_plain_npis(cells, environment, npis, codes)
    rows = np.flatnonzero(codes == _UNDECIDED)
    if len(rows):
        index, readings = _read_distinct(cells, rows, lambda cell: read_npi(cell, environment))
        npis[rows] = _list_npis(readings)[index]
        codes[rows] = _list_codes(readings)[index]
    return npis, codes


def _repair_plain_mbis(
    cells: pa.StringArray, environment: Environment, packed: NDArray[np.uint64], codes: Codes
) -> None:
    text, length = _view_matrix(pc.ascii_upper(pc.utf8_trim(cells, characters=EDGE_BLANKS)))
    carded = (length == MBI_WIDTH + 2) & (text[:, 4] == text[:, 8]) & ((text[:, 4] == 45) | (text[:, 4] == 32))
    if carded.any():
        text[carded, :MBI_WIDTH] = text[carded][:, [0, 1, 2, 3, 5, 6, 7, 9, 10, 11, 12]]
        text[carded, MBI_WIDTH:] = 0
        length = np.where(carded, np.int32(MBI_WIDTH), length)
    whole = np.flatnonzero(length == MBI_WIDTH)
    packed[whole] = pack_mbi_matrix(text[whole, :MBI_WIDTH], environment)
    codes[:] = _find_mbi_codes(text, length, environment)
    codes[packed != NO_MBI] = 0


def _repair_plain_npis(cells: pa.StringArray, environment: Environment, npis: NDArray[np.int64], codes: Codes) -> None:
    text, length = _view_matrix(pc.utf8_trim(cells, characters=EDGE_BLANKS))
    floats = (length == NPI_WIDTH + 2) & (text[:, NPI_WIDTH] == 46) & (text[:, NPI_WIDTH + 1] == 48)
    length = np.where(floats, np.int32(NPI_WIDTH), length)
    text[floats, NPI_WIDTH:] = 0
    whole = np.flatnonzero(length == NPI_WIDTH)
    npis[whole] = read_npi_matrix(text[whole, :NPI_WIDTH], environment)
    codes[:] = _find_npi_codes(text, length, environment)
    codes[npis != NO_NPI] = 0


def _find_mbi_codes(text: Matrix, length: Lengths, environment: Environment) -> Codes:
    """Answers codes of plain text that begins with a digit and cannot be a HICN, an SSN, a number or a word."""
    digits = (text - np.uint8(ord("0"))) < 10
    letters = (text - np.uint8(ord("A"))) < 26
    letter_count = _count_true(letters)
    plain = (length < _WIDTH) & (_count_true(digits) + letter_count == length)
    nine_digits = (digits[:, :8].view(np.uint64)[:, 0] == _EIGHT_TRUE) & digits[:, 8]
    decided = plain & digits[:, 0] & ~nine_digits & (letter_count >= 2)
    codes = np.where(decided, np.uint8(CODE_INDEX["mbi_length"]), _UNDECIDED)
    codes[length == 0] = CODE_INDEX["mbi_missing"]
    rows = np.flatnonzero(decided & (length == MBI_WIDTH))
    whole = text[rows, :MBI_WIDTH]
    fault = np.full(len(rows), CODE_INDEX["mbi_format"], np.uint8)
    loose = find_loose_mbis(whole)
    fault[loose] = CODE_INDEX["mbi_excluded_letter"]
    fault[loose & (whole[:, 0] == 48)] = CODE_INDEX["mbi_leading_zero"]
    if environment is Environment.SANDBOX:
        fault[find_strict_mbis(whole)] = CODE_INDEX["mbi_real_in_sandbox"]
    else:
        fault[loose & (whole[:, 1] == ord("S"))] = CODE_INDEX["mbi_synthetic_in_production"]
    codes[rows] = fault
    return codes


def _find_npi_codes(text: Matrix, length: Lengths, environment: Environment) -> Codes:
    """Answers codes of text of digits alone, or of digits with letters that no number and no word has."""
    small = text | np.uint8(0x20)
    digits = _count_true((text - np.uint8(ord("0"))) < 10)
    foreign = _count_true(((small - np.uint8(ord("a"))) < 26) & (small != ord("e")))
    mixed = (length < _WIDTH) & (digits >= 1) & (foreign >= 1) & (digits + foreign == length)
    codes = np.where(mixed, np.uint8(CODE_INDEX["npi_format"]), _UNDECIDED)
    plain = (length < _WIDTH - 1) & (digits == length)
    np.putmask(codes, plain, np.uint8(CODE_INDEX["npi_length"]))
    codes[length == 0] = CODE_INDEX["npi_missing"]
    rows = np.flatnonzero(plain & (length == NPI_WIDTH))
    codes[rows] = CODE_INDEX["npi_luhn"]
    if environment is Environment.PRODUCTION:
        issued = read_npi_matrix(text[rows, :NPI_WIDTH], Environment.SANDBOX) != NO_NPI
        codes[rows[issued]] = CODE_INDEX["npi_first_digit"]
    return codes


def _view_matrix(cells: pa.StringArray) -> tuple[Matrix, Lengths]:
    """Answers the first sixteen bytes of each cell, zero behind its end, and the lengths in bytes."""
    offsets, content = view_strings(cells)
    length = np.diff(offsets)
    padded = np.concatenate([content[: offsets[-1]], np.zeros(_WIDTH, np.uint8)])
    windows: NDArray[np.void] = np.ndarray((len(padded) - _WIDTH + 1,), dtype=f"V{_WIDTH}", buffer=padded, strides=(1,))
    text = windows[offsets[:-1]].view(np.uint8).reshape(len(length), _WIDTH)
    text &= _KEPT[np.minimum(length, _WIDTH)].view(np.uint8).reshape(text.shape)
    return text, length


def _count_true(marks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Answers per row how many of sixteen marks are set: eight are added up by one multiplication."""
    halves = marks.view(np.uint64)
    sums = halves[:, 0] + halves[:, 1]
    sums *= _EIGHT_TRUE
    sums >>= np.uint64(56)
    return sums.astype(np.uint8)


def _read_distinct(
    cells: pa.StringArray, rows: NDArray[np.intp], read: Callable[[str], Reading]
) -> tuple[NDArray[np.int32], list[Reading]]:
    """Answers, for the given rows, the place of each in a list of readings of the distinct cells."""
    numbers, texts = number_distinct(take_cells(cells, rows))
    return numbers, [read(text) for text in texts]


def _list_mbis(readings: list[Reading]) -> NDArray[np.uint64]:
    return np.array([pack_mbi(r.value) if r.value else int(NO_MBI) for r in readings], np.uint64)


def _list_npis(readings: list[Reading]) -> NDArray[np.int64]:
    return np.array([int(r.value or NO_NPI) for r in readings], np.int64)


def _list_codes(readings: list[Reading]) -> Codes:
    return np.array([CODE_INDEX[r.code] if r.code else 0 for r in readings], np.uint8)
