"""Who answers for a plan: one person's sign-off of one fingerprint, or a bounded standing authorisation."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from service.domain.change import Change, ChangeKind
from service.domain.errors import InvalidInput

SIGN_OFF_LASTS = timedelta(hours=24)
"""A signed plan must be applied within a day; after that it is drawn and signed anew."""
LONGEST_STANDING = timedelta(days=90)
DECISION_LASTS = timedelta(hours=72)
"""A decision to let held changes go counts for exactly those changes and for so long."""

STATEMENT = (
    "I attest, for the practice, that each patient listed for attribution has an existing treatment relationship with"
    " the practitioner named beside them, and that the practice requests their claims for the purpose of treatment."
)
"""What a person says by signing a plan; shown above the button and recorded with the signature."""

_COVERED_KINDS = frozenset({ChangeKind.REGISTER, ChangeKind.CREATE, ChangeKind.ADD, ChangeKind.RENEW})


@dataclass(frozen=True, slots=True)
class StandingTerms:
    """The bounds of a standing authorisation: adds and renewals, of listed practitioners (all if none is)."""

    until_at: datetime
    npis: frozenset[str] = frozenset()


def check_standing(from_at: datetime, until_at: datetime) -> None:
    """Raise InvalidInput unless the span is positive and at most 90 days."""
    if not timedelta(0) < until_at - from_at <= LONGEST_STANDING:
        raise InvalidInput("A standing authorisation lasts from one to 90 days.")


def is_covered(change: Change, terms: StandingTerms, now: datetime) -> bool:
    """Answer whether a change may go under the standing authorisation.

    Removals, reinstatements, overwrites and changed MBIs never may. Held changes do not come here, and evidence is
    fresh already.
    """
    if now >= terms.until_at or change.kind not in _COVERED_KINDS or change.is_rename:
        return False
    return not terms.npis or change.npi is None or change.npi in terms.npis


def keep_covered(changes: Iterable[Change], terms: StandingTerms, now: datetime) -> tuple[Change, ...]:
    """Answer the changes that a standing authorisation covers, in their order, with the registrations they need."""
    return narrow_registrations([c for c in changes if is_covered(c, terms, now)])


def narrow_registrations(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Answer the changes with only those registrations whose attribution is among them.

    Nobody's name leaves the house for a change that waits or is not covered.
    """
    listed = list(changes)
    attested = [c for c in listed if c.kind.is_attested]
    npis = {c.npi for c in attested}
    mbis = {p.mbi for c in attested for p in c.patients}
    kept = (_narrow_registration(c, npis, mbis) if c.kind is ChangeKind.REGISTER else c for c in listed)
    return tuple(c for c in kept if c.n)


def _narrow_registration(change: Change, npis: Set[str | None], mbis: Set[str]) -> Change:
    patients = tuple(p for p in change.patients if p.mbi in mbis)
    return replace(change, patients=patients, practitioners=tuple(n for n in change.practitioners if n in npis))
