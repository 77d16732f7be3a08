"""Reads a delimited roster or list of practitioners into a `RosterReading`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from service.rosters.columns.assemble import Assembly, assemble_rows, join_judged
from service.rosters.columns.evaluate import NO_ROW
from service.rosters.columns.people import ColumnPeople, build_people
from service.rosters.delimited.pieces import NotUtf8, read_pieces
from service.rosters.delimited.practitioners import read_practitioners
from service.rosters.delimited.rows import TableRows, iter_table, read_rows
from service.rosters.delimited.table import (
    HEAD_BYTES,
    HEADER_ROWS,
    NOT_PAIR_SHAPED,
    PLAIN_HEAD_BYTES,
    SHAPED_RIGHT,
    Layout,
    TableBroken,
    find_layout,
)
from service.rosters.delimited.texts import Declined
from service.rosters.delimited.trailers import find_declared_count, find_mismatch
from service.rosters.encoding import Source, Undecodable, find_marked_encoding, open_source, transcode_source
from service.rosters.names import find_name_signal
from service.rosters.reading import RosterOptions, RosterReading

_DATE_ORDER_LIMIT = 0.1


def read_delimited(path: Path, options: RosterOptions) -> RosterReading:
    """Answers the table of a text file; every fault of the whole file is its `file_error` (feeds 3)."""
    try:
        return _read_text(path, options)
    except Undecodable:
        signal = _find_signal_of_head(path, options)
        return RosterReading("csv", mode_signal=signal, file_error="encoding_undecodable")


def _read_text(path: Path, options: RosterOptions) -> RosterReading:
    source = open_source(path, options.encoding)
    try:
        return _read_source(source, options)
    except (NotUtf8, UnicodeDecodeError):
        if options.encoding is not None or source.encoding != "utf-8":
            raise Undecodable from None
        return _read_source(transcode_source(path), options)


def _read_source(source: Source, options: RosterOptions) -> RosterReading:
    blank = RosterReading("csv", mode_signal=_find_name_signal(source.path, options), encoding=source.encoding)
    try:
        layout = find_layout(read_head(source), options)
        if layout is None:
            return replace(blank, file_error="header_changed" if options.header_hash else "header_unrecognised")
        blank = replace(blank, header_hash=layout.header.hash)
        if layout.kind == "practitioners":
            blank = replace(blank, format="practitioners_csv")
            found = read_practitioners(iter_table(source, layout), layout, blank, options, source.path)
            return found or replace(blank, format="csv", header_hash=None, file_error="header_unrecognised")
        if layout.header.lists_changes:
            blank = replace(blank, mode_signal="delta")
        if layout.header.error:
            return replace(blank, file_error=layout.header.error)
        return build_table_reading(_read_table(source, layout, options), layout, blank, options, source.path)
    except TableBroken as broken:
        return replace(blank, file_error=broken.code)


def _read_table(source: Source, layout: Layout, options: RosterOptions) -> TableRows:
    """Answers the rows by the fast way, or by the careful one where the fast one declines."""
    try:
        return read_pieces(source, layout, options)
    except Declined:
        return read_rows(source, layout, options)


def read_head(source: Source) -> str:
    """Answers the first whole lines, at most a quarter of a mebibyte; raises TableBroken for a line that never ends.

    Far less of a plain table is enough, where every line is a row.
    """
    with source.open() as stream:
        head, most = stream.read(PLAIN_HEAD_BYTES), PLAIN_HEAD_BYTES
        if b'"' in head or head.count(b"\n") <= HEADER_ROWS:
            head, most = head + stream.read(HEAD_BYTES - most), HEAD_BYTES
    if len(head) == most:
        end = max(head.rfind(b"\n"), head.rfind(b"\r"))
        if end < 0:
            raise TableBroken("too_large")
        head = head[: end + 1]
    try:
        return head.decode("utf-8")
    except UnicodeDecodeError:
        raise NotUtf8 from None


def _find_name_signal(path: Path, options: RosterOptions) -> str:
    """Answers "delta" when the file's name says so (feeds 7.2)."""
    return find_name_signal(options.filename or path.name) or "none"


def _find_signal_of_head(path: Path, options: RosterOptions) -> str:
    """Answers what the name and the headings of a file say of it, as far as they can be read at all."""
    with path.open("rb") as stream:
        head = stream.read(PLAIN_HEAD_BYTES)
    text = head.decode(find_marked_encoding(head) or "utf-8", errors="replace")
    try:
        layout = find_layout(text, options)
    except TableBroken:
        layout = None
    lists_changes = layout is not None and layout.header.lists_changes
    return "delta" if lists_changes else _find_name_signal(path, options)


def build_table_reading(
    table: TableRows, layout: Layout, blank: RosterReading, options: RosterOptions, path: Path | None = None
) -> RosterReading:
    """Answers the reading of a table's rows, or its file error; `blank` is what is known of the file.

    `path` is that of the bytes that a seal may speak of.
    """
    if _count_rows(table) > options.max_rows:
        return replace(blank, file_error="too_large")
    rows, cells = table.whole or join_judged(table.parts), _join_people(table)
    table = replace(table, parts=(), whole=None)  # the rows are joined: twice in memory is once too often
    found = assemble_rows(rows, table.ragged, ended_is_absent=options.mode == "snapshot")
    blank = replace(blank, declared_count=find_declared_count(table.counts), data_rows=found.data_rows)
    if layout.headerless and not _are_shaped_right(found):
        return replace(blank, file_error="header_unrecognised")
    error = find_mismatch(table.counts, table.seal, blank, path)
    if error is None and rows.months_over_twelve > found.data_rows * _DATE_ORDER_LIMIT:
        error = "date_order_conflict"
    if error:
        return replace(blank, file_error=error)
    people = build_people(rows, found.person_rows, cells)
    differing = people.find_contradicting(found.repeated_rows) if isinstance(people, ColumnPeople) else []
    return replace(
        blank,
        present=found.present,
        remove=found.remove,
        findings=found.findings.add_warnings(differing, "demographics_differ") if differing else found.findings,
        protected=found.protected,
        blind_errors=found.blind_errors,
        demographics=people,
    )


def _join_people(table: TableRows) -> dict[str, pa.ChunkedArray[pa.StringScalar]]:
    """Answers the cells that speak of people, as columns over all parts."""
    return {
        role: pa.chunked_array([part.people[role] for part in table.parts], pa.string())
        for role in table.parts[0].people
    }


def _count_rows(table: TableRows) -> int:
    """Answers how many rows a table has, without blank lines and trailers."""
    return len(table.ragged.line) + sum(int(np.count_nonzero(part.verdict != NO_ROW)) for part in table.parts)


def _are_shaped_right(found: Assembly) -> bool:
    """Answers whether nine tenths of the rows of a table without header look like pairs."""
    counts = found.findings.count_codes()
    wrong = sum(counts.get(code, 0) for code in NOT_PAIR_SHAPED)
    return found.data_rows > 0 and found.data_rows - wrong >= found.data_rows * SHAPED_RIGHT
