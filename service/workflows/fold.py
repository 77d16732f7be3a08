"""Fold what a delivery says into the claims of its feed, or only see what that would do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from service.domain.intake import Effect
from service.domain.renames import resolve_renames
from service.domain.series import Place, is_made_after
from service.rosters.reading import ALL_PRACTITIONERS, Columns
from service.storage import deliveries, panels
from service.storage.connection import Connection
from service.storage.deliveries import Delivery, DeliveryEffect
from service.storage.panel_codec import NO_CLAIMS, ClaimColumns
from service.storage.panels import ClaimPanel
from service.storage.panels.folding import (
    DeliveredColumns,
    Listed,
    RenamedCodes,
    fold_columns,
    fold_redelivered,
    list_once,
    pack_renames,
    rename_claims,
    rename_codes,
    unite_listed,
)
from service.storage.renames import find_renames
from service.workflows.reading import Reading

_NOBODY: NDArray[np.uint64] = np.empty(0, np.uint64)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_DELIVERIES = 20
"""So many deliveries back a redelivery looks for the one it replaces."""


@dataclass(frozen=True, slots=True, eq=False)
class FoldedPanel:
    """One practitioner's claims of a feed before and after a delivery, and the difference in patients.

    `known` and `told` are what is stored, under the MBIs that the files told; `claims` are the same as `told` by
    patient, under the present MBIs, and so is all the rest. `elsewhere` are those of the left out whom another feed
    lists too, as far as somebody has looked (`service.workflows.elsewhere`).
    """

    npi: str
    known: ClaimPanel | None
    told: ClaimColumns
    claims: ClaimColumns
    let_go: NDArray[np.uint64]
    absent: NDArray[np.uint64]
    effect: Effect
    elsewhere: NDArray[np.uint64] = field(default_factory=lambda: _NOBODY)


@dataclass(frozen=True, slots=True)
class _Later:
    """What came to count before a delivery although it was made after it, by practitioner.

    `replacing` are those covered by a snapshot of the very date that was received later, `snapshots` the later times at
    which one was covered by a snapshot without a doubt about whom it leaves out.
    """

    replacing: frozenset[str]
    snapshots: Mapping[str, set[datetime]]


def fold_panels(
    connection: Connection, organization_id: str, opened: Reading, *, removals_count: bool
) -> Iterator[FoldedPanel]:
    """Yield what becomes of each practitioner's claims whom the delivery covers; nothing is written.

    1. Claims stay under the MBIs that the files told; what is counted and compared are patients, by their present MBIs.
    2. A snapshot of the same date as the last one replaces that one as a whole; any other delivery follows it.
    3. Where changes came between, the later one of the same date counts no absence a second time.
    4. One that was held while later ones came to count says nothing where a later one has replaced it already; whom it
       alone lists is missing from the later ones, and whom they removed altogether it brings to nobody new.
    """
    keys, feed = opened.keys, opened.feed
    renames = load_renames(connection, organization_id, opened)
    known = {panel.npi: panel for panel in panels.load_claims(connection, keys, organization_id, feed=feed.id)}
    later = _find_later(connection, organization_id, opened)
    replaced = find_replaced(connection, organization_id, opened)
    before = _load_before(connection, organization_id, opened, replaced)
    gone = _find_gone((known[npi] for npi in _choose_spoken_for(opened, known)), opened, renames)
    counted = _find_counted(connection, organization_id, opened)
    limit = feed.absences_before_removal
    for npi, said in _cut_by_practitioner(opened, known.keys(), renames, removals_count=removals_count):
        if npi in later.replacing:
            continue
        if npi not in known and len(gone):
            said = replace(said, present=_leave_out(said.present, gone, renames))
        panel, earlier = known.get(npi), before.get(npi, NO_CLAIMS)
        claims = panel.columns if panel else NO_CLAIMS
        concerned = np.concatenate([claims.mbi, earlier.mbi, said.removed.mbi])
        protected = _choose_among(concerned, said.protected, renames)
        said = replace(
            said,
            protected=protected,
            missed_by=len(later.snapshots.get(npi, ())),
            absences_count=npi in before or npi not in counted,
        )
        if npi in before:
            folded = fold_redelivered(claims, earlier, said, limit, renames)
        else:
            folded = fold_columns(claims, said, limit, renames)
        yield _compare(npi, panel, folded, said, renames)


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
            yield folded.npi, folded.known, folded.told

    panels.save_folded(connection, opened.keys, organization_id, opened.feed.id, pass_on(), now=now)
    _supersede(connection, organization_id, opened, replaced)
    return effects


def build_effect(delivery: Delivery, folded: FoldedPanel) -> DeliveryEffect:
    """Answer the difference that a delivery makes to one practitioner as it is kept; whoever stays is not let go."""
    effect = folded.effect
    return DeliveryEffect(
        delivery_id=delivery.id,
        npi=folded.npi,
        known=effect.known,
        listed=effect.listed,
        added=effect.added,
        absent=effect.absent,
        ended=effect.gone,
    )


def find_replaced(connection: Connection, organization_id: str, opened: Reading) -> list[Delivery]:
    """Answer the deliveries that a snapshot replaces because it speaks of the same date, oldest first.

    Only the last ones of the feed: where anything else has been folded since, the file replaces nothing.
    """
    if not opened.is_snapshot or opened.as_of_at is None:
        return []
    earlier = deliveries.find_last_folded(connection, organization_id, opened.feed.id, n=_LAST_DELIVERIES)
    chain: list[Delivery] = []
    for delivery in earlier:
        if delivery.id == opened.delivery.id or not delivery.present_count + delivery.remove_count:
            continue
        if delivery.mode != "snapshot" or delivery.as_of_at != opened.as_of_at:
            break
        chain.insert(0, delivery)
    return chain


def _find_later(connection: Connection, organization_id: str, opened: Reading) -> _Later:
    replacing: set[str] = set()
    snapshots: dict[str, set[datetime]] = defaultdict(set)
    feed_id, number, at = opened.feed.id, opened.delivery.number, opened.evidence_at
    for one in deliveries.find_accepted_since(connection, organization_id, feed_id, number, at):
        is_same = opened.is_snapshot and opened.as_of_at is not None and one.as_of_at == opened.as_of_at
        is_after = is_made_after(Place(one.number, one.as_of_at, one.received_at), opened.place, at)
        is_whole = one.blind_count == 0 and one.mode_signal not in ("delta", "partial")
        if one.mode != "snapshot" or not one.present_count or not (is_same or (is_after and is_whole)):
            continue
        for effect in deliveries.find_effects(connection, organization_id, one.id):
            if is_same:
                replacing.add(effect.npi)
            else:
                snapshots[effect.npi].add(one.as_of_at or one.received_at)
    return _Later(frozenset(replacing), snapshots)


def _find_counted(connection: Connection, organization_id: str, opened: Reading) -> set[str]:
    """Answer the practitioners whose absences another snapshot of the very date has counted, replaced or not."""
    if not opened.is_snapshot or opened.as_of_at is None:
        return set()
    last = deliveries.find_last_folded(connection, organization_id, opened.feed.id, n=_LAST_DELIVERIES)
    others = (d for d in last if d.id != opened.delivery.id and d.mode == "snapshot" and d.as_of_at == opened.as_of_at)
    return {e.npi for d in others for e in deliveries.find_effects(connection, organization_id, d.id)}


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


def load_renames(connection: Connection, organization_id: str, opened: Reading) -> RenamedCodes:
    """Answer the changed MBIs of the organisation, those that a delivery tells itself among them."""
    changes, number = opened.reading.mbi_changes, opened.delivery.number
    told = find_renames(connection, opened.keys, organization_id, told=changes, delivery=number)
    return pack_renames(resolve_renames(told))


def _find_gone(known: Iterable[ClaimPanel], opened: Reading, renames: RenamedCodes) -> NDArray[np.uint64]:
    """Answer whom newer deliveries than this one have removed by name from every practitioner of the feed.

    A removal for all practitioners is written to those whom the feed knows, and not to one who is new in this delivery.
    """
    gone: NDArray[np.uint64] | None = None
    for panel in known:
        claims = rename_claims(panel.columns, renames)
        newer = (claims.delivery > opened.delivery.number) | (claims.evidence_at > _to_seconds(opened.evidence_at))
        named = claims.mbi[claims.ended & (claims.line > 0) & newer]
        gone = named if gone is None else np.intersect1d(gone, named)
        if len(gone) == 0:
            break
    return _NOBODY if gone is None else gone


def _leave_out(listed: Listed, gone: NDArray[np.uint64], renames: RenamedCodes) -> Listed:
    stays = ~np.isin(rename_codes(listed.mbi, renames), gone)
    return Listed(listed.mbi[stays], listed.line[stays])


def _choose_among(codes: NDArray[np.uint64], allowed: NDArray[np.uint64], renames: RenamedCodes) -> NDArray[np.uint64]:
    """Answer those numbers whose patients are among others, which are in order and may be all patients of a file."""
    if len(allowed) == 0:
        return allowed
    patients = rename_codes(codes, renames)
    places = np.minimum(np.searchsorted(allowed, patients), len(allowed) - 1)
    return np.unique(codes[allowed[places] == patients])


def _compare(
    npi: str, panel: ClaimPanel | None, told: ClaimColumns, said: DeliveredColumns, renames: RenamedCodes
) -> FoldedPanel:
    """Answer the difference in patients, each once, whatever the numbers under which they are claimed and listed."""
    known, folded = rename_claims(panel.columns if panel else NO_CLAIMS, renames), rename_claims(told, renames)
    claimed = known.mbi[~known.ended]
    let_go = claimed[np.isin(claimed, folded.mbi[folded.ended])]
    absent = np.empty(0, np.uint64)
    listed = rename_codes(said.present.mbi, renames)
    if said.is_snapshot:
        seen = rename_codes(np.concatenate([said.protected, said.removed.mbi]), renames)
        absent = claimed[~np.isin(claimed, np.concatenate([listed, seen]))]
    added = int(np.count_nonzero(~np.isin(folded.mbi[~folded.ended], claimed)))
    n = len(listed) if listed is said.present.mbi else len(np.unique(listed))
    effect = Effect(len(claimed), n, added, len(absent), len(let_go))
    return FoldedPanel(npi, panel, told, folded, let_go, absent, effect)


def _cut_by_practitioner(
    opened: Reading, known: Iterable[str], renames: RenamedCodes, *, removals_count: bool
) -> Iterator[tuple[str, DeliveredColumns]]:
    """Yield what the delivery says about each practitioner it covers.

    A practitioner who does not occur in the file is covered only by a snapshot whose feed speaks for the whole
    organisation; otherwise the file says nothing about that panel (feeds 7.1). Nor does a removal that names nobody
    reach a practitioner for whom the feed does not speak.
    """
    reading = opened.reading
    present, removed = _cut_columns(reading.present), _cut_columns(reading.remove)
    for_everybody = removed.pop(None, Listed())
    covered = {npi for npi in present.keys() | removed.keys() if npi is not None}
    spoken_for = _choose_spoken_for(opened, known)
    if opened.is_snapshot and opened.feed.scope == "organization" and present:
        covered |= spoken_for
    if len(for_everybody.mbi):
        covered |= spoken_for
    nobody = Listed()
    protected = np.unique(rename_codes(reading.protected, renames))
    for npi in sorted(covered):
        yield (
            npi,
            DeliveredColumns(
                delivery=opened.delivery.number,
                evidence_at=_to_seconds(opened.evidence_at),
                is_snapshot=opened.is_snapshot,
                present=present.get(npi, nobody),
                removed=unite_listed(for_everybody, removed.get(npi, nobody)),
                protected=protected,
                removals_count=removals_count,
            ),
        )


def _choose_spoken_for(opened: Reading, known: Iterable[str]) -> set[str]:
    """Answer for whom of its known practitioners the feed speaks; a setting may have taken some away."""
    return set(known) & (opened.settings.practitioners or set(known))


def _cut_columns(pairs: Columns) -> dict[str | None, Listed]:
    """Cut pairs by practitioner, None for those that concern every one; of a pair the first line counts."""
    if len(pairs) == 0:
        return {}
    order = np.argsort(pairs.npi, kind="stable")
    npis = pairs.npi[order]
    starts = np.flatnonzero(np.diff(npis, prepend=npis[0] - 1))
    parts = np.split(order, starts[1:])
    return {
        _write_npi(npi): list_once(pairs.mbi[part], pairs.line[part])
        for npi, part in zip(npis[starts].tolist(), parts, strict=True)
    }


def _to_seconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(seconds=1)


def _write_npi(npi: int) -> str | None:
    return None if npi == ALL_PRACTITIONERS else f"{npi:010d}"
