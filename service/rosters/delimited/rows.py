"""The careful way through a table: row by row, for quoted line ends and whatever the fast way declines."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from service.domain.identifiers import Environment, pack_mbi, read_mbi
from service.rosters.columns.assemble import Ragged
from service.rosters.columns.evaluate import Batch, Judged, judge_batch
from service.rosters.columns.kernels import NO_MBI, build_strings
from service.rosters.delimited.sealed import PASSED, Seal
from service.rosters.delimited.table import Layout, Row, TableBroken, is_blank_row, iter_rows
from service.rosters.delimited.trailers import MAX_TRAILERS, Trailer, find_trailer
from service.rosters.encoding import Source, Undecodable
from service.rosters.headings import Header
from service.rosters.limits import MAX_LINE_BYTES, limit_lines
from service.rosters.reading import RosterOptions

_BATCH_ROWS = 50_000
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class TableRows:
    """All rows of a table, judged; `counts` are what trailers stated: of each tuple, one must be their number.

    `whole` is the rows of all parts as one, where they are kept so already; `seal` is still to be verified.
    """

    parts: tuple[Judged, ...]
    ragged: Ragged
    counts: tuple[tuple[int, ...], ...]
    whole: Judged | None = None
    seal: Seal | None = None


class TableEnd:
    """Keeps back what may be a trailer until it is known whether a row stands behind it.

    Once the rows are through, `counts` and `seal` are those of the trailers; a seal with rows behind it stays a seal.
    """

    def __init__(self, header: Header) -> None:
        self._header = header
        self._waiting: deque[tuple[Row, Trailer]] = deque()
        self._passed_seal = False

    def iter_data(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yields the rows that are neither blank nor trailers."""
        for row in rows:
            if is_blank_row(row[1]):
                continue
            trailer = find_trailer(row[1], self._header)
            if trailer:
                self._waiting.append((row, trailer))
            while self._waiting and (trailer is None or len(self._waiting) > MAX_TRAILERS):
                yield self._give_up()
            if trailer is None:
                yield row

    @property
    def counts(self) -> tuple[tuple[int, ...], ...]:
        """What the trailers state: of each tuple, one must be the number of rows."""
        return tuple(counts for _, trailer in self._waiting for counts in trailer.counts)

    @property
    def seal(self) -> Seal | None:
        """The seal among the trailers, or one behind which there is more."""
        return PASSED if self._passed_seal else find_seal_of([(line, trailer) for (line, _), trailer in self._waiting])

    def _give_up(self) -> Row:
        row, trailer = self._waiting.popleft()
        self._passed_seal |= trailer.digest is not None
        return row


def find_seal_of(trailers: Sequence[tuple[int, Trailer]]) -> Seal | None:
    """Answers the seal among trailers and their lines, `PASSED` where another trailer is behind it."""
    said = [(line, trailer.digest) for line, trailer in trailers if not trailer.is_blank]
    if any(digest for _, digest in said[:-1]):
        return PASSED
    return next((Seal(line, digest) for line, digest in said if digest), None)


class RaggedRows:
    """Takes the rows of the wrong width, in any order."""

    def __init__(self, layout: Layout, environment: Environment) -> None:
        self._place = layout.header.columns["mbi"]
        self._environment = environment
        self._lines: list[int] = []
        self._mbis: list[int] = []

    def add(self, line: int, cells: list[str]) -> None:
        """Notes the line and, where it can still be read, the MBI of a row."""
        value = read_mbi(cells[self._place], self._environment).value if self._place < len(cells) else None
        self._lines.append(line)
        self._mbis.append(pack_mbi(value) if value else int(NO_MBI))

    def build(self) -> Ragged:
        """Answers the rows seen so far, by line."""
        lines = np.array(self._lines, np.int32)
        order = np.argsort(lines)
        return Ragged(lines[order], np.array(self._mbis, np.uint64)[order])


def read_rows(source: Source, layout: Layout, options: RosterOptions) -> TableRows:
    """Answers every row behind the header.

    Raises TableBroken, Undecodable, and UnicodeDecodeError for bytes that are not UTF-8.
    """
    _check_line_count(source, limit_lines(options.max_rows))
    return judge_rows(iter_table(source, layout), layout, options)


def _check_line_count(source: Source, most: int) -> None:
    """Raises TableBroken for more lines than are read anyway: counting them first is quicker than reading so many."""
    with source.open() as stream:
        while piece := stream.read(_PIECE):
            most -= piece.count(b"\r") + piece.count(b"\n") - piece.count(b"\r\n") - 1  # one may be cut in two
            if most < 0:
                raise TableBroken("too_large")


def judge_rows(rows: Iterable[Row], layout: Layout, options: RosterOptions) -> TableRows:
    """Answers rows of cells as columns, without blank rows and trailers; raises TableBroken for too many."""
    end, ragged = TableEnd(layout.header), RaggedRows(layout, options.environment)
    parts: list[Judged] = []
    batch: list[Row] = []
    rows = _limit_lines(rows, limit_lines(options.max_rows))
    for count, (line, cells) in enumerate(end.iter_data(rows), start=1):
        if count > options.max_rows:
            raise TableBroken("too_large")
        if len(cells) == layout.header.width:
            batch.append((line, cells))
        else:
            ragged.add(line, cells)
        if len(batch) >= _BATCH_ROWS:
            parts.append(_judge(batch, layout, options))
            batch = []
    if batch or not parts:
        parts.append(_judge(batch, layout, options))
    return TableRows(tuple(parts), ragged.build(), end.counts, seal=end.seal)


def _limit_lines(rows: Iterable[Row], most: int) -> Iterator[Row]:
    for row in rows:
        if row[0] > most:
            raise TableBroken("too_large")
        yield row


def iter_table(source: Source, layout: Layout) -> Iterator[Row]:
    """Yields the rows behind the header with the physical line of their start."""
    with source.open() as binary, io.TextIOWrapper(binary, encoding="utf-8", newline="") as text:
        for line, cells in iter_rows(_iter_lines(text), layout.delimiter):
            if line >= layout.first_line:
                yield line, cells


def _iter_lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Yields lines with their ends, none of them whole that is longer than a roster's; raises as `read_rows`."""
    while line := text.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES:
            raise TableBroken("too_large")
        if "\0" in line:
            raise Undecodable
        yield line


def _judge(batch: list[Row], layout: Layout, options: RosterOptions) -> Judged:
    lines = np.array([line for line, _ in batch], np.int32)
    cells = {role: build_strings([cells[place] for _, cells in batch]) for role, place in layout.header.columns.items()}
    return judge_batch(Batch(lines, cells), options)
