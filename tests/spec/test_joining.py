"""Which changed MBIs a person must look at before they count."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from service.domain.joining import find_doubtful_changes
from service.domain.renames import Numbers

NOBODY: frozenset[tuple[str, str]] = frozenset()


def find(
    told: list[str],
    current: Mapping[str, str] | None = None,
    listed: Mapping[str, set[int]] | None = None,
    contradicting: frozenset[tuple[str, str]] = NOBODY,
    known: str = "ABC",
) -> list[str]:
    pairs = [(change[0], change[1]) for change in told]
    found = find_doubtful_changes(
        pairs, Numbers(current or {}), set(known), listed or {}, lambda a, b: (a, b) in contradicting
    )
    return sorted(former + new for former, new in found)


def test_a_number_that_nobody_has_counts_at_once() -> None:
    assert find(["AB", "CD"]) == []
    assert find(["AB"], listed={"A": {1}, "C": {1}}) == []


def test_one_who_gets_several_numbers_one_after_the_other_is_no_doubt() -> None:
    assert find(["AX", "XY", "YZ"]) == []
    assert find(["AX", "XY"], known="AX") == ["AX", "XY"]
    assert find(["AX", "XY"], known="AY") == ["AX", "XY"]


@pytest.mark.parametrize("told", [["AX", "BX"], ["AX", "XB"], ["AX", "AY"], ["AX", "XA"]])
def test_a_number_that_one_file_names_twice_is_doubtful(told: list[str]) -> None:
    """Two patients would get one number, one of them two, or a patient the number of another listed one."""
    assert find(told) == sorted(told)
    assert find([*told, "CD"]) == sorted(told)


def test_the_same_change_told_twice_is_one_change() -> None:
    assert find(["AB", "AB"]) == []
    assert find(["AA"]) == []


def test_what_is_recorded_already_is_no_doubt_and_another_word_on_it_is() -> None:
    assert find(["AB"], {"A": "B"}) == []
    assert find(["AC"], {"A": "B"}) == ["AC"]
    assert find(["BC"], {"A": "B"}) == []


def test_a_change_is_taken_back_without_a_doubt() -> None:
    assert find(["BA"], {"A": "B"}) == []


def test_a_number_that_was_or_is_somebody_elses_is_doubtful() -> None:
    assert find(["CA"], {"A": "B"}) == ["CA"]
    assert find(["CB"], {"A": "B"}) == ["CB"]


@pytest.mark.parametrize("former", ["A", "Z"])
def test_patients_whom_one_delivery_lists_are_two(former: str) -> None:
    """The former number may be listed under one that came before it."""
    assert find(["AB"], {"Z": "A"}, {former: {1, 2}, "B": {2}}) == ["AB"]
    assert find(["AB"], {"Z": "A"}, {former: {1}, "B": {2}}) == []


def test_patients_who_are_described_as_two_are_two() -> None:
    assert find(["AB"], contradicting=frozenset({("A", "B")})) == ["AB"]
    assert find(["AB"], {"Z": "A"}, contradicting=frozenset({("Z", "B")})) == ["AB"]
