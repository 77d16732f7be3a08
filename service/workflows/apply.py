"""Apply a signed plan: re-read, register what is missing, then one call after another, each recorded first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from service.domain.attribution import Group
from service.domain.authorisation import SIGN_OFF_LASTS
from service.domain.canonical import digest_json
from service.domain.change import Change, write_change
from service.domain.errors import AppliesSwitchedOff, Busy, Refusal, StalePlan, Unsigned, WrongState
from service.domain.people import Action, Actor, check_may
from service.domain.plan import Plan, digest_group, read_plan
from service.dpc.client import DpcClient
from service.runtime import Runtime
from service.storage import intents, leases, organizations, patients, plans
from service.storage.connection import Connection
from service.storage.intents import Intent
from service.storage.rows import new_id
from service.storage.sealing import OrganizationKeys
from service.workflows.observe import build_group, find_owned, load_groups
from service.workflows.record import record_fact
from service.workflows.sending import WRITER, Run, Told, read_members, send_intent, writer_lasts
from service.workflows.settle import settle_attempts
from service.workflows.support import find_unsupported

SENDABLE = ("approved", "not-landed")


@dataclass(frozen=True, slots=True)
class ApplyStep:
    """One call while a plan is being applied; `state` is what became of it, `sending` before."""

    ordinal: int
    total: int
    kind: str
    npi: str | None
    n: int
    state: str


@dataclass(frozen=True, slots=True)
class RefusedCall:
    """A call that was not carried out: for whom, what DPC or a rule said, and what to do next."""

    npi: str | None
    kind: str
    text: str
    next_action: str


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What became of a plan: calls by outcome, attestations spoken in this run, and every refusal in words."""

    plan_id: str
    state: str
    landed: int
    refused: int
    ambiguous: int
    parked: int
    attestations: int
    refusals: tuple[RefusedCall, ...]
    requests_to_dpc: int


Progress = Callable[[ApplyStep], None]


def apply_plan(
    rt: Runtime, organization_id: str, plan_id: str, actor: Actor, progress: Progress | None = None
) -> ApplyReport:
    """Apply a plan that is signed, or go on with one that was interrupted.

    1. Check that a valid sign-off covers exactly this plan, and become the organisation's only writer.
    2. Settle what an earlier run left open; a Group with an unresolved attempt is left alone.
    3. Read the Groups. Another baseline than the plan's makes the plan stale, and so does a roster that no longer
       supports it; nothing is sent.
    4. Commit the intents, then send them in order, each recorded before its first byte.
    5. A refusal parks what is left for that Group; others go on. Record what became of the plan.

    Raises Unsigned, StalePlan, Busy, WrongState, AppliesSwitchedOff and DpcError.
    """
    check_may(actor, Action.APPLY_PLAN, organization_id)
    approval = _check_signed(rt, organization_id, plan_id)
    with _be_writer(rt, organization_id) as token, rt.connect_dpc(organization_id) as dpc:
        settle_attempts(rt, organization_id)
        run = _start(rt, organization_id, plan_id, dpc, token, actor, approval)
        outcome = _send_all(rt, run, plan_id, progress or (lambda step: None))
        return _finish(rt, run, plan_id, outcome)


def _check_signed(rt: Runtime, organization_id: str, plan_id: str) -> str:
    """Answer the id of the sign-off that covers the plan; raises Unsigned, WrongState, AppliesSwitchedOff."""
    now = rt.now()
    with rt.database.read() as connection:
        plan = plans.load_plan(connection, organization_id, plan_id)
        organization = organizations.load_organization(connection, organization_id)
        sign_offs = plans.find_sign_offs(connection, organization_id, plan_id)
        active = {a.id for a in plans.find_active_authorisations(connection, organization_id, now)}
    if plan.state == "drafted":
        raise Unsigned("The plan is not signed.")
    if plan.state not in ("signed", "applying"):
        raise WrongState(f"The plan is {plan.state}.", next_action="Draw a new plan.")
    if not organization.applies:
        raise AppliesSwitchedOff("Sending to DPC is switched off for this organisation.")
    for sign_off in reversed(sign_offs):
        standing = sign_off.authorisation_id
        if sign_off.fingerprint != plan.fingerprint or now - sign_off.signed_at > SIGN_OFF_LASTS:
            continue
        if standing is None or standing in active:
            return sign_off.id
    _give_up(rt, organization_id, plan)
    raise Unsigned(
        "The sign-off of this plan is no longer valid.", next_action="Draw a new plan, read it and sign that one."
    )


