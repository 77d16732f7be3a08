"""The fast way through a table: pieces cut at line ends, parsed and judged as columns, two at a time.

It declines (`Declined`) whatever a line-wise cut could misread: line ends inside quotes, lone carriage returns,
stray quotes. Every row it does judge is judged exactly as the careful way would.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from service.domain.identifiers import EDGE_BLANKS
from service.rosters.columns.assemble import Ragged
from service.rosters.columns.evaluate import NO_ROW, Batch, Judged, judge_batch
from service.rosters.columns.kernels import NO_MBI, NO_NPI, view_strings
from service.rosters.delimited.rows import RowSorter, TableRows
from service.rosters.delimited.table import TRAILER_WORDS, Layout, TableBroken
from service.rosters.encoding import Source, Undecodable, is_utf8
from service.rosters.limits import LINES_PER_ROW, MAX_FIELD, MAX_LINE_BYTES
from service.rosters.reading import RosterOptions

PIECE_BYTES = 4 << 20
WORKERS = 2

_QUOTE, _LF, _CR = ord('"'), ord("\n"), ord("\r")
_MAY_BE_TRAILER = np.array([byte >= 128 or chr(byte) in EDGE_BLANKS + "tcreTCRE" for byte in range(256)])


class Declined(Exception):
    """The table has a form that only the careful way reads."""


class NotUtf8(Exception):
    """A byte shows that the file is not UTF-8 after all."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece judged: lines are counted from its own first, `line_count` of them."""

    judged: Judged
    ragged: Ragged
    counts: tuple[tuple[int, ...], ...]
    line_count: int


class PieceReader:
    """Parses and judges pieces of one table; has no state of its own and may be used by several threads."""

    def __init__(self, layout: Layout, options: RosterOptions) -> None:
        self._layout = layout
        self._options = options
        width = layout.header.width
        self._places = {**layout.header.columns, "first": 0}
        names = [f"c{place}" for place in range(width)]
        wanted = sorted({f"c{place}" for place in self._places.values()})
        self._names = names
        self._convert = arrow_csv.ConvertOptions(
            check_utf8=False,
            include_columns=wanted,
            column_types={name: pa.string() for name in wanted},
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
        )

    def read(self, piece: bytes) -> Piece:
        """Answers a piece of whole lines; raises Declined, NotUtf8, TableBroken and Undecodable."""
        if b"\0" in piece:
            raise Undecodable
        if not is_utf8(piece):
            raise NotUtf8
        self._check_long_lines(piece)
        content = np.frombuffer(piece, np.uint8)
        line_count = int(np.count_nonzero(content == _LF)) + (not piece.endswith(b"\n"))
        if line_count > LINES_PER_ROW * self._options.max_rows:
            raise TableBroken("too_large")
        if b"\r" in piece and piece.count(b"\r") != piece.count(b"\r\n"):
            raise Declined
        check_quotes(content, ord(self._layout.delimiter))
        bad_lines: list[int] = []
        try:
            table = self._parse(piece, bad_lines)
        except pa.ArrowInvalid as error:
            raise Declined from error
        if table.num_rows + len(bad_lines) != line_count:
            raise Declined
        kept = np.arange(line_count, dtype=np.int32)
        if bad_lines:
            kept = np.delete(kept, bad_lines)
        columns = {role: _join_chunks(table[f"c{place}"]) for role, place in self._places.items()}
        first = columns.pop("first")
        judged = judge_batch(Batch(kept, columns), self._options)
        return self._sort_out(piece, content, judged, first, bad_lines, line_count)

    def _parse(self, piece: bytes, bad_lines: list[int]) -> pa.Table:
        def note_ragged(row: arrow_csv.InvalidRow) -> Literal["skip", "error"]:
            bad_lines.append((row.number or 0) - 1)
            return "skip"

        stream: Any = pa.BufferReader(piece)
        return arrow_csv.read_csv(
            stream,
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(piece) + 1, column_names=self._names),
            parse_options=arrow_csv.ParseOptions(
                delimiter=self._layout.delimiter,
                ignore_empty_lines=False,
                invalid_row_handler=note_ragged,
            ),
            convert_options=self._convert,
        )

    def _sort_out(
        self,
        piece: bytes,
        content: NDArray[np.uint8],
        judged: Judged,
        first: pa.StringArray,
        bad_lines: list[int],
        line_count: int,
    ) -> Piece:
        """Looks again, cell by cell, at the few lines that are ragged, blank or a trailer."""
        sorter = RowSorter(self._layout, self._options.environment)
        suspects = _find_suspects(judged, first)
        if not bad_lines and not len(suspects):
            return Piece(judged, sorter.build_ragged(), (), line_count)
        ends = np.append(np.flatnonzero(content == _LF), len(piece))
        for line in bad_lines:
            sorter.is_data(line, self._split(piece, ends, line))
        for row in suspects.tolist():
            line = int(judged.line[row])
            if not sorter.is_data(line, self._split(piece, ends, line)):
                judged.verdict[row] = NO_ROW
        return Piece(judged, sorter.build_ragged(), tuple(sorter.counts), line_count)

    def _check_long_lines(self, piece: bytes) -> None:
        """Raises TableBroken for a line or a cell larger than any roster's, Declined where no line feed ends lines."""
        for start, stop in _iter_long_lines(piece):
            line = piece[start:stop]
            if b"\r" in line[:-1]:
                raise Declined
            if len(line) > MAX_LINE_BYTES:
                raise TableBroken("too_large")
            try:
                row = next(csv.reader([line.decode("utf-8")], delimiter=self._layout.delimiter, strict=True), [])
            except csv.Error as error:
                raise Declined from error
            if max(map(len, row), default=0) > MAX_FIELD:
                raise TableBroken("too_large")

    def _split(self, piece: bytes, ends: NDArray[np.intp], line: int) -> list[str]:
        start = int(ends[line - 1]) + 1 if line else 0
        text = piece[start : int(ends[line])].decode("utf-8").removesuffix("\r")
        try:
            return next(csv.reader([text], delimiter=self._layout.delimiter, strict=True), [])
        except csv.Error as error:
            raise Declined from error


