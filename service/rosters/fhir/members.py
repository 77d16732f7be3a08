"""Members of Groups as pairs: DPC's, Da Vinci ATR's and the STU3 ones of DPC v1 (feeds 4.1 and 4.2)."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from sys import intern
from typing import Any

from service.domain.identifiers import Environment, Reading, read_npi
from service.rosters.columns.evaluate import ENDED, PRESENT, REMOVE
from service.rosters.fhir.entries import Entry, add_counts, find_weakest
from service.rosters.fhir.resources import (
    NPI_SYSTEMS,
    Resource,
    Target,
    is_deceased,
    list_codings,
    list_objects,
    read_birth_date,
    read_patient_mbi,
    read_reference_npi,
)
from service.rosters.fhir.rows import Input, PairRow
from service.rosters.reading import RosterOptions

_ATR = "http://hl7.org/fhir/us/davinci-atr/StructureDefinition/"
PROVIDER_EXTENSION = _ATR + "ext-attributedProvider"
CHANGE_EXTENSION = _ATR + "ext-changeType"
STATUS_EXTENSION = _ATR + "ext-attributionListStatus"
_CHANGES = {"new": PRESENT, "changed": PRESENT, "nochange": PRESENT, "dropped": REMOVE, "cancelled": REMOVE}
_STATUS_SIGNALS = {"final": "snapshot", "open": "snapshot", "draft": "partial"}
_LONGEST_SHARED = 500
"""Characters: what is shared stays in memory for good."""
_MISSING = Reading(None, "npi_missing")
_MISSING_MBI = Reading(None, "mbi_missing")
_ALL = Reading(None, None)
"""The NPI of a removal that concerns every practitioner of the patient (feeds 6)."""


@dataclass(frozen=True, slots=True)
class Member:
    """What is kept of one member of a Group."""

    entity: Resource
    providers: tuple[Resource, ...]
    is_inactive: bool
    change: str | None
    end: str | None


def shrink_member(item: Any) -> Member:
    """Answers what pairs need of a member; anything that is none has no entity."""
    member: Resource = item if isinstance(item, dict) else {}
    entity, period = member.get("entity"), member.get("period")
    extensions = list_objects(member, "extension")
    references = (one.get("valueReference") for one in extensions if one.get("url") == PROVIDER_EXTENSION)
    change = next((one.get("valueCode") for one in extensions if one.get("url") == CHANGE_EXTENSION), None)
    end = period.get("end") if isinstance(period, dict) else None
    return Member(
        entity=_share_texts(entity) if isinstance(entity, dict) else {},
        providers=tuple(_share_reference(one) if isinstance(one, dict) else {} for one in references),
        is_inactive=member.get("inactive") is True,
        change=change if change is None or isinstance(change, str) else "",
        end=end if end is None or isinstance(end, str) else "",
    )


def _share_texts(entity: dict[str, Any]) -> Resource:
    """Answers the reference to a patient; texts that are the same for all members become one object."""
    identifier = entity.get("identifier")
    for part, key in ((entity, "type"), (identifier, "system")):
        if isinstance(part, dict) and isinstance(part.get(key), str):
            part[key] = intern(part[key])
    return entity


def _share_reference(reference: Resource) -> Resource:
    """Answers the reference to a practitioner; all members with the same one share an object."""
    identifier = reference.get("identifier", {})
    if not isinstance(identifier, dict) or not identifier.keys() <= {"system", "value"}:
        return reference
    texts = (reference.get("reference"), reference.get("type"), identifier.get("system"), identifier.get("value"))
    if not all(text is None or (isinstance(text, str) and len(text) <= _LONGEST_SHARED) for text in texts):
        return reference
    return _build_reference(*texts)


@lru_cache(maxsize=4_096)
def _build_reference(reference: str | None, kind: str | None, system: str | None, value: str | None) -> Resource:
    identifier = {"system": system, "value": value} if system or value else None
    found = {"reference": reference, "type": kind, "identifier": identifier}
    return {key: text for key, text in found.items() if text is not None}


def is_roster_group(entry: Entry) -> bool:
    """Answers whether the Group is a list of people, not the description of one."""
    group = entry.resource
    return entry.kind == "Group" and group.get("type", "person") == "person" and group.get("actual") is not False


def find_group_signal(groups: Sequence[Entry]) -> str:
    """Answers what Groups say about completeness: a whole list only when each of them does (feeds 4.1, 4.2)."""
    return find_weakest(_find_signal(entry.resource) for entry in groups)


def count_declared(groups: Sequence[Entry]) -> int | None:
    """Answers how many members all Groups together say they have, None where none says so."""
    return add_counts(entry.resource.get("quantity") for entry in groups)


def read_groups(groups: Sequence[Entry], source: Input, options: RosterOptions) -> list[PairRow]:
    """Answers the pairs of Groups; practitioners come from one and the same place in all of them (feeds 4.2)."""
    by_member = any(member.providers for entry in groups for member in list_members(entry.resource))
    by_group = not by_member and any(_list_characteristics(entry.resource) for entry in groups)
    rows: list[PairRow] = []
    for entry in groups:
        reader = _GroupReader(entry, source, options, by_member=by_member, by_group=by_group)
        rows.extend(reader.iter_rows())
    return rows


def list_members(group: Resource) -> Sequence[Member]:
    """Answers the members of a Group; a lone object counts as one."""
    found = group.get("member")
    if isinstance(found, list):
        return [one for one in found if isinstance(one, Member)]
    return [] if found is None else [shrink_member(found)]


class _GroupReader:
    """Reads the members of one Group."""

    def __init__(self, entry: Entry, source: Input, options: RosterOptions, *, by_member: bool, by_group: bool) -> None:
        self._entry = entry
        self._source = source
        self._options = options
        self._by_member = by_member
        self._of_group = self._read_characteristics() if by_group else None

    def iter_rows(self) -> Iterator[PairRow]:
        """Yields at least one row per member; one that is removed without practitioner leaves all of them."""
        for place, member in enumerate(list_members(self._entry.resource)):
            pointer = f"{self._entry.pointer}/member/{place}"
            mbi, found = self._read_patient(member.entity)
            date_code = read_birth_date(found.resource)[1] if found else None
            if found and is_deceased(found.resource):
                yield PairRow(pointer, mbi, Reading(None, "deceased_hold"), date_code)
                continue
            verdict = _find_verdict(member, self._options.today)
            none = _ALL if verdict in (REMOVE, ENDED) else _MISSING
            for number, npi in enumerate(self._read_npis(member, found) or [none]):
                npi = Reading(None, verdict) if isinstance(verdict, str) else npi
                of_row = verdict if isinstance(verdict, int) else PRESENT
                yield PairRow(pointer, mbi, npi, None if number else date_code, of_row)

    def _read_patient(self, entity: Resource) -> tuple[Reading, Target | None]:
        """Answers the MBI of the member, and the Patient if the input holds it."""
        text = entity.get("reference")
        target = self._source.references.find(text, self._entry.resource)
        kind = target.resource.get("resourceType") if target else entity.get("type")
        if kind == "Group" or (isinstance(text, str) and "Group" in text.split("/")[-2:-1]):
            return Reading(None, "unsupported_subgroup"), None
        if target is not None and kind != "Patient":
            return Reading(None, "unresolved_reference"), None
        mbi = self._source.read_mbi(target.resource) if target else _MISSING_MBI
        if mbi.code == "mbi_missing":
            mbi = read_patient_mbi(entity, self._options.environment)
        if target is None and text is not None and mbi.code == "mbi_missing":
            return Reading(None, "unresolved_reference"), None
        return mbi, target

    def _read_npis(self, member: Member, found: Target | None) -> Sequence[Reading]:
        if self._by_member:
            return [self._resolve(one, self._entry.resource) for one in member.providers]
        if self._of_group is not None:
            return self._of_group
        if found is None:
            return []
        return [self._resolve(one, found.holder) for one in list_objects(found.resource, "generalPractitioner")]

    def _resolve(self, reference: Resource, holder: Resource) -> Reading:
        return read_reference_npi(reference, holder, self._source.references, self._options.environment)

    def _read_characteristics(self) -> list[Reading]:
        readings: list[Reading] = []
        for one in _list_characteristics(self._entry.resource):
            reference = one.get("valueReference")
            if isinstance(reference, dict):
                readings.append(self._resolve(reference, self._entry.resource))
            else:
                readings.append(_read_coded_npi(one, self._options.environment))
        return readings


def _list_characteristics(group: Resource) -> list[Resource]:
    """Answers what the Group says about the practitioner of all its members."""
    return [
        one
        for one in list_objects(group, "characteristic")
        if one.get("exclude") is not True
        and any(coding.get("code") == "attributed-to" for coding in list_codings(one.get("code")))
    ]


def _read_coded_npi(characteristic: Resource, environment: Environment) -> Reading:
    """Answers the NPI of a coding: in `code`, in older documents in `value` (feeds 4.2)."""
    for coding in list_codings(characteristic.get("valueCodeableConcept")):
        text = coding.get("code") or coding.get("value")
        if str(coding.get("system")) in NPI_SYSTEMS and isinstance(text, str):
            return read_npi(text, environment)
    return _MISSING


def _find_verdict(member: Member, today: date | None) -> int | str:
    """Answers what is said of a member, or the code of what is wrong with it."""
    verdict = _CHANGES.get(member.change) if member.change is not None else PRESENT
    if member.is_inactive or verdict == REMOVE:
        return REMOVE
    if verdict is None:
        return "bad_action"
    if member.end is None:
        return verdict
    end = find_last_day(member.end)
    if end is None:
        return "bad_end_date"
    return ENDED if today is not None and end < today else verdict


def find_last_day(text: str) -> date | None:
    """Answers the last day of a FHIR date, which may lack day and month; the day as written, whatever its zone."""
    try:
        parts = [int(part) for part in text[:10].split("-")]
        year, month = parts[0], parts[1] if len(parts) > 1 else 12
        return date(year, month, parts[2] if len(parts) > 2 else monthrange(year, month)[1])
    except (ValueError, IndexError, OverflowError):
        return None


def _find_signal(group: Resource) -> str:
    extensions = list_objects(group, "extension")
    status = next((one.get("valueCode") for one in extensions if one.get("url") == STATUS_EXTENSION), None)
    quantity = group.get("quantity")
    if quantity is not None and quantity != len(list_members(group)):
        return "partial"
    return _STATUS_SIGNALS.get(status, "none") if isinstance(status, str) else "none"
