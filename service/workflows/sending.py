"""One call to DPC: intended and committed before the first byte, judged, and settled in one transaction."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service.domain.attestation import build_provenance, check_provenance
from service.domain.attribution import Group
from service.domain.canonical import Json, digest_json, write_time
from service.domain.change import Change, ChangeKind, read_change
from service.domain.errors import AppliesSwitchedOff, AttestationRefused, Busy, NotFound, Refusal, StalePlan
from service.domain.ledger import digest_bytes
from service.domain.plan import digest_group
from service.dpc.client import DpcClient
from service.dpc.errors import DpcError, DpcRefused, DpcUnavailable, OutcomeUnknown, RosterLimitReached
from service.dpc.records import GroupState, NewPatient, NewPractitioner
from service.runtime import Runtime
from service.storage import intents, leases, organizations, patients, practitioners
from service.storage.connection import Connection
from service.storage.intents import Attempt, Intent, Outcome
from service.storage.organizations import Organization
from service.storage.sealing import OrganizationKeys
from service.workflows.limits import note_limit, settle_limit
from service.workflows.observe import build_group, find_owned, save_group
from service.workflows.record import record_fact, record_subjects

WRITER = "writer"
"""The lease that makes one process the only writer to an organisation's Groups."""
FRESH_SECONDS = 60.0
MOST_SKEW = timedelta(seconds=30)


@dataclass(slots=True)
class Run:
    """One process applying one plan: who, under which lease, and what DPC showed last, per practitioner."""

    organization: Organization
    keys: OrganizationKeys
    dpc: DpcClient
    lease_token: int
    actor: str
    approval: str
    groups: dict[str, Group]
    expected: dict[str, str]
    mbis: dict[str, str] = field(default_factory=dict, repr=False)
    read_at: dict[str, float] = field(default_factory=dict)

    def see(self, group: Group) -> None:
        """Take what DPC has just shown as the baseline of the next call to this Group."""
        self.groups[group.npi] = group
        self.expected[group.npi] = digest_group(group)
        self.read_at[group.npi] = time.monotonic()


@dataclass(frozen=True, slots=True)
class Told:
    """What DPC answered: the new state, its words without patient values, and whether the whole run should end.

    `is_full` says that DPC's limit on patients per practitioner was met.
    """

    state: str
    status: int | None = None
    text: str = ""
    next_action: str = ""
    ends_run: bool = False
    is_full: bool = False


def writer_lasts(rt: Runtime) -> timedelta:
    """Answer how long the writer's lease lasts: the longest call, its quiet time, and a minute."""
    return timedelta(seconds=rt.settings.read_timeout_seconds + rt.settings.quiesce_seconds + 60)


def send_intent(rt: Runtime, run: Run, intent: Intent, change: Change) -> Told:
    """Send one intent and record what became of it.

    1. Check baseline, switch, lease and clock; nothing has been said yet.
    2. Commit the attempt with the exact Provenance and its ledger entry.
    3. Send once.
    4. Commit outcome, ledger entry, state of the intent and what DPC shows now, in one transaction.

    Raises Refusal in step 1; whatever else breaks afterwards leaves an open attempt, which is settled by reading.
    """
    patient_ids = _find_patient_ids(rt, run, change)
    _check_baseline(rt, run, change)
    _check_switch(rt, run)  # after the reading, which may take long
    provenance = _find_provenance(rt, run, intent, change)
    attempt = _open_attempt(rt, run, intent, change, patient_ids, provenance)
    told, state = _speak(rt, run, change, patient_ids, provenance, attempt.id)
    _record_outcome(rt, run, intent, attempt, change, told, state)
    return told


def read_members(connection: Connection, keys: OrganizationKeys, intent: Intent) -> Change:
    """Answer the change that an intent was made from."""
    body = intents.load_members(connection, keys, keys.organization_id, intent.id)
    return read_change(json.loads(body))


