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
    MBI_WIDTH,
    NO_MBI,
    NO_NPI,
    NPI_WIDTH,
    find_loose_mbis,
    find_strict_mbis,
    pack_mbi_matrix,
    read_npi_matrix,
    view_strings,
)
from service.rosters.findings import CODE_INDEX

Codes = NDArray[np.uint8]
Matrix = NDArray[np.uint8]
Lengths = NDArray[np.int32]

_WIDTH = 16
_UNDECIDED = np.uint8(255)
FEW = 64
_DIGIT = np.array([chr(byte) in "0123456789" for byte in range(256)])
_UPPER = np.array([chr(byte) in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for byte in range(256)])
_NOT_NUMERIC = np.array([chr(byte).isalpha() and byte < 128 and chr(byte) not in "eE" for byte in range(256)])


def repair_mbis(cells: pa.StringArray, environment: Environment, few: int = FEW) -> tuple[NDArray[np.uint64], Codes]:
    """Answers packed MBIs, and codes where there is none, of cells that are not plainly valid.

    Up to `few` of them are read one by one, which is quicker there.
    """
    packed = np.full(len(cells), NO_MBI, np.uint64)
    codes = np.full(len(cells), _UNDECIDED, np.uint8)
    if len(cells) > few:
        _repair_plain_mbis(cells, environment, packed, codes)
    rows = np.flatnonzero(codes == _UNDECIDED)
    if len(rows):
        index, readings = _read_distinct(cells, rows, lambda cell: read_mbi(cell, environment))
        packed[rows] = np.array([pack_mbi(r.value) if r.value else NO_MBI for r in readings], np.uint64)[index]
        codes[rows] = _list_codes(readings)[index]
    return packed, codes


def repair_npis(cells: pa.StringArray, environment: Environment, few: int = FEW) -> tuple[NDArray[np.int64], Codes]:
    """Answers NPIs, and codes where there is none, of cells that are not plainly valid; `few` as for MBIs."""
    npis = np.full(len(cells), NO_NPI, np.int64)
    codes = np.full(len(cells), _UNDECIDED, np.uint8)
    if len(cells) > few:
        _repair_plain_npis(cells, environment, npis, codes)
    rows = np.flatnonzero(codes == _UNDECIDED)
    if len(rows):
        index, readings = _read_distinct(cells, rows, lambda cell: read_npi(cell, environment))
        npis[rows] = np.array([int(r.value) if r.value else NO_NPI for r in readings], np.int64)[index]
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
    digits = _DIGIT[text]
    letters = _UPPER[text]
    plain = (length > 0) & (length < _WIDTH) & (np.count_nonzero(digits | letters, axis=1) == length)
    decided = plain & digits[:, 0] & ~digits[:, :9].all(axis=1) & (np.count_nonzero(letters, axis=1) >= 2)
    codes = np.full(len(length), _UNDECIDED, np.uint8)
    codes[decided] = CODE_INDEX["mbi_length"]
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
    digits = np.count_nonzero(_DIGIT[text], axis=1)
    foreign = np.count_nonzero(_NOT_NUMERIC[text], axis=1)
    codes = np.full(len(length), _UNDECIDED, np.uint8)
    mixed = (length < _WIDTH) & (digits >= 1) & (foreign >= 1) & (digits + foreign == length)
    codes[mixed] = CODE_INDEX["npi_format"]
    plain = (length > 0) & (length < _WIDTH - 1) & (digits == length)
    codes[plain] = CODE_INDEX["npi_length"]
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
    text[np.arange(_WIDTH) >= length[:, None]] = 0
    return text, length


def _read_distinct(
    cells: pa.StringArray, rows: NDArray[np.intp], read: Callable[[str], Reading]
) -> tuple[NDArray[np.int32], list[Reading]]:
    """Answers, for the given rows, the place of each in a list of readings of the distinct cells."""
    coded = cells.take(rows).dictionary_encode()
    return coded.indices.to_numpy(), [read(cell or "") for cell in coded.dictionary.to_pylist()]


def _list_codes(readings: list[Reading]) -> Codes:
    return np.array([CODE_INDEX[r.code] if r.code else 0 for r in readings], np.uint8)
