"""Put a fact into the ledger, in the transaction of the step that made it true."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime

from service.domain.canonical import Json
from service.domain.ledger import build_leaf, commit_subjects
from service.domain.merkle import hash_leaf
from service.runtime import SOFTWARE
from service.storage import ledger
from service.storage.connection import Connection
from service.storage.rows import new_id
from service.storage.sealing import OrganizationKeys

SECRET_BYTES = 32


def record_fact(
    connection: Connection,
    organization_id: str,
    kind: str,
    *,
    at: datetime,
    actor: str,
    body: Mapping[str, Json],
    sealed_opening: bytes | None = None,
) -> int:
    """Append one entry and answer its sequence number; `body` holds no patient value."""
    entry = ledger.append_entry(
        connection,
        organization_id,
        kind=kind,
        at=at,
        actor=actor,
        build_leaf=lambda seq, previous: build_leaf(
            seq, previous, organization_id=organization_id, kind=kind, at=at, actor=actor, body=body, software=SOFTWARE
        ),
        hash_leaf=hash_leaf,
        sealed_opening=sealed_opening,
    )
    return entry.seq


def record_subjects(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    kind: str,
    *,
    at: datetime,
    actor: str,
    body: Mapping[str, Json],
    pairs: Sequence[tuple[str, str]],
) -> int:
    """Append an entry about (mbi, npi) pairs: the leaf commits to them, the sealed opening holds them."""
    secret, opening_id = os.urandom(SECRET_BYTES), new_id()
    opening = json.dumps({"secret": secret.hex(), "pairs": [list(pair) for pair in pairs]}).encode()
    return record_fact(
        connection,
        organization_id,
        kind,
        at=at,
        actor=actor,
        body={**body, "subjects": {**commit_subjects(secret, pairs), "opening": opening_id}},
        sealed_opening=keys.seal("ledger_entry", "opening", opening_id, opening),
    )
