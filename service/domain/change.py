"""The steps of a plan: what is to change at DPC, for whom, on which evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from service.domain.canonical import Json, read_time, write_time

Conceal = Callable[[str], str]
"""Turns an MBI into a token under a key. Fingerprints stand in the open, and an MBI has so few possible values that any
of them could be found behind a plain hash by trying."""


class ChangeKind(StrEnum):
    """The seven changes, in the order in which they are sent; `overwrite` stands alone."""

    REGISTER = "register"
    CREATE = "create"
    REMOVE = "remove"
    ADD = "add"
    REINSTATE = "reinstate"
    RENEW = "renew"
    OVERWRITE = "overwrite"

    @property
    def is_attested(self) -> bool:
        """True when the call carries an attestation in `X-Provenance` (contract-v1 9.1)."""
        return self not in (ChangeKind.REGISTER, ChangeKind.REMOVE)

    @property
    def touches_group(self) -> bool:
        return self is not ChangeKind.REGISTER


@dataclass(frozen=True, slots=True)
class PlannedPatient:
    """One patient of a change, with the evidence: delivery number and physical line.

    `patient_id` is DPC's id, None until the patient is registered; `end_at` the period end before the change.
    """

    mbi: str = field(repr=False)
    patient_id: str | None
    delivery: int
    line: int
    end_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One call to DPC: a kind, the Group's practitioner (None for registrations) and whom it concerns.

    `is_rename` marks the two halves of a changed MBI, its new number added and its former one removed, which the guards
    count apart from patients who come and go.
    """

    kind: ChangeKind
    npi: str | None
    patients: tuple[PlannedPatient, ...]
    practitioners: tuple[str, ...] = ()
    is_rename: bool = False

    @property
    def n(self) -> int:
        """How many patients, or practitioners, it concerns."""
        return len(self.patients) or len(self.practitioners)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A pair that no change covers although one might be expected, and the name of the rule that left it out.

    `mbi` is None when the rule concerns the whole practitioner.
    """

    npi: str
    mbi: str | None = field(repr=False)
    rule: str


LEFT_OUT_SENTENCES = {
    "demographics_missing": "DPC cannot register the patient without name, birth date and gender.",
    "practitioner_undescribed": "DPC cannot register the practitioner without a name.",
    "stale_evidence": "The last delivery that lists the pair is too old to attest on.",
    "over_limit": "The Group would exceed the limit on patients per practitioner.",
    "not_ours": "The attribution was neither attested nor adopted by this service, so it is not removed.",
    "former_number": "The patient has a new MBI; the former one goes once the new one is attributed.",
    "not_on_roster": "The attribution is active at DPC, but no accepted delivery lists the pair.",
    "nothing_desired": "No feed lists anybody at all; an empty roster never removes.",
    "lost_by_overwrite": "The attribution is active at DPC; the overwrite would end it.",
    "two_groups": "DPC holds more than one Group for the practitioner; a person must decide which one stays.",
}
"""One sentence for people per rule that leaves a pair out."""


def keep_plain(mbi: str) -> str:
    """Conceal nothing: for what is sealed whole."""
    return mbi


def write_change(change: Change, conceal: Conceal = keep_plain) -> dict[str, Json]:
    """Answer a change as JSON values; with plain MBIs it is sealed wherever it is kept."""
    written: dict[str, Json] = {
        "kind": change.kind.value,
        "npi": change.npi,
        "practitioners": list(change.practitioners),
        "patients": [
            [conceal(p.mbi), p.patient_id, p.delivery, p.line, write_time(p.end_at) if p.end_at else None]
            for p in change.patients
        ],
    }
    return written | {"rename": True} if change.is_rename else written


def read_change(value: dict[str, object]) -> Change:
    """Read what `write_change` wrote."""
    patients = value["patients"]
    practitioners = value["practitioners"]
    npi = value["npi"]
    if not isinstance(patients, list) or not isinstance(practitioners, list):
        raise ValueError("a stored change must list its patients and practitioners")
    return Change(
        ChangeKind(str(value["kind"])),
        None if npi is None else str(npi),
        tuple(
            PlannedPatient(mbi, patient_id, delivery, line, read_time(end) if end else None)
            for mbi, patient_id, delivery, line, end in patients
        ),
        tuple(str(n) for n in practitioners),
        value.get("rename") is True,
    )
