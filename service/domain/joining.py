"""Which changes of MBIs a person must look at, because they could make one patient of two (feed contract 2.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set

from service.domain.renames import Numbers

Pair = tuple[str, str]
"""A patient's former MBI and the new one."""


def find_doubtful_changes(
    told: Iterable[Pair],
    numbers: Numbers,
    known: Set[str],
    listed: Mapping[str, Set[int]],
    is_contradicted: Callable[[str, str], bool],
) -> set[Pair]:
    """Answer the changes that one file tells and that do not count before a person has looked at them.

    `numbers` is what was told before, `known` are numbers of patients, `listed` the deliveries on which live claims
    under a number rest. Doubtful is a change

    * of a number that the file names in another change as well, where two would get one number or one two, or a patient
      at last the number of another; one who has got several new numbers one after the other is no doubt;
    * that contradicts what was told before of either number, unless it only takes a change back;
    * to a number that somebody else has got before;
    * of a patient to the number of another one: both are listed by one delivery, or described as two people.
    """
    pairs = {(old, new) for old, new in told if old != new}
    entangled = _find_entangled(pairs, known)
    return {
        (old, new)
        for old, new in pairs
        if numbers.renames.get(old) != new
        and (
            (old, new) in entangled
            or old in numbers.renames
            or numbers.renames.get(new, old) != old
            or numbers.formers.get(new)
            or _are_two_people(numbers.find_all(old) - {new}, new, listed, is_contradicted)
        )
    }


def _find_entangled(pairs: Set[Pair], known: Set[str]) -> set[Pair]:
    """Answer the changes of one file that share numbers, unless each is the next one of a patient with a new number."""
    named = Counter(mbi for pair in pairs for mbi in pair)
    sharing = {pair for pair in pairs if max(named[mbi] for mbi in pair) > 1}
    formers, news = [old for old, _ in sharing], [new for _, new in sharing]
    follow_one_another = len(set(formers)) == len(formers) and len(set(news)) == len(news)
    return set() if follow_one_another and known.isdisjoint(news) else sharing


def _are_two_people(
    before: Set[str], new: str, listed: Mapping[str, Set[int]], is_contradicted: Callable[[str, str], bool]
) -> bool:
    """Answer whether the patient with the numbers `before` and the one with the new number are told apart anywhere."""
    listing = listed.get(new, set())
    return any(not listing.isdisjoint(listed.get(mbi, ())) or is_contradicted(mbi, new) for mbi in before)
