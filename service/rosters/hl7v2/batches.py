"""Puts HL7 v2 segments together to messages, and holds batches to the counts in their trailers (feeds 5.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from service.rosters.hl7v2.segments import (
    END_OF_MESSAGE,
    FRAMES,
    begins_more,
    cut_fields,
    iter_segments,
    read_field,
)
from service.rosters.hl7v2.times import find_time, has_zone
from service.rosters.limits import MAX_LINE_BYTES, TooLarge, limit_count
from service.rosters.positions import choose_position

_TWO_PATIENTS = frozenset({"A17", "A24", "A37"})
"""Events that swap, link or unlink two patients (HL7 v2.5.1, 3.3)."""
_MANY_PATIENTS = frozenset({"A18", "A30", *(f"A{number}" for number in range(34, 52))}) - _TWO_PATIENTS
"""Events that merge, move or rename patients: their segments repeat for each."""


@dataclass(slots=True)
class Batch:
    """One batch or file of batches while it is read: where a finding about it points to."""

    name: str
    is_closed: bool = False


@dataclass(slots=True)
class Messages:
    """The messages of a file as lists of segments; an empty one stands for segments of a message without header.

    `unclosed` names batches whose trailer is missing. `declared` is how many messages the trailers state, or where
    only a file's trailer states anything, its number; `as_of_at` is the earliest time that a header gives with zone.
    """

    messages: list[list[bytes]] = field(default_factory=list)
    unclosed: list[str] = field(default_factory=list)
    is_miscounted: bool = False
    declared: int | None = None
    as_of_at: datetime | None = None


class _Cutter:
    """Takes segments in turn.

    Segments that cannot be those of the message before them are a message of their own, of which nobody can tell whom
    it is about: not one of them is kept.
    """

    def __init__(self, max_messages: int) -> None:
        self.found = Messages()
        self._max_messages = max_messages
        self._message: list[bytes] | None = None  # what is open; without header it is empty
        self._file: Batch | None = None
        self._batch: Batch | None = None
        self._batches = self._loose = self._in_file = 0
        self._room = 0
        self._counts: dict[bytes, int] = {}

    def take(self, segment: bytes) -> None:
        """Takes one segment, or END_OF_MESSAGE; raises TooLarge."""
        kind = segment[:3]
        if kind == b"MSH":
            self._open_message(segment)
        elif kind in FRAMES or kind == END_OF_MESSAGE:
            self._message = None
            self._take_frame(kind, segment)
        else:
            self._take_content(kind, segment)

    def _take_content(self, kind: bytes, segment: bytes) -> None:
        if self._message is None or (self._message and _begins_another(self._message, kind)):
            self._add_message([])
        self._room -= len(segment)
        if self._room < 0:
            raise TooLarge
        if self._message:
            self._message.append(cut_fields(segment, self._message[0][3:4]))

    def _take_frame(self, kind: bytes, segment: bytes) -> None:
        if kind in (b"FHS", b"BHS"):
            self._open(kind, segment)
        elif kind in (b"FTS", b"BTS"):
            self._close(kind, segment)

    def close(self) -> Messages:
        """Answers what was found once everything was taken."""
        for batch in (self._batch, self._file):
            self._note_unclosed(batch)
        self.found.declared = self._counts.get(b"BTS", self._counts.get(b"FTS"))
        return self.found

    def _open_message(self, segment: bytes) -> None:
        self._add_message([cut_fields(segment, segment[3:4])])
        self._room -= len(segment)
        self._loose += 1
        self._in_file += 1

    def _add_message(self, message: list[bytes]) -> None:
        if len(self.found.messages) >= self._max_messages:
            raise TooLarge
        self._message, self._room = message, MAX_LINE_BYTES
        self.found.messages.append(message)

    def _open(self, kind: bytes, segment: bytes) -> None:
        batch = Batch(choose_position(read_field(segment, 11), kind.decode()))
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
    if begins_more(content, max_messages):
        raise TooLarge  # before any of them is kept
    cutter = _Cutter(max_messages)
    for segment in iter_segments(content):
        cutter.take(segment)
    return cutter.close()


def _begins_another(message: list[bytes], kind: bytes) -> bool:
    """Answers whether a segment shows that the header of another message was lost before it.

    An EVN follows its header, and a PID comes before all else that is told of a patient: a second one, or one behind
    that, is another message's, except where an event tells of several patients.
    """
    first = 2 if _has_event(message) else 1
    if kind != b"PID" or len(message) == first:
        return kind == b"EVN" and len(message) > 1
    event = _find_event(message)
    if event in _TWO_PATIENTS:
        return sum(segment[:3] == b"PID" for segment in message) > 1
    return event not in _MANY_PATIENTS


def _has_event(message: list[bytes]) -> bool:
    return message[1:2] != [] and message[1][:3] == b"EVN"


def _find_event(message: list[bytes]) -> str:
    """Answers MSH-9.2, or else EVN-1."""
    header = message[0]
    parts = read_field(header, 9).split(header[4:5].decode("ascii", errors="replace") or "^")
    told = parts[1].strip() if len(parts) > 1 else ""
    return told or (read_field(message[1], 2, header[3:4]) if _has_event(message) else "")


def _find_time(segment: bytes) -> datetime | None:
    """Answers FHS-7 or BHS-7, if it says in which zone."""
    text = read_field(segment, 7).partition(segment[4:5].decode("ascii", errors="replace") or "^")[0]
    return find_time(text) if has_zone(text) else None


def _find_count(segment: bytes) -> int | None:
    """Answers the count of a trailer, None where there is none, -1 for text that is no count."""
    parts = segment[3:4] and segment.split(segment[3:4])
    text = parts[1].strip() if parts and len(parts) > 1 else b""
    if not text:
        return None
    return int(text) if text.isdigit() and len(text) < 10 else -1
