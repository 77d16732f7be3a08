"""Pieces of a file of lines in memory: where to cut, a buffer that every piece uses again, and a look at its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from io import SEEK_END
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.rosters.delimited.table import TableBroken
from service.rosters.limits import MAX_FIELD

PIECE_BYTES = 4 << 20
BLOCK_BYTES = 256 << 10
"""Bytes compared at a time, so that the marks stay in the second-level cache; whole lots of `_HALF_FIELD`."""
FEW_PLACES = 512
_HALF_FIELD = MAX_FIELD // 2
_LF, _CR = ord("\n"), ord("\r")


class Declined(Exception):
    """The table has a form that only the careful way reads."""


class Cut(NamedTuple):
    """Where a piece lies in the file."""

    start: int
    size: int


def iter_cuts(stream: BinaryIO) -> Iterator[Cut]:
    """Yields where pieces of whole lines lie, from where the stream stands to its end.

    Raises TableBroken for a line longer than a piece, Declined for odd line ends.
    """
    start = stream.tell()
    end = stream.seek(0, SEEK_END)
    while start < end:
        stop = min(start + PIECE_BYTES, end)
        if stop < end:
            stream.seek(stop)
            rest = stream.readline(PIECE_BYTES)
            if len(rest) == PIECE_BYTES and not rest.endswith(b"\n"):
                raise Declined if b"\r" in rest else TableBroken("too_large")
            stop += len(rest)
        yield Cut(start, stop - start)
        start = stop


class Text:
    """The bytes of a piece, which end with a line; valid until its desk takes the next one."""

    def __init__(self, raw: bytes | bytearray, size: int) -> None:
        self._raw = raw
        self.size = size
        self.view: NDArray[np.uint8] = np.frombuffer(raw, np.uint8, size)

    @cached_property
    def _shape(self) -> tuple[int, list[int]]:
        """The number of lines, and the lots of bytes in which no line ends.

        A line that is longer than a cell may be covers a whole lot, which has half that size.
        """
        line_ends, unbroken = 0, []
        for start in range(0, self.size, BLOCK_BYTES):
            marks = self.view[start : start + BLOCK_BYTES] == _LF
            line_ends += int(np.count_nonzero(marks))
            lots = marks[: len(marks) // _HALF_FIELD * _HALF_FIELD].reshape(-1, _HALF_FIELD)
            unbroken += (start + np.flatnonzero(~lots.any(axis=1)) * _HALF_FIELD).tolist()
        return line_ends + bool(self.view[-1] != _LF), unbroken

    @property
    def line_count(self) -> int:
        """Lines, the last of which may lack its line feed."""
        return self._shape[0]

    @cached_property
    def _ends(self) -> NDArray[np.intp]:
        return np.append(np.flatnonzero(self.view == _LF), self.size)

    def take_line(self, line: int) -> bytes:
        """Answers a line, counted from 0, without its line feed."""
        start = int(self._ends[line - 1]) + 1 if line else 0
        return bytes(self._raw[start : int(self._ends[line])])

    def iter_long_lines(self) -> Iterator[bytes]:
        """Yields the lines that are longer than a cell may be, without their line feeds."""
        stop = 0
        for lot in self._shape[1]:
            if lot < stop:
                continue
            start = self._raw.rfind(b"\n", 0, lot) + 1
            end = self._raw.find(b"\n", lot, self.size)
            stop = end if end >= 0 else self.size
            if stop - start > MAX_FIELD:
                yield bytes(self._raw[start:stop])

    def has_lone_returns(self) -> bool:
        """Answers whether a carriage return stands anywhere but before a line feed."""
        if self._raw.find(b"\r", 0, self.size) < 0:
            return False
        if self._raw[self.size - 1] == _CR:
            return True
        for start in range(0, self.size - 1, BLOCK_BYTES):
            stop = min(start + BLOCK_BYTES, self.size - 1)
            if ((self.view[start:stop] == _CR) & (self.view[start + 1 : stop + 1] != _LF)).any():
                return True
        return False

    def find_places(self, byte: bytes) -> NDArray[np.intp]:
        """Answers where a byte occurs: a few places are searched for one by one, which is quicker."""
        places: list[int] = []
        place = self._raw.find(byte, 0, self.size)
        while place >= 0:
            places.append(place)
            if len(places) > FEW_PLACES:
                return np.flatnonzero(self.view == ord(byte))
            place = self._raw.find(byte, place + 1, self.size)
        return np.array(places, np.intp)


class Desk:
    """Where one piece at a time is read into memory: a stream of its own and a buffer that every piece uses again."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream: Any = stream  # typeshed's BinaryIO lacks readinto
        self._buffer = bytearray()

    def take(self, cut: Cut) -> Text:
        """Answers a piece; raises Declined for a file that shrank meanwhile."""
        self._stream.seek(cut.start)
        if len(self._buffer) < cut.size:
            self._buffer = bytearray(cut.size)
        if self._stream.readinto(memoryview(self._buffer)[: cut.size]) < cut.size:
            raise Declined
        return Text(self._buffer, cut.size)
