"""Finds the headings of a table or workbook for a person who maps columns; a row about patients is never answered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.domain.identifiers import EDGE_BLANKS, PLACEHOLDERS, Environment, read_mbi
from service.rosters.delimited.pieces import NotUtf8
from service.rosters.delimited.reader import read_head
from service.rosters.delimited.table import DELIMITERS, HEADER_ROWS, Row, TableBroken, read_head_rows
from service.rosters.delimited.trailers import find_trailer
from service.rosters.encoding import Undecodable, open_source, transcode_source
from service.rosters.formats import find_format
from service.rosters.headings import find_roster_header, hash_header
from service.rosters.limits import MAX_COLUMNS, TooLarge
from service.rosters.reading import RosterOptions
from service.rosters.unpacking import BrokenGzip, inflate_file
from service.rosters.values import read_event_date, unwrap_cell
from service.rosters.workbook.archive import Damaged
from service.rosters.workbook.reader import load_sheets

_DIGIT = re.compile("[0-9]")
_LETTER = re.compile("[^\\W0-9_]")
_SHEET_ERROR = re.compile("#[A-Z]")
_DIGITS_OF_IDENTIFIER = 5
"""Every MBI has at least as many, every SSN, HICN and NPI more; a heading may have those of a year."""
_UNREADABLE = (Undecodable, UnicodeDecodeError, NotUtf8, TableBroken, Damaged, TooLarge, BrokenGzip)


@dataclass(frozen=True, slots=True)
class Headings:
    """A heading row: its cells, the hash that is kept with a mapping, and its physical line (from 1).

    `sheet` is the place of the worksheet in its workbook, from 1; None for text.
    """

    cells: tuple[str, ...]
    header_hash: str
    line: int
    sheet: int | None = None


def read_headings(path: Path, options: RosterOptions) -> Headings | None:
    """Answers the headings of a table or workbook, None where no row is surely one of headings.

    A row is that which the rules of headers recognise (feeds 3.3), by the mapping of the options or without it. Failing
    that it is the first of the first twenty with two cells or more, none like an identifier, date or number, that names
    every column in use below it, where identifiers must follow.
    """
    try:
        name = find_format(path)
        if name != "gzip":
            return _read_as(name, path, options)
        with inflate_file(path) as inflated:
            return _read_as(find_format(inflated), inflated, options)
    except _UNREADABLE:
        return None


def _read_as(name: str, path: Path, options: RosterOptions) -> Headings | None:
    if name == "csv":
        return _find_in_tables([(None, rows) for rows in _read_text(path, options)], options)
    if name == "xlsx":
        sheets = [sheet.list_head() for sheet in load_sheets(path)]
        return _find_in_tables(list(enumerate(sheets, start=1)), options)
    return None


def _read_text(path: Path, options: RosterOptions) -> list[list[Row]]:
    """Answers the first rows of a text, once for each delimiter."""
    source = open_source(path, options.encoding)
    try:
        head = read_head(source)
    except NotUtf8:
        if options.encoding is not None or source.encoding != "utf-8":
            raise Undecodable from None
        head = read_head(transcode_source(path))
    return [read_head_rows(head, delimiter) for delimiter in DELIMITERS]


def _find_in_tables(tables: Sequence[tuple[int | None, list[Row]]], options: RosterOptions) -> Headings | None:
    """Answers the headings of the one table that has any; two recognised sheets leave it open which is meant."""
    for mapping in (options.column_mapping, {}):
        known = [
            _build_headings(cells, line, sheet)
            for sheet, rows in tables
            for line, cells in rows[:HEADER_ROWS]
            if len(cells) <= MAX_COLUMNS and find_roster_header(cells, mapping, None) and not _names_patients(cells)
        ]
        sheets = {one.sheet for one in known}
        if known:
            return known[0] if len(sheets) == 1 else None
    unknown = [(row, sheet) for sheet, rows in tables if (row := _find_unknown_headings(rows))]
    if not unknown:
        return None
    (line, cells), sheet = max(unknown, key=lambda found: len(_list_filled(found[0][1])))
    return _build_headings(cells, line, sheet)


def _build_headings(cells: Sequence[str], line: int, sheet: int | None) -> Headings:
    return Headings(tuple(cell.strip(EDGE_BLANKS) for cell in cells), hash_header(cells), line, sheet)


def _find_unknown_headings(rows: list[Row]) -> Row | None:
    """Answers the first row that can only be one of headings, though nobody knows what they mean."""
    widest = 1
    for place, (line, cells) in enumerate(rows[:HEADER_ROWS]):
        filled = _list_filled(cells)
        if any(_is_identifier(cells[column]) for column in filled):
            return None  # rows of patients have begun
        below = [later for _, later in rows[place + 1 :] if _list_filled(later) and not find_trailer(later)]
        if widest < len(filled) and not any(_is_value(cells[column]) for column in filled) and _names(cells, below):
            return line, cells
        widest = max(widest, len(filled))
    return None


def _names(cells: Sequence[str], below: Sequence[list[str]]) -> bool:
    """Answers whether a row names the columns of the rows below it: each that is filled, none by what stands in it.

    A first column that only numbers the rows may lack a name, as some programs write it.
    """
    named = set(_list_filled(cells))
    index = [row[0].strip(EDGE_BLANKS) for row in below if _list_filled(row)[0] == 0]
    if all(cell.isdigit() and len(cell) < _DIGITS_OF_IDENTIFIER for cell in index):
        named.add(0)
    if any(not named.issuperset(_list_filled(row)) for row in below):
        return False
    if any(_simplify(cells[column]) == _simplify(row[column]) for row in below for column in _list_filled(row)):
        return False
    return any(_is_identifier(cell) for row in below for cell in row)


def _names_patients(cells: Iterable[str]) -> bool:
    """Answers whether a row of known headings holds a patient's number as well."""
    codes = {read_mbi(cell, environment).code for cell in cells if _is_identifier(cell) for environment in Environment}
    return not codes.isdisjoint({None, "mbi_is_hicn", "mbi_is_ssn"})


def _list_filled(cells: Iterable[str]) -> list[int]:
    return [column for column, cell in enumerate(cells) if cell.strip(EDGE_BLANKS)]


def _is_identifier(cell: str) -> bool:
    """Answers whether a cell has the digits of a number that stands for somebody."""
    return len(_DIGIT.findall(cell)) >= _DIGITS_OF_IDENTIFIER and not _is_date(cell)


def _is_value(cell: str) -> bool:
    """Answers whether a cell is a date, a number, or what stands for one that is missing."""
    text = unwrap_cell(cell)
    if text.upper() in PLACEHOLDERS or _SHEET_ERROR.match(text):
        return True
    return _is_date(text) or (bool(_DIGIT.search(text)) and not _LETTER.search(text))


def _is_date(cell: str) -> bool:
    read = read_event_date(cell)
    return read.on is not None and read.code != "dob_excel_serial"


def _simplify(cell: str) -> str:
    return cell.strip(EDGE_BLANKS).casefold()
