"""What it costs to wait: the first attribution that lapses while a feed tells nothing new, or its file is held."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from service.domain.policy import Policy
from service.domain.renames import resolve_renames
from service.storage import organizations, panels
from service.storage.connection import Connection
from service.storage.panel_codec import ClaimColumns, ObservedColumns
from service.storage.panels.folding import RenamedCodes, pack_renames, rename_claims
from service.storage.renames import find_renames
from service.storage.rows import in_batches
from service.storage.sealing import OrganizationKeys
from service.workflows.policies import read_policy

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND, _PER_SECOND = timedelta(microseconds=1), 1_000_000
_PRACTITIONERS_AT_ONCE = 200
"""Whose panels are in memory together; a large organisation's would take a lot of it."""


def find_cost_of_silence(
    connection: Connection, keys: OrganizationKeys, organization_id: str, feed_id: str, now: datetime
) -> datetime | None:
    """Answer the first end of an attribution that this feed lists and that only newer evidence could renew.

    What another feed shows later counts for the pair too. None when nothing is lost by waiting.
    """
    policy = read_policy(organizations.load_organization(connection, organization_id))
    heads = panels.find_panel_heads(connection, organization_id)
    listed = {head.npi for head in heads if head.side == "claims" and head.source == feed_id}
    npis = sorted({head.npi for head in heads if head.side == "observed" and head.n_active} & listed)
    if not npis:
        return None
    renames = pack_renames(resolve_renames(find_renames(connection, keys, organization_id)))
    ends = [
        find_first_lapse(observed, by_feed, feed_id, renames, now, policy)
        for observed, by_feed in _iter_panels(connection, keys, organization_id, npis)
    ]
    return min((end for end in ends if end is not None), default=None)


def find_first_lapse(
    observed: ObservedColumns,
    by_feed: Mapping[str, ClaimColumns],
    feed_id: str,
    renames: RenamedCodes,
    now: datetime,
    policy: Policy,
) -> datetime | None:
    """Answer `service.domain.expiry.find_cost_of_waiting` for one practitioner, of the pairs that this feed lists.

    `observed` is what DPC shows, `by_feed` are the claims of all feeds; the newest evidence for a patient counts.
    """
    listed, _ = _unite([by_feed[feed_id]] if feed_id in by_feed else [], renames)
    claimed, evidence_at = _unite(by_feed.values(), renames)
    shown = _choose_last(observed)
    shown = shown[np.isin(observed.mbi[shown], listed) & ~observed.inactive[shown]]
    newest = np.searchsorted(claimed, observed.mbi[shown], "right") - 1
    # Times in microseconds, because the present is not a whole second.
    at, end_at = (now - _EPOCH) // _MICROSECOND, observed.end_at[shown] * _PER_SECOND
    too_old_at = evidence_at[newest] * _PER_SECOND + policy.evidence_max_age // _MICROSECOND
    due_at = np.maximum(end_at - policy.renew_within // _MICROSECOND, at)
    lapsing = end_at[(end_at > at) & (due_at > too_old_at)]
    return _EPOCH + int(lapsing.min()) * _MICROSECOND if len(lapsing) else None


def _unite(feeds: Iterable[ClaimColumns], renames: RenamedCodes) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Answer who is claimed, by present MBIs in order, and on which evidence; of one patient the newest comes last."""
    words = [rename_claims(columns, renames) for columns in feeds]
    claimed = [(one.mbi[~one.ended], one.evidence_at[~one.ended]) for one in words]
    if not claimed:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    told, evidence = zip(*claimed, strict=True)
    mbi, evidence_at = np.concatenate(told), np.concatenate(evidence)
    order = np.lexsort((evidence_at, mbi))
    return mbi[order], evidence_at[order]


def _choose_last(observed: ObservedColumns) -> NDArray[np.intp]:
    """Answer the place of each patient; of one whom DPC shows twice the last, as in `Group.by_mbi`."""
    _, from_end = np.unique(observed.mbi[::-1], return_index=True)
    places: NDArray[np.intp] = len(observed) - 1 - from_end
    return places


def _iter_panels(
    connection: Connection, keys: OrganizationKeys, organization_id: str, npis: list[str]
) -> Iterator[tuple[ObservedColumns, Mapping[str, ClaimColumns]]]:
    """Yield what DPC shows of each practitioner, and the claims by feed."""
    for some in in_batches(npis, _PRACTITIONERS_AT_ONCE):
        claims: defaultdict[str, dict[str, ClaimColumns]] = defaultdict(dict)
        for panel in panels.load_claims(connection, keys, organization_id, tuple(some)):
            claims[panel.npi][panel.feed] = panel.columns
        for shown in panels.load_observed(connection, keys, organization_id, tuple(some)):
            yield shown.columns, claims[shown.npi]
