"""What the values of a workbook do not show: its extent, hidden rows, and formulas without a stored value (feeds 3.6).

The reader of values allocates the whole rectangle between the first and the last cell of a sheet, and shows cells
with an error and formulas without a value as blank; so the parts are looked through before.
"""

from __future__ import annotations

import posixpath
import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat
from zipfile import ZipInfo

from service.rosters.limits import (
    FREE_SHEET_CELLS,
    FREE_SHEET_LINES,
    MAX_BLANK_ROWS,
    MAX_EMPTINESS,
    MAX_EXPANDED_BYTES,
    MAX_LINES_PER_FILLED,
    MAX_ODD_CELLS,
    MAX_SHEET_CELLS,
    TooLarge,
)
from service.rosters.workbook.archive import (
    RELATIONS,
    STRINGS,
    STYLES,
    WORKBOOK,
    Damaged,
    Unpacker,
    fold_name,
    index_members,
    open_archive,
)
from service.rosters.workbook.elements import Attributes, Nesting, list_elements, walk_elements
from service.rosters.workbook.strings import check_shared_text, measure_strings

_CELL = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
_TRUE = frozenset({"1", "true"})
_NO_HEIGHT = frozenset({"0", "0.0"})
_LAST_ROW, _LAST_COLUMN = 1 << 20, 1 << 14


@dataclass(slots=True)
class SheetFacts:
    """One sheet: hidden rows, and the cells (row, column; both from 1) that have an error or no stored value.

    `part` is the member of the archive that it is.
    """

    part: str = ""
    is_hidden: bool = False
    hidden_rows: bytearray = field(default_factory=bytearray)
    error_cells: set[tuple[int, int]] = field(default_factory=set)
    valueless_cells: set[tuple[int, int]] = field(default_factory=set)

    def hide_row(self, row: int) -> None:
        """Marks a row as hidden: a byte for each row, as any number of them may be."""
        self.hidden_rows.extend(bytes(max(0, row + 1 - len(self.hidden_rows))))
        self.hidden_rows[row] = 1

    def hides_row(self, row: int) -> bool:
        """Answers whether the row is hidden."""
        return row < len(self.hidden_rows) and self.hidden_rows[row] == 1


@dataclass(slots=True)
class _Extent:
    """How far sheets reach from their first cell (A1) on, and how much of that is filled; sums over all of them."""

    lines: int = 0
    spanned: int = 0
    filled_lines: int = 0
    cells: int = 0

    def add(self, other: _Extent) -> None:
        """Counts one more sheet."""
        self.lines += other.lines
        self.spanned += other.spanned
        self.filled_lines += other.filled_lines
        self.cells += other.cells

    def check_emptiness(self) -> None:
        """Raises TooLarge where hardly anything is in what is read line by line."""
        if self.spanned > max(FREE_SHEET_CELLS, MAX_EMPTINESS * self.cells):
            raise TooLarge
        if self.lines > max(FREE_SHEET_LINES, MAX_LINES_PER_FILLED * self.filled_lines):
            raise TooLarge


@dataclass(frozen=True, slots=True)
class _Listed:
    """A sheet as the workbook lists it."""

    name: str
    relation: str
    is_hidden: bool


class _SheetScanner:
    """Takes the elements of one sheet in their order.

    Text is only listened to where it decides: some programs write a formula that was never calculated with an empty
    value. An empty text is a value where the cell says that it is text.
    """

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.facts = SheetFacts()
        self.nesting = Nesting(parser)
        self.shared_cells = 0
        self._parser = parser
        self._row = self._column = 0
        self._cells = self._filled_lines = self._filled_row = self._rows = 0
        self._last = (0, 0)
        self._open_formula = self._is_text = False

    def take(self, name: str, attributes: Attributes) -> None:
        """Takes the start of one element; raises TooLarge and Damaged."""
        names = self.nesting.names
        if name in names:
            self.nesting.again += 1
        names.add(name)
        kind = name.rpartition(":")[2]
        if kind == "c":
            self.close_cell()
            self._take_cell(attributes)
        elif kind == "f":
            self._open_formula = True
        elif kind == "v" and self._open_formula:
            self._open_formula = not self._is_text
            self._parser.CharacterDataHandler = self._take_value if self._open_formula else None
        elif kind == "row":
            self.close_cell()
            self._take_row(attributes)

    def close_cell(self) -> None:
        """Notes the cell before: a formula that no value followed."""
        if self._open_formula:
            self._add_odd(self.facts.valueless_cells)
            self._open_formula = False
            self._parser.CharacterDataHandler = None

    def _take_value(self, text: str) -> None:
        if text.strip():
            self._open_formula = False
            self._parser.CharacterDataHandler = None

    def _add_odd(self, cells: set[tuple[int, int]]) -> None:
        cells.add((self._row, self._column))
        if len(cells) > MAX_ODD_CELLS:
            raise TooLarge

    def measure(self) -> _Extent:
        """Answers how far the sheet reaches; raises TooLarge for a rectangle that nobody could hold in memory."""
        lines, columns = self._last
        if lines * columns > MAX_SHEET_CELLS:
            raise TooLarge
        return _Extent(lines, lines * columns, self._filled_lines, self._cells)

    def _take_row(self, attributes: Attributes) -> None:
        text = attributes.get("r")
        self._row = _read_number(text) if text is not None else self._row + 1
        self._column = 0
        self._rows += 1
        if self._row > _LAST_ROW or self._rows - self._filled_lines > MAX_BLANK_ROWS:
            raise TooLarge
        if attributes.get("hidden") in _TRUE or attributes.get("ht") in _NO_HEIGHT:
            self.facts.hide_row(self._row)

    def _take_cell(self, attributes: Attributes) -> None:
        self._cells += 1
        text = attributes.get("r")
        if text is None:
            self._column += 1
        else:
            found = _CELL.fullmatch(text)
            if not found:
                raise Damaged
            self._column, self._row = _number_column(found.group(1)), int(found.group(2))
        if self._cells > MAX_SHEET_CELLS or self._row > _LAST_ROW or self._column > _LAST_COLUMN:
            raise TooLarge
        self._filled_lines += self._row != self._filled_row
        self._filled_row = self._row
        self._last = max(self._last[0], self._row), max(self._last[1], self._column)
        kind = attributes.get("t")
        self._is_text = kind == "str"
        self.shared_cells += kind == "s"
        if kind == "e":
            self._add_odd(self.facts.error_cells)


