"""Panels of claims: what one feed says about one practitioner's patients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import Connection

from service.storage.panel_codec import ClaimColumns, are_same, decode_claims, encode_claims, encode_each_claims
from service.storage.panels.heads import (
    PANELS_PER_STATEMENT,
    PanelHead,
    find_latest,
    open_latest,
    open_versions,
    raise_stale,
    write_version,
    write_versions,
)
from service.storage.rows import in_batches
from service.storage.sealing import OrganizationKeys

SIDE = "claims"
PANELS_AT_ONCE = 8 * PANELS_PER_STATEMENT
"""Panels that are folded before the first of them is sealed: whoever folds them may read from the database, and cannot
while a statement is under way; the more, the seldomer the sealing waits for the last statement."""


@dataclass(frozen=True, slots=True)
class ClaimPanel:
    """The latest claims of one feed about one practitioner's patients."""

    npi: str
    feed: str
    version: int
    columns: ClaimColumns


def save_claims(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    npi: str,
    feed: str,
    claims: ClaimColumns,
    *,
    now: datetime,
    expected_version: int,
) -> bool:
    """Write a new version of a panel and answer True, or False when its claims are the ones already stored.

    `expected_version` is the version that was read, 0 for none; raises StaleVersion when it is another one now.
    """
    latest = find_latest(connection, keys, organization_id, npi, SIDE, feed)
    if expected_version != (latest[0].version if latest else 0):
        raise_stale()
    body = encode_claims(claims)
    if latest and (latest[1] == body or are_same(decode_claims(latest[1]), decode_claims(body))):
        return False
    write_version(connection, keys, organization_id, _build_head(npi, feed, expected_version, claims, now), body)
    return True


def save_folded(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    feed: str,
    folded: Iterable[tuple[str, ClaimPanel | None, ClaimColumns]],
    *,
    now: datetime,
) -> int:
    """Write the panels of one feed that changed, many in a statement, and answer how many did.

    `folded` names a practitioner, what was read in this transaction (None for nothing) and what follows from it, in
    the order of the MBIs. Raises StaleVersion when somebody else wrote one of them since it was read.
    """
    written = 0
    for batch in in_batches(_iter_changed(feed, folded, now), PANELS_AT_ONCE):
        written += write_versions(connection, keys, organization_id, _encode(batch))
    return written


def load_claims(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    npi: str | tuple[str, ...] | None = None,
    *,
    feed: str | None = None,
) -> list[ClaimPanel]:
    """Answer the latest claims, of one practitioner, some or all, of one feed or every.

    Raises SealBroken with other keys.
    """
    return [
        ClaimPanel(head.npi, head.source, head.version, decode_claims(body))
        for head, body in open_latest(connection, keys, organization_id, SIDE, npi, feed)
    ]


def load_claims_of_versions(
    connection: Connection, keys: OrganizationKeys, organization_id: str, feed: str, versions: Mapping[str, int]
) -> dict[str, ClaimColumns]:
    """Answer the claims of one feed as they were in given versions, by NPI; those that are pruned are missing."""
    found = open_versions(connection, keys, organization_id, SIDE, feed, versions)
    return {head.npi: decode_claims(body) for head, body in found}


def _iter_changed(
    feed: str, folded: Iterable[tuple[str, ClaimPanel | None, ClaimColumns]], now: datetime
) -> Iterator[tuple[PanelHead, ClaimColumns]]:
    for npi, known, claims in folded:
        if known is None or not are_same(known.columns, claims):
            yield _build_head(npi, feed, known.version if known else 0, claims, now), claims


def _encode(changed: Iterable[tuple[PanelHead, ClaimColumns]]) -> Iterator[tuple[PanelHead, bytes]]:
    for some in in_batches(changed, PANELS_PER_STATEMENT):
        bodies = encode_each_claims([claims for _, claims in some])
        yield from zip((head for head, _ in some), bodies, strict=True)


def _build_head(npi: str, feed: str, version: int, claims: ClaimColumns, now: datetime) -> PanelHead:
    n_active = len(claims) - int(np.count_nonzero(claims.ended))
    return PanelHead(npi, SIDE, feed, version, len(claims), n_active, None, None, now, None)
