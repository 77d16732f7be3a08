"""Walks through the XML of a workbook's parts, with bounds on depth, runs of text and the number of elements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from xml.parsers import expat

from service.rosters.limits import (
    MAX_WORKBOOK_CDATA_BYTES,
    MAX_WORKBOOK_DEPTH,
    MAX_WORKBOOK_PART_ELEMENTS,
    MAX_WORKBOOK_RUN_BYTES,
    TooLarge,
)
from service.rosters.workbook.archive import Damaged

Attributes = Mapping[str, str]
Take = Callable[[str, Attributes], None]


class Nesting:
    """The names of open elements, and how often one was opened inside one of its own name.

    Their sum bounds the depth, for which no end of an element needs to be looked at: whoever takes the start of one
    adds its name, and counts those that are there already.
    """

    __slots__ = ("again", "names")

    def __init__(self, parser: expat.XMLParserType) -> None:
        self.names: set[str] = set()
        self.again = 0
        parser.EndElementHandler = self.names.discard

    def check(self) -> None:
        """Raises TooLarge for depths that no workbook has."""
        if len(self.names) + self.again > MAX_WORKBOOK_DEPTH:
            raise TooLarge


def walk_elements(chunks: Iterable[bytes], parser: expat.XMLParserType, nesting: Nesting) -> None:
    """Calls the handlers of the parser; raises Damaged, TooLarge and whatever they raise."""
    _watch_cdata(parser)
    parser.StartDoctypeDeclHandler = _refuse_doctype
    fed = last_end = 0
    try:
        for chunk in chunks:
            parser.Parse(chunk, False)
            end = max(chunk.rfind(b"</"), chunk.rfind(b"/>"))
            last_end = fed + end if end >= 0 else last_end
            fed += len(chunk)
            # Every piece parses anew the token that has not ended, and a reader of values keeps the text of a cell.
            if fed - max(0, min(last_end, parser.CurrentByteIndex)) > MAX_WORKBOOK_RUN_BYTES:
                raise TooLarge
            nesting.check()
        parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two for encodings that are none
        raise Damaged from error


def list_elements(chunks: Iterable[bytes], take: Take) -> None:
    """Calls `take` with the start of every element of a part that is never large; raises Damaged and TooLarge."""
    parser = expat.ParserCreate()
    count = 0

    def take_counted(name: str, attributes: Attributes) -> None:
        nonlocal count
        count += 1
        if count > MAX_WORKBOOK_PART_ELEMENTS:
            raise TooLarge
        take(name.rpartition(":")[2], attributes)

    parser.StartElementHandler = take_counted
    walk_elements(chunks, parser, Nesting(parser))


def _watch_cdata(parser: expat.XMLParserType) -> None:
    """Lets no part have more than a little text in marked sections, which may look as if elements ended in it."""
    start = total = 0

    def open_section() -> None:
        nonlocal start
        start = parser.CurrentByteIndex

    def close_section() -> None:
        nonlocal total
        total += parser.CurrentByteIndex - start
        if total > MAX_WORKBOOK_CDATA_BYTES:
            raise TooLarge

    parser.StartCdataSectionHandler = open_section
    parser.EndCdataSectionHandler = close_section


def _refuse_doctype(*_: object) -> None:
    raise Damaged
