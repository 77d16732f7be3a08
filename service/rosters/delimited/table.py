"""Finds the delimiter and the header of a table of text, and reads rows strictly (feeds 3.3)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from service.domain.identifiers import EDGE_BLANKS, LOOSE_ALPHABETS, Environment, read_mbi, read_npi
from service.rosters.delimited.trailers import find_trailer
from service.rosters.headings import Header, find_roster_header
from service.rosters.limits import MAX_COLUMNS, MAX_FIELD
from service.rosters.practitioner_headings import find_practitioner_header
from service.rosters.reading import RosterOptions
from service.rosters.values import read_birth_date, unwrap_cell

DELIMITERS = (",", ";", "\t", "|")
HEADER_ROWS = 20
HEAD_BYTES = 1 << 18
PLAIN_HEAD_BYTES = 1 << 12
"""Holds the first rows of most tables, as none of their cells has a quote."""
SHAPED_RIGHT = 0.9
"""The part of the rows that must look like pairs where there is no header."""

PAIR_HEADER = Header({"mbi": 0, "npi": 1}, 2, "")
NOT_PAIR_SHAPED = frozenset(
    {"mbi_missing", "mbi_length", "mbi_format", "mbi_is_hicn", "mbi_is_ssn"}
    | {"npi_missing", "npi_length", "npi_format", "npi_scientific", "ragged_row"}
)
_OTHER_NUMBERS = frozenset({"mbi_is_hicn", "mbi_is_ssn", "npi_scientific"})
"""What stands where a patient's number belongs, or is left of a practitioner's."""
_WORD = re.compile(r"[^\W0-9_]{4}")
"""No identifier has four letters in a row."""
_PLAIN = re.compile(r"(?=(?:[^0-9]*[0-9]){5})[A-Za-z0-9.\-\u2010-\u2014\u2212\u00ad]+")
"""Every MBI has at least five digits, every NPI more; they are hardly ever written with anything else."""
_LOOSE_MBI = re.compile("".join(f"[{alphabet}]" for alphabet in LOOSE_ALPHABETS))

_LINE = re.compile("[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")

Row = tuple[int, list[str]]
"""The physical line on which a row starts, and its cells."""


class TableBroken(Exception):
    """The table cannot be read to its end; `code` is the file error."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is read: `first_line` is the physical line (1-based) of the first row behind the header."""

    kind: str
    delimiter: str
    header: Header
    first_line: int
    headerless: bool = False


def iter_rows(lines: Iterable[str], delimiter: str, first_line: int = 1) -> Iterator[Row]:
    """Yields rows with the physical line of their start; raises TableBroken where strict parsing fails."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    start = 0
    try:
        for cells in reader:
            if max(map(len, cells), default=0) > MAX_FIELD:
                raise TableBroken("too_large")
            yield first_line + start, cells
            start = reader.line_num
    except csv.Error as error:
        raise TableBroken("too_large" if "field limit" in str(error) else "truncated") from error


def find_layout(head: str, options: RosterOptions) -> Layout | None:
    """Answers how the table that begins with `head` is read, None if it is no roster."""
    heads: dict[str, list[Row]] = {}
    for delimiter in DELIMITERS:
        layout = find_roster_layout(read_head_rows(head, delimiter, 2), options, delimiter, among=1)
        if layout:
            return layout  # as in most files: the others are read on
        heads[delimiter] = read_head_rows(head, delimiter)
        layout = find_roster_layout(heads[delimiter], options, delimiter)
        if layout:
            return layout
    for delimiter, rows in heads.items() if options.header_hash is None else ():
        layout = find_practitioner_layout(rows, delimiter)
        if layout:
            return layout
    if options.column_mapping or options.header_hash:
        return None  # whoever chose columns by their headings sends headings
    for delimiter, rows in heads.items():
        if _are_pairs([cells for _, cells in rows]):
            return Layout("roster", delimiter, PAIR_HEADER, 1, headerless=True)
    return None


def is_blank_row(cells: list[str]) -> bool:
    """Answers whether no cell says anything."""
    return not any(cell.strip(EDGE_BLANKS) for cell in cells)


def read_head_rows(head: str, delimiter: str, most: int = HEADER_ROWS + 1) -> list[Row]:
    """Answers the first rows; what breaks later is the reader's to report."""
    rows: list[Row] = []
    try:
        for row in iter_rows((line.group() for line in _LINE.finditer(head)), delimiter):
            rows.append(row)
            if len(rows) >= most:
                break
    except TableBroken:
        pass
    return rows


def find_roster_layout(
    rows: list[Row], options: RosterOptions, delimiter: str = "", among: int = HEADER_ROWS
) -> Layout | None:
    """Answers the layout of a table whose first rows hold an MBI and an NPI heading; raises TableBroken."""
    for index, (line, cells) in enumerate(rows[:among]):
        header = find_roster_header(cells, options.column_mapping, options.header_hash)
        if header:
            if len(cells) > MAX_COLUMNS:
                raise TableBroken("too_large")
            return Layout("roster", delimiter, header, _find_next_line(rows, index, line, cells))
    return None


def find_practitioner_layout(rows: list[Row], delimiter: str = "") -> Layout | None:
    """Answers the layout of a list of practitioners, if its first rows have the headings of one."""
    for index, (line, cells) in enumerate(rows[:HEADER_ROWS]):
        header = find_practitioner_header(cells)
        if header:
            return Layout("practitioners", delimiter, header, _find_next_line(rows, index, line, cells))
    return None


def _find_next_line(rows: list[Row], index: int, line: int, cells: list[str]) -> int:
    """Answers the physical line behind a header row, whose quoted headings may hold line ends."""
    if index + 1 < len(rows):
        return rows[index + 1][0]
    breaks = sum(len(re.findall("\r\n|\r|\n", cell)) for cell in cells)
    return line + breaks + 1


def _are_pairs(rows: list[list[str]]) -> bool:
    """Answers whether a head without header looks like MBI, NPI rows, from its very first row on.

    Words there are headings or a title: what they say of the columns is not to be ignored (feeds 3.3 and 3.4).
    """
    said = [cells for cells in rows if not is_blank_row(cells)]
    if not said or not any(map(_may_be_identifier, said[0])):
        return False
    filled = [cells for cells in said if not find_trailer(cells, PAIR_HEADER)]
    right = sum(_is_pair(cells) for cells in filled)
    return bool(filled) and right >= len(filled) / 2


def _may_be_identifier(cell: str) -> bool:
    """Answers whether a cell holds an MBI or NPI, or what may be left of one, and no words and no date."""
    codes = {read_mbi(cell, Environment.SANDBOX).code, read_npi(cell, Environment.SANDBOX).code}
    if None in codes or not codes <= NOT_PAIR_SHAPED or codes & _OTHER_NUMBERS:
        return True
    text = unwrap_cell(cell)
    if read_birth_date(text).on is not None or _WORD.search(text):
        return False
    return _PLAIN.fullmatch(text) is not None


def _is_pair(cells: list[str]) -> bool:
    if len(cells) != 2:
        return False
    codes = {read_mbi(cells[0], Environment.SANDBOX).code, read_npi(cells[1], Environment.SANDBOX).code}
    return not codes & NOT_PAIR_SHAPED