def find_patient_ids(connection: Connection, keys: OrganizationKeys, organization_id: str, change: Change) -> list[str]:
    """Answer DPC's ids of a change's patients, in their order; raises NotFound while one is not registered."""
    unknown = [p.mbi for p in change.patients if p.patient_id is None]
    rows = patients.find_patients_by_mbi(connection, keys, organization_id, unknown)
    ids = [p.patient_id or (rows[p.mbi].dpc_id if p.mbi in rows else None) for p in change.patients]
    missing = sum(i is None for i in ids)
    if missing:
        raise NotFound(
            f"{missing} patients of this change are not registered at DPC.",
            next_action="See why their registration was refused; the next plan takes them up again.",
        )
    return [i for i in ids if i]


def _find_patient_ids(rt: Runtime, run: Run, change: Change) -> list[str]:
    if not change.kind.touches_group:
        return []
    with rt.database.read() as connection:
        return find_patient_ids(connection, run.keys, run.organization.id, change)


def _check_switch(rt: Runtime, run: Run) -> None:
    """Look again before every call: the switch, the lease, and how far our clock is from DPC's."""
    now = rt.now()
    with rt.database.begin() as connection:
        if not organizations.load_organization(connection, run.organization.id).applies:
            raise AppliesSwitchedOff("Sending to DPC is switched off for this organisation.")
        held = leases.renew_lease(
            connection, run.organization.id, WRITER, run.lease_token, now=now, ttl=writer_lasts(rt)
        )
    if not held:
        raise Busy("Another process has taken over writing for this organisation.")
    offset = run.dpc.clock_offset
    if offset is not None and abs(offset) > MOST_SKEW:
        raise AttestationRefused(
            f"This machine's clock differs from DPC's by {offset.total_seconds():.0f} seconds.",
            next_action="Synchronise the clock; an attestation must carry the right time.",
        )


def _check_baseline(rt: Runtime, run: Run, change: Change) -> None:
    """A reading not older than a minute must show the Group as the plan, or our own last call, left it."""
    npi = change.npi
    if npi is None:
        return
    if time.monotonic() - run.read_at.get(npi, float("-inf")) > FRESH_SECONDS:
        states = run.dpc.find_groups_by_npi(npi)
        shown = _name_patients(rt, run, states[0]) if len(states) == 1 else Group(npi, None)
        if len(states) > 1 or digest_group(shown) != run.expected[npi]:
            raise StalePlan(f"The Group of practitioner {npi} has changed since the plan was drawn.")
        run.see(shown)


def _name_patients(rt: Runtime, run: Run, state: GroupState) -> Group:
    with rt.database.read() as connection:
        owned = find_owned(connection, run.keys, run.organization.id, state.npi)
    return build_group(state, run.mbis, owned.get(state.npi, frozenset()))


def _find_provenance(rt: Runtime, run: Run, intent: Intent, change: Change) -> str | None:
    """Answer the exact text to send: a repetition sends the very bytes of the first attempt."""
    if not change.kind.is_attested or change.npi is None:
        return None
    now = rt.now()
    with rt.database.read() as connection:
        earlier = intents.find_attempts(connection, run.organization.id, intent_id=intent.id)
        practitioner = practitioners.find_practitioner(connection, run.organization.id, change.npi)
    if practitioner is None or practitioner.dpc_id is None or run.organization.dpc_id is None:
        raise NotFound(
            f"Practitioner {change.npi} is not registered at DPC.",
            next_action="See why the registration was refused; the next plan takes it up again.",
        )
    spoken = next((a.provenance for a in earlier if a.provenance), None)
    text = spoken or build_provenance(run.organization.dpc_id, practitioner.dpc_id, now)
    check_provenance(text, run.organization.dpc_id, practitioner.dpc_id, now)
    return text


