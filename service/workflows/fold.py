"""Fold what a delivery says into the claims of its feed, or only see what that would do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from service.domain.identifiers import pack_mbi
from service.domain.intake import Effect
from service.domain.roster import resolve_renames
from service.rosters.reading import ALL_PRACTITIONERS, Columns
from service.storage import deliveries, panels
from service.storage.connection import Connection
from service.storage.deliveries import Delivery, DeliveryEffect
from service.storage.panel_codec import NO_CLAIMS, ClaimColumns
from service.storage.panels import ClaimPanel
from service.storage.panels.folding import (
    DeliveredColumns,
    Listed,
    fold_columns,
    fold_redelivered,
    list_once,
    rename_claims,
    rename_codes,
    unite_listed,
)
from service.storage.renames import find_renames
from service.workflows.reading import Reading

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_DELIVERIES = 20
"""So many deliveries back a redelivery looks for the one it replaces."""


@dataclass(frozen=True, slots=True, eq=False)
class FoldedPanel:
    """One practitioner's claims of a feed before and after a delivery, and the difference in numbers."""

    npi: str
    known: ClaimPanel | None
    claims: ClaimColumns
    let_go: NDArray[np.uint64]
    absent: NDArray[np.uint64]
    effect: Effect


@dataclass(frozen=True, slots=True, eq=False)
class _Renames:
    """Former and present MBIs side by side, packed, in the order of the former ones."""

    former: NDArray[np.uint64]
    present: NDArray[np.uint64]


def fold_panels(
    connection: Connection, organization_id: str, opened: Reading, *, removals_count: bool
) -> Iterator[FoldedPanel]:
    """Yield what becomes of each practitioner's claims whom the delivery covers; nothing is written.

    1. Claims under former MBIs are brought to the present ones, the file's as well.
    2. A snapshot of the same date as the last one replaces that one as a whole; any other delivery follows it.
    """
    keys, feed = opened.keys, opened.feed
    renames = _load_renames(connection, organization_id, opened)
    known = {panel.npi: panel for panel in panels.load_claims(connection, keys, organization_id, feed=feed.id)}
    replaced = find_replaced(connection, organization_id, opened)
    before = _load_before(connection, organization_id, opened, replaced)
    limit = feed.absences_before_removal
    for npi, said in _cut_by_practitioner(opened, known.keys(), renames, removals_count=removals_count):
        panel = known.get(npi)
        claims = _rename(panel.columns if panel else NO_CLAIMS, renames)
        if npi in before:
            folded = fold_redelivered(claims, _rename(before[npi], renames), said, limit)
        else:
            folded = fold_columns(claims, said, limit)
        yield _compare(npi, panel, claims, folded, said)


def fold_claims(
    connection: Connection, organization_id: str, opened: Reading, *, removals_count: bool, now: datetime
) -> list[DeliveryEffect]:
    """Fold the delivery into the claims of its feed: one new panel version per practitioner it changes.

    Answers what it did for each practitioner. A delivery on which nothing rests any more, because this one has replaced
    it, is superseded.
    """
    effects: list[DeliveryEffect] = []
    replaced = find_replaced(connection, organization_id, opened)

    def pass_on() -> Iterator[tuple[str, ClaimPanel | None, ClaimColumns]]:
        for folded in fold_panels(connection, organization_id, opened, removals_count=removals_count):
            version = folded.known.version if folded.known else 0
            effects.append(replace(build_effect(opened.delivery, folded), version=version))
            yield folded.npi, folded.known, folded.claims

    panels.save_folded(connection, opened.keys, organization_id, opened.feed.id, pass_on(), now=now)
    _supersede(connection, organization_id, opened, replaced)
    return effects


def build_effect(delivery: Delivery, folded: FoldedPanel) -> DeliveryEffect:
    """Answer the difference that a delivery makes to one practitioner as it is kept."""
    effect = folded.effect
    return DeliveryEffect(
        delivery_id=delivery.id,
        npi=folded.npi,
        known=effect.known,
        listed=effect.listed,
        added=effect.added,
        absent=effect.absent,
        ended=effect.ended,
    )


def find_replaced(connection: Connection, organization_id: str, opened: Reading) -> list[Delivery]:
    """Answer the deliveries that a snapshot replaces because it speaks of the same date, oldest first.

    Only the last ones of the feed: where anything else has been folded since, the file replaces nothing.
    """
    if not opened.is_snapshot or opened.as_of_at is None:
        return []
    earlier = deliveries.find_last_accepted(connection, organization_id, opened.feed.id, n=_LAST_DELIVERIES)
    folded = [d for d in earlier if d.folded_at and d.id != opened.delivery.id and d.present_count + d.remove_count]
    folded.sort(key=lambda d: (d.folded_at, d.number), reverse=True)
    chain: list[Delivery] = []
    for delivery in folded:
        if delivery.mode != "snapshot" or delivery.as_of_at != opened.as_of_at:
            break
        chain.insert(0, delivery)
    return chain


