"""Changed MBIs: which number is a patient's present one, and which ones were taken for the patient's by mistake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import groupby
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class MbiChange:
    """A delivery's word that a patient's MBI is another one now; `delivery` is its serial number."""

    former: str = field(repr=False)
    new: str = field(repr=False)
    delivery: int


Renames = Mapping[str, str]
"""A patient's former MBI to the present one; a present one is never a former one (see `resolve_renames`)."""
NO_RENAMES: Renames = MappingProxyType({})

Mistaken = Mapping[str, Mapping[str, int]]
"""An MBI to those that were taken for the same patient's, each with the serial number of the delivery that told
otherwise (see `find_mistaken`)."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The MBIs that patients have had: the present one of each former one, and what was taken for theirs by mistake."""

    renames: Renames
    mistaken: Mistaken = field(default_factory=dict)
    formers: Mapping[str, set[str]] = field(init=False, repr=False)
    """The former MBIs of each present one."""

    def __post_init__(self) -> None:
        formers: defaultdict[str, set[str]] = defaultdict(set)
        for former, present in self.renames.items():
            formers[present].add(former)
        object.__setattr__(self, "formers", dict(formers))

    def find_present(self, mbi: str) -> str:
        """Answer the number that a patient with this one has by now."""
        return self.renames.get(mbi, mbi)

    def find_all(self, present: str) -> set[str]:
        """Answer every number that a patient has had, the present one included."""
        return {present} | self.formers.get(present, set())


NOTHING_CHANGED = Numbers(NO_RENAMES)


def resolve_renames(changes: Iterable[MbiChange]) -> dict[str, str]:
    """Answer for each former MBI the one that is current after all changes, told oldest first.

    Of several words on one former number the last one stands, as if the others had never been. A later change stands
    against an earlier one of another number, so that a mistake can be taken back by the opposite message.
    """
    last: dict[str, str] = {}
    _take_words(last, changes)
    words = _connect(last)
    present = [new for _, new in words.told]
    for n in sorted(words.following, reverse=True):  # a following word is a later one, so it has been followed already
        present[n] = present[words.following[n]]
    return {old: present[n] for old, n in words.moved_by.items()}


def find_mistaken(changes: Iterable[MbiChange]) -> dict[str, dict[str, int]]:
    """Answer for each MBI those that were taken for the same patient's until a later delivery told otherwise.

    A delivery tells otherwise when it gives a number another new one than before, or gives somebody a number that has
    got a new one itself. What the numbers concerned, and those that had led to them, had become until then is mistaken,
    unless it is the patient's own by now. `changes` are told oldest first.
    """
    changes = list(changes)
    current = resolve_renames(changes)
    mistaken: defaultdict[str, dict[str, int]] = defaultdict(dict)
    last: dict[str, str] = {}
    for delivery, told in groupby(changes, key=lambda change: change.delivery):
        news = list(told)
        if concerned := _find_contradicted(last, news):
            for mbi, became in _connect(last).trace(concerned):
                mistaken[mbi] |= dict.fromkeys(became, delivery)
        _take_words(last, news)
    return {
        mbi: others
        for mbi, became in mistaken.items()
        if (others := {m: at for m, at in became.items() if current.get(m, m) != current.get(mbi, mbi)})
    }


def _find_contradicted(last: Mapping[str, str], news: Iterable[MbiChange]) -> set[str]:
    """Answer the numbers of which a delivery tells otherwise than the last words before it."""
    told = {change.former: change.new for change in news if change.former != change.new}
    moved = {change.former for change in news if last.get(change.former, change.new) != change.new}
    return moved | {change.new for change in news if change.new in last or change.new in told}


def _take_words(last: dict[str, str], changes: Iterable[MbiChange]) -> None:
    """Keep the last word on each former MBI, in the order in which the last words were told."""
    for change in changes:
        if change.former != change.new:
            last.pop(change.former, None)
            last[change.former] = change.new


@dataclass(frozen=True, slots=True)
class _Words:
    """The last word on each number, as (former, new) in the order told, and how they follow one another.

    `moved_by` names the word that made a number a former one, `following` the later word that moves on everybody whom a
    word has moved.
    """

    told: list[tuple[str, str]] = field(repr=False)
    moved_by: dict[str, int] = field(default_factory=dict, repr=False)
    following: dict[int, int] = field(default_factory=dict)

    def trace(self, concerned: Set[str]) -> Iterator[tuple[str, list[str]]]:
        """Yield each former number that is or has become one of these, and all that it has become, oldest first."""
        for mbi, word in self.moved_by.items():
            became, n = [self.told[word][1]], word
            while (n := self.following.get(n, -1)) >= 0:
                became.append(self.told[n][1])
            if mbi in concerned or not concerned.isdisjoint(became):
                yield mbi, became


def _connect(last: Mapping[str, str]) -> _Words:
    words = _Words(list(last.items()))
    arrived: dict[str, int] = {}  # the last word by which anybody got a number
    for n, (old, new) in enumerate(words.told):
        words.moved_by.pop(new, None)  # whoever gets a number has it now
        for number in {old, new} & arrived.keys():
            words.following[arrived.pop(number)] = n
        words.moved_by[old] = arrived[new] = n
    return words
