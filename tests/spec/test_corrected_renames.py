"""A changed MBI that was wrong is told otherwise later: what was told under each number is all that counts for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from service.domain.attribution import ATTRIBUTION_LASTS, Attribution, Group
from service.domain.policy import Policy
from service.domain.reconcile import Observed, Reconciliation, reconcile
from service.domain.renames import MbiChange, Numbers, Renames, find_mistaken, resolve_renames
from service.domain.roster import Claim, DeliveredPanel, Panel, build_panel, fold_delivery, fold_redelivery
from tests.spec.tables import NOW, NPIS, build_mbi

GRAY = NPIS["gray"]
FORMER, WRONG, RIGHT, OTHER = (build_mbi(n) for n in range(1, 5))
TOLD_WRONGLY = [MbiChange(FORMER, WRONG, 5)]
CORRECTED = [*TOLD_WRONGLY, MbiChange(FORMER, RIGHT, 9)]
MISTAKE: Renames = resolve_renames(TOLD_WRONGLY)
LIMIT = 2


def build_claim(mbi: str, delivery: int = 1, *, absences: int = 0, ended: bool = False) -> Claim:
    return Claim(mbi, delivery, 3, NOW - timedelta(days=20 - delivery), absences, ended)


def deliver(
    delivery: int, *present: str, removed: dict[str, int] | None = None, mode: str = "snapshot", days: int | None = None
) -> DeliveredPanel:
    at = NOW - timedelta(days=20 - (delivery if days is None else days))
    return DeliveredPanel(delivery, at, mode, {mbi: n for n, mbi in enumerate(present, start=2)}, removed or {})


def tell(claims: tuple[Claim, ...]) -> dict[str, tuple[int, int, bool]]:
    return {claim.mbi: (claim.delivery, claim.absences, claim.ended) for claim in claims}


def unite(claims: tuple[Claim, ...], changes: list[MbiChange]) -> Panel:
    return build_panel(GRAY, {"ehr": claims}, Numbers(resolve_renames(changes), find_mistaken(changes)))


# What is kept


def test_a_claim_stays_under_the_number_that_the_file_told() -> None:
    folded = fold_delivery((build_claim(FORMER),), deliver(6, FORMER), LIMIT, MISTAKE)
    assert tell(folded) == {FORMER: (6, 0, False)}


def test_what_is_told_under_the_new_number_stands_beside_and_the_former_one_is_missing() -> None:
    folded = fold_delivery((build_claim(FORMER),), deliver(6, WRONG), LIMIT, MISTAKE)
    assert tell(folded) == {FORMER: (1, 1, False), WRONG: (6, 0, False)}


def test_changes_leave_the_former_number_as_it_is() -> None:
    folded = fold_delivery((build_claim(FORMER),), deliver(6, WRONG, mode="delta"), LIMIT, MISTAKE)
    assert tell(folded) == {FORMER: (1, 0, False), WRONG: (6, 0, False)}


def test_a_patient_is_let_go_when_every_number_was_missing_often_enough() -> None:
    claims: tuple[Claim, ...] = (build_claim(FORMER), build_claim(OTHER))
    for delivery, listed, wanted in [(6, WRONG, True), (7, OTHER, True), (8, OTHER, False)]:
        claims = fold_delivery(claims, deliver(delivery, listed), LIMIT, MISTAKE)
        assert (WRONG in unite(claims, TOLD_WRONGLY).wanted) is wanted


@pytest.mark.parametrize("number", [FORMER, WRONG])
def test_a_row_removes_the_patient_under_every_number(number: str) -> None:
    known = (build_claim(FORMER), build_claim(WRONG, 6))
    folded = fold_delivery(known, deliver(7, removed={number: 8}, mode="delta"), LIMIT, MISTAKE)
    assert [(claim.mbi, claim.delivery, claim.line, claim.ended) for claim in folded] == [
        (FORMER, 7, 8, True),
        (WRONG, 7, 8, True),
    ]
    assert WRONG not in unite(folded, TOLD_WRONGLY).wanted


@pytest.mark.parametrize("removed", [{WRONG: 9, FORMER: 8}, {FORMER: 8, WRONG: 9}])
def test_each_number_that_a_file_removes_by_name_keeps_its_row(removed: dict[str, int]) -> None:
    said = deliver(7, removed=removed, mode="delta")
    folded = fold_delivery((build_claim(RIGHT),), said, LIMIT, {**MISTAKE, RIGHT: WRONG})
    assert {claim.mbi: claim.line for claim in folded} == {FORMER: 8, WRONG: 9, RIGHT: 8}


def test_a_removal_under_the_former_number_beside_a_row_under_the_new_one_removes_nobody() -> None:
    said = deliver(7, WRONG, removed={FORMER: 8}, mode="delta")
    folded = fold_delivery((build_claim(FORMER),), said, LIMIT, MISTAKE)
    assert set(unite(folded, TOLD_WRONGLY).wanted) == {WRONG}


@pytest.mark.parametrize("number", [FORMER, WRONG])
def test_a_faulty_row_protects_the_patient_under_every_number(number: str) -> None:
    known = (build_claim(FORMER, absences=1), build_claim(WRONG, absences=1))
    said = replace(deliver(7, OTHER, removed={WRONG: 8}), protected=frozenset({number}))
    folded = fold_delivery(known, said, LIMIT, MISTAKE)
    assert tell(folded) == {FORMER: (1, 0, False), WRONG: (1, 0, False), OTHER: (7, 0, False)}


def test_a_late_file_brings_nobody_back_whom_a_later_one_removed_under_another_number() -> None:
    known = fold_delivery((build_claim(WRONG),), deliver(7, removed={WRONG: 8}, mode="delta"), LIMIT, MISTAKE)
    folded = fold_delivery(known, deliver(6, FORMER, mode="delta"), LIMIT, MISTAKE)
    assert folded == known
    assert FORMER in tell(fold_delivery(known, deliver(6, FORMER, mode="delta"), LIMIT))


def test_a_late_file_is_kept_under_its_number_while_the_patient_is_claimed_under_another() -> None:
    known = (build_claim(RIGHT, 7, ended=True), build_claim(WRONG, 7))
    renames = {**MISTAKE, RIGHT: WRONG}
    folded = fold_delivery(known, deliver(6, FORMER, mode="delta"), LIMIT, renames)
    assert tell(folded)[FORMER] == (6, 0, False)


def test_a_file_that_replaces_another_of_its_date_lets_go_only_the_number_that_alone_was_replaced() -> None:
    before = (build_claim(FORMER),)
    known = fold_delivery(before, deliver(6, WRONG, OTHER), LIMIT, MISTAKE)
    folded = fold_redelivery(known, before, deliver(7, FORMER, days=6), LIMIT, MISTAKE)
    assert tell(folded) == {FORMER: (7, 0, False), WRONG: (7, 0, True), OTHER: (7, 0, True)}
    said = replace(deliver(7, OTHER, days=6), protected=frozenset({FORMER}))
    assert tell(fold_redelivery(known, before, said, LIMIT, MISTAKE))[WRONG] == (6, 0, False)


ROSTERS = [[FORMER, OTHER], [WRONG, OTHER], [FORMER, WRONG], [OTHER], [FORMER, OTHER]]


def test_what_is_kept_of_rosters_is_the_same_with_and_without_a_mistake() -> None:
    kept: list[tuple[Claim, ...]] = [(), ()]
    for delivery, listed in enumerate(ROSTERS, start=1):
        said = deliver(delivery, *listed)
        kept = [fold_delivery(kept[0], said, LIMIT, MISTAKE), fold_delivery(kept[1], said, LIMIT)]
        assert kept[0] == kept[1]


# What it adds up to


def test_a_correction_gives_the_right_number_what_was_told_under_the_former() -> None:
    panel = unite((build_claim(FORMER), build_claim(OTHER)), CORRECTED)
    assert set(panel.wanted) == {RIGHT, OTHER}
    assert panel.renamed == {FORMER: RIGHT}
    assert set(panel.ended) == {FORMER, WRONG}


def test_the_wrong_number_goes_on_the_word_that_corrected_it() -> None:
    gone = unite((build_claim(FORMER),), CORRECTED).ended[WRONG]
    assert (gone.delivery, gone.line, gone.ended) == (9, 0, True)


def test_the_wrong_number_stays_where_it_was_told_itself() -> None:
    panel = build_panel(
        GRAY,
        {"ehr": [build_claim(FORMER)], "clinic": [build_claim(WRONG)]},
        Numbers(resolve_renames(CORRECTED), find_mistaken(CORRECTED)),
    )
    assert set(panel.wanted) == {RIGHT, WRONG}
    assert set(panel.ended) == {FORMER}


def test_the_wrong_number_goes_also_of_a_patient_who_has_left() -> None:
    panel = unite((build_claim(FORMER, ended=True),), CORRECTED)
    assert set(panel.wanted) == set() and set(panel.ended) == {FORMER, RIGHT, WRONG}


def test_the_word_of_a_feed_on_the_wrong_number_stands_before_the_correction() -> None:
    panel = unite((build_claim(FORMER), build_claim(WRONG, 3, ended=True)), CORRECTED)
    assert panel.ended[WRONG].delivery == 3


def test_nobody_else_is_let_go_by_a_correction() -> None:
    assert set(unite((build_claim(OTHER),), CORRECTED).ended) == set()


def hold_at_dpc(*mbis: str, owned: bool = True) -> Observed:
    attributions = tuple(
        Attribution(f"patient-{mbi}", mbi, NOW, NOW + ATTRIBUTION_LASTS, inactive=False, owned=owned) for mbi in mbis
    )
    known = {mbi: f"patient-{mbi}" for mbi in (FORMER, WRONG, RIGHT, OTHER)}
    return Observed({GRAY: Group(GRAY, "group-1", attributions)}, known, {GRAY: "practitioner-1"})


def plan(observed: Observed) -> Reconciliation:
    return reconcile([unite((build_claim(FORMER), build_claim(OTHER)), CORRECTED)], observed, NOW, Policy())


def list_changes(result: Reconciliation) -> list[tuple[str, str, bool]]:
    return [(c.kind.value, p.mbi, c.is_rename) for c in result.changes for p in c.patients]


def test_at_dpc_the_wrong_number_is_an_ordinary_removal_and_the_right_one_an_ordinary_add() -> None:
    result = plan(hold_at_dpc(WRONG, OTHER))
    assert list_changes(result) == [("remove", WRONG, False), ("add", RIGHT, False)]


def test_at_dpc_a_former_number_that_still_stands_gives_way_to_the_right_one() -> None:
    result = plan(hold_at_dpc(FORMER, WRONG, OTHER))
    assert list_changes(result) == [("remove", WRONG, False), ("add", RIGHT, True)]
    assert [(item.mbi, item.rule) for item in result.left_out] == [(FORMER, "former_number")]


def test_what_is_not_ours_is_not_removed_for_a_correction() -> None:
    result = plan(hold_at_dpc(WRONG, OTHER, owned=False))
    assert ("remove", WRONG, False) not in list_changes(result)
    assert (WRONG, "not_ours") in [(item.mbi, item.rule) for item in result.left_out]


def test_at_dpc_a_number_goes_when_the_one_that_led_to_it_is_given_to_somebody_else() -> None:
    given_anew = [*TOLD_WRONGLY, MbiChange(OTHER, FORMER, 9)]
    panel = unite((build_claim(FORMER), build_claim(OTHER)), given_anew)
    result = reconcile([panel], hold_at_dpc(FORMER, WRONG), NOW, Policy())
    assert list_changes(result) == [("remove", WRONG, False)]
    assert result.left_out == ()


# What was taken for whose number


@pytest.mark.parametrize(
    ("told", "mistaken"),
    [
        ("ab", {}),
        ("ab ab", {}),
        ("ab bc", {}),
        ("ab ba", {}),
        ("ab ac", {"a": {"b": 1}}),
        ("ab ac ab", {"a": {"c": 2}}),
        ("ab ac ad", {"a": {"b": 1, "c": 2}}),
        ("ab bd ac", {"a": {"b": 2, "d": 2}}),
        ("ab ac bd", {"a": {"b": 1}}),
        ("xa ab ac", {"x": {"b": 2}, "a": {"b": 2}}),
        ("ab ac xa", {"a": {"b": 1, "c": 2}}),
        ("ac xa", {"a": {"c": 1}}),
        ("za ac xa", {"z": {"a": 2}, "a": {"c": 2}}),
        ("ac cd xa", {"a": {"c": 2, "d": 2}}),
        ("ac xa xb", {"x": {"a": 2}}),
        ("ab ac bc", {}),
        ("ab ba ac", {}),
        ("ab bc ca ad", {}),
        ("ab bc cd be", {"a": {"c": 3, "d": 3}, "b": {"c": 3, "d": 3}}),
    ],
)
def test_a_number_was_mistaken_until_another_was_told(told: str, mistaken: dict[str, dict[str, int]]) -> None:
    changes = [MbiChange(pair[0], pair[1], n) for n, pair in enumerate(told.split())]
    assert find_mistaken(changes) == mistaken
    current = resolve_renames(changes)
    for mbi, others in mistaken.items():
        assert current.get(mbi, mbi) not in {current.get(other, other) for other in others}


@pytest.mark.parametrize(
    ("told", "current"),
    [
        ("xa ab ac", {"x": "c", "a": "c"}),
        ("ab bd ac", {"a": "c", "b": "d"}),
        ("bc ab ae", {"b": "c", "a": "e"}),
        ("ab ac ab", {"a": "b"}),
        ("ab ba ac", {"a": "c", "b": "c"}),
    ],
)
def test_the_last_word_on_a_number_is_as_if_it_were_the_only_one(told: str, current: dict[str, str]) -> None:
    changes = [MbiChange(pair[0], pair[1], n) for n, pair in enumerate(told.split())]
    assert resolve_renames(changes) == current