def _load_before(
    connection: Connection, organization_id: str, opened: Reading, replaced: Sequence[Delivery]
) -> dict[str, ClaimColumns]:
    """Answer the claims as they were before the replaced deliveries came, of the practitioners whom those covered."""
    versions: dict[str, int] = {}
    for delivery in replaced:
        for effect in deliveries.find_effects(connection, organization_id, delivery.id):
            if effect.version is not None:
                versions.setdefault(effect.npi, effect.version)
    stored = {npi: version for npi, version in versions.items() if version}
    found = panels.load_claims_of_versions(connection, opened.keys, organization_id, opened.feed.id, stored)
    return found | {npi: NO_CLAIMS for npi, version in versions.items() if not version}


def _supersede(connection: Connection, organization_id: str, opened: Reading, replaced: Sequence[Delivery]) -> None:
    if not replaced:
        return
    kept = panels.load_claims(connection, opened.keys, organization_id, feed=opened.feed.id)
    numbers = {int(n) for panel in kept for n in np.unique(panel.columns.delivery[~panel.columns.ended])}
    for delivery in replaced:
        if delivery.state == "accepted" and delivery.number not in numbers:
            deliveries.set_delivery_state(connection, organization_id, delivery.id, "accepted", "superseded")


def _load_renames(connection: Connection, organization_id: str, opened: Reading) -> _Renames:
    told = [*find_renames(connection, opened.keys, organization_id), *opened.reading.mbi_changes]
    current = sorted((pack_mbi(former), pack_mbi(present)) for former, present in resolve_renames(told).items())
    pairs = np.array(current, np.uint64).reshape(-1, 2)
    return _Renames(pairs[:, 0], pairs[:, 1])


def _rename(claims: ClaimColumns, renames: _Renames) -> ClaimColumns:
    return rename_claims(claims, renames.former, renames.present)


def _compare(
    npi: str, panel: ClaimPanel | None, known: ClaimColumns, folded: ClaimColumns, said: DeliveredColumns
) -> FoldedPanel:
    claimed = known.mbi[~known.ended]
    let_go = claimed[np.isin(claimed, folded.mbi[folded.ended])]
    absent = np.empty(0, np.uint64)
    if said.is_snapshot:
        seen = np.concatenate([said.present.mbi, said.protected, said.removed.mbi])
        absent = claimed[~np.isin(claimed, seen)]
    added = int(np.count_nonzero(~np.isin(said.present.mbi, claimed)))
    effect = Effect(len(claimed), len(said.present.mbi), added, len(absent), len(let_go))
    return FoldedPanel(npi, panel, folded, let_go, absent, effect)


def _cut_by_practitioner(
    opened: Reading, known: Iterable[str], renames: _Renames, *, removals_count: bool
) -> Iterator[tuple[str, DeliveredColumns]]:
    """Yield what the delivery says about each practitioner it covers.

    A practitioner who does not occur in the file is covered only by a snapshot whose feed speaks for the whole
    organisation; otherwise the file says nothing about that panel (feeds 7.1).
    """
    reading = opened.reading
    present, removed = _cut_columns(reading.present, renames), _cut_columns(reading.remove, renames)
    for_everybody = removed.pop(None, Listed())
    covered = {npi for npi in present.keys() | removed.keys() if npi is not None}
    if len(for_everybody.mbi) or (opened.is_snapshot and opened.feed.scope == "organization" and present):
        covered |= set(known)
    nobody = Listed()
    protected = rename_codes(reading.protected, renames.former, renames.present)
    for npi in sorted(covered):
        yield (
            npi,
            DeliveredColumns(
                delivery=opened.delivery.number,
                evidence_at=(opened.evidence_at - _EPOCH) // timedelta(seconds=1),
                is_snapshot=opened.is_snapshot,
                present=present.get(npi, nobody),
                removed=unite_listed(for_everybody, removed.get(npi, nobody)),
                protected=protected,
                removals_count=removals_count,
            ),
        )


def _cut_columns(pairs: Columns, renames: _Renames) -> dict[str | None, Listed]:
    """Cut pairs by practitioner, None for those that concern every one; of a pair the first line counts."""
    if len(pairs) == 0:
        return {}
    order = np.argsort(pairs.npi, kind="stable")
    npis = pairs.npi[order]
    starts = np.flatnonzero(np.diff(npis, prepend=npis[0] - 1))
    mbi = rename_codes(pairs.mbi, renames.former, renames.present)
    parts = np.split(order, starts[1:])
    return {
        _write_npi(npi): list_once(mbi[part], pairs.line[part])
        for npi, part in zip(npis[starts].tolist(), parts, strict=True)
    }


def _write_npi(npi: int) -> str | None:
    return None if npi == ALL_PRACTITIONERS else f"{npi:010d}"
