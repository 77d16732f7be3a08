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
    owned = find_owned(connection, keys, organization_id)
    groups = _find_newer(connection, keys, organization_id, sighting.began_at)
    newer = frozenset(groups)
    for state in sighting.groups:
        if per_practitioner[state.npi] == 1 and state.npi not in newer:
            group = build_group(state, mbis, owned.get(state.npi, frozenset()))
            groups[state.npi] = group
            save_group(connection, keys, organization_id, group, now)
    _forget_gone(connection, keys, organization_id, per_practitioner.keys() | newer, now)
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


def load_groups(connection: Connection, keys: OrganizationKeys, organization_id: str) -> dict[str, Group]:
    """Answer the Groups as DPC last showed them, by NPI, without asking DPC."""
    return {
        panel.npi: Group(panel.npi, panel.group_id, read_attributions(panel.columns))
        for panel in panels.load_observed(connection, keys, organization_id)
    }


def find_owned(connection: Connection, keys: OrganizationKeys, organization_id: str) -> dict[str, frozenset[str]]:
    """Answer, per practitioner, the patient ids whose attribution we attested or adopted."""
    groups = load_groups(connection, keys, organization_id)
    return {npi: frozenset(a.patient_id for a in group.attributions if a.owned) for npi, group in groups.items()}


def _find_newer(
    connection: Connection, keys: OrganizationKeys, organization_id: str, began_at: datetime
) -> dict[str, Group]:
    """Answer the Groups that another process has saved since a look began: a call of its own landed meanwhile."""
    heads = panels.find_panel_heads(connection, organization_id, side="observed")
    newer = {head.npi for head in heads if head.read_at and head.read_at > began_at}
    known = load_groups(connection, keys, organization_id) if newer else {}
    return {npi: known[npi] for npi in newer}


def _forget_gone(
    connection: Connection, keys: OrganizationKeys, organization_id: str, there: Iterable[str], now: datetime
) -> None:
    """A Group that somebody deleted at DPC is remembered as absent, not as it last was."""
    present = frozenset(there)
    for npi, group in load_groups(connection, keys, organization_id).items():
        if npi not in present and (group.group_id or group.attributions):
            save_group(connection, keys, organization_id, Group(npi, None), now)
