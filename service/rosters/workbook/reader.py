"""Reads the one sheet of an Excel workbook that holds a roster, as the table it shows (feeds 3.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import python_calamine as calamine

from service.rosters.columns.evaluate import NO_ROW
from service.rosters.delimited.practitioners import read_practitioners
from service.rosters.delimited.reader import build_table_reading
from service.rosters.delimited.rows import TableRows, judge_rows
from service.rosters.delimited.table import (
    HEADER_ROWS,
    Layout,
    Row,
    TableBroken,
    find_practitioner_layout,
    find_roster_layout,
)
from service.rosters.findings import CODE_INDEX, Findings
from service.rosters.limits import MAX_FIELD, TooLarge
from service.rosters.names import find_name_signal
from service.rosters.reading import RosterOptions, RosterReading
from service.rosters.workbook.archive import Damaged
from service.rosters.workbook.plain_copy import copy_plainly
from service.rosters.workbook.survey import SheetFacts, survey_workbook

Cells = list[list[Any]]
_NAME_ROLES = ("first_name", "last_name", "whole_name")
_ERROR_TEXT = "#N/A"
_VALUELESS = {
    "mbi": ("mbi_format", "mbi_missing"),
    "npi": ("npi_format", "npi_missing"),
    "end_date": ("bad_end_date", "formula_without_value"),
}
"""What the text for a missing value is taken for in each of these columns, and what is meant; an action is wrong either
way."""
_WHOLE_LIMIT = 1e15
_A_DAY = timedelta(days=1)
_CANNOT_READ = (calamine.CalamineError, OSError, ValueError)


class _Puzzled(Exception):
    """A cell keeps the values from being read that a plain copy would not have."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A worksheet: its values from the first row and column on, and what they do not show."""

    values: Cells
    facts: SheetFacts

    def iter_rows(
        self, blank_columns: frozenset[int] = frozenset(), unknown_columns: frozenset[int] = frozenset()
    ) -> Iterator[Row]:
        """Yields row numbers and texts; cells with an error or no stored value are text that is no identifier.

        In `blank_columns` (from 0), those of names, they are blank; in `unknown_columns` those without a stored value
        are.
        """
        odd: dict[int, list[tuple[int, str]]] = {}
        for row, column in self.facts.error_cells | self.facts.valueless_cells:
            is_blank = column - 1 in blank_columns or (
                column - 1 in unknown_columns and (row, column) not in self.facts.error_cells
            )
            odd.setdefault(row, []).append((column - 1, "" if is_blank else _ERROR_TEXT))
        width = len(self.values[0]) if self.values else 0
        for number in range(1, max(len(self.values), max(odd, default=0)) + 1):
            values = self.values[number - 1] if number <= len(self.values) else [""] * width
            cells = [write_cell(value) for value in values]
            for column, text in odd.get(number, ()):
                if column < len(cells):
                    cells[column] = text
            yield number, cells

    def list_head(self) -> list[Row]:
        """Answers the first rows, in which headings may be; what no heading is as long as is cut."""
        rows = islice(self.iter_rows(), HEADER_ROWS + 1)
        return [(number, [cell[:MAX_FIELD] for cell in cells]) for number, cells in rows]


def read_workbook(path: Path, options: RosterOptions) -> RosterReading:
    """Answers the sheet with a recognised header; every fault of the whole file is its `file_error`."""
    blank = RosterReading("xlsx", mode_signal=find_name_signal(options.filename or path.name) or "none")
    try:
        return _read_sheets(load_sheets(path), blank, options)
    except Damaged:
        return replace(blank, file_error="unsupported_format_xlsx")
    except TooLarge:
        return replace(blank, file_error="too_large")
    except TableBroken as broken:
        return replace(blank, file_error=broken.code)


def load_sheets(path: Path) -> list[Sheet]:
    """Answers all worksheets of a workbook; raises Damaged and TooLarge."""
    facts = survey_workbook(path)
    try:
        with path.open("rb") as stream:
            return _read_values(stream, facts)
    except _Puzzled:
        pass  # what was read is let go before it is read again
    try:
        return _read_values(copy_plainly(path, facts.values()), facts)
    except _Puzzled as error:
        raise Damaged from error


