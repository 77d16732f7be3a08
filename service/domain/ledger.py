"""The ledger: append-only facts in canonical JSON, chained by hash, hashed as leaves of a Merkle tree, without PHI."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.domain.canonical import Json, write_canonical_json, write_time
from service.domain.errors import LedgerBroken
from service.domain.merkle import compute_root, hash_leaf

LEAF_VERSION = 1
FIRST_PREVIOUS = bytes(32)
"""What the first entry has in place of its predecessor's leaf hash."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One recorded fact: its place, its bytes and its leaf hash. `seq` counts from 1 without gaps."""

    seq: int
    leaf: bytes
    leaf_hash: bytes
    prev_hash: bytes


def build_leaf(
    seq: int,
    prev_hash: bytes,
    *,
    organization_id: str,
    kind: str,
    at: datetime,
    actor: str,
    body: Mapping[str, Json],
    software: str,
) -> bytes:
    """Answer the canonical bytes of one entry; `body` must hold no patient value (subjects go in as commitments)."""
    return write_canonical_json(
        {
            "leaf_version": LEAF_VERSION,
            "organization": organization_id,
            "seq": seq,
            "prev": prev_hash.hex(),
            "kind": kind,
            "at": write_time(at),
            "actor": actor,
            "software": software,
            "body": dict(body),
        }
    )


def commit_subject(secret: bytes, index: int, mbi: str, npi: str) -> bytes:
    """Answer the commitment to one pair: HMAC-SHA256 under a key of its own, derived from the entry's fresh secret.

    Handing out one derived key opens one pair to an auditor and no other; destroying the secret closes all for ever.
    """
    return hmac.digest(derive_subject_key(secret, index), f"{mbi}|{npi}".encode(), "sha256")


def derive_subject_key(secret: bytes, index: int) -> bytes:
    """Answer the key of the pair at `index` of an entry."""
    return hmac.digest(secret, b"rollcall:subject:v1:" + index.to_bytes(4, "big"), "sha256")


def commit_subjects(secret: bytes, pairs: Sequence[tuple[str, str]]) -> dict[str, Json]:
    """Answer what an entry says about its (mbi, npi) pairs: how many, and the Merkle root over their commitments."""
    hashes = [hash_leaf(commit_subject(secret, i, mbi, npi)) for i, (mbi, npi) in enumerate(pairs)]
    return {"n": len(pairs), "root": compute_root(hashes).hex()}


def check_entries(entries: Iterable[Entry], organization_id: str) -> list[bytes]:
    """Check sequence, chain, hashes and tenancy; answer the leaf hashes. LedgerBroken names the first bad entry."""
    hashes: list[bytes] = []
    previous = FIRST_PREVIOUS
    for expected, entry in enumerate(entries, start=1):
        fault = _find_fault(entry, expected, previous, organization_id)
        if fault:
            raise LedgerBroken(f"Entry {expected} of the ledger of {organization_id} {fault}.")
        hashes.append(entry.leaf_hash)
        previous = entry.leaf_hash
    return hashes


def _find_fault(entry: Entry, expected: int, previous: bytes, organization_id: str) -> str | None:
    if not all(isinstance(part, bytes) for part in (entry.leaf, entry.leaf_hash, entry.prev_hash)):
        return "is not stored as it was written"
    if entry.seq != expected:
        return f"is missing; entry {entry.seq} follows"
    if hash_leaf(entry.leaf) != entry.leaf_hash:
        return "does not match its hash"
    if entry.prev_hash != previous:
        return "does not follow from the entry before it"
    try:
        leaf = json.loads(entry.leaf)
    except ValueError:
        leaf = None
    if not isinstance(leaf, dict):
        return "cannot be read"
    said = (leaf.get("seq"), leaf.get("prev"), leaf.get("organization"))
    if said != (expected, previous.hex(), organization_id):
        return "belongs elsewhere"
    return None


def write_checkpoint_body(origin: str, size: int, root: bytes) -> str:
    """Answer the text that is signed: origin, size and root in base64, one a line (C2SP tlog-checkpoint)."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def read_checkpoint_body(text: str) -> tuple[str, int, bytes]:
    """Read origin, size and root of a checkpoint; raises LedgerBroken."""
    lines = text.split("\n")
    try:
        return lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)
    except (IndexError, ValueError):
        raise LedgerBroken("A checkpoint cannot be read.") from None


def digest_bytes(content: bytes) -> str:
    """Answer the SHA-256 in lower-case hex, as it stands in ledger bodies."""
    return hashlib.sha256(content).hexdigest()
