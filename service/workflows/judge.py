"""What the guards on a file look at, gathered: its counts and times, the feed's history, and what it would change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from service.domain.identifiers import pack_mbi
from service.domain.intake import (
    MANY_PRACTITIONERS,
    Doubt,
    Effect,
    FileFacts,
    History,
    Judgement,
    Verdict,
    doubt_removals,
    judge_delivery,
)
from service.domain.roster import Renames, resolve_renames
from service.rosters.findings import count_codes, count_errors
from service.rosters.reading import ALL_PRACTITIONERS, RosterReading
from service.storage import deliveries, practitioners
from service.storage.connection import Connection
from service.storage.deliveries import DeliveryEffect, Departures
from service.storage.panels import load_claims
from service.storage.patients import find_patients_by_mbi
from service.storage.renames import find_renames
from service.storage.sketches import count_shared, mark_patients
from service.workflows.departures import list_departures
from service.workflows.fold import build_effect, fold_panels
from service.workflows.reading import Reading, digest_settings

_LAST_DELIVERIES = 5
DIFFERING = "demographics_differ"


@dataclass(frozen=True, slots=True)
class Weighed:
    """A delivery's verdict; why it may let nobody go yet, None when it may; and what it does if all of it counts.

    `departures` are the very patients whom it would let go.
    """

    judgement: Judgement
    removals: Doubt | None
    effects: list[DeliveryEffect]
    total: Effect
    departures: Departures

    @property
    def removals_count(self) -> bool:
        """True when the file is accepted without a doubt about whom it leaves out."""
        return self.judgement.verdict is Verdict.ACCEPTED and self.removals is None


def weigh_delivery(connection: Connection, organization_id: str, opened: Reading) -> Weighed:
    """Judge a delivery that has been read, by what it says, by what came before, and by what it would change."""
    reading, settings = opened.reading, opened.settings
    folded = list(fold_panels(connection, organization_id, opened, removals_count=True))
    total = reduce(Effect.__add__, (panel.effect for panel in folded), Effect())
    facts = _gather_facts(connection, organization_id, opened, total)
    judgement = judge_delivery(facts, load_history(connection, organization_id, opened), settings)
    removals = doubt_removals(facts, reading.mode_signal, reading.blind_errors, settings)
    effects = [build_effect(opened.delivery, panel) for panel in folded]
    return Weighed(judgement, removals, effects, total, list_departures(opened, folded))


def describe_file(opened: Reading, total: Effect) -> FileFacts:
    """Answer what a file by itself gives the guards to look at, beside what it does to the claims of its feed."""
    reading = opened.reading
    npis = _list_npis(reading)
    return FileFacts(
        file_error=reading.file_error,
        data_rows=reading.data_rows,
        present=len(reading.present)
        + len(reading.demographics)
        + len(reading.practitioner_names)
        + len(reading.mbi_changes),
        removed=len(reading.remove),
        errors=count_errors(reading.findings),
        received_at=opened.delivery.received_at,
        as_of_at=opened.as_of_at,
        is_snapshot=opened.is_snapshot and len(reading.present) + len(reading.remove) > 0,
        declared_count=opened.declared_count,
        sequence=opened.sequence,
        patients=len(np.unique(reading.present.mbi)),
        odd_patients=_count_odd(reading),
        npis=len(npis),
        effect=total,
    )


def _gather_facts(connection: Connection, organization_id: str, opened: Reading, total: Effect) -> FileFacts:
    shared = 0
    if not opened.settings.shares_patients:
        marks = mark_patients(opened.keys, np.unique(opened.reading.present.mbi))
        shared = count_shared(connection, organization_id, opened.feed.environment, marks)
    return replace(
        describe_file(opened, total),
        sequence_taken=is_sequence_taken(connection, organization_id, opened),
        refused_before=_was_refused(connection, organization_id, opened),
        shared_patients=shared,
        joined_patients=_count_joined(connection, organization_id, opened),
        unknown_npis=_find_unknown(connection, organization_id, opened, _list_npis(opened.reading)),
    )


def _list_npis(reading: RosterReading) -> set[str]:
    return {f"{npi:010d}" for npi in np.unique(reading.present.npi).tolist() if npi != ALL_PRACTITIONERS}


def load_history(connection: Connection, organization_id: str, opened: Reading) -> History:
    """Answer what the last accepted deliveries of the feed were like."""
    earlier = deliveries.find_last_accepted(connection, organization_id, opened.feed.id, n=_LAST_DELIVERIES)
    rosters = [d for d in earlier if d.present_count + d.remove_count]
    as_of = [d.as_of_at for d in earlier if d.as_of_at]
    return History(
        row_counts=[d.data_rows for d in rosters if d.mode == "snapshot" and d.present_count],
        last_as_of_at=max(as_of, default=None),
        sequences=[d.sequence for d in earlier if d.sequence],
        declares_count=bool(rosters) and all(d.declared_count is not None for d in rosters),
    )


def _was_refused(connection: Connection, organization_id: str, opened: Reading) -> bool:
    """Answer whether a person's last word on these bytes was no, while they said the same as they say now."""
    one = opened.delivery
    last = deliveries.find_last_decided(connection, organization_id, one.feed_id, one.sha256, one.number)
    return last is not None and last.is_refused and last.settings_digest in (None, digest_settings(opened.feed))