def read_pieces(source: Source, layout: Layout, options: RosterOptions) -> TableRows:
    """Answers every row behind the header; raises Declined, NotUtf8, TableBroken and Undecodable."""
    reader = PieceReader(layout, options)
    parts: list[Piece] = []
    lines = 0
    with source.open() as stream:
        _skip_lines(stream, layout.first_line - 1)
        pieces = iter_pieces(stream)
        first = next(pieces, b"")
        second = next(pieces, b"")
        if first:
            for part in [reader.read(first)] if not second else _read_in_threads(reader, first, second, pieces):
                parts.append(part)
                lines += part.line_count
                if lines > LINES_PER_ROW * options.max_rows:
                    raise TableBroken("too_large")
    return _join_pieces(parts, layout, options)


def iter_pieces(stream: BinaryIO) -> Iterator[bytes]:
    """Yields pieces of whole lines; raises TableBroken for a line longer than a piece, Declined for odd line ends.

    Each cut is looked for first, so that a piece is read once and not put together.
    """
    start = stream.tell()
    while True:
        stream.seek(start + PIECE_BYTES)
        rest = stream.readline(PIECE_BYTES)
        if len(rest) == PIECE_BYTES and not rest.endswith(b"\n"):
            raise Declined if b"\r" in rest else TableBroken("too_large")
        stream.seek(start)
        piece = stream.read(PIECE_BYTES + len(rest))
        if not piece:
            return
        yield piece
        start += len(piece)


def _iter_long_lines(piece: bytes) -> Iterator[tuple[int, int]]:
    """Yields where lines begin and end that are longer than a cell may be.

    Such a line covers a whole block of half that size, so that most pieces are settled by one search a block.
    """
    half, place = MAX_FIELD // 2, 0
    while place + half <= len(piece):
        if piece.find(b"\n", place, place + half) >= 0:
            place += half
            continue
        start = piece.rfind(b"\n", 0, place) + 1
        end = piece.find(b"\n", place + half)
        stop = end if end >= 0 else len(piece)
        if stop - start > MAX_FIELD:
            yield start, stop
        place = stop + 1


