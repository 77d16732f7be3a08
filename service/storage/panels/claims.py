"""Panels of claims: what one feed says about one practitioner's patients."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from service.storage.panel_codec import ClaimColumns, are_same, decode_claims, encode_claims
from service.storage.panels.heads import PanelHead, find_latest, open_latest, raise_stale, write_version
from service.storage.sealing import OrganizationKeys

SIDE = "claims"


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
    n, n_active = len(claims), len(claims) - int(claims.ended.sum())
    head = PanelHead(npi, SIDE, feed, expected_version, n, n_active, None, None, now, None)
    write_version(connection, keys, organization_id, head, body)
    return True


def load_claims(
    connection: Connection, keys: OrganizationKeys, organization_id: str, npi: str | None = None
) -> list[ClaimPanel]:
    """Answer the latest claims of every feed, of one practitioner or all. Raises SealBroken with other keys."""
    return [
        ClaimPanel(head.npi, head.source, head.version, decode_claims(body))
        for head, body in open_latest(connection, keys, organization_id, SIDE, npi)
    ]
