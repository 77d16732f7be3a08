"""How large the parts of a roster may be; whatever is larger is refused whole as `too_large`."""

from __future__ import annotations

MAX_ROWS = 1_000_000
"""Rows of one input unless a feed's options say otherwise."""
LINES_PER_ROW = 2
"""Lines for every row that is allowed: blank ones and those inside quotes cost time, too."""
FREE_LINES = 1_000
"""Lines that no row has to stand for: titles and trailers of short tables."""
MAX_COLUMNS = 4_000
MAX_LINE_BYTES = 64 << 10
MAX_SEGMENT_BYTES = 16 << 10
"""One HL7 segment that is read; a message of them may have MAX_LINE_BYTES."""
MAX_FIELD = 4 << 10
"""Characters of one cell."""

MAX_EXPANDED_BYTES = 256 << 20
"""Bytes that a compressed file may hold once unpacked."""
MAX_GZIP_RATIO = 100
MAX_WORKBOOK_RATIO = 50
FREE_EXPANSION = 1 << 20
"""Unpacked bytes that no ratio is asked of: small files of few distinct rows compress very well."""

MAX_WORKBOOK_MEMBERS = 500
MAX_WORKBOOK_INDEX_BYTES = 1 << 20
MAX_SHEET_CELLS = 16_000_000
"""Cells of the rectangle a sheet spans; a reader holds it whole, however empty it is."""
FREE_SHEET_CELLS = 1_000_000
MAX_EMPTINESS = 16
"""How many cells larger rectangles may span for each one that is there, in all sheets together."""
FREE_SHEET_LINES = 100_000
MAX_LINES_PER_FILLED = 4
"""How many lines longer sheets may have for each one with a cell, together: a line costs time, however empty it is."""
MAX_BLANK_ROWS = 300_000
"""Rows of one sheet that are written down without a cell, to be hidden or high: each costs as much as a filled one."""
MAX_ODD_CELLS = 400_000
"""Cells with an error or without the value of a formula, in one sheet."""
MAX_SHARED_STRINGS = 3_000_000
MAX_BLANK_STRINGS = 100_000
"""A table names every string once; a program that repeats the blank one has no reason to do so for ever."""
MAX_WORKBOOK_PART_ELEMENTS = 400_000
"""Elements of a part that is neither a sheet nor the table of strings."""
MAX_WORKBOOK_DEPTH = 50_000
MAX_WORKBOOK_RUN_BYTES = 1 << 20
"""Bytes of a part in which no element ends: longer ones are a text or an attribute that no roster holds."""
MAX_WORKBOOK_CDATA_BYTES = 16 << 20

MAX_JSON_DEPTH = 32
MAX_JSON_KEYS = MAX_COLUMNS
"""Keys of one object."""
MAX_JSON_SHAPE_KEYS = 200_000
"""Keys of all different lists of keys that the objects of one input have."""
MAX_NUMBER_DIGITS = 32
MAX_TOKEN_BYTES = 2 << 20
"""Bytes of JSON without a quotation mark: longer ones are a text or a number that no roster holds."""
MAX_JSON_VALUES = 4_500_000
"""Values of one JSON input that are kept at a time."""
FREE_JSON_VALUES = 250_000
MIN_BYTES_PER_VALUE = 8
"""Bytes of JSON for each value that is kept above that: resources name their elements, `{},{},` names nothing."""
MAX_COUNT = 2**31 - 1
"""The largest count of rows that is kept; whoever states more is wrong either way."""


def limit_lines(max_rows: int) -> int:
    """Answers how many lines a table may have that may have so many rows."""
    return FREE_LINES + LINES_PER_ROW * max_rows


def limit_count(count: int) -> int:
    """Answers a count that a file states about itself, as near as a column of whole numbers can hold it."""
    return max(-MAX_COUNT, min(count, MAX_COUNT))


class TooLarge(Exception):
    """A part of the input is larger than any roster needs."""
