"""Draw a plan: what the practice claims against what DPC holds, guarded, fingerprinted and kept for a signature."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from service.domain.attribution import Group, is_active
from service.domain.authorisation import StandingTerms, keep_covered, narrow_registrations
from service.domain.canonical import Json, digest_json
from service.domain.change import Change, ChangeKind
from service.domain.errors import InvalidInput, NotAllowed
from service.domain.guards import Exposure, hold_changes
from service.domain.people import Action, Actor, check_may
from service.domain.plan import Plan, count_changes, draw_baselines, fingerprint_plan, read_plan, write_plan
from service.domain.policy import Policy
from service.domain.reconcile import Observed, Reconciliation, build_overwrite, reconcile
from service.domain.roster import Panel
from service.runtime import Runtime
from service.storage import intents, organizations, plans
from service.storage.connection import Connection
from service.storage.sealing import OrganizationKeys
from service.workflows.desired import load_desired
from service.workflows.observe import Sighting, look_at_dpc, remember_sighting
from service.workflows.plans import PlanView, view_plan
from service.workflows.policies import read_policy
from service.workflows.record import record_fact
from service.workflows.settle import settle

OPEN_STATES = ("drafted", "signed")


def draw_plan(
    rt: Runtime,
    organization_id: str,
    *,
    npi: str | None = None,
    overwrite: bool = False,
    standing: StandingTerms | None = None,
    actor: Actor,
) -> PlanView | None:
    """Draw a plan for one organisation, or one practitioner; None when nothing is to change and nothing is held.

    1. Settle what earlier runs left unanswered; a Group with an unresolved attempt is left alone.
    2. Read DPC: one token, three calls.
    3. Reconcile, keep what the standing authorisation covers if one is given, and hold what the guards stop.
    4. Keep the plan with its fingerprint. The same changes on the same baseline keep the plan that is there.

    `overwrite` asks for the PUT of one practitioner's Group and needs `npi`. Raises Refusal or DpcError.
    """
    check_may(actor, Action.DRAW_PLAN, organization_id)
    if overwrite and npi is None:
        raise InvalidInput("An overwrite is planned for one practitioner.", next_action="Name the practitioner's NPI.")
    if overwrite and actor.kind == "job":
        raise NotAllowed("An overwrite is never scheduled.", next_action="Have a person ask for it.")
    settle(rt, organization_id)
    with rt.connect_dpc(organization_id) as dpc:
        sighting = look_at_dpc(rt, dpc, organization_id)
    with rt.database.begin() as connection:
        keys = rt.open_keys(connection, organization_id)
        plan = _compute(rt, connection, keys, organization_id, sighting, npi, overwrite, standing)
        if not standing:
            _retire_older(connection, keys, organization_id, plan, npi, actor)
        kept = _keep(connection, keys, organization_id, plan, npi, actor, rt.now())
    return view_plan(rt, organization_id, kept) if kept else None


def _compute(
    rt: Runtime,
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    sighting: Sighting,
    npi: str | None,
    overwrite: bool,
    standing: StandingTerms | None,
) -> Plan:
    now = rt.now()
    policy = read_policy(organizations.load_organization(connection, organization_id))
    observed = remember_sighting(rt, connection, keys, organization_id, sighting)
    desired = load_desired(connection, keys, organization_id, npi)
    if overwrite:
        result = build_overwrite(_only(desired, npi), observed, now, policy)
    else:
        result = reconcile(desired, observed, now, policy)
    unresolved = {a.npi for a in intents.find_open_attempts(connection, organization_id)}
    changes = tuple(c for c in result.changes if c.npi is None or c.npi not in unresolved)
    refused = intents.find_refused_npis(connection, organization_id)
    released = count_releases(connection, organization_id, now)
    if standing:  # what DPC has refused, or a person let go above the limits, a person also signs
        changes = keep_covered((c for c in changes if c.npi not in refused), standing, now)
        released = {}
    free, held = hold_changes(
        changes,
        measure_exposure(connection, organization_id, observed.groups, policy, now),
        policy.guards,
        organization_id,
        released,
        keys.conceal,
    )
    if standing:  # what waits is shown in the plan that is drawn for people next
        held = ()
    free = narrow_registrations(free)
    warnings = (
        *_warn_unresolved(unresolved),
        *_warn_refused(refused, changes),
        *_warn_capacity(observed, result, policy),
    )
    baselines = draw_baselines(free, observed.groups)
    return Plan(organization_id, now, baselines, free, held, result.left_out, warnings)


def _only(desired: Sequence[Panel], npi: str | None) -> Panel:
    found = next((panel for panel in desired if panel.npi == npi), None)
    if found is None:
        raise InvalidInput(f"No feed lists any patient of practitioner {npi}.", next_action="Send a roster first.")
    return found


def measure_exposure(
    connection: Connection, organization_id: str, groups: Mapping[str, Group], policy: Policy, now: datetime
) -> Exposure:
    """Answer what the guards measure against: who is active in these Groups, and how many were removed lately."""
    active = {npi: sum(is_active(a, now) for a in group.attributions) for npi, group in groups.items()}
    since = now - policy.guards.memory
    return Exposure(active, intents.count_landed(connection, organization_id, ChangeKind.REMOVE.value, since=since))


def count_releases(connection: Connection, organization_id: str, now: datetime) -> dict[str, int]:
    """Answer how many people have let held changes go by decisions that still count, by fingerprint."""
    released = plans.find_released_fingerprints(connection, organization_id, now)
    return {fingerprint: len(people) for fingerprint, people in released.items()}


def _warn_unresolved(unresolved: set[str | None]) -> list[str]:
    return [
        f"The last call for practitioner {npi} has no known outcome yet; nothing is sent for them until it has."
        for npi in sorted(n for n in unresolved if n)
    ]


def _warn_refused(refused: Collection[str], changes: Iterable[Change]) -> list[str]:
    planned = {c.npi for c in changes if c.kind.is_attested}
    return [
        f"DPC refused the last attestation for practitioner {npi}; read why before it is said again."
        for npi in sorted(refused)
        if npi in planned
    ]


def _warn_capacity(observed: Observed, result: Reconciliation, policy: Policy) -> list[str]:
    added: dict[str, int] = defaultdict(int)
    for change in result.changes:
        if change.kind in (ChangeKind.ADD, ChangeKind.CREATE) and change.npi:
            added[change.npi] += change.n
    over = {item.npi for item in result.left_out if item.rule == "over_limit"}
    warnings = []
    for npi in sorted(observed.groups.keys() | added.keys()):
        group = observed.groups.get(npi)
        stored = (len(group.attributions) if group else 0) + added[npi]
        percent = 100 * stored // policy.patient_limit
        if npi in over:
            warnings.append(
                f"Not everybody fits into the Group of practitioner {npi}: the limit is {policy.patient_limit}."
            )
        elif percent >= 90:
            warnings.append(
                f"The Group of practitioner {npi} will be {percent} % full ({stored} of {policy.patient_limit})."
            )
    return warnings


def _retire_older(
    connection: Connection, keys: OrganizationKeys, organization_id: str, plan: Plan, npi: str | None, actor: Actor
) -> None:
    """An earlier plan is void once a new one says otherwise; a plan for one practitioner voids only its like."""
    for old in _find_unfinished(connection, organization_id):
        covers = npi is None or old.scope_npi == npi
        if covers and not _is_same(connection, keys, organization_id, old.id, plan):
            plans.set_plan_state(connection, organization_id, old.id, old.state, "stale")
            if old.state == "signed":  # a signature that no longer covers anything is a fact of its own
                body: dict[str, Json] = {"plan": old.id, "cause": "a later plan says otherwise"}
                at, who = plan.drawn_at, actor.name
                record_fact(connection, organization_id, "plan-stale", at=at, actor=who, body=body)
    fingerprints = {h.fingerprint for h in plan.held}
    for hold in plans.find_holds(connection, organization_id, state="open"):
        covers = npi is None or hold.npi == npi
        if hold.plan_id and covers and hold.fingerprint not in fingerprints:
            plans.set_hold_state(connection, organization_id, hold.id, "open", "moot")


def _keep(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    plan: Plan,
    npi: str | None,
    actor: Actor,
    now: datetime,
) -> str | None:
    """Save the plan unless an unfinished one says the same; answer its id, None when there is nothing in it."""
    for old in _find_unfinished(connection, organization_id):
        if _is_same(connection, keys, organization_id, old.id, plan):
            return old.id
    if plan.is_empty and not plan.held:
        return None
    saved = plans.save_plan(
        connection,
        keys,
        organization_id,
        plans.Plan(
            fingerprint=fingerprint_plan(plan, keys.conceal),
            baseline=digest_json(dict(plan.baselines)),
            drafted_at=now,
            drafted_by=actor.name,
            scope_npi=npi,
            counts=count_changes(plan.changes) | {"held": sum(h.n for h in plan.held), "left_out": len(plan.left_out)},
            overwrite=plan.is_overwrite,
        ),
        json.dumps(write_plan(plan)).encode(),
    )
    _save_holds(connection, organization_id, saved.id, plan, now)
    record_fact(
        connection,
        organization_id,
        "plan-drawn",
        at=now,
        actor=actor.name,
        body={
            "plan": saved.id,
            "fingerprint": saved.fingerprint,
            "baseline": saved.baseline,
            "counts": dict(saved.counts),
            "held": sorted(h.fingerprint for h in plan.held),
        },
    )
    return saved.id


def _find_unfinished(connection: Connection, organization_id: str) -> list[plans.Plan]:
    return [p for state in OPEN_STATES for p in plans.find_plans(connection, organization_id, state=state, limit=100)]


def _is_same(connection: Connection, keys: OrganizationKeys, organization_id: str, plan_id: str, plan: Plan) -> bool:
    stored = read_plan(json.loads(plans.load_plan_body(connection, keys, organization_id, plan_id)))
    blank: Mapping[str, object] = {"drawn_at": plan.drawn_at, "left_out": (), "warnings": ()}
    return bool(replace(stored, **blank) == replace(plan, **blank))  # type: ignore[arg-type]


def _save_holds(connection: Connection, organization_id: str, plan_id: str, plan: Plan, now: datetime) -> None:
    known = {h.fingerprint for h in plans.find_holds(connection, organization_id, state="open")}
    plans.save_holds(
        connection,
        organization_id,
        [
            plans.Hold(
                plan_id=plan_id,
                rule=h.rule,
                level=h.level.value,
                npi=h.npi,
                fingerprint=h.fingerprint,
                reason=h.reason,
                n=h.n,
                opened_at=now,
            )
            for h in plan.held
            if h.fingerprint not in known
        ],
    )
