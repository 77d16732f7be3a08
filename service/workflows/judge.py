"""What the guards on a file look at, gathered: its counts and times, the feed's history, and what it would change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce

import numpy as np

from service.domain.departing import doubt_removals
from service.domain.intake import (
    MANY_PRACTITIONERS,
    Doubt,
    Effect,
    FileFacts,
    History,
    Judgement,
    Verdict,
    judge_delivery,
)
from service.rosters.findings import Finding, count_codes, count_errors
from service.rosters.own_rows import NOT_OF_FEED
from service.rosters.reading import ALL_PRACTITIONERS, RosterReading
from service.storage import deliveries, practitioners
from service.storage.connection import Connection
from service.storage.deliveries import DeliveryEffect, Departures, Holding
from service.storage.sketches import Marks, count_shared, mark_patients
from service.workflows.departures import list_departures
from service.workflows.elsewhere import mark_elsewhere
from service.workflows.fold import build_effect, fold_panels
from service.workflows.joining import find_joined
from service.workflows.reading import LAST_NUMBERED, Reading

DIFFERING = "demographics_differ"
OF_OTHERS = (NOT_OF_FEED, "provider_is_org")
"""Rows that can be read, and are refused for the practitioner whom they name."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A delivery's verdict; why it may let nobody go yet, None when it may; and what it does if all of it counts.

    `departures` are the very patients whom it would let go, `marks` stand in a sketch for those whom it lists.
    `costs_from` is when the first attribution lapses while its question waits; None when none does, or nobody has
    looked yet. `joined` shows the person who must look which entries could make one patient of two.
    """

    judgement: Judgement
    removals: Doubt | None
    effects: list[DeliveryEffect]
    total: Effect
    departures: Departures
    marks: Marks
    joined: list[Finding]
    costs_from: datetime | None = None

    @property
    def removals_count(self) -> bool:
        """True when the file is accepted without a doubt about whom it leaves out."""
        return self.judgement.verdict is Verdict.ACCEPTED and self.removals is None


def weigh_delivery(connection: Connection, organization_id: str, opened: Reading) -> Weighed:
    """Judge a delivery that has been read, by what it says, by what came before, and by what it would change."""
    reading, settings = opened.reading, opened.settings
    folded = list(fold_panels(connection, organization_id, opened, removals_count=True))
    folded = mark_elsewhere(connection, organization_id, opened, folded)
    total = reduce(Effect.__add__, (panel.effect for panel in folded), Effect())
    marks = mark_patients(opened.keys, np.unique(reading.present.mbi))
    joined = find_joined(connection, organization_id, opened)
    facts = replace(_gather_facts(connection, organization_id, opened, total, marks), joined_patients=len(joined))
    judgement = judge_delivery(facts, load_history(connection, organization_id, opened), settings)
    removals = doubt_removals(facts, reading.mode_signal, reading.blind_errors, settings)
    effects = [build_effect(opened.delivery, panel) for panel in folded]
    return Weighed(judgement, removals, effects, total, list_departures(opened, folded), marks, joined)


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
        sent_count=opened.delivery.declared_count,
        foreign_rows=sum(count_codes(reading.findings).get(code, 0) for code in OF_OTHERS),
        sequence=opened.sequence,
        patients=len(np.unique(reading.present.mbi)),
        odd_patients=_count_odd(reading),
        npis=len(npis),
        effect=total,
    )


def _gather_facts(
    connection: Connection, organization_id: str, opened: Reading, total: Effect, marks: Marks
) -> FileFacts:
    shared = 0
    if not opened.settings.shares_patients:
        shared = count_shared(connection, organization_id, opened.feed.environment, marks)
    return replace(
        describe_file(opened, total),
        sequence_taken=is_sequence_taken(connection, organization_id, opened),
        refused_before=_was_refused(connection, organization_id, opened),
        shared_patients=shared,
        unknown_npis=_find_unknown(connection, organization_id, opened, _list_npis(opened.reading)),
    )


def _list_npis(reading: RosterReading) -> set[str]:
    return {f"{npi:010d}" for npi in np.unique(reading.present.npi).tolist() if npi != ALL_PRACTITIONERS}


def load_history(connection: Connection, organization_id: str, opened: Reading) -> History:
    """Answer what the last accepted deliveries of the feed were like, and the numbers of all that arrived.

    Each question looks at as many deliveries as it needs of those that can answer it: lists of names and changes say
    nothing of how long a roster is.
    """
    feed_id = opened.feed.id
    dated_at, undated_at = deliveries.find_newest_times(
        connection, organization_id, feed_id, before=opened.delivery.number
    )
    numbered = deliveries.find_last_accepted(
        connection, organization_id, feed_id, n=LAST_NUMBERED, holding=Holding.SEQUENCE
    )
    some = deliveries.find_last_accepted(connection, organization_id, feed_id, holding=Holding.PAIRS)
    rosters = deliveries.find_last_accepted(connection, organization_id, feed_id, holding=Holding.ROSTER)
    arrived = deliveries.find_deliveries(connection, organization_id, feed=feed_id, limit=LAST_NUMBERED)
    return History(
        row_counts=[d.data_rows for d in rosters],
        last_as_of_at=dated_at,
        last_undated_at=undated_at,
        sequences=[d.sequence for d in numbered if d.sequence],
        arrived=[d.sequence for d in arrived if d.sequence and d.id != opened.delivery.id],
        declares_count=bool(some) and all(d.declared_count is not None for d in some),
    )


def _was_refused(connection: Connection, organization_id: str, opened: Reading) -> bool:
    """Answer whether a person's last word on these bytes was no, however they were read then."""
    one = opened.delivery
    last = deliveries.find_last_decided(connection, organization_id, one.feed_id, one.sha256, one.number)
    return last is not None and last.is_refused


def is_sequence_taken(connection: Connection, organization_id: str, opened: Reading) -> bool:
    """Answer whether another delivery has the number that this file gives itself; a sender's own is checked earlier."""
    if opened.sequence is None:
        return False
    known = deliveries.find_by_sequence(connection, organization_id, opened.feed.id, opened.sequence)
    return known is not None and known.id != opened.delivery.id


def _count_odd(reading: RosterReading) -> int:
    """Count patients with rows that differ, and those with more practitioners than anybody has."""
    _, practitioners_each = np.unique(reading.present.mbi, return_counts=True)
    crowded = int(np.count_nonzero(practitioners_each > MANY_PRACTITIONERS))
    return crowded + count_codes(reading.findings).get(DIFFERING, 0)


def _find_unknown(connection: Connection, organization_id: str, opened: Reading, npis: set[str]) -> tuple[str, ...]:
    """Answer the practitioners whom the organisation never named before; its very first file names them all."""
    known = practitioners.find_practitioners(connection, organization_id)
    return tuple(sorted(npis - known.keys() - opened.settings.practitioners)) if known else ()
