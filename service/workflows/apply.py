"""Apply a signed plan: re-read, register what is missing, then one call after another, each recorded first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from service.domain.attribution import Group
from service.domain.canonical import digest_json
from service.domain.change import Change, write_change
from service.domain.errors import AppliesSwitchedOff, Busy, Refusal, StalePlan, Unsigned, WrongState
from service.domain.people import Action, Actor, check_may
from service.domain.plan import Plan, digest_group, fingerprint_plan, read_plan
from service.dpc.client import DpcClient
from service.runtime import Runtime
from service.storage import intents, leases, organizations, panels, patients, plans
from service.storage.connection import Connection
from service.storage.intents import Intent
from service.storage.rows import new_id
from service.storage.sealing import OrganizationKeys
from service.workflows.gate import check_gate, find_approval, is_over_limit
from service.workflows.observe import build_group, find_owned, load_groups
from service.workflows.record import record_fact
from service.workflows.sending import WRITER, Run, Told, read_members, send_intent, writer_lasts
from service.workflows.settle import settle_attempts
from service.workflows.support import find_unsupported

OPEN = ("signed", "applying")
SOMEBODY_ELSES = "changed by somebody else"
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
    5. Before each call look again: whoever answers may have taken it back, and a delivery may have come in.
    6. A refusal parks what is left for that Group; others go on. Record what became of the plan.

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
    with rt.database.read() as connection:
        plan = plans.load_plan(connection, organization_id, plan_id)
        organization = organizations.load_organization(connection, organization_id)
        approval = find_approval(connection, organization, plan, rt.now())
    if plan.state == "drafted":
        raise Unsigned("The plan is not signed.")
    if plan.state not in OPEN:
        raise WrongState(f"The plan is {plan.state}.", next_action="Draw a new plan.")
    if not organization.applies:
        raise AppliesSwitchedOff("Sending to DPC is switched off for this organisation.")
    if approval is not None:
        return approval
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
        if stored.state not in OPEN:
            raise WrongState(f"The plan is {stored.state}.", next_action="Draw a new plan.")
        plan = read_plan(json.loads(plans.load_plan_body(connection, keys, organization_id, plan_id)))
        if fingerprint_plan(plan, keys.conceal) != stored.fingerprint:
            raise StalePlan("What is stored of this plan is not what was signed.")
        mbis = patients.find_all_dpc_ids(connection, keys, organization_id)
        owned = find_owned(connection, keys, organization_id)
        per_npi = Counter(s.npi for s in states)
        groups = {s.npi: build_group(s, mbis, owned.get(s.npi, frozenset())) for s in states if per_npi[s.npi] == 1}
        expected = _find_expected(connection, keys, organization_id, plan_id, plan)
        run = Run(organization, keys, dpc, token, actor.name, approval, {}, expected, mbis)
        changed = {npi for npi in expected if digest_group(groups.get(npi) or Group(npi, None)) != expected[npi]}
        unsupported = find_unsupported(rt, connection, keys, organization_id, plan.changes)
        over_limit = is_over_limit(connection, keys, organization, plan.changes, groups, rt.now())
        void = _find_void(len(changed), len(unsupported), is_over_limit=over_limit)
        if stored.state == "signed" and void is None:
            _commit_intents(rt, connection, run, plan_id, plan)
    if stored.state == "signed" and void:
        _make_stale(rt, organization_id, plan_id, actor, void.cause)
        raise StalePlan(void.sentence)
    for npi in expected.keys() - changed - unsupported:
        run.see(groups.get(npi) or Group(npi, None))
    return run


@dataclass(frozen=True, slots=True)
class _Void:
    """Why a signed plan covers nothing any more: for the ledger, and in one sentence for people."""

    cause: str
    sentence: str


def _find_void(changed: int, unsupported: int, *, is_over_limit: bool) -> _Void | None:
    if changed:
        sentence = f"The Groups of {changed} practitioners have changed since the plan was drawn."
        return _Void("another baseline at DPC", sentence)
    if unsupported:
        sentence = f"The rosters no longer support the plan for {unsupported} practitioners."
        return _Void("not supported by the rosters", sentence)
    if is_over_limit:
        sentence = "By now the plan goes over a limit that it stayed below, or was let go for, when it was drawn."
        return _Void("over a limit by now", sentence)
    return None


def _find_expected(
    connection: Connection, keys: OrganizationKeys, organization_id: str, plan_id: str, plan: Plan
) -> dict[str, str]:
    """Answer how each Group must look: as the plan saw it, or as our own last landed call of this plan left it.

    What DPC showed differently after that call is somebody else's work, and no Group looks like `SOMEBODY_ELSES`.
    """
    expected = dict(plan.baselines)
    landed_at: dict[str, datetime] = {}
    for intent in intents.find_intents(connection, organization_id, plan_id):
        if intent.npi and intent.state == "landed":
            landed_at[intent.npi] = max(intent.updated_at, landed_at.get(intent.npi, intent.updated_at))
    changed_at = {h.npi: h.created_at for h in panels.find_panel_heads(connection, organization_id, side="observed")}
    for npi, at in landed_at.items():
        group = load_groups(connection, keys, organization_id, npi).get(npi)
        is_ours = group is not None and changed_at[npi] <= at
        expected[npi] = digest_group(group) if group and is_ours else SOMEBODY_ELSES
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
            is_rename=change.is_rename,
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
    refused = {i.npi for i in todo if i.state == "refused"}
    outcome, parked = _Outcome([]), {npi for npi in unresolved | refused if npi}
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
        check_gate(rt, run.keys, run.organization.id, intent.plan_id, change)
        told = send_intent(rt, run, intent, change)
        was_spoken = told.status is not None or told.state == "ambiguous"
        outcome.attestations += change.kind.is_attested and was_spoken
    except Busy:
        raise  # whoever took over writes now and ends the plan
    except (AppliesSwitchedOff, Unsigned) as stop:
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
