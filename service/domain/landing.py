"""What became of a call whose answer was lost, judged by what DPC shows afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from service.domain.attribution import Attribution, Group
from service.domain.change import ChangeKind

WITNESS = timedelta(days=89)
"""A landed attestation moves `period.end` to 90 days after the server's now; a day is left for clocks and rounding."""


class Landing(StrEnum):
    """`partly` cannot happen as long as DPC keeps its calls all-or-nothing; when it does, a person must know."""

    LANDED = "landed"
    NOT_LANDED = "not-landed"
    PARTLY = "partly"


def judge_landing(
    kind: ChangeKind,
    patient_ids: Iterable[str],
    shown: Group | None,
    ends_before: Mapping[str, datetime],
    server_sent_at: datetime,
) -> Landing:
    """Answer whether a call took effect, from the Group as read back after everything in flight has come to rest.

    An attestation landed for a patient who is active with a period end at least 89 days after the sending and later
    than before it; a removal for one who is inactive or gone. A call that names nobody never landed.
    """
    rows = {a.patient_id: a for a in shown.attributions} if shown else {}
    seen = [
        _is_removed(rows.get(patient_id))
        if kind is ChangeKind.REMOVE
        else _is_attested(rows.get(patient_id), ends_before.get(patient_id), server_sent_at)
        for patient_id in patient_ids
    ]
    if seen and all(seen):
        return Landing.LANDED
    return Landing.PARTLY if any(seen) else Landing.NOT_LANDED


def _is_attested(row: Attribution | None, end_before: datetime | None, server_sent_at: datetime) -> bool:
    if row is None or row.inactive or row.end_at < server_sent_at + WITNESS:
        return False
    return end_before is None or row.end_at > end_before


def _is_removed(row: Attribution | None) -> bool:
    return row is None or row.inactive
