"""Finds the delimiter and the header of a table of text, and reads rows strictly (feeds 3.3)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from service.domain.identifiers import EDGE_BLANKS, LOOSE_ALPHABETS, Environment, read_mbi, read_npi
from service.rosters.headings import Header, find_practitioner_header, find_roster_header
from service.rosters.limits import MAX_COLUMNS, MAX_FIELD
from service.rosters.reading import RosterOptions

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
TRAILER_WORDS = ("total", "count", "record", "end of", "trailer")
_DATE_LIKE = re.compile(r"[0-9]+[/-][0-9]+[/-][0-9]+|[0-9]+:[0-9]+(?::[0-9]+)?")
_NUMBER = re.compile(r"(?<![A-Za-z0-9.])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|(?<![A-Za-z0-9.])[0-9]+(?![A-Za-z0-9])")
_MOST_DIGITS = 15
"""No count has as many; what has more is cut, so that it stays a number that a column can hold."""
_FIRST_WORD = re.compile(r"^[A-Za-z]+")
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


@dataclass(frozen=True, slots=True)
class Trailer:
    """The last line of a report; `counts` are the numbers it states."""

    counts: tuple[int, ...]


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
    for delimiter, rows in heads.items():
        if _are_pairs([cells for _, cells in rows]):
            error = "header_changed" if options.header_hash else None
            header = Header(PAIR_HEADER.columns, 2, "", error)
            return Layout("roster", delimiter, header, 1, headerless=True)
    return None


def find_trailer(cells: list[str], start: int = 0) -> Trailer | None:
    """Answers the trailer that a row is, if it is one (feeds 3.3); `start` is the first column of the table."""
    first = cells[start].strip(EDGE_BLANKS).lower() if len(cells) > start else ""
    filled = [cell for cell in cells if cell.strip(EDGE_BLANKS)]
    if not first.startswith(TRAILER_WORDS) or len(filled) > 2:
        return None
    if any(read_mbi(cell, environment).code is None for cell in filled for environment in Environment):
        return None
    stated = _FIRST_WORD.sub("", " ".join(cell.strip(EDGE_BLANKS) for cell in filled))
    numbers = _NUMBER.findall(_DATE_LIKE.sub(" ", stated))
    digits = [number.replace(",", "").lstrip("0") or "0" for number in numbers]
    return Trailer(tuple(int(one[:_MOST_DIGITS]) for one in digits))


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
    """Answers whether a head without header looks like MBI, NPI rows."""
    filled = [cells for cells in rows if not is_blank_row(cells) and not find_trailer(cells)]
    right = sum(_is_pair(cells) for cells in filled)
    return bool(filled) and right >= len(filled) / 2


def _is_pair(cells: list[str]) -> bool:
    if len(cells) != 2:
        return False
    codes = {read_mbi(cells[0], Environment.SANDBOX).code, read_npi(cells[1], Environment.SANDBOX).code}
    return not codes & NOT_PAIR_SHAPED