def is_sequence_taken(connection: Connection, organization_id: str, opened: Reading) -> bool:
    """Answer whether another delivery has the number that this file gives itself; a sender's own is checked earlier."""
    if opened.sequence is None:
        return False
    known = deliveries.find_by_sequence(connection, organization_id, opened.feed.id, opened.sequence)
    return known is not None and known.id != opened.delivery.id


def _count_joined(connection: Connection, organization_id: str, opened: Reading) -> int:
    """Count the changed MBIs that would join patients of one delivery, or contradict what was told of either number."""
    if not opened.reading.mbi_changes:
        return 0
    current = resolve_renames(find_renames(connection, opened.keys, organization_id))
    told = {pair for pair in opened.reading.mbi_changes if current.get(pair[0]) != pair[1]}
    # A number that was somebody's before is nobody else's now, unless the change is only taken back.
    otherwise = {pair for pair in told if pair[0] in current or current.get(pair[1], pair[0]) != pair[0]}
    known = find_patients_by_mbi(connection, opened.keys, organization_id, {mbi for pair in told for mbi in pair})
    both = [(old, new) for old, new in told - otherwise if old in known and new in known and old != new]
    if not both:
        return len(otherwise)
    numbers = _group_numbers(current)
    sides = [(numbers.get(old, {old}) - {new}, numbers.get(new, {new})) for old, new in both]
    asked = {mbi for former, new in sides for mbi in former | new}
    listed = _find_listing(connection, organization_id, opened, asked)
    rosters = [[{n for mbi in side for n in listed[mbi]} for side in pair] for pair in sides]
    return len(otherwise) + sum(not former.isdisjoint(new) for former, new in rosters)


def _group_numbers(current: Renames) -> dict[str, set[str]]:
    """Answer all numbers of each patient who has had another one, by the present one."""
    numbers: defaultdict[str, set[str]] = defaultdict(set)
    for former, present in current.items():
        numbers[present] |= {former, present}
    return numbers


def _find_listing(
    connection: Connection, organization_id: str, opened: Reading, asked: Set[str]
) -> defaultdict[str, set[int]]:
    """Answer the deliveries on which claims under these numbers rest."""
    listed: defaultdict[str, set[int]] = defaultdict(set)
    codes = {pack_mbi(mbi): mbi for mbi in asked}
    sought = np.array(sorted(codes), np.uint64)
    for panel in load_claims(connection, opened.keys, organization_id):
        is_asked = np.isin(panel.columns.mbi, sought) & ~panel.columns.ended
        pairs = zip(panel.columns.mbi[is_asked].tolist(), panel.columns.delivery[is_asked].tolist(), strict=True)
        for code, delivery in pairs:
            listed[codes[code]].add(delivery)
    return listed


def _count_odd(reading: RosterReading) -> int:
    """Count patients with rows that differ, and those with more practitioners than anybody has."""
    _, practitioners_each = np.unique(reading.present.mbi, return_counts=True)
    crowded = int(np.count_nonzero(practitioners_each > MANY_PRACTITIONERS))
    return crowded + count_codes(reading.findings).get(DIFFERING, 0)


def _find_unknown(connection: Connection, organization_id: str, opened: Reading, npis: set[str]) -> tuple[str, ...]:
    """Answer the practitioners whom the organisation never named before; a feed's first roster names them all."""
    if not deliveries.find_last_accepted(connection, organization_id, opened.feed.id, n=1):
        return ()
    known = practitioners.find_practitioners(connection, organization_id)
    return tuple(sorted(npis - known.keys() - opened.settings.practitioners)) if known else ()
