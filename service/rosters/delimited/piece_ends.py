"""What stands at the end of each piece of a table: trailers, if no row is behind them in a later piece."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from service.rosters.delimited.rows import RaggedRows
from service.rosters.delimited.table import is_blank_row
from service.rosters.delimited.trailers import MAX_TRAILERS, Trailer, find_trailer
from service.rosters.headings import Header


@dataclass(frozen=True, slots=True)
class OddRow:
    """A line like a trailer: its place among the rows of the piece, None for one of the wrong width."""

    line: int
    row: int | None
    cells: list[str]
    trailer: Trailer


@dataclass(frozen=True, slots=True)
class PieceEnd:
    """Rows like trailers behind which the piece has no other; `has_rows` before them, lines counted from its first.

    `passed_seal` tells of a seal with rows behind it; `months_over_twelve` is that sum if these are trailers.
    """

    trailers: tuple[OddRow, ...] = ()
    has_rows: bool = True
    passed_seal: bool = False
    months_over_twelve: int = 0


class EndNotes:
    """Takes the odd lines of a piece in their order: the blank, the ragged, and those that begin as a trailer does."""

    def __init__(self, header: Header, ragged: RaggedRows) -> None:
        self._header = header
        self._ragged = ragged
        self._waiting: deque[OddRow] = deque()
        self._next_line = 0
        self.has_rows = False
        self.passed_seal = False

    def is_blank(self, line: int, row: int | None, cells: list[str]) -> bool:
        """Answers whether a line says nothing, and notes it otherwise."""
        self.skip_to(line)
        self._next_line = line + 1
        if is_blank_row(cells):
            return True
        trailer = find_trailer(cells, self._header)
        if trailer is None:
            self._give_up(0)
            self.has_rows = True
            if row is None:
                self._ragged.add(line, cells)
            return False
        self._waiting.append(OddRow(line, row, cells, trailer))
        self._give_up(MAX_TRAILERS)
        return False

    def skip_to(self, line: int) -> None:
        """Notes that all lines up to this one are rows."""
        if line > self._next_line:
            self._give_up(0)
            self.has_rows = True

    @property
    def trailers(self) -> tuple[OddRow, ...]:
        """The rows like trailers behind the last other row."""
        return tuple(self._waiting)

    def _give_up(self, kept: int) -> None:
        while len(self._waiting) > kept:
            odd = self._waiting.popleft()
            self.has_rows = True
            if odd.row is None:
                self._ragged.add(odd.line, odd.cells)
            self.passed_seal |= odd.trailer.digest is not None


def count_trailers(ends: Sequence[PieceEnd]) -> list[int]:
    """Answers how many of the last rows of each piece are trailers of the table."""
    counts, room = [0] * len(ends), MAX_TRAILERS
    for place in reversed(range(len(ends))):
        end = ends[place]
        counts[place] = min(room, len(end.trailers))
        room -= counts[place]
        if end.has_rows or counts[place] < len(end.trailers):
            break
    return counts
