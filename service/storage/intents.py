"""Intents and attempts: what we mean to send, each sending, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select, update

from service.domain.errors import WrongState
from service.storage.rows import (
    find_values,
    load_value,
    move_state,
    new_id,
    not_found,
    write_value,
)
from service.storage.sealing import OrganizationKeys
from service.storage.tables.plans import attempt as attempts
from service.storage.tables.plans import intent as intents

UNRESOLVED = ("open", "ambiguous")
REFUSED_FOR_ITS_CONTENT = (400, 404, 422)
_OUTCOMES = {"open": ("landed", "refused", "ambiguous"), "ambiguous": ("landed", "not-landed")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One request of a plan; its `n` members are sealed beside it, `digest` is theirs. It begins as `planned`."""

    id: str = field(default_factory=new_id)
    plan_id: str
    ordinal: int
    npi: str | None
    kind: str
    state: str = "planned"
    digest: str
    n: int
    is_rename: bool | None = False
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One sending of an intent; `n` counts from 1 and is 0 until it is opened.

    `provenance` is the text exactly as sent, `baseline` the digest of the Group read before, `answer` what DPC said in
    words without patient values, `settled_by` how the outcome is known: `answer` or `read-back`.
    """

    id: str = field(default_factory=new_id)
    intent_id: str
    npi: str | None
    n: int = 0
    fencing_token: int
    sent_at: datetime
    clock_offset_ms: int | None = None
    request_digest: str
    provenance: str | None = field(default=None, repr=False)
    baseline: str
    state: str = "open"
    outcome_at: datetime | None = None
    status: int | None = None
    answer: str | None = field(default=None, repr=False)
    settled_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an attempt."""

    state: str
    outcome_at: datetime
    status: int | None = None
    answer: str | None = field(default=None, repr=False)
    settled_by: str | None = None


def save_intent(
    connection: Connection, keys: OrganizationKeys, organization_id: str, intent: Intent, members: bytes
) -> None:
    """Save an intent with its members sealed; raises AlreadyRecorded for a repeated ordinal of the plan."""
    sealed = keys.seal("intent", "members", intent.id, members)
    write_value(connection, intents, intent, organization_id=organization_id, members=sealed)


def load_intent(connection: Connection, organization_id: str, intent_id: str) -> Intent:
    """Answer one intent; raises NotFound."""
    return load_value(connection, intents, Intent, *_intent(organization_id, intent_id))


def load_members(connection: Connection, keys: OrganizationKeys, organization_id: str, intent_id: str) -> bytes:
    """Answer the members of an intent as they were saved; raises NotFound, SealBroken with other keys."""
    sealed = connection.scalar(select(intents.c.members).where(*_intent(organization_id, intent_id)))
    if sealed is None:
        raise not_found(intents)
    return keys.unseal("intent", "members", intent_id, sealed)


def find_intents(connection: Connection, organization_id: str, plan_id: str) -> list[Intent]:
    """Answer the intents of a plan in the order in which they are sent."""
    where = (intents.c.organization_id == organization_id, intents.c.plan_id == plan_id)
    return find_values(connection, intents, Intent, *where, order_by=[intents.c.ordinal])


def find_intents_in_state(connection: Connection, organization_id: str, state: str) -> list[Intent]:
    """Answer every intent in a state, oldest first; on start-up those that are `sent` are looked for."""
    where = (intents.c.organization_id == organization_id, intents.c.state == state)
    return find_values(connection, intents, Intent, *where, order_by=[intents.c.created_at, intents.c.ordinal])


def set_intent_state(
    connection: Connection, organization_id: str, intent_id: str, old: str, new: str, *, now: datetime
) -> None:
    """Move an intent along an allowed edge; raises WrongState when it is not in `old` any more."""
    changes = {"updated_at": now}
    move_state(connection, intents, "intent", old, new, changes, *_intent(organization_id, intent_id))


def open_attempt(connection: Connection, organization_id: str, attempt: Attempt) -> Attempt:
    """Record that an intent is about to be sent, and answer the attempt with its `n`.

    Commit before the first byte goes out. Raises AlreadyRecorded while another attempt on the same practitioner's Group
    is open or ambiguous.
    """
    last = select(func.max(attempts.c.n)).where(
        attempts.c.organization_id == organization_id, attempts.c.intent_id == attempt.intent_id
    )
    opened = replace(attempt, n=int(connection.scalar(last) or 0) + 1, state="open")
    write_value(connection, attempts, opened, organization_id=organization_id)
    return opened


