"""Prove what was recorded: verify the ledger, sign checkpoints, list attestations with their exact words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from service.domain.errors import LedgerBroken
from service.domain.ledger import Entry, check_entries, read_checkpoint_body, write_checkpoint_body
from service.domain.merkle import compute_roots
from service.runtime import Runtime
from service.storage import intents, ledger, organizations
from service.storage.connection import Connection
from service.storage.intents import Attempt
from service.storage.signing import open_note

MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Verification:
    """What was verified, and the first fault if there is one."""

    organizations: int
    entries: int
    checkpoints: int
    ok: bool
    fault: str | None


@dataclass(frozen=True, slots=True)
class CheckpointView:
    """A signed root over all entries so far; `note` is the text to publish."""

    size: int
    root_hex: str
    note: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class AttestationView:
    """One attestation as it was spoken: exact Provenance, when, for which Group, and what became of it."""

    attempt_id: str
    intent_id: str
    plan_id: str
    npi: str | None
    kind: str
    n: int
    sent_at: datetime
    state: str
    settled_by: str | None
    provenance: str | None


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One ledger entry for reading; `body` holds no patient value."""

    seq: int
    kind: str
    at: datetime
    actor: str
    leaf_hash: str
    body: Mapping[str, Any]


def verify_ledger(rt: Runtime, organization_id: str | None = None) -> Verification:
    """Verify the ledger of one organisation or all: chain, hashes, tenancy, checkpoints, and that every recorded call
    is there with a signature before it and the outcome that is recorded of it.
    """
    with rt.database.read() as connection:
        found = [o.id for o in organizations.find_organizations(connection)]
        chosen = [organizations.load_organization(connection, organization_id).id] if organization_id else found
        entries = checkpoints = 0
        for one in chosen:
            try:
                n, c = _verify_one(rt, connection, one)
            except LedgerBroken as broken:
                return Verification(len(chosen), entries, checkpoints, False, broken.message)
            except (TypeError, ValueError, KeyError):
                fault = f"The ledger of {one} holds an entry that nobody can have written here."
                return Verification(len(chosen), entries, checkpoints, False, fault)
            entries, checkpoints = entries + n, checkpoints + c
    return Verification(len(chosen), entries, checkpoints, True, None)


def make_checkpoint(rt: Runtime, organization_id: str) -> CheckpointView | None:
    """Sign the root over all entries; None when nothing came since the last one.

    The last signed root must be a prefix of what is there now, else LedgerBroken: nobody signs a rewritten past.
    """
    with rt.database.read() as connection:
        hashes = list(ledger.read_leaf_hashes(connection, organization_id))
        last = ledger.find_last_checkpoint(connection, organization_id)
    if len(hashes) == (last.size if last else 0):
        return None
    roots = compute_roots(hashes, [len(hashes), last.size if last else 0])
    if last and roots.get(last.size) != last.root:
        raise LedgerBroken("The ledger does not continue from the last signed checkpoint.")
    root = roots[len(hashes)]
    note = rt.signer.sign_note(write_checkpoint_body(_origin(organization_id), len(hashes), root))
    signed = ledger.Checkpoint(size=len(hashes), root=root, note=note, signed_at=rt.now())
    with rt.database.begin() as connection:
        if ledger.find_last_checkpoint(connection, organization_id) != last:
            return None  # somebody else has signed meanwhile; the next one continues from theirs
        ledger.save_checkpoint(connection, organization_id, signed)
    return _view_checkpoint(signed)


def find_checkpoints(rt: Runtime, organization_id: str, limit: int = 50) -> list[CheckpointView]:
    """Answer checkpoints, newest first."""
    with rt.database.read() as connection:
        found = ledger.find_checkpoints(connection, organization_id, limit=min(limit, MOST_ROWS))
    return [_view_checkpoint(c) for c in found]


def find_attestations(
    rt: Runtime, organization_id: str, *, after: tuple[datetime, str] | None = None, limit: int = 50
) -> list[AttestationView]:
    """Answer attestations newest first; `after` is (sent_at, attempt id) of the last one seen."""
    with rt.database.read() as connection:
        found = intents.find_attempts(
            connection, organization_id, attested=True, after=after, limit=min(limit, MOST_ROWS)
        )
        return [_view_attestation(connection, organization_id, a) for a in found]


def load_attestation(rt: Runtime, organization_id: str, attempt_id: str) -> AttestationView:
    """Answer one attestation; raises NotFound."""
    with rt.database.read() as connection:
        attempt = intents.load_attempt(connection, organization_id, attempt_id)
        return _view_attestation(connection, organization_id, attempt)


