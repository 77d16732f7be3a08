"""Members of Groups as pairs: DPC's, Da Vinci ATR's and the STU3 ones of DPC v1 (feeds 4.1 and 4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from sys import intern
from typing import Any

from service.domain.identifiers import Environment, Reading, read_npi
from service.rosters.columns.evaluate import ENDED, PRESENT, REMOVE
from service.rosters.fhir.entries import Entry, add_counts, find_weakest
from service.rosters.fhir.periods import judge_end, judge_period
from service.rosters.fhir.references import Target, read_reference_npi
from service.rosters.fhir.resources import (
    NPI_SYSTEMS,
    Resource,
    choose_npi,
    list_codings,
    list_objects,
    read_birth_date,
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
_ALL = Reading(None, None)
"""The NPI of a removal that concerns every practitioner of the patient (feeds 6)."""


@dataclass(frozen=True, slots=True)
class Member:
    """What is kept of one member of a Group; one that is misshapen says of its pair what nobody can be sure of."""

    entity: Resource
    providers: tuple[Resource, ...]
    is_inactive: bool
    is_misshapen: bool
    change: str | None
    end: str | None


def shrink_member(item: Any) -> Member:
    """Answers what pairs need of a member; anything that is none has no entity."""
    member: Resource = item if isinstance(item, dict) else {}
    entity, period = member.get("entity"), member.get("period")
    extensions = list_objects(member, "extension")
    references = (one.get("valueReference") for one in extensions if one.get("url") == PROVIDER_EXTENSION)
    changes = _list_codes(member, CHANGE_EXTENSION)
    end = period.get("end") if isinstance(period, dict) else None
    return Member(
        entity=_share_texts(entity) if isinstance(entity, dict) else {},
        providers=tuple(_share_reference(one) if isinstance(one, dict) else {} for one in references),
        is_inactive=member.get("inactive") is True,
        is_misshapen=not _is_well_shaped(member) or None in changes or len(changes) > 1,
        change=next(iter(changes), None),
        end=end if end is None or isinstance(end, str) else "",
    )


def _list_codes(element: Resource, url: str) -> set[str | None]:
    """Answers the codes that extensions of a kind hold.

    None is one that is no code, or that stands where the meaning of the whole element is changed.
    """
    codes = [one.get("valueCode") for one in list_objects(element, "extension") if one.get("url") == url]
    changed = any(one.get("url") == url for one in list_objects(element, "modifierExtension"))
    return {code if isinstance(code, str) else None for code in [*codes, *[None] * changed]}


def _is_well_shaped(member: Resource) -> bool:
    """Answers whether what a member may say about its pair has the JSON types of FHIR; null is not there."""
    inactive, period = member.get("inactive"), member.get("period")
    return isinstance(inactive, bool | None) and isinstance(period, dict | None) and _has_extensions(member)


def _has_extensions(element: Resource) -> bool:
    """Answers whether the extensions of an element, if any, can be read as such."""
    for key in ("extension", "modifierExtension"):
        value = element.get(key)
        if value is not None and not all(isinstance(one, dict) for one in _list_items(value)):
            return False
    return True


def _list_items(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [value]


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
        self._barred = self._read_barred()
        self._of_group = self._read_characteristics() if by_group else None

    def iter_rows(self) -> Iterator[PairRow]:
        """Yields at least one row per member; one that is removed without practitioner leaves all of them."""
        for place, member in enumerate(list_members(self._entry.resource)):
            pointer = f"{self._entry.pointer}/member/{place}"
            mbi, found = self._source.read_referred(member.entity, self._entry.resource)
            date_code = read_birth_date(found.resource)[1] if found else None
            if self._source.is_dead(mbi, found.resource if found else None):
                yield PairRow(pointer, mbi, Reading(None, "deceased_hold"), date_code)
                continue
            verdict = _find_verdict(member, self._options.today)
            none = _ALL if verdict in (REMOVE, ENDED) else _MISSING
            for number, npi in enumerate(self._read_npis(member, found) or [none]):
                npi = Reading(None, verdict) if isinstance(verdict, str) else npi
                of_row = verdict if isinstance(verdict, int) else PRESENT
                npi = self._bar(npi) if verdict == PRESENT else npi
                yield PairRow(pointer, mbi, npi, None if number else date_code, of_row)

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
        """Answers whom the Group is attributed to; where all of that is over, that nobody is left to name."""
        found = [(one, self._judge_span(one)) for one in _list_characteristics(self._entry.resource)]
        readings = [self._read_characteristic(one, span) for one, span in found if span != ENDED]
        return readings if readings or not found else [_MISSING]

    def _read_barred(self) -> list[Reading]:
        """Answers whom the Group says it is not attributed to, and what may say so without being clear."""
        readings: list[Reading] = []
        for one in _list_attributions(self._entry.resource):
            exclude, span = one.get("exclude"), self._judge_span(one)
            if exclude is None or exclude is False or span == ENDED:
                continue
            npi = self._read_characteristic(one, span) if exclude is True else Reading(None, "bad_action")
            readings.append(npi)
        return [npi for npi in readings if npi.code != "provider_is_org"]  # which is nobody's practitioner anyway

    def _bar(self, npi: Reading) -> Reading:
        """Answers the NPI of an addition unless the Group excludes it, or leaves open whom it excludes."""
        for barred in self._barred:
            if barred.code:
                return barred
            if barred.value == npi.value:
                npi = _MISSING
        return npi

    def _judge_span(self, characteristic: Resource) -> int | str:
        return judge_period(characteristic.get("period"), self._options.today)

    def _read_characteristic(self, characteristic: Resource, span: int | str) -> Reading:
        """Answers the practitioner of a characteristic, or what is wrong with its period."""
        if isinstance(span, str):
            return Reading(None, span)
        reference = characteristic.get("valueReference")
        if isinstance(reference, dict):
            return self._resolve(reference, self._entry.resource)
        return _read_coded_npi(characteristic, self._options.environment)


def _list_attributions(group: Resource) -> list[Resource]:
    """Answers what the Group says about the practitioner of its members, or about who is none of theirs."""
    return [
        one
        for one in list_objects(group, "characteristic")
        if any(coding.get("code") == "attributed-to" for coding in list_codings(one.get("code")))
    ]


def _list_characteristics(group: Resource) -> list[Resource]:
    """Answers what the Group says about the practitioner of all its members."""
    return [one for one in _list_attributions(group) if one.get("exclude") is None or one.get("exclude") is False]


def _read_coded_npi(characteristic: Resource, environment: Environment) -> Reading:
    """Answers the one NPI of codings: in `code`, in older documents in `value` (feeds 4.2)."""
    codings = list_codings(characteristic.get("valueCodeableConcept"))
    texts = [one.get("code") or one.get("value") for one in codings if str(one.get("system")) in NPI_SYSTEMS]
    return choose_npi([read_npi(text, environment) for text in texts if isinstance(text, str)])


def _find_verdict(member: Member, today: date | None) -> int | str:
    """Answers what is said of a member, or the code of what is wrong with it."""
    if member.is_misshapen:
        return "bad_action"
    verdict = _CHANGES.get(member.change) if member.change is not None else PRESENT
    if member.is_inactive or verdict == REMOVE:
        return REMOVE
    return "bad_action" if verdict is None else judge_end(member.end, today)


def _find_signal(group: Resource) -> str:
    """Answers what one Group says about completeness; of several statuses the weakest counts (feeds 7.2)."""
    quantity, active = group.get("quantity"), group.get("active")
    if quantity is not None and (type(quantity) is not int or quantity != len(list_members(group))):
        return "partial"
    if not (active is None or active is True) or not _has_extensions(group):
        return "partial"  # the list is out of use, or nobody can tell what is said of it
    codes = _list_codes(group, STATUS_EXTENSION)
    signals = ["partial" if code is None else _STATUS_SIGNALS.get(code, "none") for code in codes]
    return find_weakest(signals) if signals else "none"
