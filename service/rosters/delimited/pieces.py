"""The fast way through a table: pieces cut at line ends, parsed and judged as columns, two at a time.

It declines (`Declined`) whatever a line-wise cut could misread: line ends inside quotes, lone carriage returns,
stray quotes. Every row it does judge is judged exactly as the careful way would.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain, islice
from queue import SimpleQueue
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from service.domain.identifiers import EDGE_BLANKS
from service.rosters.columns.assemble import Ragged
from service.rosters.columns.evaluate import NO_ROW, Batch, Judged, judge_batch
from service.rosters.columns.kernels import NO_MBI, NO_NPI, build_strings, take_cells, view_strings
from service.rosters.columns.store import RowStore
from service.rosters.delimited.piece_ends import EndNotes, OddRow, PieceEnd, count_trailers
from service.rosters.delimited.rows import RaggedRows, TableRows, find_seal_of
from service.rosters.delimited.sealed import PASSED, Seal
from service.rosters.delimited.table import HEAD_BYTES, Layout, TableBroken
from service.rosters.delimited.texts import Cut, Declined, Desk, Text, iter_cuts
from service.rosters.delimited.trailers import TRAILER_STARTS, Trailer, may_be_trailer
from service.rosters.encoding import Source, Undecodable, is_utf8
from service.rosters.limits import MAX_FIELD, MAX_LINE_BYTES, limit_lines
from service.rosters.reading import RosterOptions

WORKERS = 2
_ROOM = 1.1
_MANY_PIECES = 16
_SHORT_BYTES = 1 << 20
"""A thread of its own, as `read_csv` starts one, takes long beside less; more is better kept in one thread's memory."""

_QUOTE, _LF, _CR = ord('"'), ord("\n"), ord("\r")
_MAY_BE_TRAILER = np.array(
    [byte >= 128 or chr(byte) in EDGE_BLANKS + TRAILER_STARTS + TRAILER_STARTS.upper() for byte in range(256)]
)


class NotUtf8(Exception):
    """A byte shows that the file is not UTF-8 after all."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece judged: lines are counted from its own first, `line_count` of them."""

    judged: Judged
    ragged: Ragged
    end: PieceEnd
    line_count: int


class PieceReader:
    """Parses and judges pieces of one table; has no state of its own and may be used by several threads."""

    def __init__(self, layout: Layout, options: RosterOptions) -> None:
        self._layout = layout
        self._options = options
        width = layout.header.width
        self._places = {**layout.header.columns, "first": layout.header.start}
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

    def read(self, text: Text) -> Piece:
        """Answers a piece of whole lines; raises Declined, NotUtf8, TableBroken and Undecodable."""
        if text.view.min() == 0:
            raise Undecodable
        if not is_utf8(text.view.data):
            raise NotUtf8
        self._check_long_lines(text)
        if text.line_count > limit_lines(self._options.max_rows):
            raise TableBroken("too_large")
        if text.has_lone_returns():
            raise Declined
        check_quotes(text, ord(self._layout.delimiter))
        bad_lines: list[int] = []
        try:
            table = self._parse(text, bad_lines)
        except pa.ArrowInvalid as error:
            raise Declined from error
        if table.num_rows + len(bad_lines) != text.line_count:
            raise Declined
        kept = np.arange(text.line_count, dtype=np.int32)
        if bad_lines:
            kept = np.delete(kept, bad_lines)
        columns = {role: _join_chunks(table[f"c{place}"]) for role, place in self._places.items()}
        first = columns.pop("first")
        return self._sort_out(text, Batch(kept, columns), first, bad_lines)

    def _parse(self, text: Text, bad_lines: list[int]) -> pa.Table:
        def note_ragged(row: arrow_csv.InvalidRow) -> Literal["skip", "error"]:
            bad_lines.append((row.number or 0) - 1)
            return "skip"

        stream: Any = pa.BufferReader(pa.py_buffer(text.view.data))
        read = arrow_csv.ReadOptions(use_threads=False, block_size=text.size + 1, column_names=self._names)
        parse = arrow_csv.ParseOptions(
            delimiter=self._layout.delimiter,
            ignore_empty_lines=False,
            invalid_row_handler=note_ragged,
        )
        if text.size < _SHORT_BYTES:
            return arrow_csv.open_csv(stream, read, parse, self._convert).read_all()
        return arrow_csv.read_csv(stream, read, parse, self._convert)

    def _sort_out(
        self,
        text: Text,
        batch: Batch,
        first: pa.StringArray,
        bad_lines: list[int],
    ) -> Piece:
        """Looks again, cell by cell, at the few lines that are ragged, blank or like a trailer."""
        judged = judge_batch(batch, self._options)
        ragged = RaggedRows(self._layout, self._options.environment)
        notes = EndNotes(self._layout.header, ragged)
        suspects = _find_suspects(judged, first).tolist()
        odd: list[tuple[int, int | None]] = [(int(judged.line[row]), row) for row in suspects]
        odd = sorted([*odd, *((line, None) for line in bad_lines)]) if bad_lines else odd
        for line, row in odd:
            if notes.is_blank(line, row, self._split(text.take_line(line))) and row is not None:
                judged.verdict[row] = NO_ROW
        notes.skip_to(text.line_count)
        months = self._count_late_months(batch, judged, notes.trailers)
        end = PieceEnd(notes.trailers, notes.has_rows, notes.passed_seal, months)
        return Piece(judged, ragged.build(), end, text.line_count)

    def _count_late_months(self, batch: Batch, judged: Judged, trailers: Sequence[OddRow]) -> int:
        """Answers how many months over twelve are those of patients, if what is like a trailer is one."""
        rows = [odd.row for odd in trailers if odd.row is not None]
        if not (rows and judged.months_over_twelve):
            return judged.months_over_twelve
        others = np.delete(np.arange(len(batch.line)), rows)
        cells = {role: take_cells(column, others) for role, column in batch.cells.items()}
        return judge_batch(Batch(batch.line[others], cells), self._options).months_over_twelve

    def _check_long_lines(self, text: Text) -> None:
        """Raises TableBroken for a line or a cell larger than any roster's, Declined where no line feed ends lines."""
        for content in text.iter_long_lines():
            if b"\r" in content[:-1]:
                raise Declined
            if len(content) > MAX_LINE_BYTES:
                raise TableBroken("too_large")
            try:
                row = next(csv.reader([content.decode("utf-8")], delimiter=self._layout.delimiter, strict=True), [])
            except csv.Error as error:
                raise Declined from error
            if max(map(len, row), default=0) > MAX_FIELD:
                raise TableBroken("too_large")

    def _split(self, content: bytes) -> list[str]:
        line = content.decode("utf-8").removesuffix("\r")
        try:
            return next(csv.reader([line], delimiter=self._layout.delimiter, strict=True), [])
        except csv.Error as error:
            raise Declined from error


