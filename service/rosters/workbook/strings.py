"""The table of shared strings: how long each is, and how much text the cells of the sheets make of it.

A reader of values gives every cell a copy, so that one long string in many cells would fill any memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from xml.parsers import expat

from service.rosters.limits import MAX_BLANK_STRINGS, MAX_EXPANDED_BYTES, MAX_SHARED_STRINGS, TooLarge
from service.rosters.workbook.elements import Attributes, Nesting, walk_elements

_MOST_DIGITS = 10


class _StringScanner:
    """Takes the elements and texts of the table."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.lengths = array("Q")
        self._blank = 0
        self.nesting = Nesting(parser)

    def take(self, name: str, attributes: Attributes) -> None:
        names = self.nesting.names
        if name in names:
            self.nesting.again += 1
        names.add(name)
        if attributes:
            _check_count(attributes.get("uniqueCount", "0"))
        if name == "si" or name.endswith(":si"):
            self._blank += bool(self.lengths) and not self.lengths[-1]
            self.lengths.append(0)
            if len(self.lengths) > MAX_SHARED_STRINGS or self._blank > MAX_BLANK_STRINGS:
                raise TooLarge

    def add_text(self, text: str) -> None:
        """Adds text to the string that is open."""
        if self.lengths:
            self.lengths[-1] += len(text)


class _CellScanner:
    """Takes the elements of a sheet, and adds up the strings that its cells refer to."""

    def __init__(self, parser: expat.XMLParserType, lengths: array[int], left: int) -> None:
        self.nesting = Nesting(parser)
        self.left = left
        self._parser = parser
        self._lengths = lengths
        self._is_shared = False

    def take(self, name: str, attributes: Attributes) -> None:
        names = self.nesting.names
        if name in names:
            self.nesting.again += 1
        names.add(name)
        kind = name.rpartition(":")[2]
        if kind == "c":
            self._is_shared = attributes.get("t") == "s"
        self._parser.CharacterDataHandler = self._add if kind == "v" and self._is_shared else None

    def _add(self, text: str) -> None:
        """Adds the string that a cell refers to, the longest one for what is no plain number."""
        digits = text.strip().lstrip("+0") or "0"
        is_plain = digits.isascii() and digits.isdigit() and len(digits) < _MOST_DIGITS
        place = int(digits) if is_plain else -1
        if place < len(self._lengths):
            self.left -= self._lengths[place] if place >= 0 else max(self._lengths)
            if self.left < 0:
                raise TooLarge


def _check_count(text: str) -> None:
    """Raises TooLarge for a count of strings that are not to be had.

    A reader of values makes room for all of them at once, and where it cannot, the process dies.
    """
    digits = text.strip().lstrip("+0") or "0"
    if not (digits.isascii() and digits.isdigit()) or len(digits) > _MOST_DIGITS or int(digits) > MAX_SHARED_STRINGS:
        raise TooLarge


def measure_strings(chunks: Iterable[bytes]) -> array[int]:
    """Answers how many characters each shared string has; raises Damaged and TooLarge."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    scanner = _StringScanner(parser)
    parser.StartElementHandler = scanner.take
    parser.CharacterDataHandler = scanner.add_text
    walk_elements(chunks, parser, scanner.nesting)
    return scanner.lengths


def check_shared_text(sheets: Iterable[Iterable[bytes]], lengths: array[int]) -> None:
    """Raises TooLarge where all cells make more text of the strings than a file may hold; raises Damaged."""
    left = MAX_EXPANDED_BYTES
    for chunks in sheets:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        scanner = _CellScanner(parser, lengths, left)
        parser.StartElementHandler = scanner.take
        walk_elements(chunks, parser, scanner.nesting)
        left = scanner.left
