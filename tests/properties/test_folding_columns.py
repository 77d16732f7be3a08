"""Folding in columns answers exactly what the rule for one practitioner says, whatever came before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.identifiers import pack_mbi
from service.domain.renames import NO_RENAMES, Numbers
from service.domain.roster import Claim, DeliveredPanel, build_panel, fold_delivery, fold_redelivery, unite_numbers
from service.storage.panel_codec import NO_CLAIMS, build_claim_columns, decode_claims, encode_claims, read_claims
from service.storage.panels.folding import (
    DeliveredColumns,
    Listed,
    RenamedCodes,
    fold_columns,
    fold_redelivered,
    list_once,
    rename_claims,
    unite_listed,
)

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
MBIS = [f"1S00E00AA{n:02d}" for n in range(10)]
STEADY = settings(derandomize=True, max_examples=600, deadline=None)
ABSENCES_BEFORE_REMOVAL = st.sampled_from([1, 2, 3, 255, 300])


@st.composite
def known_claims(draw: st.DrawFn) -> tuple[Claim, ...]:
    return tuple(
        Claim(
            mbi,
            draw(st.integers(1, 9)),
            draw(st.one_of(st.just(0), st.integers(0, 99))),
            NOW + timedelta(seconds=draw(st.integers(-2, 2))),
            absences=draw(st.sampled_from([0, 1, 2, 253, 254, 255])),
            ended=draw(st.booleans()),
        )
        for mbi in sorted(draw(st.sets(st.sampled_from(MBIS))))
    )


def draw_listed(draw: st.DrawFn) -> dict[str, int]:
    return draw(st.dictionaries(st.sampled_from(MBIS), st.integers(1, 99)))


@st.composite
def deliveries(draw: st.DrawFn) -> DeliveredPanel:
    return DeliveredPanel(
        delivery=draw(st.integers(1, 9)),
        evidence_at=NOW + timedelta(microseconds=draw(st.sampled_from([0, 1, 999_999]))),
        mode=draw(st.sampled_from(["snapshot", "delta"])),
        present=draw_listed(draw),
        removed=draw_listed(draw),
        protected=draw(st.frozensets(st.sampled_from(MBIS))),
        removals_count=draw(st.booleans()),
        missed_by=draw(st.sampled_from([0, 0, 1, 2, 300])),
        absences_count=draw(st.sampled_from([True, True, True, False])),
    )


def list_patients(lines: dict[str, int]) -> Listed:
    return list_once(np.array([pack_mbi(mbi) for mbi in lines], np.uint64), np.array(list(lines.values()), np.int32))


def write_columns(delivered: DeliveredPanel) -> DeliveredColumns:
    return DeliveredColumns(
        delivery=delivered.delivery,
        evidence_at=int(delivered.evidence_at.timestamp()),
        is_snapshot=delivered.mode == "snapshot",
        present=list_patients(dict(delivered.present)),
        removed=list_patients(dict(delivered.removed)),
        protected=np.array([pack_mbi(mbi) for mbi in delivered.protected], np.uint64),
        removals_count=delivered.removals_count,
        missed_by=delivered.missed_by,
        absences_count=delivered.absences_count,
    )


def write_renames(renames: Mapping[str, str]) -> RenamedCodes:
    former = sorted(renames, key=pack_mbi)
    present = [pack_mbi(renames[mbi]) for mbi in former]
    return RenamedCodes(np.array([pack_mbi(mbi) for mbi in former], np.uint64), np.array(present, np.uint64))


RENAMES = st.one_of(
    st.just(NO_RENAMES), st.dictionaries(st.sampled_from(MBIS[:5]), st.sampled_from(MBIS[5:]), max_size=5)
)


def through_columns(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """What storage keeps of claims: whole seconds, at most 255 absences."""
    return read_claims(build_claim_columns(claims))


@given(known_claims(), deliveries(), ABSENCES_BEFORE_REMOVAL, RENAMES)
@STEADY
def test_columns_fold_as_the_rule_does(
    known: tuple[Claim, ...], delivered: DeliveredPanel, limit: int, renames: dict[str, str]
) -> None:
    stored = decode_claims(encode_claims(build_claim_columns(known))) if known else NO_CLAIMS
    folded = fold_columns(stored, write_columns(delivered), limit, write_renames(renames))
    assert read_claims(folded) == through_columns(fold_delivery(known, delivered, limit, renames))
    assert read_claims(stored) == known


@given(known_claims(), st.lists(deliveries(), min_size=2, max_size=4), st.integers(1, 3))
@STEADY
def test_one_delivery_after_another_folds_as_the_rule_does(
    known: tuple[Claim, ...], following: list[DeliveredPanel], limit: int
) -> None:
    claims, columns = known, build_claim_columns(known)
    for delivered in following:
        claims = through_columns(fold_delivery(claims, delivered, limit))
        columns = fold_columns(columns, write_columns(delivered), limit)
    assert read_claims(columns) == claims


@given(st.lists(st.tuples(st.sampled_from(MBIS), st.integers(1, 99))))
@STEADY
def test_of_a_patient_listed_twice_the_first_line_counts(rows: list[tuple[str, int]]) -> None:
    first: dict[str, int] = {}
    for mbi, line in rows:
        first.setdefault(mbi, line)
    listed = list_once(
        np.array([pack_mbi(mbi) for mbi, _ in rows], np.uint64), np.array([n for _, n in rows], np.int32)
    )
    assert dict(zip(listed.mbi.tolist(), listed.line.tolist(), strict=True)) == {
        pack_mbi(mbi): line for mbi, line in first.items()
    }
    assert listed.mbi.tolist() == sorted(listed.mbi.tolist())


def test_a_removal_from_one_practitioner_stands_before_one_from_everybody() -> None:
    everybody, one = list_patients({MBIS[0]: 3, MBIS[1]: 4}), list_patients({MBIS[1]: 9})
    united = unite_listed(everybody, one)
    assert united.line.tolist() == [3, 9]
    assert united.mbi.tolist() == [pack_mbi(MBIS[0]), pack_mbi(MBIS[1])]
    assert unite_listed(everybody, Listed()).line.tolist() == [3, 4]


@given(known_claims(), known_claims(), deliveries(), ABSENCES_BEFORE_REMOVAL, RENAMES)
@STEADY
def test_columns_replace_a_snapshot_as_the_rule_does(
    known: tuple[Claim, ...],
    before: tuple[Claim, ...],
    delivered: DeliveredPanel,
    limit: int,
    renames: dict[str, str],
) -> None:
    columns = [build_claim_columns(claims) for claims in (known, before)]
    folded = fold_redelivered(columns[0], columns[1], write_columns(delivered), limit, write_renames(renames))
    assert read_claims(folded) == through_columns(fold_redelivery(known, before, delivered, limit, renames))


@given(known_claims(), RENAMES)
@STEADY
def test_claims_under_changed_numbers_are_those_that_the_rule_unites(
    known: tuple[Claim, ...], renames: dict[str, str]
) -> None:
    renamed = read_claims(rename_claims(build_claim_columns(known), write_renames(renames)))
    assert [claim.mbi for claim in renamed] == sorted({renames.get(claim.mbi, claim.mbi) for claim in known})
    assert renamed == tuple(sorted(unite_numbers(known, renames), key=lambda claim: claim.mbi))
    panel = build_panel("3905293015", {"ehr": known}, Numbers(renames))
    assert {claim.mbi: claim for claim in renamed if not claim.ended} == panel.wanted
    assert {claim.mbi: claim for claim in renamed if claim.ended}.items() <= panel.ended.items()


JOINED = {MBIS[0]: MBIS[9], MBIS[1]: MBIS[9]}


def claim(place: int, delivery: int = 1, *, ended: bool = False) -> Claim:
    return Claim(MBIS[place], delivery, 3, NOW - timedelta(days=1), ended=ended)


def say(**told: object) -> DeliveredPanel:
    return replace(DeliveredPanel(5, NOW, "snapshot", {}, {}), **told)  # type: ignore[arg-type]


SELDOM = {
    "two rows remove one patient": ((claim(9),), say(removed={MBIS[0]: 9, MBIS[1]: 4})),
    "in the other order": ((claim(9),), say(removed={MBIS[0]: 4, MBIS[1]: 9})),
    "a faulty row under another number": ((claim(9),), say(protected=frozenset({MBIS[0]}))),
    "a late row of one who has left": ((claim(9, 7, ended=True),), say(present={MBIS[0]: 2}, mode="delta")),
}


@pytest.mark.parametrize("case", SELDOM)
def test_what_comes_seldom_by_lot_folds_as_the_rule_does(case: str) -> None:
    known, said = SELDOM[case]
    columns, renames = build_claim_columns(known), write_renames(JOINED)
    folded = fold_columns(columns, write_columns(said), 2, renames)
    assert read_claims(folded) == through_columns(fold_delivery(known, said, 2, JOINED))
    assert read_claims(folded) != through_columns(fold_delivery(known, said, 2))
    replaced = fold_redelivered(columns, NO_CLAIMS, write_columns(said), 2, renames)
    assert read_claims(replaced) == through_columns(fold_redelivery(known, (), said, 2, JOINED))