def read_pieces(source: Source, layout: Layout, options: RosterOptions) -> TableRows:
    """Answers every row behind the header; raises Declined, NotUtf8, TableBroken and Undecodable."""
    reader = PieceReader(layout, options)
    parts: list[Piece] = []
    lines = 0
    store: RowStore | None = None
    with ExitStack() as open_files:
        stream = open_files.enter_context(source.open())
        _skip_lines(stream, layout.first_line - 1)
        cuts = iter_cuts(stream)
        first = list(islice(cuts, 2))
        streams = [stream] if len(first) < 2 else [open_files.enter_context(source.open()) for _ in range(WORKERS)]
        for part in _read_cuts(reader, [Desk(stream) for stream in streams], chain(first, cuts)):
            for places in (part.judged.line, part.ragged.line):
                places += np.int32(layout.first_line + lines)
            if len(first) > 1:
                store = store or RowStore(part.judged, _expect_rows(part, first[0], source))
                part = replace(part, judged=store.add(part.judged))
            parts.append(part)
            lines += part.line_count
            if layout.first_line - 1 + lines > limit_lines(options.max_rows):
                raise TableBroken("too_large")
    return _join_pieces(parts, store, layout, options)


def _expect_rows(first: Piece, cut: Cut, source: Source) -> int:
    """Answers how many rows a file has at most if they are about as long as those of its first piece."""
    size = source.path.stat().st_size if source.text is None else len(source.text)
    return int(first.line_count * (size / cut.size) * _ROOM) + 1


def check_quotes(text: Text, delimiter: int) -> None:
    """Raises Declined unless every quote opens, closes or is doubled inside a cell as RFC 4180 has it.

    Of well-formed quotes the even ones (from 0) open a cell or are the second of a double, the odd ones close a
    cell or are the first of a double: so their neighbours decide, without walking the text.
    """
    quotes = text.find_places(b'"')
    if not len(quotes):
        return
    if len(quotes) % 2:
        raise Declined
    before = text.view[np.maximum(quotes[0::2] - 1, 0)]
    opens = (before == delimiter) | (before == _LF) | (before == _QUOTE)
    opens[0] |= quotes[0] == 0
    after = text.view[np.minimum(quotes[1::2] + 1, text.size - 1)]
    closes = (after == delimiter) | (after == _LF) | (after == _CR) | (after == _QUOTE)
    closes[-1] |= quotes[-1] == text.size - 1
    if not (opens.all() and closes.all()):
        raise Declined


