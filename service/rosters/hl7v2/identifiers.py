"""Which numbers of an ADT message are an MBI and an NPI (feeds 5.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import hl7

from service.domain.identifiers import Environment, Reading, read_mbi, read_npi, refuse_npi
from service.rosters.hl7v2.messages import Message
from service.rosters.hl7v2.times import compare_day

Repetition = Sequence[Sequence[str]]

_MBI_TYPES = frozenset({"MC", "MBI"})
_MBI_AUTHORITIES = frozenset({"CMS", "MEDICARE", "MBI", "USMBI"})
_MBI_OID = "2.16.840.1.113883.4.927"
_NPI_OID = "2.16.840.1.113883.4.6"
_PRIMARY_CARE = "PP"
_DELETED = frozenset({"D", "DE", "DELETE"})


@dataclass(frozen=True, slots=True)
class Treating:
    """The practitioner of a message; `is_untagged` says that a number looked like an NPI and was not marked as one."""

    npi: Reading
    is_untagged: bool


def read_message_mbi(message: Message, environment: Environment) -> Reading:
    """Answers the one MBI among the identifiers of the patient (PID-3)."""
    segments = message.list_segments("PID")
    return _read_mbi(message, segments[0], 3, environment) if segments else Reading(None, "mbi_missing")


def list_deceased(message: Message, environment: Environment) -> tuple[str, ...]:
    """Answers the MBIs of patients of whom the message tells a death (PID-29, PID-30); an event may have several."""
    dead = [segment for segment in message.list_segments("PID") if _is_deceased(message, segment)]
    return tuple(mbi for segment in dead if (mbi := _read_mbi(message, segment, 3, environment).value))


def _is_deceased(message: Message, segment: hl7.Segment) -> bool:
    return bool(message.read_first(segment, 29)) or message.read_first(segment, 30).upper() == "Y"


def iter_merges(message: Message, environment: Environment) -> Iterator[tuple[Reading, Reading]]:
    """Yields the old MBI (MRG-1) and the new one (PID-3 before it) of every merge; a message may hold several."""
    new = Reading(None, "mbi_missing")
    for segment in message.parsed:
        if str(segment[0]) == "PID":
            new = _read_mbi(message, segment, 3, environment)
        elif str(segment[0]) == "MRG":
            yield _read_mbi(message, segment, 1, environment), new


def _read_mbi(message: Message, segment: hl7.Segment, field: int, environment: Environment) -> Reading:
    """Answers the one MBI among the identifiers of a field."""
    found = [
        read_mbi(message.read(one, 1), environment)
        for one in message.list_repetitions(segment, field)
        if _is_mbi(message, one)
    ]
    good = [reading for reading in found if reading.value]
    if len({reading.value for reading in good}) > 1:
        return Reading(None, "multiple_mbi")
    return (good or found or [Reading(None, "mbi_missing")])[0]


def read_message_npi(
    message: Message, environment: Environment, organization_npi: str | None = None, today: date | None = None
) -> Treating:
    """Answers the NPI of the first source that yields a valid one, else what is wrong with the first that is tagged.

    The organisation's own number is wrong wherever it stands. A message has one PD1 and one PV1: where there are two
    that differ, the beginning of another message was lost, and nobody can tell which are this one's.
    """
    if any(len({str(one) for one in message.list_segments(name)}) > 1 for name in ("PD1", "PV1")):
        return Treating(Reading(None, "ragged_row"), is_untagged=False)
    wrong: list[Reading] = []
    is_untagged = False
    for repetition in _iter_practitioners(message, today):
        reading = refuse_npi(read_npi(message.read(repetition, 1), environment), organization_npi)
        if not _is_npi_tagged(message, repetition):
            is_untagged |= reading.value is not None
        elif reading.value:
            return Treating(reading, is_untagged)
        else:
            wrong.append(reading)
    return Treating((wrong or [Reading(None, "npi_missing")])[0], is_untagged)


def _iter_practitioners(message: Message, today: date | None) -> Iterator[Repetition]:
    """Yields PD1-4, ROL-4 and PRT-5 of primary care, PV1-7: who treats, in the order of their weight.

    Who referred or advised (PV1-8, PV1-9) is no evidence of treatment by us.
    """
    for segment in message.list_segments("PD1"):
        yield from message.list_repetitions(segment, 4)
    for name, role, person, begin in (("ROL", 3, 4, 5), ("PRT", 4, 5, 11)):
        for segment in message.list_segments(name):
            roles = [message.read(one, 1).upper() for one in message.list_repetitions(segment, role)]
            actions = [message.read(one, 1).upper() for one in message.list_repetitions(segment, 2)]
            holds = not _DELETED.intersection(actions) and _lasts(message, segment, begin, today)
            if _PRIMARY_CARE in roles and holds:
                yield from message.list_repetitions(segment, person)
    for segment in message.list_segments("PV1"):
        yield from message.list_repetitions(segment, 7)


def _lasts(message: Message, segment: hl7.Segment, begin: int, today: date | None) -> bool:
    """Answers whether today lies between the begin and the end of a role, which is the field behind it.

    An end that cannot be read may have passed, and the next source is as good; without today nothing is compared.
    """
    if today is None:
        return True
    start, end = message.read_first(segment, begin), message.read_first(segment, begin + 1)
    return compare_day(start, today) != 1 and (not end or compare_day(end, today) in (0, 1))


def _is_mbi(message: Message, identifier: Repetition) -> bool:
    if message.read(identifier, 5).upper() not in _MBI_TYPES:
        return False
    authority = [message.read(identifier, 4, part) for part in (1, 2)]
    return not any(authority) or authority[0].upper() in _MBI_AUTHORITIES or _MBI_OID in authority


def _is_npi_tagged(message: Message, person: Repetition) -> bool:
    """XCN-9 names the authority, XCN-13 the type; both forms occur, the second is often absent."""
    name, oid = message.read(person, 9), message.read(person, 9, 2)
    return name.upper() == "NPI" or _NPI_OID in (name, oid) or message.read(person, 13).upper() == "NPI"
