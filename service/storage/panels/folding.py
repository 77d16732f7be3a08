"""Folding a delivery into claims in columns; `service.domain.roster.fold_delivery` is the specification."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from service.storage.panel_codec import ClaimColumns

Codes = npt.NDArray[np.uint64]
Lines = npt.NDArray[np.int32]
Places = npt.NDArray[np.intp]
_MOST_ABSENCES = 255
_NOBODY: Codes = np.empty(0, np.uint64)
_NOWHERE: Lines = np.empty(0, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """Patients of one practitioner, each once and in order: `mbi` packed, `line` where each stands."""

    mbi: Codes = field(default_factory=lambda: _NOBODY)
    line: Lines = field(default_factory=lambda: _NOWHERE)


@dataclass(frozen=True, slots=True, eq=False)
class DeliveredColumns:
    """What one delivery says about one practitioner, as `DeliveredPanel` does; `evidence_at` in epoch seconds."""

    delivery: int
    evidence_at: int
    is_snapshot: bool
    present: Listed
    removed: Listed
    protected: Codes
    removals_count: bool
    missed_by: int = 0
    absences_count: bool = True


def list_once(mbi: Codes, line: Lines) -> Listed:
    """Order patients and keep of each the place that was named first."""
    codes, first = np.unique(mbi, return_index=True)
    return Listed(codes, line[first])


def unite_listed(weaker: Listed, stronger: Listed) -> Listed:
    """Unite two lists; of a patient in both the line of the stronger one stands."""
    if len(weaker.mbi) == 0:
        return stronger
    return list_once(np.concatenate([stronger.mbi, weaker.mbi]), np.concatenate([stronger.line, weaker.line]))


def fold_columns(known: ClaimColumns, delivered: DeliveredColumns, absences_before_removal: int) -> ClaimColumns:
    """Fold one delivery into the claims of the same feed about one practitioner; `known` is in order of its MBIs."""
    removed = _find_removed(delivered)
    mbi = _unite(known.mbi, removed.mbi, delivered.present.mbi)
    places = np.searchsorted(mbi, known.mbi)
    claims = _spread(known, mbi, places)
    if delivered.removals_count and delivered.is_snapshot and delivered.absences_count:
        _count_absences(claims, delivered, places, absences_before_removal)
    _put(claims, delivered, removed, ended=True)
    _put(claims, delivered, delivered.present, ended=False)
    if delivered.missed_by:
        _count_missed(claims, known, delivered, absences_before_removal)
    _restore_newer(claims, known, delivered, places)
    return claims


def _find_removed(delivered: DeliveredColumns) -> Listed:
    if not delivered.removals_count or len(delivered.removed.mbi) == 0:
        return Listed()
    counts = ~np.isin(delivered.removed.mbi, delivered.protected)
    return Listed(delivered.removed.mbi[counts], delivered.removed.line[counts])


def _unite(known: Codes, removed: Codes, present: Codes) -> Codes:
    if len(removed) == 0 and np.array_equal(known, present):
        return known
    return np.unique(np.concatenate([known, removed, present]))


def _spread(known: ClaimColumns, mbi: Codes, places: Places) -> ClaimColumns:
    """Copy claims into columns that have room for whoever comes new."""
    n = len(mbi)
    claims = ClaimColumns(
        mbi,
        np.zeros(n, np.int32),
        np.zeros(n, np.int32),
        np.zeros(n, np.int64),
        np.zeros(n, np.uint8),
        np.zeros(n, np.bool_),
    )
    _copy(known, slice(None), claims, places)
    return claims


def _copy(source: ClaimColumns, chosen: slice | npt.NDArray[np.bool_], target: ClaimColumns, places: Places) -> None:
    for name in ("delivery", "line", "evidence_at", "absences", "ended"):
        getattr(target, name)[places] = getattr(source, name)[chosen]


def _count_absences(claims: ClaimColumns, delivered: DeliveredColumns, places: Places, limit: int) -> None:
    absent = np.zeros(len(claims), np.bool_)
    absent[places] = True
    absent &= ~claims.ended
    absent[np.searchsorted(claims.mbi, delivered.present.mbi)] = False
    # A faulty row still shows that the patient was in the file, so the absences are no longer in a row.
    is_protected = absent & np.isin(claims.mbi, delivered.protected)
    claims.absences[is_protected] = 0
    absent &= ~is_protected
    counted = claims.absences.astype(np.int64) + 1
    ends = absent & (counted >= limit)
    claims.absences[absent] = np.minimum(counted[absent], _MOST_ABSENCES)
    claims.delivery[ends] = delivered.delivery
    claims.line[ends] = 0
    claims.ended[ends] = True


def _put(claims: ClaimColumns, delivered: DeliveredColumns, listed: Listed, *, ended: bool) -> None:
    places = np.searchsorted(claims.mbi, listed.mbi)
    claims.delivery[places] = delivered.delivery
    claims.line[places] = listed.line
    claims.evidence_at[places] = delivered.evidence_at
    claims.absences[places] = 0
    claims.ended[places] = ended


def _count_missed(claims: ClaimColumns, known: ClaimColumns, delivered: DeliveredColumns, limit: int) -> None:
    """Count of the snapshots made since those that did not list a patient whom this delivery lists."""
    missed = min(delivered.missed_by, _MOST_ABSENCES)
    places = np.searchsorted(claims.mbi, delivered.present.mbi)
    claims.absences[places] = missed
    claims.ended[places] = delivered.missed_by >= limit
    claimed = ~known.ended & np.isin(known.mbi, delivered.present.mbi)
    places = np.searchsorted(claims.mbi, known.mbi[claimed])
    claims.absences[places] = np.minimum(known.absences[claimed], missed)
    claims.ended[places] = False


def _restore_newer(claims: ClaimColumns, known: ClaimColumns, delivered: DeliveredColumns, places: Places) -> None:
    """Let stand what rests on newer evidence or a later delivery of the same time, and what a later one has ended."""
    same_time = known.evidence_at == delivered.evidence_at
    is_later = known.delivery > delivered.delivery
    newer = (known.evidence_at > delivered.evidence_at) | (is_later & (known.ended | same_time))
    if newer.any():
        _copy(known, newer, claims, places[newer])


def fold_redelivered(
    known: ClaimColumns, before: ClaimColumns, delivered: DeliveredColumns, absences_before_removal: int
) -> ClaimColumns:
    """Fold a snapshot that replaces the last one as a whole; `service.domain.roster.fold_redelivery` says how."""
    if not delivered.removals_count:
        return fold_columns(known, delivered, absences_before_removal)
    folded = fold_columns(before, delivered, absences_before_removal)
    only_replaced = ~np.isin(known.mbi, folded.mbi)
    if not only_replaced.any():
        return folded
    gone = _choose(known, only_replaced)
    lets_go = ~gone.ended & ~np.isin(gone.mbi, delivered.protected)
    gone.delivery[lets_go] = delivered.delivery
    gone.line[lets_go] = 0
    gone.ended[lets_go] = True
    mbi = np.unique(np.concatenate([folded.mbi, gone.mbi]))
    claims = _spread(folded, mbi, np.searchsorted(mbi, folded.mbi))
    _copy(gone, slice(None), claims, np.searchsorted(mbi, gone.mbi))
    return claims


def rename_claims(known: ClaimColumns, former: Codes, present: Codes) -> ClaimColumns:
    """Answer the claims under the present MBIs; of a patient claimed under both, what holds and is newest stands.

    `former` and `present` stand side by side; `former` is in order.
    """
    mbi = rename_codes(known.mbi, former, present)
    if mbi is known.mbi:
        return known
    order = np.lexsort((-known.evidence_at, known.ended, mbi))
    _, first = np.unique(mbi[order], return_index=True)
    chosen = order[first]
    return replace(_choose(known, chosen), mbi=mbi[chosen])


def rename_codes(mbi: Codes, former: Codes, present: Codes) -> Codes:
    """Answer packed MBIs with the former ones replaced; the very same array when there is none among them."""
    if len(former) == 0 or len(mbi) == 0:
        return mbi
    places = np.minimum(np.searchsorted(former, mbi), len(former) - 1)
    is_former = former[places] == mbi
    if not is_former.any():
        return mbi
    renamed: Codes = np.where(is_former, present[places], mbi)
    return renamed


def _choose(claims: ClaimColumns, chosen: npt.NDArray[Any]) -> ClaimColumns:
    return ClaimColumns(*(getattr(claims, item.name)[chosen] for item in fields(ClaimColumns)))