def _open_attempt(
    rt: Runtime, run: Run, intent: Intent, change: Change, patient_ids: list[str], provenance: str | None
) -> Attempt:
    now, organization_id = rt.now(), run.organization.id
    group = run.groups.get(change.npi or "")
    digest = digest_json(
        {
            "kind": change.kind.value,
            "npi": change.npi,
            "group": group.group_id if group else None,
            "patients": patient_ids or [run.keys.conceal(p.mbi) for p in change.patients],
            "practitioners": list(change.practitioners),
            "provenance": provenance,
        }
    )
    with rt.database.begin() as connection:
        leases.check_lease(connection, organization_id, WRITER, run.lease_token, now)
        intents.set_intent_state(connection, organization_id, intent.id, intent.state, "sent", now=now)
        offset = run.dpc.clock_offset
        attempt = intents.open_attempt(
            connection,
            organization_id,
            Attempt(
                intent_id=intent.id,
                npi=change.npi,
                fencing_token=run.lease_token,
                sent_at=now,
                clock_offset_ms=int(offset.total_seconds() * 1000) if offset is not None else None,
                request_digest=digest,
                provenance=provenance,
                baseline=run.expected.get(change.npi or "", ""),
            ),
        )
        body: dict[str, Json] = {
            "attempt": attempt.id,
            "intent": intent.id,
            "plan": intent.plan_id,
            "n": attempt.n,
            "kind": change.kind.value,
            "npi": change.npi,
            "approval": run.approval,
            "request": digest,
            "provenance": digest_bytes(provenance.encode()) if provenance else None,
            "baseline": attempt.baseline,
        }
        record_subjects(
            connection,
            run.keys,
            organization_id,
            "attempt",
            at=now,
            actor=run.actor,
            body=body,
            pairs=[(p.mbi, change.npi or "") for p in change.patients],
        )
    return attempt


def _speak(
    rt: Runtime, run: Run, change: Change, patient_ids: list[str], provenance: str | None, attempt_id: str
) -> tuple[Told, object]:
    """Send once and sort what came back; what cannot be sorted is an open attempt and is raised."""
    try:
        return Told("landed", 200), _call(rt, run, change, patient_ids, provenance or "", attempt_id)
    except OutcomeUnknown as unknown:
        return Told("ambiguous", unknown.status, unknown.message, unknown.next_action), None
    except DpcRefused as refused:
        ends = refused.code in ("not_authorized", "edge_refused")
        text, is_full = refused.text or refused.message, isinstance(refused, RosterLimitReached)
        return Told("refused", refused.status, text, refused.next_action, ends_run=ends, is_full=is_full), None
    except DpcUnavailable as away:
        return Told("refused", None, away.message, away.next_action, ends_run=True), None
    except Refusal as refusal:
        return Told("refused", None, f"Not sent: {refusal.message}", refusal.next_action), None


def _call(rt: Runtime, run: Run, change: Change, patient_ids: list[str], provenance: str, attempt_id: str) -> object:
    npi = change.npi or ""
    group_id = run.groups[npi].group_id if npi in run.groups else None
    match change.kind:
        case ChangeKind.REGISTER:
            return _register(rt, run, change)
        case ChangeKind.CREATE:
            return run.dpc.create_group(npi, patient_ids, provenance, attempt_id)
        case ChangeKind.REMOVE:
            return run.dpc.remove_from_group(_need(group_id), npi, patient_ids, attempt_id)
        case ChangeKind.OVERWRITE:
            replaced = run.dpc.replace_group(_need(group_id), npi, patient_ids, provenance, attempt_id)
            return _read_back(run, replaced)
        case _:
            return run.dpc.add_to_group(_need(group_id), npi, patient_ids, provenance, attempt_id)


def _read_back(run: Run, replaced: GroupState) -> GroupState:
    """An overwrite destroys what was there, so its answer is not taken at its word: the Group is read once more."""
    try:
        shown = run.dpc.read_group(replaced.group_id)
    except DpcError as away:
        raise OutcomeUnknown("The Group could not be read back after it was replaced.", status=away.status) from None
    if sorted(m.patient_id for m in shown.members) != sorted(m.patient_id for m in replaced.members):
        raise OutcomeUnknown("The Group read back differs from what DPC answered to the replacement.")
    return shown


def _need(group_id: str | None) -> str:
    if group_id is None:
        raise NotFound("The practitioner has no Group at DPC.", next_action="Draw a new plan; it will create one.")
    return group_id


