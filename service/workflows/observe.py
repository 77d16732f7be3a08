"""Look at DPC once: three reads give all Groups, patients and practitioners; what was seen is remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from service.domain.attribution import Attribution, Group
from service.domain.reconcile import Observed
from service.dpc.client import DpcClient
from service.dpc.records import GroupState
from service.runtime import Runtime
from service.storage import panels, patients, practitioners
from service.storage.connection import Connection
from service.storage.panel_codec import build_observed_columns, read_attributions
from service.storage.sealing import OrganizationKeys


@dataclass(frozen=True, slots=True)
class Sighting:
    """What three reads showed: the Groups, and the ids by which DPC knows patients (MBI) and practitioners (NPI).

    `began_at` is from before the first read: what is known from later than that is not overwritten.
    """

    began_at: datetime
    groups: tuple[GroupState, ...]
    patients: Mapping[str, str] = field(repr=False)
    practitioners: Mapping[str, str]


def look_at_dpc(rt: Runtime, dpc: DpcClient, organization_id: str) -> Sighting:
    """Read practitioners, patients and Groups of the organisation: three calls, however many practitioners."""
    with rt.database.read() as connection:
        expected = patients.count_patients(connection, organization_id)
    began_at = rt.now()
    known_practitioners = {p.npi: p.practitioner_id for p in dpc.read_practitioners()}
    known_patients = {p.mbi: p.patient_id for p in dpc.read_patients(expected)}
    return Sighting(began_at, tuple(dpc.read_groups()), known_patients, known_practitioners)


def remember_sighting(
    rt: Runtime, connection: Connection, keys: OrganizationKeys, organization_id: str, sighting: Sighting
) -> Observed:
    """Keep what was seen and answer it as the rules want it; what is ours stays ours, by patient id."""
    now = rt.now()
    patients.set_dpc_ids(connection, keys, organization_id, sighting.patients)
    practitioners.set_dpc_ids(connection, organization_id, sighting.practitioners)
    mbis = {patient_id: mbi for mbi, patient_id in sighting.patients.items()}
    per_practitioner = Counter(state.npi for state in sighting.groups)
    newer = _find_newer(connection, organization_id, sighting.began_at)
    known = load_groups(connection, keys, organization_id)
    groups = {npi: known[npi] for npi in newer}
    for state in sighting.groups:
        if per_practitioner[state.npi] == 1 and state.npi not in newer:
            group = build_group(state, mbis, _list_owned(known.get(state.npi)))
            groups[state.npi] = group
            save_group(connection, keys, organization_id, group, now)
    for npi, group in known.items():  # one that somebody deleted at DPC is remembered as absent
        if npi not in per_practitioner and npi not in newer and (group.group_id or group.attributions):
            save_group(connection, keys, organization_id, Group(npi, None), now)
    described = patients.find_described_mbis(connection, keys, organization_id)
    named = practitioners.find_practitioners(connection, organization_id).values()
    return Observed(
        groups=groups,
        patients=sighting.patients,
        practitioners=sighting.practitioners,
        described_patients=described,
        described_practitioners=frozenset(p.npi for p in named if p.given and p.family),
        doubled=frozenset(npi for npi, n in per_practitioner.items() if n > 1),
    )


def build_group(state: GroupState, mbis: Mapping[str, str], owned: Iterable[str]) -> Group:
    """Answer DPC's Group as a value of the rules, naming patients where we can; `owned` holds patient ids."""
    ours = frozenset(owned)
    return Group(
        state.npi,
        state.group_id,
        tuple(
            Attribution(m.patient_id, mbis.get(m.patient_id), m.start_at, m.end_at, m.inactive, m.patient_id in ours)
            for m in state.members
        ),
    )


def save_group(
    connection: Connection, keys: OrganizationKeys, organization_id: str, group: Group, now: datetime
) -> None:
    """Remember a Group as DPC shows it now."""
    columns = build_observed_columns(group.attributions)
    panels.save_observed(connection, keys, organization_id, group.npi, group.group_id, columns, now=now)


def load_groups(
    connection: Connection, keys: OrganizationKeys, organization_id: str, npi: str | None = None
) -> dict[str, Group]:
    """Answer the Groups as DPC last showed them, by NPI, without asking DPC: of one practitioner or of all."""
    return {
        panel.npi: Group(panel.npi, panel.group_id, read_attributions(panel.columns))
        for panel in panels.load_observed(connection, keys, organization_id, npi)
    }


def find_owned(
    connection: Connection, keys: OrganizationKeys, organization_id: str, npi: str | None = None
) -> dict[str, frozenset[str]]:
    """Answer, for one practitioner or each, the patient ids whose attribution we attested or adopted."""
    groups = load_groups(connection, keys, organization_id, npi)
    return {npi: _list_owned(group) for npi, group in groups.items()}


def _list_owned(group: Group | None) -> frozenset[str]:
    return frozenset(a.patient_id for a in group.attributions if a.owned) if group else frozenset()


def _find_newer(connection: Connection, organization_id: str, began_at: datetime) -> frozenset[str]:
    """Answer whose Groups another process has saved since a look began: a call of its own landed meanwhile."""
    heads = panels.find_panel_heads(connection, organization_id, side="observed")
    return frozenset(head.npi for head in heads if head.read_at and head.read_at > began_at)
