"""What lapses when: buckets by `period.end`, and the date on which waiting starts to cost attributions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domain.attribution import Attribution, is_active, judge
from service.domain.policy import Policy
from service.domain.roster import Claim


@dataclass(frozen=True, slots=True)
class Bucket:
    """A span of days left, both ends included; `expired` has none left."""

    name: str
    upto: timedelta


BUCKETS = (
    Bucket("expired", timedelta(0)),
    Bucket("0-7", timedelta(days=7)),
    Bucket("8-15", timedelta(days=15)),
    Bucket("16-30", timedelta(days=30)),
    Bucket("31-60", timedelta(days=60)),
    Bucket("61-90", timedelta(days=91)),
)
"""The last bucket takes a day more than 90, because DPC's clock may run a moment ahead of ours."""


def find_bucket(end_at: datetime, now: datetime) -> str:
    """Answer the bucket of one period end; expired means `end_at <= now` (contract-v1 14.6)."""
    left = end_at - now
    return next((b.name for b in BUCKETS if left <= b.upto), BUCKETS[-1].name)


def count_expiring(attributions: Iterable[Attribution], now: datetime) -> Mapping[str, int]:
    """Count the attributions of one Group by bucket.

    Attributions that DPC already marks inactive are left out: they are history, not something about to lapse.
    """
    counts = dict.fromkeys((b.name for b in BUCKETS), 0)
    for attribution in attributions:
        if not attribution.inactive:
            counts[find_bucket(attribution.end_at, now)] += 1
    return counts


def is_renewal_due(attribution: Attribution, now: datetime, policy: Policy) -> bool:
    """True for an active attribution with `renew_within` or less to go."""
    return is_active(attribution, now) and attribution.end_at - now <= policy.renew_within


def is_evidence_fresh(claim: Claim, now: datetime, policy: Policy) -> bool:
    """True while the delivery behind a claim is young enough to attest on."""
    return now - claim.evidence_at <= policy.evidence_max_age


def find_lapse_cause(attribution: Attribution, claim: Claim | None, now: datetime, policy: Policy) -> str | None:
    """Answer why an attribution that is due will not be renewed by itself; None when a renewal is possible or not due.

    Causes: `not_on_roster`, `stale_evidence`. An attribution that DPC already marks inactive is history and has none.
    """
    if not is_renewal_due(attribution, now, policy) and judge(attribution, now) != "expired":
        return None
    if claim is None or claim.ended:
        return "not_on_roster"
    if not is_evidence_fresh(claim, now, policy):
        return "stale_evidence"
    return None


def find_cost_of_waiting(pairs: Iterable[tuple[Attribution, Claim]], now: datetime, policy: Policy) -> datetime | None:
    """Answer the first period end that will pass without renewal if no newer evidence is accepted; None if none will.

    A pair is safe when its renewal falls due before its evidence grows too old.
    """
    ends = [
        attribution.end_at
        for attribution, claim in pairs
        if is_active(attribution, now)
        and max(now, attribution.end_at - policy.renew_within) > claim.evidence_at + policy.evidence_max_age
    ]
    return min(ends, default=None)