def _register(rt: Runtime, run: Run, change: Change) -> Mapping[str, str]:
    """Register practitioners or patients; answer DPC's ids by NPI or MBI."""
    with rt.database.read() as connection:
        named = practitioners.find_practitioners(connection, run.organization.id)
        rows = patients.find_patients_by_mbi(
            connection, run.keys, run.organization.id, [p.mbi for p in change.patients]
        )
    if change.practitioners:
        new = [NewPractitioner(n, named[n].given or "", named[n].family or "") for n in change.practitioners]
        return {p.npi: p.practitioner_id for p in run.dpc.submit_practitioners(new)}
    people = [rows[p.mbi].identity for p in change.patients]
    fresh = [NewPatient(i.mbi, i.given or "", i.family or "", i.birth_on, i.gender or "") for i in people if i.birth_on]
    return {p.mbi: p.patient_id for p in run.dpc.submit_patients(fresh)}


def _record_outcome(
    rt: Runtime, run: Run, intent: Intent, attempt: Attempt, change: Change, told: Told, state: object
) -> None:
    now, organization_id = rt.now(), run.organization.id
    with rt.database.begin() as connection:
        if isinstance(state, GroupState):
            run.see(remember_landed(connection, run.keys, organization_id, change, state, run.mbis, now))
        elif isinstance(state, Mapping) and change.practitioners:
            practitioners.set_dpc_ids(connection, organization_id, state)
        elif isinstance(state, Mapping):
            patients.set_dpc_ids(connection, run.keys, organization_id, state)
            run.mbis |= {patient_id: mbi for mbi, patient_id in state.items()}
        if change.npi and told.is_full:
            stored, recorded = len(run.groups[change.npi].attributions), run.organization.patient_limit
            note_limit(
                connection, organization_id, change.npi, stored=stored, asked=change.n, recorded=recorded, now=now
            )
        elif change.npi and told.state == "landed" and change.kind.is_attested:
            settle_limit(connection, organization_id, change.npi, now)
        record_outcome(
            connection,
            organization_id,
            intent,
            attempt,
            Outcome(
                state=told.state,
                outcome_at=now,
                status=told.status,
                answer=told.text or None,
                settled_by="answer" if told.state != "ambiguous" else None,
            ),
            actor=run.actor,
        )


def remember_landed(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    change: Change,
    state: GroupState,
    mbis: Mapping[str, str],
    now: datetime,
) -> Group:
    """Keep a Group as a landed call left it; those whom the call attested are ours from now on.

    `mbis` maps DPC's patient ids to MBIs.
    """
    owned = set(find_owned(connection, keys, organization_id, state.npi).get(state.npi, frozenset()))
    if change.kind.is_attested:
        intended = {p.mbi for p in change.patients}
        owned |= {m.patient_id for m in state.members if mbis.get(m.patient_id) in intended}
    group = build_group(state, mbis, owned)
    save_group(connection, keys, organization_id, group, now)
    return group


def record_outcome(
    connection: Connection, organization_id: str, intent: Intent, attempt: Attempt, outcome: Outcome, *, actor: str
) -> None:
    """Close an attempt: its outcome, the state of its intent and the ledger entry, all or none."""
    old = "ambiguous" if attempt.state == "ambiguous" else "sent"
    intents.close_attempt(connection, organization_id, attempt.id, outcome)
    intents.set_intent_state(connection, organization_id, intent.id, old, outcome.state, now=outcome.outcome_at)
    record_fact(
        connection,
        organization_id,
        "outcome",
        at=outcome.outcome_at,
        actor=actor,
        body={
            "attempt": attempt.id,
            "intent": intent.id,
            "plan": intent.plan_id,
            "kind": intent.kind,
            "npi": intent.npi,
            "patients": intent.n,
            "state": outcome.state,
            "status": outcome.status,
            "settled_by": outcome.settled_by,
            "sent_at": write_time(attempt.sent_at),
        },
    )