def _read_values(stream: BinaryIO, facts: Mapping[str, SheetFacts]) -> list[Sheet]:
    """Answers all worksheets; raises Damaged, and _Puzzled where a copy of the workbook may be read."""
    try:
        workbook = calamine.CalamineWorkbook.from_filelike(stream)
        known = [one.name for one in workbook.sheets_metadata]
        worksheets = [one.name for one in workbook.sheets_metadata if one.typ == calamine.SheetTypeEnum.WorkSheet]
        if known != list(facts):
            raise Damaged
        return [
            Sheet(workbook.get_sheet_by_name(name).to_python(skip_empty_area=False), facts[name]) for name in worksheets
        ]
    except OverflowError as error:  # an amount of time that is too large
        raise _Puzzled from error
    except _CANNOT_READ as error:
        raise (_Puzzled if any(one.error_cells for one in facts.values()) else Damaged) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what Rust raises is no Exception
            raise
        raise Damaged from error


def write_cell(value: object) -> str:
    """Answers a cell as the text a person would have typed: whole floats as integers, dates in ISO form.

    Day zero, which a look-up onto a blank cell answers, is the number 0; an amount of time is its number of days.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, timedelta):
        value = value / _A_DAY
    if value == time.min:
        return "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _WHOLE_LIMIT else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(" ") if value.time() != time.min else value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, int) else ""


def _read_sheets(sheets: Sequence[Sheet], blank: RosterReading, options: RosterOptions) -> RosterReading:
    heads = [(sheet, sheet.list_head()) for sheet in sheets]
    found = [(sheet, layout) for sheet, rows in heads if (layout := find_roster_layout(rows, options))]
    if len(found) == 1:
        return _read_roster(*found[0], blank, options)
    if options.header_hash and not found:
        return replace(blank, file_error="header_changed")
    lists = [(sheet, layout) for sheet, rows in heads if (layout := find_practitioner_layout(rows))]
    if found or len(lists) != 1:
        return replace(blank, file_error="ambiguous_sheets")
    sheet, layout = lists[0]
    listed = replace(blank, format="practitioners_xlsx", header_hash=layout.header.hash)
    reading = read_practitioners(_iter_body(sheet, layout), layout, listed, options)
    return reading or replace(blank, file_error="ambiguous_sheets")


def _read_roster(sheet: Sheet, layout: Layout, blank: RosterReading, options: RosterOptions) -> RosterReading:
    blank = replace(blank, header_hash=layout.header.hash)
    if layout.header.lists_changes:
        blank = replace(blank, mode_signal="delta")
    if layout.header.error:
        return replace(blank, file_error=layout.header.error)
    table = judge_rows(_iter_body(sheet, layout), layout, options)
    _mark_valueless(table, sheet.facts, layout)
    hidden = _list_hidden(table, sheet.facts, layout)
    reading = build_table_reading(table, layout, blank, options)
    if reading.file_error or not hidden or not isinstance(reading.findings, Findings):
        return reading
    return replace(reading, findings=reading.findings.add_warnings(hidden, "hidden_rows"))


def _iter_body(sheet: Sheet, layout: Layout) -> Iterator[Row]:
    """Yields the rows behind the header; raises TableBroken for a cell above or among them that is too long."""
    places = layout.header.columns
    names = frozenset(places[role] for role in _NAME_ROLES if role in places)
    deaths = frozenset(places[role] for role in ("death_date",) if role in places)
    for number, cells in sheet.iter_rows(names, deaths):
        if max(map(len, cells), default=0) > MAX_FIELD:
            raise TableBroken("too_large")
        if number >= layout.first_line:
            yield number, cells


def _mark_valueless(table: TableRows, facts: SheetFacts, layout: Layout) -> None:
    """Names what a formula without value leaves open; it was read as a text that is wrong in the columns of pairs.

    In those that speak of people it makes an error of a row that has no other.
    """
    for role, column in layout.header.columns.items():
        rows = np.array(sorted({row for row, place in facts.valueless_cells if place == column + 1}), np.int32)
        for part in table.parts if len(rows) else ():
            chosen = np.isin(part.line, rows)
            if role in _VALUELESS:
                wrong, meant = _VALUELESS[role]
                part.verdict[chosen & (part.verdict == CODE_INDEX[wrong])] = CODE_INDEX[meant]
            else:
                part.verdict[chosen & (part.verdict > NO_ROW)] = CODE_INDEX["formula_without_value"]
            if role == "birth_date":
                part.date_code[chosen] = 0


def _list_hidden(table: TableRows, facts: SheetFacts, layout: Layout) -> list[int]:
    """Answers the rows that the sender did not see; for a hidden sheet that of the header stands for all."""
    lines = [line for part in table.parts for line in part.line.tolist()] if facts.hidden_rows else []
    return [*([layout.first_line - 1] if facts.is_hidden else []), *(n for n in lines if facts.hides_row(n))]