def _give_up(rt: Runtime, organization_id: str, plan: plans.Plan) -> None:
    with rt.database.begin() as connection:
        plans.set_plan_state(connection, organization_id, plan.id, plan.state, "stale")
        _record_plan(rt, connection, organization_id, plan.id, "plan-stale", "rollcall", {"cause": "sign-off expired"})


@contextmanager
def _be_writer(rt: Runtime, organization_id: str) -> Iterator[int]:
    with rt.database.begin() as connection:
        token = leases.acquire_lease(connection, organization_id, WRITER, new_id(), now=rt.now(), ttl=writer_lasts(rt))
    if token is None:
        raise Busy("Another process is writing for this organisation now.")
    try:
        yield token
    finally:
        with rt.database.begin() as connection:
            leases.release_lease(connection, organization_id, WRITER, token)


def _start(
    rt: Runtime, organization_id: str, plan_id: str, dpc: DpcClient, token: int, actor: Actor, approval: str
) -> Run:
    """Read the Groups and compare; then intents and the state `applying` are committed together."""
    states = dpc.read_groups()
    with rt.database.begin() as connection:
        keys = rt.open_keys(connection, organization_id)
        organization = organizations.load_organization(connection, organization_id)
        stored = plans.load_plan(connection, organization_id, plan_id)
        plan = read_plan(json.loads(plans.load_plan_body(connection, keys, organization_id, plan_id)))
        mbis = patients.find_all_dpc_ids(connection, keys, organization_id)
        owned = find_owned(connection, keys, organization_id)
        per_npi = Counter(s.npi for s in states)
        groups = {s.npi: build_group(s, mbis, owned.get(s.npi, frozenset())) for s in states if per_npi[s.npi] == 1}
        expected = _find_expected(connection, keys, organization_id, plan_id, plan)
        run = Run(organization, keys, dpc, token, actor.name, approval, {}, expected, mbis)
        changed = {npi for npi in expected if digest_group(groups.get(npi) or Group(npi, None)) != expected[npi]}
        unsupported = find_unsupported(rt, connection, keys, organization_id, plan.changes)
        if stored.state == "signed" and not (changed or unsupported):
            _commit_intents(rt, connection, run, plan_id, plan)
    if stored.state == "signed" and changed:
        _make_stale(rt, organization_id, plan_id, actor, "another baseline at DPC")
        raise StalePlan(f"The Groups of {len(changed)} practitioners have changed since the plan was drawn.")
    if stored.state == "signed" and unsupported:
        _make_stale(rt, organization_id, plan_id, actor, "not supported by the rosters")
        raise StalePlan(f"The rosters no longer support the plan for {len(unsupported)} practitioners.")
    for npi in expected:
        if npi not in changed | unsupported:
            run.see(groups.get(npi) or Group(npi, None))
    return run


def _find_expected(
    connection: Connection, keys: OrganizationKeys, organization_id: str, plan_id: str, plan: Plan
) -> dict[str, str]:
    """Answer how each Group must look: as the plan saw it, or as our own last landed call of this plan left it."""
    expected = dict(plan.baselines)
    landed = {i.npi for i in intents.find_intents(connection, organization_id, plan_id) if i.state == "landed"}
    for npi, group in load_groups(connection, keys, organization_id).items():
        if npi in landed:
            expected[npi] = digest_group(group)
    return expected


def _commit_intents(rt: Runtime, connection: Connection, run: Run, plan_id: str, plan: Plan) -> None:
    now, organization_id = rt.now(), run.organization.id
    for ordinal, change in enumerate(plan.changes, start=1):
        body = write_change(change)
        intent = Intent(
            plan_id=plan_id,
            ordinal=ordinal,
            npi=change.npi,
            kind=change.kind.value,
            digest=digest_json(write_change(change, run.keys.conceal)),
            n=change.n,
            created_at=now,
            updated_at=now,
        )
        intents.save_intent(connection, run.keys, organization_id, intent, json.dumps(body).encode())
        intents.set_intent_state(connection, organization_id, intent.id, "planned", "approved", now=now)
    plans.set_plan_state(connection, organization_id, plan_id, "signed", "applying")
    _record_plan(rt, connection, organization_id, plan_id, "plan-applying", run.actor, {"calls": len(plan.changes)})