def survey_workbook(path: Path) -> dict[str, SheetFacts]:
    """Answers the worksheets by name, in their order; raises Damaged and TooLarge."""
    with open_archive(path) as archive:
        members = index_members(archive)
        if WORKBOOK not in members or RELATIONS not in members:
            raise Damaged
        unpacker = Unpacker(archive, path.stat().st_size)
        listed = _list_sheets(unpacker.iter_chunks(members.pop(WORKBOOK)))
        targets = _list_targets(unpacker.iter_chunks(members.pop(RELATIONS)))
        facts: dict[str, SheetFacts] = {}
        extent, shared_cells, sheets = _Extent(), 0, []
        for sheet in listed:
            part = targets.get(sheet.relation, "")
            member = members.pop(part, None)
            if member is None or sheet.name in facts:
                raise Damaged
            scanner = _scan_sheet(unpacker.iter_chunks(member))
            facts[sheet.name] = scanner.facts
            scanner.facts.part, scanner.facts.is_hidden = part, sheet.is_hidden
            extent.add(scanner.measure())
            shared_cells += scanner.shared_cells
            sheets.append(member)
        extent.check_emptiness()
        lengths = _look_through(unpacker, members)
        if shared_cells * max(lengths, default=0) > MAX_EXPANDED_BYTES:
            again = Unpacker(archive, path.stat().st_size)
            check_shared_text((again.iter_chunks(member) for member in sheets), lengths)
    return facts


def _look_through(unpacker: Unpacker, members: dict[str, ZipInfo]) -> array[int]:
    """Answers how long the shared strings are; all other members are only counted, and of styles their elements."""
    lengths = array("Q")
    for name, member in members.items():
        chunks = unpacker.iter_chunks(member)
        if fold_name(name) == STRINGS:
            lengths = measure_strings(chunks)
        elif fold_name(name) == STYLES:
            list_elements(chunks, lambda _, __: None)
        else:
            for _ in chunks:
                pass
    return lengths


def _list_sheets(chunks: Iterable[bytes]) -> list[_Listed]:
    sheets: list[_Listed] = []

    def take(kind: str, attributes: Attributes) -> None:
        if kind == "sheet":
            relation = next((text for key, text in attributes.items() if key.rpartition(":")[2] == "id"), "")
            hidden = attributes.get("state", "visible") != "visible"
            sheets.append(_Listed(attributes.get("name", ""), relation, hidden))

    list_elements(chunks, take)
    return sheets


def _list_targets(chunks: Iterable[bytes]) -> dict[str, str]:
    targets: dict[str, str] = {}

    def take(kind: str, attributes: Attributes) -> None:
        if kind == "Relationship":
            path = posixpath.join("/xl", attributes.get("Target", ""))
            targets[attributes.get("Id", "")] = posixpath.normpath(path).lstrip("/")

    list_elements(chunks, take)
    return targets


def _scan_sheet(chunks: Iterable[bytes]) -> _SheetScanner:
    parser = expat.ParserCreate()
    scanner = _SheetScanner(parser)
    parser.StartElementHandler = scanner.take
    walk_elements(chunks, parser, scanner.nesting)
    scanner.close_cell()
    return scanner


def _read_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 7):
        raise Damaged
    return int(text)


def _number_column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number
