"""What the practice says: claims that feeds make about who treats whom, and the panel they add up to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from service.domain.renames import NO_RENAMES, NOTHING_CHANGED, Numbers, Renames


@dataclass(frozen=True, slots=True)
class Claim:
    """One feed's word on one patient of one practitioner, with the place where it stands.

    `mbi` is the number under which the feed told it, whatever the patient's number is by now. `delivery` is the
    organisation's serial number of the delivery that last listed (or ended) the pair, `line` the physical line there,
    `evidence_at` the as-of time of that delivery. `absences` counts accepted snapshots in a row that covered the
    practitioner and did not list the pair; `ended` says that the feed no longer claims it.
    """

    mbi: str = field(repr=False)
    delivery: int
    line: int
    evidence_at: datetime
    absences: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One practitioner's part of the roster: the claims of all feeds united, one per patient.

    `renamed` names the wanted patients who had another MBI before: the former number is among `ended`, but whoever had
    it has not left.
    """

    npi: str
    wanted: Mapping[str, Claim]
    ended: Mapping[str, Claim]
    renamed: Renames = field(default_factory=dict, repr=False)


def build_panel(
    npi: str,
    claims_by_feed: Mapping[str, Iterable[Claim]],
    numbers: Numbers = NOTHING_CHANGED,
) -> Panel:
    """Unite the feeds: a patient is wanted while any feed claims it, ended when every feed that knew it has let go.

    Of several claims the one with the newest evidence stands (feeds of one organisation never cancel one another; what
    one feed says of one patient, `unite_numbers` answers). Who is let go is let go under every former MBI too. A number
    that a claim has led to by mistake is let go, on the word that corrected it, unless something was told under that
    number itself.
    """
    wanted: dict[str, Claim] = {}
    ended: dict[str, Claim] = {}
    taken: dict[str, Claim] = {}
    for claims in map(tuple, claims_by_feed.values()):
        for claim in unite_numbers(claims, numbers.renames):
            side = ended if claim.ended else wanted
            side[claim.mbi] = max(claim, side.get(claim.mbi, claim), key=_rank)
        for given in claims:
            for mbi, delivery in numbers.mistaken.get(given.mbi, {}).items():
                taken[mbi] = replace(given, mbi=mbi, delivery=delivery, line=0, ended=True)
    let_go = {mbi: claim for mbi, claim in (taken | ended).items() if mbi not in wanted}
    renamed: dict[str, str] = {}
    for present, claim in (let_go | wanted).items():
        for former in numbers.formers.get(present, ()):
            let_go[former] = replace(claim, mbi=former, ended=True)
            renamed |= {former: present} if present in wanted else {}
    return Panel(npi, wanted, let_go, renamed)


def unite_numbers(claims: Iterable[Claim], renames: Renames) -> Iterator[Claim]:
    """Yield one feed's word on each patient, under the present MBI.

    What holds under any number stands, and of several the newest; but a row that removed the patient under one number
    stands against older rows under the others, as it would had the change of the number been known before.
    """
    by_patient: defaultdict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_patient[renames.get(claim.mbi, claim.mbi)].append(claim)
    for mbi, told in by_patient.items():
        claim = told[0] if len(told) == 1 else _choose_word(told)
        yield claim if claim.mbi == mbi else replace(claim, mbi=mbi)


def _choose_word(told: list[Claim]) -> Claim:
    held = max((claim for claim in told if not claim.ended), key=_rank, default=None)
    ended = [claim for claim in told if claim.ended]
    if held is None or any(_is_by_row(claim) and _is_told_later(claim, held) for claim in ended):
        return max(ended, key=_rank)
    return held


def _is_by_row(ended: Claim) -> bool:
    """A row says it; absences that were counted of a file released late leave the line at which it lists the pair."""
    return ended.line > 0 and ended.absences == 0


def _is_told_later(claim: Claim, other: Claim) -> bool:
    return (claim.evidence_at, claim.delivery) > (other.evidence_at, other.delivery)


def _rank(claim: Claim) -> tuple[datetime, int, int]:
    return claim.evidence_at, claim.delivery, -claim.line


@dataclass(frozen=True, slots=True)
class DeliveredPanel:
    """What one accepted delivery says about one practitioner it covers.

    `present` and `removed` map an MBI to its physical line; `protected` are patients whose row was faulty but
    recognisable. `removals_count` is False when anything in the file casts doubt on absences (a blind error, a partial
    file); then nobody is let go. `missed_by` counts the accepted snapshots of a later time that covered the
    practitioner before this delivery came to count, because a person released it late. `absences_count` is False when
    another snapshot of the very date has counted them.
    """

    delivery: int
    evidence_at: datetime
    mode: str
    present: Mapping[str, int] = field(repr=False)
    removed: Mapping[str, int] = field(repr=False)
    protected: frozenset[str] = field(default=frozenset(), repr=False)
    removals_count: bool = True
    missed_by: int = 0
    absences_count: bool = True


