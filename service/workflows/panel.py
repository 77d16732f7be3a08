"""One practitioner's panel: each attribution, its period, what supports it, and why it will not be renewed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from service.domain.attribution import Attribution, Group, judge
from service.domain.capacity import Capacity, forecast_room, measure_capacity
from service.domain.errors import NotFound
from service.domain.expiry import find_bucket, find_lapse_cause
from service.domain.identifiers import mask_mbi
from service.domain.people import Action, Actor, check_may
from service.domain.policy import Policy
from service.domain.roster import Claim, Panel
from service.runtime import Runtime
from service.storage import deliveries, organizations, panels, patients, practitioners
from service.workflows.access import note_access
from service.workflows.desired import load_desired
from service.workflows.observe import load_groups
from service.workflows.policies import read_policy

NOT_ATTRIBUTED = "not attributed"


@dataclass(frozen=True, slots=True)
class AttributionRow:
    """One patient of one practitioner; `status` is active, expired, inactive or `not attributed`."""

    patient_ref: str | None
    masked_mbi: str | None
    start_at: datetime | None
    end_at: datetime | None
    status: str
    bucket: str | None
    is_wanted: bool
    evidence_at: datetime | None
    feed_id: str | None
    delivery_id: str | None
    line: int | None
    cause: str | None


@dataclass(frozen=True, slots=True)
class PanelView:
    """One practitioner: Group, capacity and rows, those that end first on top."""

    npi: str
    name: str | None
    group_id: str | None
    capacity: Capacity
    room_at: datetime | None
    read_at: datetime | None
    rows: tuple[AttributionRow, ...]


def show_panel(rt: Runtime, organization_id: str, npi: str, actor: Actor) -> PanelView:
    """Answer one practitioner's panel, MBIs masked; the look is recorded. Raises NotFound."""
    check_may(actor, Action.READ_ROSTERS, organization_id)
    now = rt.now()
    keys = rt.load_keys(organization_id)
    with rt.database.read() as connection:
        organization = organizations.load_organization(connection, organization_id)
        group = load_groups(connection, keys, organization_id, npi).get(npi)
        desired = next(iter(load_desired(connection, keys, organization_id, npi)), None)
        known = practitioners.find_practitioner(connection, organization_id, npi)
        if group is None and desired is None and known is None:
            raise NotFound("There is no such practitioner in this organisation.")
        group, desired = group or Group(npi, None), desired or Panel(npi, {}, {})
        mbis = {a.mbi for a in group.attributions if a.mbi} | set(desired.wanted)
        refs = {m: r.id for m, r in patients.find_patients_by_mbi(connection, keys, organization_id, mbis).items()}
        numbers = {c.delivery for c in (*desired.wanted.values(), *desired.ended.values())}
        found = {n: deliveries.find_by_number(connection, organization_id, n) for n in numbers}
        sources = {n: (d.feed_id, d.id) for n, d in found.items() if d}
        heads = [h for h in panels.find_panel_heads(connection, organization_id, side="observed") if h.npi == npi]
        rows = _show_rows(group, desired, refs, sources, now, read_policy(organization))
    with rt.database.begin() as connection:  # nothing is shown unless the look is on record
        note_access(rt, connection, organization_id, actor, "read-panel", npi, len(rows))
    name = " ".join(part for part in (known.given, known.family) if part) if known else ""
    return PanelView(
        npi,
        name or None,
        group.group_id,
        measure_capacity(group, now, organization.patient_limit),
        forecast_room(group, now, organization.patient_limit),
        heads[0].read_at if heads else None,
        tuple(rows),
    )


def _show_rows(
    group: Group,
    desired: Panel,
    refs: dict[str, str],
    sources: dict[int, tuple[str, str]],
    now: datetime,
    policy: Policy,
) -> list[AttributionRow]:
    def show(mbi: str | None, attribution: Attribution | None) -> AttributionRow:
        claim: Claim | None = desired.wanted.get(mbi or "") or desired.ended.get(mbi or "")
        wanted = mbi in desired.wanted
        feed_id, delivery_id = sources.get(claim.delivery, (None, None)) if claim else (None, None)
        return AttributionRow(
            refs.get(mbi or ""),
            mask_mbi(mbi) if mbi else None,
            attribution.start_at if attribution else None,
            attribution.end_at if attribution else None,
            judge(attribution, now).value if attribution else NOT_ATTRIBUTED,
            find_bucket(attribution.end_at, now) if attribution and not attribution.inactive else None,
            wanted,
            claim.evidence_at if claim else None,
            feed_id,
            delivery_id,
            claim.line if claim else None,
            find_lapse_cause(attribution, claim if wanted else None, now, policy) if attribution else None,
        )

    held = [show(a.mbi, a) for a in sorted(group.attributions, key=lambda a: (a.inactive, a.end_at, a.patient_id))]
    there = group.by_mbi()
    missing = [show(mbi, None) for mbi in sorted(desired.wanted) if mbi not in there]
    return [*held, *missing]
