"""A copy of a workbook without what a reader of values stops at: errors and amounts of time that it does not know.

The list of errors grows with every version of the programs that write workbooks, and `[h]:mm` may stand over a number
of any size. A cell with an error is known from the survey anyway, and an amount of time is a number of days.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from service.rosters.workbook.archive import (
    RELATIONS,
    STRINGS,
    STYLES,
    WORKBOOK,
    Unpacker,
    fold_name,
    index_members,
    open_archive,
)
from service.rosters.workbook.survey import SheetFacts

_FRAME = ("[content_types].xml", "_rels/.rels", WORKBOOK, RELATIONS)
"""What leads to the sheets, as names are compared."""
_ERROR_CELL = re.compile(rb"""(<(?:[\w.-]+:)?c(?=\s)[^<>]*\st\s*=\s*)(?:"e"|'e')""")
_AS_TEXT = rb'\1"str"'
_FORMAT = re.compile(rb"""(\sformatCode\s*=\s*)("[^"<]*"|'[^'<]*')""")
_AMOUNT = re.compile(rb"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_KNOWN_AMOUNT = re.compile(rb"""(\snumFmtId\s*=\s*)(?:"46"|'46')""")
"""[h]:mm:ss, which is built in (ECMA-376, 18.8.30)."""
_FASTEST = 1


def copy_plainly(path: Path, sheets: Collection[SheetFacts]) -> io.BytesIO:
    """Answers a workbook whose cells with an error are text, and whose amounts of time are numbers.

    It has the parts with values and no others, such as pictures. Unpacks in pieces; raises Damaged and TooLarge.
    """
    parts = {*_FRAME, STRINGS, STYLES, *(fold_name(sheet.part) for sheet in sheets)}
    with_errors = {sheet.part for sheet in sheets if sheet.error_cells}
    copy = io.BytesIO()
    with open_archive(path) as archive, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=_FASTEST) as new:
        unpacker = Unpacker(archive, path.stat().st_size)
        for name, member in index_members(archive).items():
            if fold_name(name) not in parts:
                continue
            chunks: Iterable[bytes] = unpacker.iter_chunks(member)
            if name in with_errors:
                chunks = (_ERROR_CELL.sub(_AS_TEXT, tags) for tags in _iter_whole_tags(chunks))
            elif fold_name(name) == STYLES:
                chunks = map(_count_days, _iter_whole_tags(chunks))
            with new.open(name, "w") as part:
                for chunk in chunks:
                    part.write(chunk)
    copy.seek(0)
    return copy


def _iter_whole_tags(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the same bytes, cut where no tag is open."""
    held = b""
    for chunk in chunks:
        held += chunk
        last = held.rfind(b"<")
        end = last if last >= 0 and held.find(b">", last) < 0 else len(held)
        yield held[:end]
        held = held[end:]
    yield held


def _count_days(styles: bytes) -> bytes:
    """Answers the styles with amounts of time as plain numbers."""
    return _KNOWN_AMOUNT.sub(rb'\1"0"', _FORMAT.sub(_replace_amount, styles))


def _replace_amount(found: re.Match[bytes]) -> bytes:
    return found.group(1) + b'"General"' if _AMOUNT.search(found.group(2)) else found.group()