def fold_delivery(
    known: Iterable[Claim],
    delivered: DeliveredPanel,
    absences_before_removal: int,
    renames: Renames = NO_RENAMES,
) -> tuple[Claim, ...]:
    """Fold one accepted delivery into what the same feed claimed before (feed contract 6 and 7).

    A snapshot counts an absence for every pair it does not list and lets it go after `absences_before_removal` in a
    row; a delta only follows explicit rows. Protected patients keep their claim, and their absences begin anew. What
    rests on newer evidence stands: a delivery that was held for a while undoes nothing that was made after it, and whom
    it alone lists is missing from the snapshots made since.

    Claims stay under the numbers that the feed told, so that a changed MBI rewrites nothing and a wrong one can be told
    otherwise later. Only what is said of a patient counts for all numbers of the patient: a removal, a faulty row, and
    that a later delivery has ended the claim.
    """
    known = tuple(known)
    delivered = _tell_of_numbers(known, delivered, renames)
    claims = {claim.mbi: claim for claim in known}
    newer = {mbi: claim for mbi, claim in claims.items() if _is_newer(claim, delivered)}
    if delivered.removals_count:
        if delivered.mode == "snapshot" and delivered.absences_count:
            _count_absences(claims, delivered, absences_before_removal)
        for mbi, line in delivered.removed.items():
            if mbi not in delivered.protected:
                claims[mbi] = Claim(mbi, delivered.delivery, line, delivered.evidence_at, ended=True)
    before = {claim.mbi: claim for claim in known if not claim.ended}
    for mbi, line in delivered.present.items():
        claim = Claim(mbi, delivered.delivery, line, delivered.evidence_at)
        claims[mbi] = _count_missed(claim, before.get(mbi), delivered.missed_by, absences_before_removal)
    claims.update(newer)
    return tuple(claims[mbi] for mbi in sorted(claims))


def fold_redelivery(
    known: Iterable[Claim],
    before: Iterable[Claim],
    delivered: DeliveredPanel,
    absences_before_removal: int,
    renames: Renames = NO_RENAMES,
) -> tuple[Claim, ...]:
    """Fold a snapshot that replaces the last one of the same date as a whole (feed contract 3.1 and 7.3).

    `before` are the claims as they were before the replaced file came. Whom only the replaced file listed is gone at
    once: nothing else ever claimed them. All others are as if the replaced file had never been. While removals do not
    count, the file is folded like any other.
    """
    known = tuple(known)
    if not delivered.removals_count:
        return fold_delivery(known, delivered, absences_before_removal, renames)
    claims = {claim.mbi: claim for claim in fold_delivery(before, delivered, absences_before_removal, renames)}
    protected = _tell_of_numbers(known, delivered, renames).protected
    for claim in known:
        if claim.mbi not in claims:
            kept = claim.ended or claim.mbi in protected
            claims[claim.mbi] = claim if kept else replace(claim, delivery=delivered.delivery, line=0, ended=True)
    return tuple(claims[mbi] for mbi in sorted(claims))


def _tell_of_numbers(known: tuple[Claim, ...], delivered: DeliveredPanel, renames: Renames) -> DeliveredPanel:
    """Answer what a delivery says of patients, told of every number under which they are claimed."""

    def name(mbi: str) -> str:
        return renames.get(mbi, mbi)

    removed: dict[str, int] = {}
    for mbi, line in delivered.removed.items():
        removed[name(mbi)] = min(line, removed.get(name(mbi), line))
    removed = {c.mbi: removed[name(c.mbi)] for c in known if name(c.mbi) in removed} | {**delivered.removed}
    faulty = {name(mbi) for mbi in delivered.protected}
    protected = {mbi for mbi in removed.keys() | {claim.mbi for claim in known} if name(mbi) in faulty}
    ended_since = {name(claim.mbi) for claim in known if claim.ended and _is_newer(claim, delivered)}
    ended_since -= {name(claim.mbi) for claim in known if not claim.ended}
    present = {mbi: line for mbi, line in delivered.present.items() if name(mbi) not in ended_since}
    return replace(delivered, present=present, removed=removed, protected=delivered.protected | protected)


def _is_newer(claim: Claim, delivered: DeliveredPanel) -> bool:
    """Of two deliveries of the same second the later one stands; what absences ended keeps its old evidence."""
    is_later = claim.delivery > delivered.delivery
    same_time = claim.evidence_at.replace(microsecond=0) == delivered.evidence_at.replace(microsecond=0)
    return claim.evidence_at > delivered.evidence_at or (is_later and (claim.ended or same_time))


def _count_missed(claim: Claim, before: Claim | None, missed_by: int, limit: int) -> Claim:
    """Count of the snapshots made since those that did not list a patient whom an older one lists.

    Of somebody claimed already they have counted it themselves; nobody else is claimed whom they would have let go.
    """
    if before is not None:
        return replace(claim, absences=min(before.absences, missed_by))
    return replace(claim, absences=missed_by, ended=missed_by >= limit)


def _count_absences(claims: dict[str, Claim], delivered: DeliveredPanel, limit: int) -> None:
    for mbi, claim in claims.items():
        if claim.ended or mbi in delivered.present:
            continue
        # A faulty row still shows that the patient was in the file, so the absences are no longer in a row.
        is_protected = mbi in delivered.protected
        claims[mbi] = replace(claim, absences=0) if is_protected else _count_absence(claim, delivered.delivery, limit)


def _count_absence(claim: Claim, delivery: int, limit: int) -> Claim:
    absences = claim.absences + 1
    ended = absences >= limit
    return Claim(
        claim.mbi,
        delivery if ended else claim.delivery,
        0 if ended else claim.line,
        claim.evidence_at,
        absences,
        ended,
    )
