"""Reads ADT messages and batches of them into pairs and renamed MBIs (feeds 5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.domain.identifiers import Reading, pack_mbi
from service.rosters.columns.assemble import assemble_rows
from service.rosters.columns.evaluate import PRESENT, Judged
from service.rosters.columns.kernels import NO_MBI, NO_NPI
from service.rosters.encoding import Undecodable, open_source
from service.rosters.findings import CODE_INDEX, Findings
from service.rosters.hl7v2.batches import cut_messages
from service.rosters.hl7v2.identifiers import iter_merges, list_deceased, read_message_mbi, read_message_npi
from service.rosters.hl7v2.messages import Message, NotAMessage, parse_message
from service.rosters.hl7v2.times import find_time
from service.rosters.limits import TooLarge
from service.rosters.positions import choose_position
from service.rosters.reading import Demographics, RosterOptions, RosterReading
from service.rosters.values import find_gender, find_name, read_birth_date

PRESENT_EVENTS = frozenset({"A01", "A04", "A05", "A08", "A28", "A31"})
RENAMING_EVENTS = frozenset({"A40", "A47"})
_NOT_FOUND = Reading(None, "mbi_missing")
_UNKNOWN = datetime.min.replace(tzinfo=UTC)
"""When a message was sent that does not say so: before all others."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one message says: a pair, a rename, or nothing (`remarks`); `sent` orders messages by MSH-7.

    `deceased` are the MBIs of whom it tells a death, whatever else it says.
    """

    position: str
    sent: datetime
    mbi: Reading = _NOT_FOUND
    npi: Reading = _NOT_FOUND
    remarks: tuple[str, ...] = ()
    changes: tuple[tuple[str, str], ...] = ()
    person: Demographics | None = None
    is_pair: bool = False
    deceased: tuple[str, ...] = ()


def read_hl7v2(path: Path, options: RosterOptions) -> RosterReading:
    """Answers the messages of a file, always a delta; every fault of the whole file is its `file_error`."""
    blank = RosterReading("hl7v2", mode_signal="delta")
    try:
        source = open_source(path)
        with source.open() as stream:
            found = cut_messages(stream.read(), options.max_rows)
        blank = replace(blank, encoding=source.encoding, declared_count=found.declared, as_of_at=found.as_of_at)
        if found.is_miscounted:
            return replace(blank, file_error="count_mismatch")
        rows = read_messages(found.messages, options, is_marked=source.encoding != "utf-8")
    except Undecodable:
        return replace(blank, file_error="encoding_undecodable")
    except TooLarge:
        return replace(blank, file_error="too_large")
    except NotAMessage:
        return replace(blank, file_error="unsupported_format_hl7v2")
    return _build_reading(rows, found.unclosed, blank)


def read_messages(messages: Sequence[Sequence[bytes]], options: RosterOptions, *, is_marked: bool = False) -> list[Row]:
    """Answers one row per message, in their order; a message that was sent before is only remarked on.

    `is_marked` says that the first bytes of the file, and not the messages, show how they are encoded.
    Raises Undecodable, and NotAMessage where no message at all can be read.
    """
    rows: list[Row] = []
    seen: set[tuple[str, ...]] = set()
    broken = 0
    for place, segments in enumerate(messages, 1):
        try:
            message = parse_message(segments, is_marked=is_marked)
        except NotAMessage:
            broken += 1
            rows.append(Row(f"#{place}", _UNKNOWN, is_pair=True))  # nobody can tell whom it was about
            continue
        control_id = message.get("MSH", 10)
        sender = (message.get("MSH", 3), message.get("MSH", 4), control_id)
        blank = Row(choose_position(control_id, f"#{place}"), find_time(message.get("MSH", 7)) or _UNKNOWN)
        if message.get("MSH", 9).upper() == "ADT":
            blank = replace(blank, deceased=list_deceased(message, options.environment))
        if control_id and sender in seen:
            rows.append(replace(blank, remarks=("duplicate_row",)))
            continue
        seen.add(sender)
        rows.append(_read_message(message, blank, options))
    if broken and broken == len(rows):
        raise NotAMessage
    return rows


def _read_message(message: Message, blank: Row, options: RosterOptions) -> Row:
    event = message.get("MSH", 9, 2) or message.get("EVN", 1)
    if message.get("MSH", 9).upper() != "ADT" or event not in PRESENT_EVENTS | RENAMING_EVENTS:
        return replace(blank, remarks=("event_ignored",))
    if event in RENAMING_EVENTS:
        return _read_renames(message, blank, options)
    mbi = read_message_mbi(message, options.environment)
    treating = read_message_npi(message, options.environment, options.organization_npi, options.today)
    born, date_code = _read_birth(message.get("PID", 7))
    remarks = [code for code in (date_code, "npi_untagged" if treating.is_untagged else None) if code]
    npi = Reading(None, "deceased_hold") if mbi.value in blank.deceased else treating.npi
    person = _build_person(message, mbi.value, born, blank.position) if mbi.value else None
    return replace(blank, mbi=mbi, npi=npi, remarks=tuple(remarks), person=person, is_pair=True)


def _read_renames(message: Message, blank: Row, options: RosterOptions) -> Row:
    """Answers the MBIs that changed; merges of other numbers are for people to look at."""
    merges = list(iter_merges(message, options.environment))
    changes = [(old.value, new.value) for old, new in merges if old.value and new.value and old.value != new.value]
    is_whole = len(changes) == len(merges) > 0
    return replace(blank, changes=tuple(changes), remarks=() if is_whole else ("event_ignored",))


def _build_reading(rows: Sequence[Row], unclosed: Sequence[str], blank: RosterReading) -> RosterReading:
    deceased = _find_deceased(rows)
    rows = [_hold(row, deceased) for row in rows] if deceased else rows
    found = assemble_rows(_judge(rows, [place for place, row in enumerate(rows) if row.is_pair]))
    by_time = sorted(rows, key=lambda row: row.sent)
    present = {mbi for mbi, _ in found.present.iter_pairs()}
    people = {row.person.mbi: row.person for row in by_time if row.person and row.person.mbi in present}
    return replace(
        blank,
        data_rows=len(rows),
        present=found.present,
        mbi_changes=tuple(change for row in by_time for change in row.changes),
        change_positions=tuple(row.position for row in by_time for _ in row.changes),
        findings=_join_findings(rows, found.findings, unclosed),
        protected=_list_protected(rows, deceased),
        blind_errors=found.blind_errors,
        demographics=tuple(people.values()),
        positions=[row.position for row in rows],
    )


def _find_deceased(rows: Sequence[Row]) -> frozenset[str]:
    """Answers the MBIs of patients of whom any message tells a death, with all numbers that they change from or to."""
    deceased = {mbi for row in rows for mbi in row.deceased}
    if not deceased:
        return frozenset()
    others: dict[str, list[str]] = {}
    for old, new in (change for row in rows for change in row.changes):
        others.setdefault(old, []).append(new)
        others.setdefault(new, []).append(old)
    waiting = list(deceased)
    while waiting:
        further = [mbi for mbi in others.pop(waiting.pop(), ()) if mbi not in deceased]
        deceased.update(further)
        waiting += further
    return frozenset(deceased)


def _hold(row: Row, deceased: frozenset[str]) -> Row:
    """Answers the row held if it is a pair of a patient who died (feeds 3.5); another fault of it goes first."""
    is_concerned = row.is_pair and row.npi.value and row.mbi.value in deceased
    return replace(row, npi=Reading(None, "deceased_hold")) if is_concerned else row


def _list_protected(rows: Sequence[Row], deceased: frozenset[str]) -> NDArray[np.uint64]:
    """Answers the packed MBIs of faulty pairs and of patients who died, in input order, each once."""
    found: dict[str, None] = {}
    for row in rows:
        if row.is_pair and row.mbi.value and row.npi.code:
            found[row.mbi.value] = None
        numbers = chain(row.deceased, *row.changes)
        found.update(dict.fromkeys(mbi for mbi in numbers if mbi in deceased))
    return np.array([pack_mbi(mbi) for mbi in found], np.uint64)


def _judge(rows: Sequence[Row], pairs: Sequence[int]) -> Judged:
    chosen = [rows[place] for place in pairs]
    return Judged(
        line=np.array([place + 1 for place in pairs], np.int32),
        mbi=np.array([pack_mbi(row.mbi.value) if row.mbi.value else NO_MBI for row in chosen], np.uint64),
        npi=np.array([int(row.npi.value) if row.npi.value else NO_NPI for row in chosen], np.int64),
        verdict=np.array([CODE_INDEX[row.mbi.code or row.npi.code or ""] or PRESENT for row in chosen], np.uint8),
    )


def _join_findings(rows: Sequence[Row], of_pairs: Findings, unclosed: Sequence[str]) -> Findings:
    """Answers all findings by message, those of pairs first, and then batches without trailer."""
    places = [int(one.position) - 1 for one in of_pairs]  # two senders may call their messages alike
    marks = [(n, rows[n].position, CODE_INDEX[one.code], one.blind) for n, one in zip(places, of_pairs, strict=True)]
    marks += [(n, row.position, CODE_INDEX[code], False) for n, row in enumerate(rows) for code in row.remarks]
    marks += [(len(rows), name, CODE_INDEX["trailer_missing"], False) for name in unclosed]
    marks.sort(key=lambda mark: mark[0])
    return Findings(
        [position for _, position, _, _ in marks],
        np.array([code for _, _, code, _ in marks], np.uint8),
        np.array([blind for _, _, _, blind in marks], np.bool_),
    )


def _read_birth(text: str) -> tuple[date | None, str | None]:
    """Answers the first eight digits of PID-7 as a date, and the dob_* warning it earns."""
    if not text:
        return None, None
    digits = re.match("[0-9]*", text)
    day = digits.group()[:8] if digits else ""
    if day and len(day) < 8 and len(day) == len(text):
        return None, "dob_partial"
    found = read_birth_date(day) if len(day) == 8 else None
    return (found.on, found.code) if found else (None, "dob_unparseable")


def _build_person(message: Message, mbi: str, born: date | None, position: str) -> Demographics:
    """Answers whom PID-5 (the legal name, else the first), PID-7 and PID-8 speak of."""
    segments = message.list_segments("PID")
    names = message.list_repetitions(segments[0], 5) if segments else []
    name = next((one for one in names if message.read(one, 7).upper() == "L"), names[0] if names else [])
    family, given = find_name(message.read(name, 1)), find_name(message.read(name, 2))
    return Demographics(mbi, given, family, born, find_gender(message.get("PID", 8)), position)