def _make_stale(rt: Runtime, organization_id: str, plan_id: str, actor: Actor, cause: str) -> None:
    with rt.database.begin() as connection:
        plans.set_plan_state(connection, organization_id, plan_id, "signed", "stale")
        _record_plan(rt, connection, organization_id, plan_id, "plan-stale", actor.name, {"cause": cause})


@dataclass(slots=True)
class _Outcome:
    refusals: list[RefusedCall]
    attestations: int = 0


def _send_all(rt: Runtime, run: Run, plan_id: str, progress: Progress) -> _Outcome:
    with rt.database.read() as connection:
        todo = intents.find_intents(connection, run.organization.id, plan_id)
        unresolved = {a.npi for a in intents.find_open_attempts(connection, run.organization.id)}
        changes = {i.id: read_members(connection, run.keys, i) for i in todo if i.state in SENDABLE}
    outcome, parked = _Outcome([]), {npi for npi in unresolved if npi}
    for npi in sorted(run.expected.keys() - run.groups.keys() - parked):
        parked.add(npi)
        text = "The Group or the roster has changed since."
        outcome.refusals.append(RefusedCall(npi, "any", text, "Draw a new plan."))
    for intent in todo:
        if intent.state not in SENDABLE or (intent.npi in parked):
            continue
        told = _try(rt, run, intent, changes[intent.id], len(todo), progress, outcome)
        if told.state != "landed" and intent.npi:
            parked.add(intent.npi)
        if told.ends_run:
            break
    return outcome


def _try(
    rt: Runtime, run: Run, intent: Intent, change: Change, total: int, progress: Progress, outcome: _Outcome
) -> Told:
    def show(state: str) -> None:
        progress(ApplyStep(intent.ordinal, total, intent.kind, intent.npi, intent.n, state))

    show("sending")
    try:
        told = send_intent(rt, run, intent, change)
        was_spoken = told.status is not None or told.state == "ambiguous"
        outcome.attestations += change.kind.is_attested and was_spoken
    except Busy:
        raise  # whoever took over writes now and ends the plan
    except AppliesSwitchedOff as stop:
        told = Told("parked", text=stop.message, next_action=stop.next_action, ends_run=True)
    except Refusal as refusal:
        told = Told("parked", text=refusal.message, next_action=refusal.next_action)
    if told.state != "landed":
        outcome.refusals.append(RefusedCall(intent.npi, intent.kind, told.text, told.next_action))
    show(told.state)
    return told


def _finish(rt: Runtime, run: Run, plan_id: str, outcome: _Outcome) -> ApplyReport:
    """Record what became of the plan; while an attempt is unresolved the plan stays `applying` and is gone on with."""
    organization_id = run.organization.id
    with rt.database.begin() as connection:
        states = Counter(i.state for i in intents.find_intents(connection, organization_id, plan_id))
        if states["ambiguous"] or states["sent"]:
            state = "applying"
        else:
            state = "applied" if set(states) <= {"landed"} else "partly-applied"
            plans.set_plan_state(connection, organization_id, plan_id, "applying", state)
            _record_plan(rt, connection, organization_id, plan_id, f"plan-{state}", run.actor, dict(states))
    return ApplyReport(
        plan_id=plan_id,
        state=state,
        landed=states["landed"],
        refused=states["refused"],
        ambiguous=states["ambiguous"] + states["sent"],
        parked=states["approved"] + states["not-landed"],
        attestations=outcome.attestations,
        refusals=tuple(outcome.refusals),
        requests_to_dpc=run.dpc.request_count,
    )


def _record_plan(
    rt: Runtime,
    connection: Connection,
    organization_id: str,
    plan_id: str,
    kind: str,
    actor: str,
    more: Mapping[str, int | str],
) -> None:
    now: datetime = rt.now()
    record_fact(connection, organization_id, kind, at=now, actor=actor, body={"plan": plan_id, **more})
