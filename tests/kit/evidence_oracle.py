"""What may be attested and removed, told by the bare events: no rule of ours is asked, so that none can hide in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

FRESH = timedelta(days=35)
WEEK = timedelta(days=7)

Pair = tuple[str, str]
"""NPI and MBI."""


@dataclass(frozen=True)
class Accepted:
    """A file that counts: from when its evidence is, whom it lists, and whom it removes by name.

    `whole` are the practitioners of whom it is a whole roster, without a doubt about whom it leaves out.
    """

    serial: int
    evidence_at: datetime
    pairs: frozenset[Pair]
    feed: str = ""
    removed: frozenset[Pair] = frozenset()
    whole: frozenset[str] = frozenset()

    def is_later(self, other: Accepted) -> bool:
        return (self.evidence_at, self.serial) > (other.evidence_at, other.serial)

    def without(self, npis: Set[str]) -> Accepted:
        """The same with nothing said about these practitioners."""
        pairs = frozenset(pair for pair in self.pairs if pair[0] not in npis)
        return replace(self, pairs=pairs, whole=self.whole - npis)


@dataclass(frozen=True)
class Decision:
    """Removals that somebody let go: exactly which, who, and until when."""

    pairs: frozenset[Pair]
    person: str
    until: datetime


@dataclass(frozen=True)
class Limits:
    """From how many removals on it takes one person, and two: a count, and percent of who was active before."""

    floor: int
    hold: int
    stop: int

    def count_people(self, removed: int, base: int) -> int:
        """How many people it takes."""
        if removed <= self.floor:
            return 0
        return 2 if removed * 100 > self.stop * base else int(removed * 100 > self.hold * base)


@dataclass
class Oracle:
    """The events as they happened, and what they allow; `reached` counts what a run has really met."""

    group: Limits
    organization: Limits
    absences: int = 2
    accepted: list[Accepted] = field(default_factory=list)
    renamed: set[tuple[str, str]] = field(default_factory=set)
    owned: set[Pair] = field(default_factory=set)
    decisions: list[Decision] = field(default_factory=list)
    removed: list[tuple[datetime, Pair]] = field(default_factory=list)
    reached: Counter[str] = field(default_factory=Counter)

    def check_evidence(self, pair: Pair, now: datetime) -> None:
        """Assert that an accepted, fresh file lists the pair, under this number or a former one of the same patient."""
        npi, mbi = pair
        names = {mbi}
        while former := {old for old, new in self.renamed if new in names} - names:
            names |= former
        support = [a for a in self.accepted if now - a.evidence_at <= FRESH]
        listing = [(a, name) for a in support for name in names if (npi, name) in a.pairs]
        assert listing, "attested without evidence"
        assert not all(self._is_removed_since(a, npi, name) for a, name in listing), "attested although removed"
        dropped = [(a, name) for a, name in listing if self._is_dropped_since(a, npi, names)]
        assert len(dropped) < len(listing), "attested although newer rosters left the patient out before"
        self.reached["listed by a late file alone"] += bool(dropped)
        self.reached["attested"] += 1
        self.reached["attested under a new number"] += not any(pair in a.pairs for a in support)

    def _is_removed_since(self, listing: Accepted, npi: str, name: str) -> bool:
        """Answer whether the same feed has removed the patient since, under this number or one that is surely theirs.

        Surely theirs are two numbers of one change that occur in no other.
        """
        words = Counter(number for pair in self.renamed for number in pair)
        twins = {
            number for pair in self.renamed if name in pair for number in pair if words[pair[0]] == words[pair[1]] == 1
        }
        since = [a for a in self.accepted if a.feed == listing.feed and a.is_later(listing)]
        removed = {number for number in twins | {name} for a in since if (npi, number) in a.removed}
        self.reached["removed under another number"] += bool(removed - {name})
        return bool(removed)

    def _is_dropped_since(self, listing: Accepted, npi: str, names: set[str]) -> bool:
        """Answer whether so many newer rosters counted before the listing did that the patient was let go by then."""
        before = self.accepted[: self.accepted.index(listing)]
        newer = [a for a in before if a.feed == listing.feed and a.evidence_at > listing.evidence_at]
        if any((npi, name) in a.pairs for a in newer for name in names):
            return False
        return len({a.evidence_at for a in newer if npi in a.whole}) >= self.absences

    def check_removals(self, pairs: Iterable[Pair], active: Counter[str], now: datetime) -> None:
        """Assert that these are ours, and that as many people as it takes let exactly these go.

        `active` counts who is active with each practitioner before. Removals of the last seven days are part of all.
        """
        gone = sorted(pairs)
        assert set(gone) <= self.owned, "removed what is not ours"
        lately = Counter(npi for at, (npi, _) in self.removed if now - at <= WEEK)
        planned = Counter(npi for npi, _ in gone)
        base = active.total() + lately.total()
        everywhere = self.organization.count_people(planned.total() + lately.total(), base)
        for npi, n in planned.items():
            people = self.group.count_people(n + lately[npi], active[npi] + lately[npi])
            needed = max(everywhere, 2 if n >= active[npi] else people)
            own = [pair for pair in gone if pair[0] == npi]
            let_go = [{d.person for d in self.decisions if pair in d.pairs and d.until > now} for pair in own]
            assert all(len(one) >= needed for one in let_go), "removed over a limit without a decision"
            self.reached["removed"] += n
            self.reached["removed by a decision"] += n * bool(needed)

    def attest(self, pair: Pair, now: datetime) -> None:
        """Note that a pair was attested, if it may be."""
        self.check_evidence(pair, now)
        self.owned.add(pair)

    def remove(self, pairs: Iterable[Pair], active: Counter[str], now: datetime) -> None:
        """Note that pairs were removed, if they may be."""
        gone = sorted(pairs)
        self.check_removals(gone, active, now)
        self.removed.extend((now, pair) for pair in gone)