def check_quotes(content: NDArray[np.uint8], delimiter: int) -> None:
    """Raises Declined unless every quote opens, closes or is doubled inside a cell as RFC 4180 has it.

    Of well-formed quotes the even ones (from 0) open a cell or are the second of a double, the odd ones close a
    cell or are the first of a double: so their neighbours decide, without walking the text.
    """
    quotes = np.flatnonzero(content == _QUOTE)
    if not len(quotes):
        return
    if len(quotes) % 2:
        raise Declined
    before = content[np.maximum(quotes[0::2] - 1, 0)]
    opens = (before == delimiter) | (before == _LF) | (before == _QUOTE)
    opens[0] |= quotes[0] == 0
    after = content[np.minimum(quotes[1::2] + 1, len(content) - 1)]
    closes = (after == delimiter) | (after == _LF) | (after == _CR) | (after == _QUOTE)
    closes[-1] |= quotes[-1] == len(content) - 1
    if not (opens.all() and closes.all()):
        raise Declined


def _read_in_threads(reader: PieceReader, first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[Piece]:
    """Yields pieces in order with at most one more in flight than there are workers."""
    waiting: deque[Future[Piece]] = deque()
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="roster-piece") as pool:
        waiting.append(pool.submit(reader.read, first))
        waiting.append(pool.submit(reader.read, second))
        for piece in rest:
            waiting.append(pool.submit(reader.read, piece))
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _skip_lines(stream: BinaryIO, lines: int) -> None:
    """Moves behind the header; raises Declined if its lines do not all end in line feeds."""
    for _ in range(lines):
        if b"\r" in stream.readline().removesuffix(b"\n").removesuffix(b"\r"):
            raise Declined


def _join_pieces(pieces: list[Piece], layout: Layout, options: RosterOptions) -> TableRows:
    """Answers the pieces as one table, with lines counted from the top of the file."""
    base = layout.first_line
    for piece in pieces:
        for lines in (piece.judged.line, piece.ragged.line):
            lines += np.int32(base)
        base += piece.line_count
    ragged = Ragged(
        np.concatenate([np.empty(0, np.int32), *(piece.ragged.line for piece in pieces)]),
        np.concatenate([np.empty(0, np.uint64), *(piece.ragged.mbi for piece in pieces)]),
    )
    parts = tuple(piece.judged for piece in pieces) or (_judge_nothing(layout, options),)
    return TableRows(parts, ragged, tuple(counts for piece in pieces for counts in piece.counts))


def _judge_nothing(layout: Layout, options: RosterOptions) -> Judged:
    nothing = pa.array([], pa.string())
    return judge_batch(Batch(np.empty(0, np.int32), dict.fromkeys(layout.header.columns, nothing)), options)


def _find_suspects(judged: Judged, first: pa.StringArray) -> NDArray[np.intp]:
    """Answers the rows that could be blank lines or trailers: no MBI, and a first cell blank or like "Total"."""
    rows = np.flatnonzero(judged.mbi == NO_MBI)
    if not len(rows):
        return rows
    cells = first.take(rows)
    offsets, content = view_strings(cells)
    empty = np.diff(offsets) == 0
    odd = np.flatnonzero(~empty)
    odd = odd[_MAY_BE_TRAILER[content[offsets[odd]]]]
    kind = np.where(empty, np.uint8(1), np.uint8(0))
    if len(odd):
        kind[odd] = [_find_kind(cell or "") for cell in cells.take(odd).to_pylist()]
    blank = (kind == 1) & (judged.npi[rows] == NO_NPI)
    return np.asarray(rows[blank | (kind == 2)], np.intp)


def _find_kind(cell: str) -> int:
    text = cell.strip(EDGE_BLANKS).lower()
    if not text:
        return 1
    return 2 if text.startswith(TRAILER_WORDS) else 0


def _join_chunks(column: pa.ChunkedArray[Any]) -> pa.StringArray:
    joined: Any = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return joined  # type: ignore[no-any-return]
