"""Cuts bytes into HL7 v2 messages, and holds batches to the counts in their trailers (feeds 5.1)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from service.rosters.hl7v2.times import find_time, has_zone
from service.rosters.limits import MAX_LINE_BYTES, MAX_SEGMENT_BYTES, TooLarge, limit_count
from service.rosters.positions import choose_position

READ_SEGMENTS = {b"MSH": 19, b"EVN": 2, b"PID": 31, b"PD1": 5, b"ROL": 5, b"PRT": 6, b"PV1": 8, b"MRG": 2}
"""Segments that a roster is read from, and how many of their fields; all others are dropped unseen."""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_MLLP = bytes([0x0B, 0x1C])
_FRAMING = _MLLP + codecs.BOM_UTF8
"""What may stand before a segment: MLLP's bytes, and the marks of files that were strung together."""
_BLANKS = b" \t\x00"


@dataclass(slots=True)
class Batch:
    """One batch or file of batches while it is read: where a finding about it points to."""

    name: str
    is_closed: bool = False


@dataclass(slots=True)
class Messages:
    """The messages of a file as lists of segments.

    `unclosed` names batches whose trailer is missing. `declared` is how many messages the trailers state, or where
    only a file's trailer states anything, its number; `as_of_at` is the earliest time that a header gives with zone.
    """

    messages: list[list[bytes]] = field(default_factory=list)
    unclosed: list[str] = field(default_factory=list)
    is_miscounted: bool = False
    declared: int | None = None
    as_of_at: datetime | None = None


class _Cutter:
    """Takes segments in turn."""

    def __init__(self, max_messages: int) -> None:
        self.found = Messages()
        self._max_messages = max_messages
        self._file: Batch | None = None
        self._batch: Batch | None = None
        self._batches = self._loose = self._in_file = 0
        self._room = 0
        self._counts: dict[bytes, int] = {}

    def take(self, segment: bytes) -> None:
        """Takes one segment; raises TooLarge."""
        kind = segment[:3]
        if kind == b"MSH":
            self._open_message(segment)
        elif kind in (b"FHS", b"BHS"):
            self._open(kind, segment)
        elif kind in (b"FTS", b"BTS"):
            self._close(kind, segment)
        elif kind in READ_SEGMENTS and self.found.messages:
            message = self.found.messages[-1]
            self._room -= len(segment)
            if self._room < 0:
                raise TooLarge
            message.append(_cut_fields(segment, message[0][3:4]))

    def close(self) -> Messages:
        """Answers what was found once everything was taken."""
        for batch in (self._batch, self._file):
            self._note_unclosed(batch)
        self.found.declared = self._counts.get(b"BTS", self._counts.get(b"FTS"))
        return self.found

    def _open_message(self, segment: bytes) -> None:
        if len(self.found.messages) >= self._max_messages:
            raise TooLarge
        self.found.messages.append([_cut_fields(segment, segment[3:4])])
        self._room = MAX_LINE_BYTES - len(segment)
        self._loose += 1
        self._in_file += 1

    def _open(self, kind: bytes, segment: bytes) -> None:
        batch = Batch(choose_position(_read_field(segment, 11), kind.decode()))
        made_at = _find_time(segment)
        if made_at is not None:
            self.found.as_of_at = min(made_at, self.found.as_of_at or made_at)
        if kind == b"FHS":
            self._note_unclosed(self._file)
            self._file, self._batches, self._in_file = batch, 0, 0
        else:
            self._note_unclosed(self._batch)
            self._batch, self._loose = batch, 0
            self._batches += 1

    def _close(self, kind: bytes, segment: bytes) -> None:
        """A trailer must state, if anything, how many messages (BTS-1) or batches (FTS-1) there were."""
        stated = _find_count(segment)
        if kind == b"BTS":
            counts = {self._loose}
            self._loose = 0
            if self._batch:
                self._batch.is_closed = True
        else:
            counts = {self._batches} if self._batches else {0, 1, self._in_file}  # of no batch some count messages
            if self._file:
                self._file.is_closed = True
        if stated is not None:
            self.found.is_miscounted |= stated not in counts
            self._counts[kind] = limit_count(self._counts.get(kind, 0) + max(stated, 0))

    def _note_unclosed(self, batch: Batch | None) -> None:
        if batch is not None and not batch.is_closed:
            self.found.unclosed.append(batch.name)


def cut_messages(content: bytes, max_messages: int) -> Messages:
    """Answers the messages; segments may end in CR, LF or CRLF and be framed for MLLP. Raises TooLarge."""
    if max(content.count(end + b"MSH") for end in (b"\r", b"\n")) > max_messages:
        raise TooLarge  # before any of them is kept
    cutter = _Cutter(max_messages)
    for segment in _iter_segments(content):
        cutter.take(segment)
    return cutter.close()


def _iter_segments(content: bytes) -> Iterator[bytes]:
    start = 0
    for found in _LINE_END.finditer(content):
        yield _trim(content, start, found.start())
        start = found.end()
    yield _trim(content, start, len(content))


def _trim(content: bytes, start: int, stop: int) -> bytes:
    segment = content[start : min(stop, start + 3 + len(_FRAMING))].lstrip(_FRAMING + _BLANKS)[:3]
    if segment not in READ_SEGMENTS and segment not in (b"FHS", b"BHS", b"FTS", b"BTS"):
        return b""  # observations may carry whole documents; they are not looked at
    if stop - start > MAX_SEGMENT_BYTES:
        raise TooLarge
    return content[start:stop].lstrip(_FRAMING + _BLANKS).rstrip(_MLLP + _BLANKS)


def _cut_fields(segment: bytes, separator: bytes) -> bytes:
    """Answers the segment without the fields that no roster needs."""
    wanted = READ_SEGMENTS[segment[:3]]
    return separator.join(segment.split(separator, wanted)[:wanted]) if separator else segment


def _find_time(segment: bytes) -> datetime | None:
    """Answers FHS-7 or BHS-7, if it says in which zone."""
    text = _read_field(segment, 7).partition(segment[4:5].decode("ascii", errors="replace") or "^")[0]
    return find_time(text) if has_zone(text) else None


def _read_field(segment: bytes, number: int) -> str:
    """Answers a field of a header, whose separator is its first field; empty where there is none."""
    fields = segment.split(segment[3:4]) if len(segment) > 3 else []
    return fields[number - 1].decode("ascii", errors="replace").strip() if len(fields) >= number else ""


def _find_count(segment: bytes) -> int | None:
    """Answers the count of a trailer, None where there is none, -1 for text that is no count."""
    parts = segment[3:4] and segment.split(segment[3:4])
    text = parts[1].strip() if parts and len(parts) > 1 else b""
    if not text:
        return None
    return int(text) if text.isdigit() and len(text) < 10 else -1
