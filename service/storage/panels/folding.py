"""Folding a delivery into claims in columns; `service.domain.roster.fold_delivery` is the specification."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from service.domain.identifiers import pack_mbi
from service.domain.renames import Renames
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
class RenamedCodes:
    """Former and present MBIs side by side, packed, in the order of the former ones."""

    former: Codes = field(default_factory=lambda: _NOBODY)
    present: Codes = field(default_factory=lambda: _NOBODY)


NO_RENAMES = RenamedCodes()


def pack_renames(renames: Renames) -> RenamedCodes:
    """Pack the present MBI of each former one."""
    pairs = sorted((pack_mbi(former), pack_mbi(present)) for former, present in renames.items())
    codes = np.array(pairs, np.uint64).reshape(-1, 2)
    return RenamedCodes(codes[:, 0], codes[:, 1])


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


def fold_columns(
    known: ClaimColumns,
    delivered: DeliveredColumns,
    absences_before_removal: int,
    renames: RenamedCodes = NO_RENAMES,
) -> ClaimColumns:
    """Fold one delivery into the claims of the same feed about one practitioner; `known` is in order of its MBIs."""
    delivered = _tell_of_numbers(known, delivered, renames)
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
    newer = _find_newer(known, delivered)
    if newer.any():
        _copy(known, newer, claims, places[newer])


def _find_newer(known: ClaimColumns, delivered: DeliveredColumns) -> npt.NDArray[np.bool_]:
    same_time = known.evidence_at == delivered.evidence_at
    is_later = known.delivery > delivered.delivery
    newer: npt.NDArray[np.bool_] = (known.evidence_at > delivered.evidence_at) | (is_later & (known.ended | same_time))
    return newer


def fold_redelivered(
    known: ClaimColumns,
    before: ClaimColumns,
    delivered: DeliveredColumns,
    absences_before_removal: int,
    renames: RenamedCodes = NO_RENAMES,
) -> ClaimColumns:
    """Fold a snapshot that replaces the last one as a whole; `service.domain.roster.fold_redelivery` says how."""
    if not delivered.removals_count:
        return fold_columns(known, delivered, absences_before_removal, renames)
    folded = fold_columns(before, delivered, absences_before_removal, renames)
    only_replaced = ~np.isin(known.mbi, folded.mbi)
    if not only_replaced.any():
        return folded
    gone = _choose(known, only_replaced)
    lets_go = ~gone.ended & ~_share_patients(gone.mbi, delivered.protected, renames)
    gone.delivery[lets_go] = delivered.delivery
    gone.line[lets_go] = 0
    gone.ended[lets_go] = True
    mbi = np.unique(np.concatenate([folded.mbi, gone.mbi]))
    claims = _spread(folded, mbi, np.searchsorted(mbi, folded.mbi))
    _copy(gone, slice(None), claims, np.searchsorted(mbi, gone.mbi))
    return claims


def _tell_of_numbers(known: ClaimColumns, delivered: DeliveredColumns, renames: RenamedCodes) -> DeliveredColumns:
    """Answer what a delivery says of patients, told of every number under which they are claimed."""
    if len(renames.former) == 0:
        return delivered
    removed = _remove_all_numbers(known.mbi, delivered.removed, renames)
    protected = delivered.protected
    if len(protected):
        concerned = np.concatenate([known.mbi, removed.mbi])
        protected = np.unique(
            np.concatenate([protected, concerned[_share_patients(concerned, protected, renames)]]),
        )
    present, ended = delivered.present, known.ended & _find_newer(known, delivered)
    if ended.any():
        let_go = np.setdiff1d(rename_codes(known.mbi[ended], renames), rename_codes(known.mbi[~known.ended], renames))
        stays = ~np.isin(rename_codes(present.mbi, renames), let_go)
        present = Listed(present.mbi[stays], present.line[stays])
    return replace(delivered, present=present, removed=removed, protected=protected)


def _remove_all_numbers(known: Codes, removed: Listed, renames: RenamedCodes) -> Listed:
    """Remove also the other numbers under which the same patients are claimed, by the first row that says so."""
    others = known[_share_patients(known, removed.mbi, renames) & ~np.isin(known, removed.mbi)]
    if len(others) == 0:
        return removed
    patients = rename_codes(removed.mbi, renames)
    in_order = np.lexsort((removed.line, patients))
    told = list_once(patients[in_order], removed.line[in_order])
    lines = told.line[np.searchsorted(told.mbi, rename_codes(others, renames))]
    return unite_listed(Listed(others, lines), removed)


def _share_patients(codes: Codes, told: Codes, renames: RenamedCodes) -> npt.NDArray[np.bool_]:
    """Answer of each number whether it is one of a patient who is told of under any number."""
    if len(told) == 0:
        return np.zeros(len(codes), np.bool_)
    return np.isin(rename_codes(codes, renames), rename_codes(told, renames))


def rename_claims(known: ClaimColumns, renames: RenamedCodes) -> ClaimColumns:
    """Answer one feed's word on each patient; `service.domain.roster.unite_numbers` says which claim it is."""
    mbi = rename_codes(known.mbi, renames)
    if mbi is known.mbi:
        return known
    patients, each = np.unique(mbi, return_inverse=True)
    newest_first = -known.delivery, -known.evidence_at
    # Absences decide nothing beside any other word, and in one file the row that lists the patient counts.
    by_absences = known.ended & ((known.line == 0) | (known.absences > 0))
    deciding = _find_first(each, known.ended, *newest_first, by_absences)
    is_overruled = known.ended != known.ended[deciding][each]
    chosen = _find_first(each, known.line, *newest_first, is_overruled)
    return replace(_choose(known, chosen), mbi=patients)


def _find_first(patients: Places, *keys: npt.NDArray[Any]) -> Places:
    """Answer the place of each patient's first claim, ordered by the last key, then by the one before it."""
    order = np.lexsort((*keys, patients))
    places: Places = order[np.unique(patients[order], return_index=True)[1]]
    return places


def rename_codes(mbi: Codes, renames: RenamedCodes) -> Codes:
    """Answer packed MBIs with the former ones replaced; the very same array when there is none among them."""
    former, present = renames.former, renames.present
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