def close_attempt(connection: Connection, organization_id: str, attempt_id: str, outcome: Outcome) -> None:
    """Record what became of an attempt: from open to landed, refused or ambiguous, from there to landed or not-landed.

    Raises WrongState when it is resolved already.
    """
    allowed = [old for old, outcomes in _OUTCOMES.items() if outcome.state in outcomes]
    statement = update(attempts).where(*_attempt(organization_id, attempt_id), attempts.c.state.in_(allowed))
    values = {
        "state": outcome.state,
        "outcome_at": outcome.outcome_at,
        "status": func.coalesce(outcome.status, attempts.c.status),
        "answer": func.coalesce(outcome.answer, attempts.c.answer),
        "settled_by": outcome.settled_by,
    }
    if connection.execute(statement.values(**values)).rowcount != 1:
        raise WrongState(
            f"The attempt cannot become {outcome.state}; it is resolved already or was never opened.",
            next_action="Look at the attempt again; another worker may have settled it.",
        )


def load_attempt(connection: Connection, organization_id: str, attempt_id: str) -> Attempt:
    """Answer one attempt; raises NotFound."""
    return load_value(connection, attempts, Attempt, *_attempt(organization_id, attempt_id))


def find_open_attempts(connection: Connection, organization_id: str, *, npi: str | None = None) -> list[Attempt]:
    """Answer the attempts that are open or ambiguous, oldest first."""
    where = [attempts.c.organization_id == organization_id, attempts.c.state.in_(UNRESOLVED)]
    if npi is not None:
        where.append(attempts.c.npi == npi)
    return find_values(connection, attempts, Attempt, *where, order_by=[attempts.c.sent_at, attempts.c.id])


def find_attempts(
    connection: Connection,
    organization_id: str,
    *,
    intent_id: str | None = None,
    npi: str | None = None,
    registering: bool = False,
    attested: bool = False,
    after: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> list[Attempt]:
    """Answer a page of attempts, newest first; `after` is (sent_at, id) of the last one on the page before.

    With `registering` only those that concern no Group, with `attested` only those that carried a Provenance.
    """
    where = [attempts.c.organization_id == organization_id]
    if intent_id is not None:
        where.append(attempts.c.intent_id == intent_id)
    if npi is not None:
        where.append(attempts.c.npi == npi)
    if registering:
        where.append(attempts.c.npi.is_(None))
    if attested:
        where.append(attempts.c.provenance.is_not(None))
    if after is not None:
        sent_at, attempt_id = after
        older = (attempts.c.sent_at == sent_at) & (attempts.c.id < attempt_id)
        where.append((attempts.c.sent_at < sent_at) | older)
    order = [attempts.c.sent_at.desc(), attempts.c.id.desc()]
    return find_values(connection, attempts, Attempt, *where, order_by=order, limit=limit)


def find_refused_npis(connection: Connection, organization_id: str) -> frozenset[str]:
    """Answer the practitioners whose latest attestation DPC itself refused for what was in it (400, 404 or 422)."""
    attested = (attempts.c.organization_id == organization_id, attempts.c.provenance.is_not(None))
    last = select(attempts.c.npi, func.max(attempts.c.sent_at).label("sent_at")).where(*attested)
    latest = last.group_by(attempts.c.npi).subquery()
    statement = (
        select(attempts.c.npi)
        .join(latest, (attempts.c.npi == latest.c.npi) & (attempts.c.sent_at == latest.c.sent_at))
        .where(*attested, attempts.c.state == "refused", attempts.c.status.in_(REFUSED_FOR_ITS_CONTENT))
    )
    return frozenset(connection.scalars(statement))


def count_landed(connection: Connection, organization_id: str, kind: str, *, since: datetime) -> dict[str, int]:
    """Answer how many patients landed intents of a kind concerned since a moment, by NPI; changed MBIs count apart."""
    statement = (
        select(intents.c.npi, func.sum(intents.c.n))
        .where(
            intents.c.organization_id == organization_id,
            intents.c.kind == kind,
            intents.c.is_rename.is_not(True),
            intents.c.state == "landed",
            intents.c.updated_at >= since,
        )
        .group_by(intents.c.npi)
    )
    return {npi: int(n) for npi, n in connection.execute(statement)}


def find_last_landed_at(connection: Connection, organization_id: str) -> datetime | None:
    """Answer when a call last changed something at DPC, as far as we know."""
    statement = select(attempts.c.outcome_at).where(
        attempts.c.organization_id == organization_id, attempts.c.state == "landed"
    )
    return connection.scalar(statement.order_by(attempts.c.outcome_at.desc()).limit(1))


def _intent(organization_id: str, intent_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return intents.c.organization_id == organization_id, intents.c.id == intent_id


def _attempt(organization_id: str, attempt_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return attempts.c.organization_id == organization_id, attempts.c.id == attempt_id
