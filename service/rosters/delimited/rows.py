"""The careful way through a table: row by row, for quoted line ends and whatever the fast way declines."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from service.domain.identifiers import Environment, pack_mbi, read_mbi
from service.rosters.columns.assemble import Ragged
from service.rosters.columns.evaluate import Batch, Judged, judge_batch
from service.rosters.columns.kernels import NO_MBI, build_strings
from service.rosters.delimited.table import Layout, Row, TableBroken, find_trailer, is_blank_row, iter_rows
from service.rosters.encoding import Source, Undecodable
from service.rosters.limits import LINES_PER_ROW, MAX_LINE_BYTES
from service.rosters.reading import RosterOptions

_BATCH_ROWS = 50_000
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class TableRows:
    """All rows of a table, judged; `counts` are what trailers stated: of each tuple, one must be their number.

    `whole` is the rows of all parts as one, where they are kept so already.
    """

    parts: tuple[Judged, ...]
    ragged: Ragged
    counts: tuple[tuple[int, ...], ...]
    whole: Judged | None = None


class RowSorter:
    """Sorts rows into batches, ragged rows and trailers while they pass."""

    def __init__(self, layout: Layout, environment: Environment) -> None:
        self._layout = layout
        self._environment = environment
        self._ragged_lines: list[int] = []
        self._ragged_mbis: list[int] = []
        self.counts: list[tuple[int, ...]] = []

    def is_data(self, line: int, cells: list[str]) -> bool:
        """Answers whether the row has the header's width and says something; notes it otherwise."""
        if is_blank_row(cells):
            return False
        trailer = find_trailer(cells, self._layout.header.start)
        if trailer:
            self.counts.extend(trailer.counts)
            return False
        if len(cells) != self._layout.header.width:
            self._ragged_lines.append(line)
            self._ragged_mbis.append(self._read_ragged_mbi(cells))
            return False
        return True

    def build_ragged(self) -> Ragged:
        """Answers the rows of the wrong width seen so far, by line."""
        return Ragged(np.array(self._ragged_lines, np.int32), np.array(self._ragged_mbis, np.uint64))

    def _read_ragged_mbi(self, cells: list[str]) -> int:
        place = self._layout.header.columns["mbi"]
        value = read_mbi(cells[place], self._environment).value if place < len(cells) else None
        return pack_mbi(value) if value else int(NO_MBI)


def read_rows(source: Source, layout: Layout, options: RosterOptions) -> TableRows:
    """Answers every row behind the header.

    Raises TableBroken, Undecodable, and UnicodeDecodeError for bytes that are not UTF-8.
    """
    _check_line_count(source, LINES_PER_ROW * options.max_rows)
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
    sorter = RowSorter(layout, options.environment)
    parts: list[Judged] = []
    batch: list[Row] = []
    for line, cells in rows:
        if line > LINES_PER_ROW * options.max_rows:
            raise TableBroken("too_large")
        if sorter.is_data(line, cells):
            batch.append((line, cells))
        if len(batch) >= _BATCH_ROWS:
            parts.append(_judge(batch, layout, options))
            batch = []
            if sum(len(part.line) for part in parts) > options.max_rows:
                raise TableBroken("too_large")
    if batch or not parts:
        parts.append(_judge(batch, layout, options))
    return TableRows(tuple(parts), sorter.build_ragged(), tuple(sorter.counts))


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