def find_ledger_entries(
    rt: Runtime, organization_id: str, *, after_seq: int = 0, limit: int = 100, newest_first: bool = False
) -> list[LedgerRow]:
    """Answer entries in order of their numbers, those above `after_seq`; or the newest ones, latest first."""
    with rt.database.read() as connection:
        if newest_first:
            after_seq = max(0, ledger.count_entries(connection, organization_id) - limit)
        found = ledger.find_entries(connection, organization_id, after_seq=after_seq, limit=min(limit, MOST_ROWS))
    rows = [LedgerRow(e.seq, e.kind, e.at, e.actor, e.leaf_hash.hex(), json.loads(e.leaf)["body"]) for e in found]
    return rows[::-1] if newest_first else rows


def count_ledger_entries(rt: Runtime, organization_id: str) -> int:
    """Answer how many entries the ledger has."""
    with rt.database.read() as connection:
        return ledger.count_entries(connection, organization_id)


@dataclass(slots=True)
class _Said:
    """What the entries say about calls: which were made, how each last ended, and which signatures there are."""

    attempts: set[str] = field(default_factory=set)
    outcomes: dict[str, str] = field(default_factory=dict)
    sign_offs: set[str] = field(default_factory=set)
    unsigned: int = 0

    def hear(self, entries: Iterable[ledger.LedgerEntry]) -> Iterator[Entry]:
        """Pass the entries on and remember what they say of calls."""
        for entry in entries:
            yield Entry(entry.seq, entry.leaf, entry.leaf_hash, entry.prev_hash)
            if entry.kind in ("plan-signed", "attempt", "outcome"):
                self._hear(entry.kind, json.loads(entry.leaf)["body"])

    def _hear(self, kind: str, body: Mapping[str, Any]) -> None:
        if kind == "plan-signed":
            self.sign_offs.add(body["sign_off"])
        elif kind == "attempt":
            self.attempts.add(body["attempt"])
            self.unsigned += body["approval"] not in self.sign_offs
        else:
            self.outcomes[body["attempt"]] = body["state"]


def _verify_one(rt: Runtime, connection: Connection, organization_id: str) -> tuple[int, int]:
    said = _Said()
    hashes = check_entries(said.hear(ledger.read_entries(connection, organization_id)), organization_id)
    stored = {a.id: a.state for a in _read_attempts(connection, organization_id)}
    if said.attempts != stored.keys():
        raise LedgerBroken(f"The ledger of {organization_id} and its recorded attempts name different calls.")
    if said.outcomes != {attempt: state for attempt, state in stored.items() if state != "open"}:
        raise LedgerBroken(f"The ledger of {organization_id} and its recorded attempts tell different outcomes.")
    if said.unsigned:
        raise LedgerBroken(f"The ledger of {organization_id} has {said.unsigned} calls that nobody had signed for.")
    checkpoints = ledger.find_checkpoints(connection, organization_id, limit=None)
    roots = compute_roots(hashes, (checkpoint.size for checkpoint in checkpoints))
    for checkpoint in checkpoints:
        _check_checkpoint(rt, organization_id, checkpoint, roots)
    return len(hashes), len(checkpoints)


def _check_checkpoint(
    rt: Runtime, organization_id: str, checkpoint: ledger.Checkpoint, roots: Mapping[int, bytes]
) -> None:
    origin, size, root = read_checkpoint_body(open_note(checkpoint.note, rt.signer.public_key))
    said = (origin, size, root)
    if said != (_origin(organization_id), checkpoint.size, checkpoint.root):
        raise LedgerBroken(f"A checkpoint of {organization_id} does not say what is recorded of it.")
    if roots.get(size) != root:
        raise LedgerBroken(f"The ledger of {organization_id} differs from its checkpoint over {size} entries.")


def _read_attempts(connection: Connection, organization_id: str) -> list[Attempt]:
    found: list[Attempt] = []
    after = None
    while page := intents.find_attempts(connection, organization_id, after=after, limit=MOST_ROWS):
        found.extend(page)
        after = (page[-1].sent_at, page[-1].id)
    return found


def _origin(organization_id: str) -> str:
    return f"rollcall/{organization_id}"


def _view_checkpoint(checkpoint: ledger.Checkpoint) -> CheckpointView:
    return CheckpointView(checkpoint.size, checkpoint.root.hex(), checkpoint.note, checkpoint.signed_at)


def _view_attestation(connection: Connection, organization_id: str, attempt: Attempt) -> AttestationView:
    intent = intents.load_intent(connection, organization_id, attempt.intent_id)
    return AttestationView(
        attempt.id,
        intent.id,
        intent.plan_id,
        attempt.npi,
        intent.kind,
        intent.n,
        attempt.sent_at,
        attempt.state,
        attempt.settled_by,
        attempt.provenance,
    )
