"""Cuts bytes into HL7 v2 segments, and says where a message must have ended (feeds 5.1)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import islice

from service.rosters.limits import MAX_SEGMENT_BYTES, TooLarge

READ_SEGMENTS = {b"MSH": 19, b"EVN": 2, b"PID": 31, b"PD1": 5, b"ROL": 7, b"PRT": 13, b"PV1": 8, b"MRG": 2}
"""Segments that a roster is read from, and how many of their fields; all others are dropped unseen."""
FRAMES = (b"FHS", b"BHS", b"FTS", b"BTS")
"""Headers and trailers of files and batches."""
END_OF_MESSAGE = b"\x1c"
"""Stands between segments where MLLP's bytes end a message or begin one."""
_MLLP = bytes([0x0B, 0x1C])
_FRAMING = _MLLP + codecs.BOM_UTF8
"""What may stand before a segment: MLLP's bytes, and the marks of files that were strung together."""
_BLANKS = b" \t\x00"
_MARK = rb"[!-/:-@\[-`{-~]"
_MARKS = rb"(?=(%(m)s)(?!\1)(%(m)s)(?!\1|\2)%(m)s(?:(?!\1)%(m)s){0,3}\1)" % {b"m": _MARK}
"""MSH-1 and MSH-2: a separator, two to five other delimiters of which two differ, and the separator again."""
_HEADER = re.compile(rb"(?:MSH|msh)" + _MARKS)
_BEGINNING = re.compile(_HEADER.pattern + rb"|[\r\n]MSH")
_TEXT = re.compile(rb":?[A-Za-z0-9\s]")
"""What follows three letters in the line of a text, and no name of a segment."""
_NEXT = rb"[\x0b\x1c \t\x00]{0,4}(?:" + b"|".join([*READ_SEGMENTS, *FRAMES]) + rb")(?![A-Za-z0-9])"
_BOUNDARY = re.compile(
    rb"\r\n|\n|\r|\x0b(?=" + _NEXT + rb")|\x1c(?=" + _NEXT + rb"|[\r\n]|\Z)|MSH" + _MARKS
    + rb"|msh" + _MARKS.replace(rb"\2", rb"\4").replace(rb"\1", rb"\3")
)  # fmt: skip


def iter_segments(content: bytes) -> Iterator[bytes]:
    """Yields segments that a roster is read from, and END_OF_MESSAGE; raises TooLarge.

    Segments may end in CR, LF or CRLF. MLLP's bytes end a line, too, where a segment or nothing follows (texts may hold
    a vertical tabulator); and so does whatever stands before a header with its delimiters: of what a log, an editor or
    a lost line end leaves there, nothing is the header's.
    """
    start = 0
    for found in _BOUNDARY.finditer(content):
        if segment := _trim(content, start, found.start()):
            yield segment
        mark = found.group()
        if mark in (b"\x0b", b"\x1c"):
            yield END_OF_MESSAGE
        start = found.start() if mark in (b"MSH", b"msh") else found.end()
    if segment := _trim(content, start, len(content)):
        yield segment


def begins_more(content: bytes, most: int) -> bool:
    """Answers whether more messages begin in the bytes than are allowed."""
    if max(content.count(end + b"MSH") for end in (b"\r", b"\n")) > most:
        return True  # at once: nearly all messages begin so
    if content.count(b"MSH") + content.count(b"msh") <= most:
        return False
    return sum(1 for _ in islice(_BEGINNING.finditer(content), most + 1)) > most


def cut_fields(segment: bytes, separator: bytes) -> bytes:
    """Answers the segment without the fields that no roster needs."""
    wanted = READ_SEGMENTS[segment[:3]]
    return separator.join(segment.split(separator, wanted)[:wanted]) if separator else segment


def read_field(segment: bytes, number: int, separator: bytes | None = None) -> str:
    """Answers what stands at a place of a segment, whose name is at the first; empty where there is nothing.

    That is the field of this number in a header, whose first is the separator; another segment must be told it.
    """
    mark = segment[3:4] if separator is None else separator
    fields = segment.split(mark) if mark else []
    return fields[number - 1].decode("ascii", errors="replace").strip() if len(fields) >= number else ""


def _trim(content: bytes, start: int, stop: int) -> bytes:
    """Answers the segment of a line, nothing for lines that are not read: observations may carry whole documents."""
    name = content[start : min(stop, start + 3 + len(_FRAMING))].lstrip(_FRAMING + _BLANKS)[:3]
    is_small_header = name == b"msh" and _HEADER.match(content, start) is not None
    if not is_small_header and name not in READ_SEGMENTS and name not in FRAMES:
        return b""
    if stop - start > MAX_SEGMENT_BYTES:
        raise TooLarge
    segment = content[start:stop].lstrip(_FRAMING + _BLANKS).rstrip(_MLLP + _BLANKS)
    if name != b"MSH" and _TEXT.match(segment, 3):
        return b""
    return b"MSH" + segment[3:] if is_small_header else segment
