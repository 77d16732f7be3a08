"""Reads lists of pairs: objects, arrays of two, and the envelope that says what they are (feeds 5.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from service.domain.identifiers import pack_mbi, read_mbi
from service.domain.patient_numbers import holds_patient_number
from service.rosters.columns.assemble import Ragged
from service.rosters.columns.evaluate import Batch, Judged, judge_batch
from service.rosters.columns.kernels import NO_MBI, build_strings
from service.rosters.delimited.reader import build_table_reading
from service.rosters.delimited.rows import TableRows
from service.rosters.delimited.table import PAIR_HEADER, Layout
from service.rosters.headings import PAIR_ROLES, READ_ROLES, place_roles
from service.rosters.json_text.times import read_time
from service.rosters.limits import MAX_COUNT, MAX_FIELD, MAX_JSON_SHAPE_KEYS, TooLarge
from service.rosters.reading import Columns, RosterOptions, RosterReading

MODES = ("snapshot", "delta")
ENVELOPE_KEYS = ("mode", "as_of", "sequence", "count", "pairs")
NOT_TEXT = "(not plain)"
"""Stands for a value that is neither text nor a whole number; no identifier, date or action reads like it."""
_SEQUENCE = re.compile("[ -~]{1,100}")
"""A sequence is printable ASCII, whichever way it comes."""
_ABSENT = {"action": "add"}
"""What a pair says that lacks a key: `action` is optional per pair (feeds 5.2)."""
_NAME_ROLES = ("first_name", "last_name", "whole_name")
_BATCH_ROWS = 50_000
_LAYOUT = Layout("roster", "", PAIR_HEADER, 0)


@dataclass(frozen=True, slots=True)
class _Places:
    """Which key of an object means what."""

    keys: tuple[tuple[str, str], ...]
    is_ambiguous: bool


class PairRows:
    """Takes pairs one by one and keeps them as columns; their positions are places in the array, from 0."""

    def __init__(self, options: RosterOptions) -> None:
        self._options = options
        self._places: dict[tuple[str, ...], _Places] = {}
        self._shape_keys = 0
        self._parts: list[Judged] = []
        self._lines: list[int] = []
        self._cells: dict[str, list[str]] = {"mbi": [], "npi": []}
        self._ragged_lines: list[int] = []
        self._ragged_mbis: list[int] = []
        self.count = 0
        self.is_ambiguous = self.has_actions = self.names_mbi = False

    def take(self, item: Any) -> None:
        """Takes one item of the array; raises TooLarge."""
        line, self.count = self.count, self.count + 1
        if self.count > self._options.max_rows:
            raise TooLarge
        if isinstance(item, dict):
            self._take_object(line, item)
        elif isinstance(item, list) and len(item) == 2:
            self.names_mbi = True
            self._add(line, {"mbi": _write(item[0]), "npi": _write(item[1])})
        else:
            self._take_ragged(line, item)

    def build_table(self, counts: tuple[tuple[int, ...], ...]) -> TableRows:
        """Answers all pairs as the rows of a table that states `counts` about itself."""
        self._flush()
        roles = {role for part in self._parts for role in part.people}
        parts = tuple(_fill_people(part, roles) for part in self._parts)
        ragged = Ragged(np.array(self._ragged_lines, np.int32), np.array(self._ragged_mbis, np.uint64))
        return TableRows(parts, ragged, counts)

    def _take_object(self, line: int, item: Mapping[str, Any]) -> None:
        keys = tuple(item)
        places = self._places.get(keys) or self._add_shape(keys)
        self.is_ambiguous |= places.is_ambiguous
        cells = {role: "" if role in _NAME_ROLES and not isinstance(item[key], str) else _write(item[key])
                 for role, key in places.keys}  # fmt: skip
        self.names_mbi |= "mbi" in cells
        self.has_actions |= "action" in cells
        self._add(line, cells)

    def _take_ragged(self, line: int, item: Any) -> None:
        first = item[0] if isinstance(item, list) and item else None
        value = read_mbi(first, self._options.environment).value if isinstance(first, str) else None
        self._ragged_lines.append(line)
        self._ragged_mbis.append(pack_mbi(value) if value else int(NO_MBI))
        self.names_mbi |= value is not None

    def _add(self, line: int, cells: Mapping[str, str]) -> None:
        for role in cells:
            if role not in self._cells:
                self._cells[role] = [_ABSENT.get(role, "")] * len(self._lines)
        for role, column in self._cells.items():
            column.append(cells.get(role, _ABSENT.get(role, "")))
        self._lines.append(line)
        if len(self._lines) >= _BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._lines or not self._parts:
            cells = {role: build_strings(column) for role, column in self._cells.items()}
            self._parts.append(judge_batch(Batch(np.array(self._lines, np.int32), cells), self._options))
            self._lines = []
            self._cells = {"mbi": [], "npi": []}

    def _add_shape(self, keys: tuple[str, ...]) -> _Places:
        self._shape_keys += 1 + len(keys)
        if self._shape_keys > MAX_JSON_SHAPE_KEYS:
            raise TooLarge
        self._places[keys] = self._find_places(keys)
        return self._places[keys]

    def _find_places(self, keys: tuple[str, ...]) -> _Places:
        places = place_roles(keys, self._options.column_mapping)
        found = tuple((role, keys[at[0]]) for role, at in places.items() if role in READ_ROLES and len(at) == 1)
        return _Places(found, any(len(places.get(role, ())) > 1 for role in PAIR_ROLES))


def build_pair_reading(document: Any, rows: PairRows, options: RosterOptions) -> RosterReading:
    """Answers a list of pairs, bare or in its envelope, whose items have gone to `rows` already."""
    envelope = document if isinstance(document, dict) else {}
    blank = RosterReading("json", encoding="utf-8")
    if envelope and not isinstance(envelope.get("pairs"), list):
        return replace(blank, file_error="unsupported_format_json")
    try:
        blank = _read_envelope(envelope, rows, blank)
    except ValueError:
        return replace(blank, file_error="unsupported_format_json")
    if rows.is_ambiguous:
        return replace(blank, file_error="ambiguous_columns")
    if rows.count and not rows.names_mbi:
        return replace(blank, file_error="header_unrecognised")
    count = _find_count(envelope.get("count", rows.count))
    if count is None:
        return replace(blank, file_error="count_mismatch")
    counts = ((count,),) if "count" in envelope else ()
    reading = build_table_reading(rows.build_table(counts), _LAYOUT, blank, options)
    return replace(reading, present=_count_from_one(reading.present), remove=_count_from_one(reading.remove))


def _read_envelope(envelope: Mapping[str, Any], rows: PairRows, blank: RosterReading) -> RosterReading:
    """Answers what the envelope says about itself; raises ValueError for a word that cannot be understood."""
    mode = envelope.get("mode")
    if "mode" in envelope and mode not in MODES:
        raise ValueError("unknown mode")
    as_of, sequence = envelope.get("as_of"), envelope.get("sequence")
    if isinstance(sequence, bool) or not isinstance(sequence, str | int | None):
        raise ValueError("not a sequence")
    if sequence is not None and not _may_be_kept(str(sequence)):
        raise ValueError("not a sequence that can be kept")
    return replace(
        blank,
        mode_signal="delta" if rows.has_actions else mode or "none",
        as_of_at=None if as_of is None else read_time(as_of),
        sequence=None if sequence is None else str(sequence),
    )


def _find_count(value: object) -> int | None:
    """Answers a whole number, which some programs write with a point (1.0), None for anything else."""
    if isinstance(value, Decimal) and abs(value) <= MAX_COUNT and value == int(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _may_be_kept(sequence: str) -> bool:
    """Answers whether a sequence is short text that holds no patient's number; plain digits are a number of files."""
    is_free = sequence.isdecimal() or not holds_patient_number(sequence)
    return is_free and _SEQUENCE.fullmatch(sequence) is not None


def _count_from_one(columns: Columns) -> Columns:
    return replace(columns, line=columns.line + np.int32(1))


def _fill_people(part: Judged, roles: set[str]) -> Judged:
    """Answers the rows with a column for each of the roles that any row has."""
    blank = build_strings([""] * len(part.line))
    people = {role: part.people.get(role, blank) for role in sorted(roles)}
    dated = "birth_date" in part.people or "birth_date" not in roles
    return replace(part, people=people, date_code=part.date_code if dated else np.zeros(len(part.line), np.uint8))


def _write(value: Any) -> str:
    """Answers a value as the text of a cell; numbers with a fraction or exponent are none (feeds 5.2)."""
    if isinstance(value, str):
        if len(value) > MAX_FIELD:
            raise TooLarge
        return value
    if value is None:
        return ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else NOT_TEXT
