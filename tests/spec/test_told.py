"""What a person is told of a doubt is so: whose rows, whose count, whose patients, which limit, one and many."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.departing import doubt_removals
from service.domain.feeds import FeedSettings
from service.domain.intake import Effect, History, judge_delivery, tell_effect
from tests.spec.files import build_facts


@pytest.mark.parametrize(
    ("errors", "foreign", "told"),
    [
        (10, 0, "10 of 20 rows cannot be read."),
        (10, 10, "10 of 20 rows name no practitioner for whom this feed speaks."),
        (10, 4, "6 of 20 rows cannot be read, and 4 name no practitioner for whom this feed speaks."),
        (7, 1, "6 of 20 rows cannot be read, and 1 names no practitioner for whom this feed speaks."),
    ],
)
def test_rows_of_others_can_be_read(errors: int, foreign: int, told: str) -> None:
    facts = build_facts(20, present=20 - errors, errors=errors, foreign_rows=foreign)
    found = judge_delivery(facts, History())
    assert (found.code, found.reason) == ("rejected_rows", f"{told} It would let nobody go.")


def test_one_row_is_one_row() -> None:
    facts = build_facts(1, present=0, removed=1, errors=1)
    assert "1 of 1 row cannot be read." in (judge_delivery(facts, History()).reason or "")


def test_a_count_that_came_with_the_file_is_not_told_as_the_file_s_own() -> None:
    sent = build_facts(5, file_error="count_mismatch", sent_count=6)
    told = "The file has 5 rows, but the count that was sent with it is 6."
    assert (judge_delivery(sent, History()).reason or "").startswith(told)
    own = "The number of rows differs from the count that is stated for them."
    for facts in (replace(sent, sent_count=5), replace(sent, sent_count=None), replace(sent, data_rows=0)):
        assert (judge_delivery(facts, History()).reason or "").startswith(own)


@pytest.mark.parametrize(
    ("effect", "told"),
    [
        (Effect(), "It would let nobody go."),
        (Effect(known=9, absent=1), "Of 9 known patients C, 1 is missing; nobody would be let go yet."),
        (Effect(known=1, absent=1, ended=1), "Of 1 known patient C, 1 is missing; 1 would be let go at once."),
        (
            Effect(known=60, absent=13, ended=13, staying=13),
            "Of 60 known patients C, 13 are missing; nobody would be let go: 13 stay because another feed still lists"
            " them.",
        ),
        (
            Effect(known=60, absent=3, ended=3, staying=1),
            "Of 60 known patients C, 3 are missing; 2 would be let go at once, and 1 stays because another feed still"
            " lists that one.",
        ),
    ],
)
def test_whom_a_file_leaves_out_is_told_of_the_practitioners_in_it(effect: Effect, told: str) -> None:
    assert tell_effect(effect) == told.replace(" C,", " of the practitioners whom the file covers,")


def test_effects_add_up() -> None:
    both = Effect(9, 8, 1, 2, 2, 1) + Effect(5, 5, 0, 1, 1, 1)
    assert (both, both.gone) == (Effect(14, 13, 1, 3, 3, 2), 1)


@pytest.mark.parametrize(("missing", "told"), [(19, "Only 1 of the 20 patients"), (15, "Only 5 of the 20 patients")])
def test_how_many_are_still_there_is_told_of_its_practitioners(missing: int, told: str) -> None:
    facts = build_facts(20, effect=Effect(known=20, listed=20, absent=missing))
    verb = "is" if missing == 19 else "are"
    reason = judge_delivery(facts, History()).reason or ""
    assert reason.startswith(f"{told} known so far of its practitioners {verb} in it.")


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"max_removals": 2}, "The file removes 8; this feed may remove at most 2 by itself."),
        ({"max_removals": 0}, "The file removes 8; this feed may remove nobody by itself."),
        ({"max_removal_percent": 5}, "The file removes 8 of 100; this feed may remove at most 5 % by itself."),
    ],
)
def test_a_limit_is_named(limits: dict[str, int], told: str) -> None:
    facts = build_facts(92, effect=Effect(known=100, listed=92, absent=8, ended=8, staying=8))
    doubt = doubt_removals(facts, "none", 0, FeedSettings(**limits))  # type: ignore[arg-type]
    assert doubt is not None and doubt.code == "many_removals"
    assert doubt.reason.startswith(f"{told} Nobody was let go.")
