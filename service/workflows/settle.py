"""Settle what earlier calls left open: wait until nothing can land any more, read the Group, and record what is so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domain.change import Change, ChangeKind
from service.domain.errors import NotFound
from service.domain.landing import Landing, judge_landing
from service.dpc.client import DpcClient
from service.dpc.records import GroupState
from service.runtime import Runtime
from service.storage import intents, leases, patients, people, practitioners
from service.storage.intents import Attempt, Intent, Outcome
from service.storage.rows import new_id
from service.storage.sealing import OrganizationKeys
from service.workflows.observe import build_group
from service.workflows.sending import (
    WRITER,
    find_patient_ids,
    read_members,
    record_outcome,
    remember_landed,
    writer_lasts,
)

ACTOR = "rollcall"


@dataclass(frozen=True, slots=True)
class SettleReport:
    """How many attempts were settled which way; `breaches` are calls that DPC carried out in part."""

    landed: int = 0
    not_landed: int = 0
    still_open: int = 0
    breaches: int = 0


@dataclass(frozen=True, slots=True)
class _Case:
    attempt: Attempt
    intent: Intent
    change: Change
    patient_ids: list[str]
    ends_before: dict[str, datetime]


def settle(rt: Runtime, organization_id: str, *, wait: bool = False) -> SettleReport:
    """Settle every unresolved attempt of an organisation, unless another process is writing for it just now.

    An attempt is read back no sooner than the read time-out and the quiet time after its sending, because DPC's backend
    may still commit a call that was answered with an error (contract-v1 2.4). With `wait` the remaining time is waited.
    """
    with rt.database.read() as connection:
        waiting = intents.find_open_attempts(connection, organization_id)
    if not waiting:
        return SettleReport()
    with rt.database.begin() as connection:
        token = leases.acquire_lease(
            connection, organization_id, WRITER, new_id(), now=rt.now(), ttl=writer_lasts(rt) + _longest(rt)
        )
    if token is None:
        return SettleReport(still_open=len(waiting))
    try:
        return settle_attempts(rt, organization_id, wait=wait)
    finally:
        with rt.database.begin() as connection:
            leases.release_lease(connection, organization_id, WRITER, token)


def settle_attempts(rt: Runtime, organization_id: str, *, wait: bool = False) -> SettleReport:
    """Settle as the holder of the writer's lease: nobody else is sending, so every open attempt is an orphan.

    1. Mark what is still open as ambiguous.
    2. For each, wait out the quiet time or leave it for later.
    3. Read the Group once, judge, and commit outcome and ledger entry.
    """
    _mark_ambiguous(rt, organization_id)
    counts = {Landing.LANDED: 0, Landing.NOT_LANDED: 0, Landing.PARTLY: 0}
    still_open = 0
    with rt.database.read() as connection:
        waiting = intents.find_open_attempts(connection, organization_id)
    if not waiting:
        return SettleReport()
    with rt.connect_dpc(organization_id) as dpc:
        for attempt in waiting:
            remaining = attempt.sent_at + _longest(rt) - rt.now()
            if remaining > timedelta(0):
                if not wait:
                    still_open += 1
                    continue
                rt.sleep(remaining.total_seconds())
            landing = _settle_one(rt, dpc, organization_id, attempt)
            if landing is None:
                still_open += 1
            else:
                counts[landing] += 1
    breaches = counts[Landing.PARTLY]
    return SettleReport(counts[Landing.LANDED], counts[Landing.NOT_LANDED] + breaches, still_open, breaches)


def _longest(rt: Runtime) -> timedelta:
    return timedelta(seconds=rt.settings.read_timeout_seconds + rt.settings.quiesce_seconds)


def _mark_ambiguous(rt: Runtime, organization_id: str) -> None:
    now = rt.now()
    with rt.database.begin() as connection:
        for attempt in intents.find_open_attempts(connection, organization_id):
            if attempt.state == "open":
                intent = intents.load_intent(connection, organization_id, attempt.intent_id)
                outcome = Outcome(state="ambiguous", outcome_at=now, answer="No answer was recorded.")
                record_outcome(connection, organization_id, intent, attempt, outcome, actor=ACTOR)


def _settle_one(rt: Runtime, dpc: DpcClient, organization_id: str, attempt: Attempt) -> Landing | None:
    with rt.database.begin() as connection:
        keys = rt.open_keys(connection, organization_id)
        intent = intents.load_intent(connection, organization_id, attempt.intent_id)
        change = read_members(connection, keys, intent)
        try:
            ids = find_patient_ids(connection, keys, organization_id, change) if change.npi else []
        except NotFound:
            ids = []
    # The Group as we remember it may have been read since; the plan knows the ends from before the call.
    ends = {i: p.end_at for i, p in zip(ids, change.patients, strict=False) if p.end_at}
    case = _Case(attempt, intent, change, ids, ends)
    if change.kind is ChangeKind.REGISTER:
        return _settle_registration(rt, dpc, organization_id, keys, case)
    return _settle_group(rt, dpc, organization_id, keys, case)


def _settle_registration(
    rt: Runtime, dpc: DpcClient, organization_id: str, keys: OrganizationKeys, case: _Case
) -> Landing:
    known_practitioners = {p.npi: p.practitioner_id for p in dpc.read_practitioners()}
    known_patients = {p.mbi: p.patient_id for p in dpc.read_patients()}
    wanted = [n in known_practitioners for n in case.change.practitioners]
    wanted += [p.mbi in known_patients for p in case.change.patients]
    landing = Landing.LANDED if all(wanted) else Landing.NOT_LANDED
    with rt.database.begin() as connection:
        practitioners.set_dpc_ids(connection, organization_id, known_practitioners)
        patients.set_dpc_ids(connection, keys, organization_id, known_patients)
        record_outcome(connection, organization_id, case.intent, case.attempt, _outcome(rt, landing), actor=ACTOR)
    return landing


def _settle_group(
    rt: Runtime, dpc: DpcClient, organization_id: str, keys: OrganizationKeys, case: _Case
) -> Landing | None:
    """Judge by the one Group of the practitioner; with two of them, or nobody to look for, nothing can be said."""
    npi = case.change.npi or ""
    states = dpc.find_groups_by_npi(npi)
    if len(states) > 1 or not case.patient_ids:
        return None
    shown = states[0] if states else None
    offset = timedelta(milliseconds=case.attempt.clock_offset_ms or 0)
    landing = judge_landing(
        case.change.kind,
        case.patient_ids,
        build_group(shown, {}, ()) if shown else None,
        case.ends_before,
        case.attempt.sent_at + offset,
    )
    with rt.database.begin() as connection:
        if landing is Landing.LANDED and isinstance(shown, GroupState):
            mbis = patients.find_all_dpc_ids(connection, keys, organization_id)
            remember_landed(connection, keys, organization_id, case.change, shown, mbis, rt.now())
        if landing is Landing.PARTLY:
            people.open_incident(
                connection,
                organization_id,
                people.Incident(
                    kind="partly-landed",
                    npi=npi,
                    cause="DPC carried out a call for some patients only; read the Group and draw a new plan.",
                    opened_at=rt.now(),
                ),
            )
        record_outcome(connection, organization_id, case.intent, case.attempt, _outcome(rt, landing), actor=ACTOR)
    return landing


def _outcome(rt: Runtime, landing: Landing) -> Outcome:
    landed = landing is Landing.LANDED
    return Outcome(
        state="landed" if landed else "not-landed",
        outcome_at=rt.now(),
        answer="Read back: carried out in part." if landing is Landing.PARTLY else None,
        settled_by="read-back",
    )
