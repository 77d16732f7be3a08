"""Whatever is told of numbers, in whatever order: the fast answers are the plain ones, and a removal is never lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.renames import NO_RENAMES, MbiChange, Numbers, Renames, find_mistaken, resolve_renames
from service.domain.roster import Claim, DeliveredPanel, Panel, build_panel, fold_delivery

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
NPI = "3905293015"
MBIS = [f"1S00E00AA{n:02d}" for n in range(4)]
JOINED: Renames = {MBIS[0]: MBIS[2], MBIS[1]: MBIS[2]}
STEADY = settings(derandomize=True, max_examples=2_000, deadline=None)
NUMBERS = "abcdefg"


@st.composite
def changes(draw: st.DrawFn) -> list[MbiChange]:
    """Changes of a few numbers, some of them told by one delivery."""
    number = st.sampled_from(NUMBERS[: draw(st.integers(2, len(NUMBERS)))])
    told = draw(st.lists(st.tuples(number, number, st.sampled_from([1, 1, 1, 0])), max_size=10))
    serials = accumulate(is_next for _, _, is_next in told)
    return [MbiChange(former, new, serial) for (former, new, _), serial in zip(told, serials, strict=True)]


# The plain rules: every group of numbers is moved one by one, and all is told anew after every delivery


def resolve_plainly(told: Iterable[MbiChange]) -> dict[str, str]:
    last: dict[str, str] = {}
    for change in told:
        if change.former != change.new:
            last.pop(change.former, None)
            last[change.former] = change.new
    current: dict[str, str] = {}
    formers: defaultdict[str, set[str]] = defaultdict(set)
    for old, new in last.items():
        if new in current:
            formers[current.pop(new)].discard(new)
        moved = formers.pop(old, set()) | {old}
        current.update(dict.fromkeys(moved, new))
        formers[new] |= moved
    return current


def find_mistaken_plainly(told: Sequence[MbiChange]) -> dict[str, set[str]]:
    """Whatever a number was after any delivery, and by now is somebody else's."""
    been: defaultdict[str, set[str]] = defaultdict(set)
    for n, change in enumerate(told, start=1):
        if n == len(told) or told[n].delivery != change.delivery:
            current = resolve_plainly(told[:n])
            for mbi, present in current.items():
                been[mbi].add(present)
    kept = {mbi: {m for m in been[mbi] if current.get(m, m) != current.get(mbi, mbi)} for mbi in been}
    return {mbi: others for mbi, others in kept.items() if others}


def follow(start: str, told: Iterable[MbiChange]) -> set[str]:
    """All numbers to which any word ever led."""
    found, waiting = {start}, [start]
    while waiting:
        number = waiting.pop()
        news = {change.new for change in told if change.former == number} - found
        found |= news
        waiting += news
    return found


@given(changes())
@STEADY
def test_present_numbers_are_those_that_the_plain_rule_finds(told: list[MbiChange]) -> None:
    current = resolve_renames(told)
    assert current == resolve_plainly(told)
    assert not set(current.values()) & current.keys()


@given(changes())
@STEADY
def test_every_number_that_was_somebodys_and_is_anothers_by_now_was_mistaken(told: list[MbiChange]) -> None:
    mistaken = find_mistaken(told)
    for mbi, others in find_mistaken_plainly(told).items():
        assert others <= mistaken.get(mbi, {}).keys()


@given(changes())
@STEADY
def test_mistaken_numbers_are_never_the_patients_own_and_some_delivery_had_led_to_them(told: list[MbiChange]) -> None:
    current = resolve_plainly(told)
    serials = {change.delivery for change in told}
    for mbi, others in find_mistaken(told).items():
        assert others
        assert others.keys() <= follow(mbi, told)
        assert all(current.get(other, other) != current.get(mbi, mbi) for other in others)
        assert serials >= set(others.values())


# A removal and a change of the number, in either order


@st.composite
def files(draw: st.DrawFn) -> list[DeliveredPanel]:
    """Files of changes of one feed, each removing or listing some numbers, of some days in a row; some count late."""
    some = st.frozensets(st.sampled_from(MBIS), max_size=2)
    days = sorted(draw(st.lists(st.integers(0, 3), min_size=1, max_size=6)))
    told = [(draw(some), draw(some), day) for day in days]
    return [
        DeliveredPanel(
            serial,
            NOW + timedelta(days=day),
            "delta",
            {mbi: line for line, mbi in enumerate(sorted(present), start=2)},
            {mbi: line for line, mbi in enumerate(sorted(removed - present), start=20)},
        )
        for serial, (present, removed, day) in draw(st.permutations(list(enumerate(told, start=1))))
    ]


def unite(told: list[DeliveredPanel], renames: list[Renames]) -> Panel:
    claims: tuple[Claim, ...] = ()
    for file, known in zip(told, renames, strict=True):
        claims = fold_delivery(claims, file, 2, known)
    return build_panel(NPI, {"changes": claims}, Numbers(JOINED))


@given(files(), st.integers(0, 6))
@STEADY
def test_it_is_the_same_whether_a_change_of_numbers_is_told_before_or_after_a_file(
    told: list[DeliveredPanel], known_from: int
) -> None:
    late = unite(told, [NO_RENAMES if n < known_from else JOINED for n in range(len(told))])
    early = unite(told, [JOINED] * len(told))
    assert late.wanted.keys() == early.wanted.keys()
    assert late.ended.keys() == early.ended.keys()


@given(files())
@STEADY
def test_the_last_word_of_changes_on_a_patient_under_any_number_stands(told: list[DeliveredPanel]) -> None:
    words: dict[str, tuple[int, bool]] = {}
    for file in told:
        rows = [*((mbi, False) for mbi in file.removed), *((mbi, True) for mbi in file.present)]
        for mbi, is_listed in rows:
            patient, word = JOINED.get(mbi, mbi), (file.delivery, is_listed)
            words[patient] = max(word, words.get(patient, word))
    panel = unite(told, [NO_RENAMES] * len(told))
    assert panel.wanted.keys() == {patient for patient, (_, is_listed) in words.items() if is_listed}
    gone = words.keys() - panel.wanted.keys()
    assert panel.ended.keys() >= gone | {former for former, present in JOINED.items() if present in gone}
