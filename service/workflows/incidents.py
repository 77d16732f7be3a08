"""Opens an incident, with its cause, for each wanted attribution that will lapse or has; closes what is mended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domain.attribution import Attribution, is_active
from service.domain.expiry import find_lapse_cause, is_renewal_due
from service.domain.policy import Policy
from service.domain.roster import Claim, Panel
from service.runtime import Runtime
from service.storage import intents, organizations, patients, people, plans
from service.storage.connection import Connection
from service.workflows.desired import load_desired
from service.workflows.observe import load_groups
from service.workflows.policies import read_policy

LAPSING, LAPSED = "lapsing", "lapsed"
NO_TIME_LEFT = timedelta(days=7)
"""From here on a wanted attribution that is still not renewed is an incident, whatever the reason."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What one look at the expiry dates did: incidents opened and closed, and how many are open now."""

    opened: int
    closed: int
    still_open: int


@dataclass(frozen=True, slots=True)
class _Trouble:
    """One incident that ought to be open."""

    kind: str
    npi: str
    mbi: str
    cause: str


def watch_expiry(rt: Runtime, organization_id: str) -> Watch:
    """Compare the Groups as last read with what the practice wants, and keep the incidents true.

    1. Due without possible renewal (evidence too old), or a week or less left: `lapsing`.
    2. Over (`end_at <= now`) and still wanted: `lapsed`.
    3. An incident whose reason is gone is closed.

    Asks nothing of DPC. Raises SealBroken with other keys.
    """
    now = rt.now()
    with rt.database.begin() as connection:
        keys = rt.open_keys(connection, organization_id)
        policy = read_policy(organizations.load_organization(connection, organization_id))
        groups = load_groups(connection, keys, organization_id)
        fallback = _find_obstacles(connection, organization_id)
        troubles = [
            trouble
            for panel in load_desired(connection, keys, organization_id)
            if panel.npi in groups
            for trouble in _find_troubles(panel, groups[panel.npi].by_mbi(), now, policy, fallback)
        ]
        rows = patients.find_patients_by_mbi(connection, keys, organization_id, {t.mbi for t in troubles})
        wanted = {(t.kind, t.npi, rows[t.mbi].id): t.cause for t in troubles if t.mbi in rows}
        return _keep_true(connection, organization_id, wanted, now)


def _find_obstacles(connection: Connection, organization_id: str) -> dict[str | None, str]:
    """Answer what stands in the way of a renewal that evidence would allow, by practitioner; None stands for all."""
    obstacles: dict[str | None, str] = {None: "not_renewed"}
    if plans.find_plans(connection, organization_id, state="drafted", limit=1):
        obstacles[None] = "no_authorization"
    for hold in plans.find_holds(connection, organization_id, state="open"):
        obstacles[hold.npi] = "held"
    for attempt in intents.find_open_attempts(connection, organization_id):
        obstacles[attempt.npi] = "dpc_unanswered"
    return obstacles


def _find_troubles(
    panel: Panel,
    attributions: Mapping[str, Attribution],
    now: datetime,
    policy: Policy,
    obstacles: dict[str | None, str],
) -> Iterator[_Trouble]:
    for mbi, claim in panel.wanted.items():
        attribution = attributions.get(mbi)
        if attribution is None:
            continue
        kind = _find_kind(attribution, claim, now, policy)
        if kind:
            cause = find_lapse_cause(attribution, claim, now, policy) or obstacles.get(panel.npi) or obstacles[None]
            yield _Trouble(kind, panel.npi, mbi, cause)


def _find_kind(attribution: Attribution, claim: Claim, now: datetime, policy: Policy) -> str | None:
    if not is_active(attribution, now):
        return LAPSED
    if not is_renewal_due(attribution, now, policy):
        return None
    is_helpless = find_lapse_cause(attribution, claim, now, policy) is not None
    return LAPSING if is_helpless or attribution.end_at - now <= NO_TIME_LEFT else None


def _keep_true(
    connection: Connection, organization_id: str, wanted: dict[tuple[str, str, str], str], now: datetime
) -> Watch:
    is_open = {
        (incident.kind, incident.npi or "", incident.patient_id or ""): incident
        for incident in people.find_incidents(connection, organization_id, only_open=True)
        if incident.kind in (LAPSING, LAPSED)
    }
    mended = [incident for key, incident in is_open.items() if key not in wanted]
    for incident in mended:
        people.close_incident(connection, organization_id, incident.id, now=now)
    new = {key: cause for key, cause in wanted.items() if key not in is_open}
    for (kind, npi, patient_id), cause in new.items():
        incident = people.Incident(kind=kind, npi=npi, patient_id=patient_id, cause=cause, opened_at=now)
        people.open_incident(connection, organization_id, incident)
    return Watch(len(new), len(mended), len(wanted))