def _read_cuts(reader: PieceReader, desks: list[Desk], cuts: Iterator[Cut]) -> Iterator[Piece]:
    """Yields pieces in order: those of several desks are read in threads, at most one more in flight than desks."""
    if len(desks) < 2:
        yield from (reader.read(desks[0].take(cut)) for cut in cuts)
        return
    free: SimpleQueue[Desk] = SimpleQueue()
    for desk in desks:
        free.put(desk)

    def read(cut: Cut) -> Piece:
        desk = free.get()
        try:
            return reader.read(desk.take(cut))
        finally:
            free.put(desk)

    waiting: deque[Future[Piece]] = deque()
    with ThreadPoolExecutor(len(desks), thread_name_prefix="roster-piece") as pool:
        for cut in cuts:
            waiting.append(pool.submit(read, cut))
            if len(waiting) > len(desks):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _skip_lines(stream: BinaryIO, lines: int) -> None:
    """Moves behind the header; raises Declined if its lines do not all end in line feeds."""
    for _ in range(lines):
        if b"\r" in stream.readline(HEAD_BYTES).removesuffix(b"\n").removesuffix(b"\r"):
            raise Declined  # a longer line than the head has is none of it, and ends otherwise


def _join_pieces(pieces: list[Piece], store: RowStore | None, layout: Layout, options: RosterOptions) -> TableRows:
    """Answers the pieces as one table."""
    given_up = RaggedRows(layout, options.environment)
    trailers, seal = _settle_trailers(pieces, layout, given_up)
    rows = [*(piece.ragged for piece in pieces), given_up.build()]
    line, mbi = np.concatenate([one.line for one in rows]), np.concatenate([one.mbi for one in rows])
    order = np.argsort(line)
    parts = tuple(piece.judged for piece in pieces) or (_judge_nothing(layout, options),)
    whole = store.find_whole(parts) if store else None
    if whole and len(parts) > _MANY_PIECES:
        pa.default_memory_pool().release_unused()  # what parsing took is not needed at the peak that follows
    counts = tuple(counts for _, trailer in trailers for counts in trailer.counts)
    return TableRows(parts, Ragged(line[order], mbi[order]), counts, whole, seal)


def _settle_trailers(
    pieces: list[Piece], layout: Layout, given_up: RaggedRows
) -> tuple[list[tuple[int, Trailer]], Seal | None]:
    """Answers the trailers by line, and the seal: what is like a trailer before a row of a later piece is a row."""
    trailers: list[tuple[int, Trailer]] = []
    ends, start = [piece.end for piece in pieces], layout.first_line
    passed = any(end.passed_seal for end in ends)
    for place, kept in enumerate(count_trailers(ends)):
        piece = pieces[place]
        before = len(piece.end.trailers) - kept
        for odd in piece.end.trailers[:before]:
            passed |= odd.trailer.digest is not None
            if odd.row is None:
                given_up.add(start + odd.line, odd.cells)
        for odd in piece.end.trailers[before:]:
            trailers.append((start + odd.line, odd.trailer))
            if odd.row is not None:
                piece.judged.verdict[odd.row] = NO_ROW
        if kept:
            pieces[place] = replace(
                piece, judged=replace(piece.judged, months_over_twelve=piece.end.months_over_twelve)
            )
        start += piece.line_count
    return trailers, PASSED if passed else find_seal_of(trailers)


def _judge_nothing(layout: Layout, options: RosterOptions) -> Judged:
    nothing = build_strings([])
    return judge_batch(Batch(np.empty(0, np.int32), dict.fromkeys(layout.header.columns, nothing)), options)


def _find_suspects(judged: Judged, first: pa.StringArray) -> NDArray[np.intp]:
    """Answers the rows that could be blank lines or trailers: no MBI, and a first cell blank or like "Total"."""
    rows = np.flatnonzero(judged.mbi == NO_MBI)
    if not len(rows):
        return rows
    offsets, content = view_strings(first)
    starts = offsets[rows]
    empty = offsets[rows + 1] == starts
    odd = np.flatnonzero(~empty)
    odd = odd[_MAY_BE_TRAILER[content[starts[odd]]]]
    kind = np.where(empty, np.uint8(1), np.uint8(0))
    if len(odd):
        kind[odd] = [_find_kind(cell or "") for cell in take_cells(first, rows[odd]).to_pylist()]
    blank = (kind == 1) & (judged.npi[rows] == NO_NPI)
    return np.asarray(rows[blank | (kind == 2)], np.intp)


def _find_kind(cell: str) -> int:
    text = cell.strip(EDGE_BLANKS)
    if not text:
        return 1
    return 2 if may_be_trailer(text) else 0


def _join_chunks(column: pa.ChunkedArray[Any]) -> pa.StringArray:
    joined: Any = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return joined  # type: ignore[no-any-return]
