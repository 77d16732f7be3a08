"""A small model of DPC: Groups by the state table of contract-v1 9.4, every call all or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service.domain.attribution import Attribution, Group
from service.domain.change import Change, ChangeKind
from service.domain.reconcile import Observed

LASTS = timedelta(days=90)


class CallRefused(Exception):
    """DPC would answer 400, 403 or 404."""


@dataclass
class Row:
    """One attribution as the server stores it."""

    begin: datetime
    end: datetime
    inactive: bool = False


@dataclass
class Dpc:
    """What the server holds for one organisation, and who has ever been attested by these calls."""

    limit: int
    practitioners: dict[str, str] = field(default_factory=dict)
    patients: dict[str, str] = field(default_factory=dict)
    rosters: dict[str, dict[str, Row]] = field(default_factory=dict)
    owned: set[tuple[str, str]] = field(default_factory=set)
    attested: set[tuple[str, str]] = field(default_factory=set)
    removed: set[tuple[str, str]] = field(default_factory=set)

    def send(self, change: Change, now: datetime) -> None:
        """Take one call of a plan; raises CallRefused where the server would."""
        ids = [self._find_patient(p.mbi) for p in change.patients] if change.kind.touches_group else []
        if change.kind is ChangeKind.REGISTER:
            self.practitioners |= {npi: f"practitioner-{npi}" for npi in change.practitioners}
            self.patients |= {p.mbi: f"patient-{p.mbi}" for p in change.patients}
        elif change.npi is None:
            raise CallRefused("no practitioner")
        elif change.kind is ChangeKind.REMOVE:
            self._remove(change.npi, ids, now)
        else:
            self._attest(change.kind, change.npi, ids, now)

    def observe(self, described_patients: Iterable[str] = (), described_practitioners: Iterable[str] = ()) -> Observed:
        """Answer the reading that the service would take."""
        return Observed(
            groups={npi: self._show(npi) for npi in self.rosters},
            patients=dict(self.patients),
            practitioners=dict(self.practitioners),
            described_patients=frozenset(described_patients),
            described_practitioners=frozenset(described_practitioners),
        )

    def _attest(self, kind: ChangeKind, npi: str, ids: list[str], now: datetime) -> None:
        if npi not in self.practitioners:
            raise CallRefused("Unable to find attributable provider")
        roster = self.rosters.get(npi)
        if kind is ChangeKind.CREATE:
            if roster is not None:
                raise CallRefused("they already have one")
            roster = {}
        if roster is None:
            raise CallRefused("no such Group")
        counted = set(ids) if kind is ChangeKind.OVERWRITE else roster.keys() | set(ids)
        if len(counted) > self.limit:
            raise CallRefused("Roster limit reached")
        if kind is ChangeKind.OVERWRITE:
            roster = {}
        self.rosters[npi] = roster
        for patient_id in ids:
            row = roster.get(patient_id)
            begin = row.begin if row and not row.inactive else now
            roster[patient_id] = Row(begin, now + LASTS)
            self.attested.add((patient_id, npi))
            self.owned.add((patient_id, npi))

    def _remove(self, npi: str, ids: list[str], now: datetime) -> None:
        roster = self.rosters.get(npi, {})
        if any(patient_id not in roster for patient_id in ids):
            raise CallRefused("Cannot find attribution relationship.")
        for patient_id in ids:
            roster[patient_id] = Row(roster[patient_id].begin, now, inactive=True)
            self.removed.add((patient_id, npi))

    def _find_patient(self, mbi: str) -> str:
        if mbi not in self.patients:
            raise CallRefused("All patients in group must exist.")
        return self.patients[mbi]

    def _show(self, npi: str) -> Group:
        names = {patient_id: mbi for mbi, patient_id in self.patients.items()}
        return Group(
            npi,
            f"group-{npi}",
            tuple(
                Attribution(
                    patient_id, names[patient_id], row.begin, row.end, row.inactive, (patient_id, npi) in self.owned
                )
                for patient_id, row in self.rosters[npi].items()
            ),
        )


def list_pairs(changes: object) -> frozenset[tuple[str, str]]:
    return frozenset((c.npi or "", p.mbi) for c in changes for p in c.patients)  # type: ignore[attr-defined]
