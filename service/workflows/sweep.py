"""Compare what DPC shows with what was approved: whatever the history says, the present must be right."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.attribution import is_active
from service.runtime import Runtime
from service.storage import people
from service.workflows.desired import load_desired
from service.workflows.observe import look_at_dpc, remember_sighting
from service.workflows.record import record_fact
from service.workflows.settle import settle

KIND = "unapproved-attribution"


@dataclass(frozen=True, slots=True)
class SweepReport:
    """How many Groups were read, and what should not be as it is: practitioner and sentence."""

    groups: int
    findings: tuple[tuple[str, str], ...]


def sweep(rt: Runtime, organization_id: str) -> SweepReport:
    """Re-read every Group and report active attributions that no feed has ever listed, whoever attested them.

    An attribution is explained while a claim for it stands, or has ended so that its removal is planned. Everything
    found is an incident until a later sweep no longer finds it.
    """
    settle(rt, organization_id)
    with rt.connect_dpc(organization_id) as dpc:
        sighting = look_at_dpc(rt, dpc, organization_id)
    now = rt.now()
    with rt.database.begin() as connection:
        keys = rt.open_keys(connection, organization_id)
        observed = remember_sighting(rt, connection, keys, organization_id, sighting)
        claimed = {p.npi: p.wanted.keys() | p.ended.keys() for p in load_desired(connection, keys, organization_id)}
        found = {}
        for npi, group in observed.groups.items():
            strangers = [
                a for a in group.attributions if is_active(a, now) and a.mbi not in claimed.get(npi, frozenset())
            ]
            if strangers:
                found[npi] = f"{len(strangers)} active attributions at DPC are on no roster of this practice."
        for npi in sorted(observed.doubled):
            found[npi] = "DPC holds more than one Group for this practitioner."
        known = {i.npi or "": i for i in people.find_incidents(connection, organization_id, kind=KIND, only_open=True)}
        for npi, sentence in found.items():
            if npi not in known:
                incident = people.Incident(kind=KIND, npi=npi, cause=sentence, opened_at=now)
                people.open_incident(connection, organization_id, incident)
        for npi, incident in known.items():
            if npi not in found:
                people.close_incident(connection, organization_id, incident.id, now=now)
        body = {"groups": len(observed.groups), "findings": len(found)}
        record_fact(connection, organization_id, "sweep", at=now, actor="rollcall", body=body)
    return SweepReport(len(observed.groups), tuple(sorted(found.items())))
