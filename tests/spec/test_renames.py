"""A patient whose MBI changes has neither come nor left: the new number is added first, then the former one goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from service.domain.attribution import ATTRIBUTION_LASTS, Attribution, Group
from service.domain.authorisation import StandingTerms, is_covered
from service.domain.change import Change, ChangeKind, PlannedPatient, read_change, write_change
from service.domain.guards import Exposure, hold_changes
from service.domain.policy import GuardLimits, Policy
from service.domain.reconcile import Observed, Reconciliation, reconcile
from service.domain.renames import MbiChange, Numbers, resolve_renames
from service.domain.roster import Claim, Panel, build_panel
from tests.spec.tables import NOW, NPIS, build_mbi

GRAY = NPIS["gray"]
FORMER, PRESENT, OTHER = build_mbi(1), build_mbi(2), build_mbi(3)


def claim(mbi: str, *, ended: bool = False) -> Claim:
    return Claim(mbi, 7, 3, NOW - timedelta(days=1), ended=ended)


def hold_at_dpc(*mbis: str) -> Observed:
    attributions = tuple(
        Attribution(f"patient-{mbi}", mbi, NOW, NOW + ATTRIBUTION_LASTS, inactive=False, owned=True) for mbi in mbis
    )
    known = {mbi: f"patient-{mbi}" for mbi in (FORMER, PRESENT, OTHER)}
    return Observed({GRAY: Group(GRAY, "group-1", attributions)}, known, {GRAY: "practitioner-1"})


def plan(claims: list[Claim], observed: Observed) -> Reconciliation:
    return reconcile([build_panel(GRAY, {"ehr": claims}, Numbers({FORMER: PRESENT}))], observed, NOW, Policy())


def tell(result: Reconciliation) -> list[tuple[str, str, bool]]:
    return [(c.kind.value, p.mbi, c.is_rename) for c in result.changes for p in c.patients]


def test_the_new_number_is_added_while_the_former_one_still_stands() -> None:
    result = plan([claim(FORMER), claim(OTHER)], hold_at_dpc(FORMER, OTHER))
    assert tell(result) == [("add", PRESENT, True)]
    assert [(item.mbi, item.rule) for item in result.left_out] == [(FORMER, "former_number")]


def test_the_former_number_goes_once_dpc_shows_the_new_one() -> None:
    result = plan([claim(FORMER), claim(OTHER)], hold_at_dpc(FORMER, PRESENT, OTHER))
    assert tell(result) == [("remove", FORMER, True)]


def test_nothing_is_left_to_do_when_the_former_number_is_gone() -> None:
    result = plan([claim(PRESENT), claim(OTHER)], hold_at_dpc(PRESENT, OTHER))
    assert result.changes == () and result.left_out == ()


def test_a_patient_who_was_never_attributed_under_the_former_number_is_an_ordinary_add() -> None:
    assert tell(plan([claim(FORMER), claim(OTHER)], hold_at_dpc(OTHER))) == [("add", PRESENT, False)]


def test_a_patient_who_has_left_under_the_former_number_is_an_ordinary_removal_of_nobody_else() -> None:
    result = plan([claim(FORMER, ended=True), claim(OTHER)], hold_at_dpc(PRESENT, OTHER))
    assert tell(result) == [("remove", PRESENT, False)]


def test_a_claim_under_either_number_is_a_claim_under_the_new_one() -> None:
    panel = build_panel(GRAY, {"ehr": [claim(FORMER)], "clinic": [claim(PRESENT)]}, Numbers({FORMER: PRESENT}))
    assert set(panel.wanted) == {PRESENT}
    assert set(panel.ended) == {FORMER}
    assert panel.renamed == {FORMER: PRESENT}


@pytest.mark.parametrize(
    ("told", "current"),
    [
        ([], {}),
        ([("a", "b")], {"a": "b"}),
        ([("a", "a")], {}),
        ([("a", "b"), ("b", "c")], {"a": "c", "b": "c"}),
        ([("b", "c"), ("a", "b")], {"a": "b"}),
        ([("a", "b"), ("b", "a")], {"b": "a"}),
        ([("a", "b"), ("a", "c")], {"a": "c"}),
        ([("a", "b"), ("b", "c"), ("c", "a")], {"b": "a", "c": "a"}),
    ],
    ids=["none", "one", "to itself", "chain", "number given anew", "taken back", "told otherwise", "circle"],
)
def test_the_last_word_on_a_number_stands(told: list[tuple[str, str]], current: dict[str, str]) -> None:
    assert resolve_renames([MbiChange(*pair, n) for n, pair in enumerate(told)]) == current
    assert not set(current.values()) & current.keys()


def build_change(kind: ChangeKind, n: int, *, is_rename: bool) -> Change:
    patients = tuple(PlannedPatient(build_mbi(place), f"patient-{place}", 1, place) for place in range(n))
    return Change(kind, GRAY, patients, is_rename=is_rename)


def find_held(kind: ChangeKind, n: int, *, is_rename: bool, active: int = 100) -> list[str]:
    exposure = Exposure({GRAY: active}, {})
    changes = [build_change(kind, n, is_rename=is_rename)]
    _, held = hold_changes(changes, exposure, GuardLimits(), "lakeside", {}, str)
    return [f"{item.level.value} {item.rule}" for item in held]


@pytest.mark.parametrize("kind", [ChangeKind.ADD, ChangeKind.REMOVE])
def test_changed_numbers_are_no_coming_and_going(kind: ChangeKind) -> None:
    assert find_held(kind, 5, is_rename=True, active=5) == []
    assert find_held(ChangeKind.REMOVE, 5, is_rename=False, active=5) == ["hard-stop removals-per-group"]


@pytest.mark.parametrize(
    ("n", "active", "held"),
    [
        (5, 100, []),
        (6, 100, ["hold renames-per-group"]),
        (20, 100, ["hold renames-per-group"]),
        (21, 100, ["hard-stop renames-per-group"]),
        (50, 1000, []),
        (51, 1000, ["hold renames-per-group"]),
    ],
)
def test_many_changed_numbers_at_once_wait_for_a_person(n: int, active: int, held: list[str]) -> None:
    for kind in (ChangeKind.ADD, ChangeKind.REMOVE):
        assert find_held(kind, n, is_rename=True, active=active) == held


def test_no_standing_authorisation_covers_a_changed_number() -> None:
    terms = StandingTerms(NOW + timedelta(days=1))
    assert is_covered(build_change(ChangeKind.ADD, 1, is_rename=False), terms, NOW)
    assert not is_covered(build_change(ChangeKind.ADD, 1, is_rename=True), terms, NOW)


def test_a_changed_number_is_part_of_what_is_signed() -> None:
    change = build_change(ChangeKind.ADD, 2, is_rename=True)
    assert read_change(dict(write_change(change))) == change
    plain = write_change(build_change(ChangeKind.ADD, 2, is_rename=False))
    assert "rename" not in plain and write_change(change) != plain


# What one feed says of one patient under several numbers


def build_claim(mbi: str, delivery: int, *, ended: bool = False, line: int = 3, days: int | None = None) -> Claim:
    at = NOW - timedelta(days=20 - (delivery if days is None else days))
    return Claim(mbi, delivery, line, at, 0 if line or not ended else 2, ended)


def unite(*told: Claim, clinic: Claim | None = None) -> Panel:
    feeds = {"ehr": told} | ({"clinic": (clinic,)} if clinic else {})
    return build_panel(GRAY, feeds, Numbers({FORMER: PRESENT}))


@pytest.mark.parametrize(
    ("listed", "removed"),
    [
        (build_claim(FORMER, 5), build_claim(PRESENT, 6, ended=True)),
        (build_claim(PRESENT, 5), build_claim(FORMER, 6, ended=True)),
        (build_claim(FORMER, 5), build_claim(PRESENT, 6, ended=True, days=5)),
    ],
    ids=["the new number", "the former number", "the same second"],
)
def test_who_was_removed_by_name_is_not_wanted_for_an_older_row_under_another_number(
    listed: Claim, removed: Claim
) -> None:
    panel = unite(listed, removed)
    assert set(panel.wanted) == set()
    assert {mbi: (claim.delivery, claim.line, claim.ended) for mbi, claim in panel.ended.items()} == {
        FORMER: (6, 3, True),
        PRESENT: (6, 3, True),
    }


@pytest.mark.parametrize(
    "ended",
    [
        build_claim(PRESENT, 4, ended=True),
        build_claim(PRESENT, 6, ended=True, days=4),
        build_claim(PRESENT, 5, ended=True),
        build_claim(PRESENT, 6, ended=True, line=0),
        replace(build_claim(PRESENT, 6, ended=True), absences=2),
    ],
    ids=["earlier", "of an earlier date", "in the same file", "by absences", "by absences that were counted late"],
)
def test_a_row_stands_against_what_ended_another_number_without_a_newer_word(ended: Claim) -> None:
    panel = unite(build_claim(FORMER, 5), ended)
    assert set(panel.wanted) == {PRESENT}
    assert panel.wanted[PRESENT].delivery == 5


def test_a_feed_cancels_no_other_under_any_number() -> None:
    panel = unite(build_claim(FORMER, 5), build_claim(PRESENT, 6, ended=True), clinic=build_claim(FORMER, 4))
    assert panel.wanted == {PRESENT: build_claim(PRESENT, 4)}
    assert panel.renamed == {FORMER: PRESENT}
    assert set(unite(build_claim(FORMER, 5), clinic=build_claim(PRESENT, 6, ended=True)).wanted) == {PRESENT}


@pytest.mark.parametrize("number", [FORMER, PRESENT], ids=["the former", "the new"])
def test_a_patient_who_has_left_is_let_go_under_every_number(number: str) -> None:
    panel = unite(build_claim(number, 6, ended=True), build_claim(OTHER, 5))
    assert set(panel.ended) == {FORMER, PRESENT}
    assert panel.ended[FORMER] == replace(panel.ended[PRESENT], mbi=FORMER)
    assert panel.renamed == {}


def test_at_dpc_a_patient_who_has_left_goes_under_every_number_by_ordinary_removals() -> None:
    result = plan([build_claim(FORMER, 6, ended=True), build_claim(OTHER, 5)], hold_at_dpc(FORMER, PRESENT, OTHER))
    assert tell(result) == [("remove", FORMER, False), ("remove", PRESENT, False)]
