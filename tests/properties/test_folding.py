"""Whatever deliveries follow one another: a delta never ends by silence, and saying the same twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.renames import Numbers
from service.domain.roster import Claim, DeliveredPanel, build_panel, fold_delivery

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
MBIS = [f"1S00E00AA{n:02d}" for n in range(8)]
STEADY = settings(derandomize=True, max_examples=200, deadline=None)

SETS = st.frozensets(st.sampled_from(MBIS))
LIMITS = st.integers(1, 3)
MODES = st.sampled_from(["snapshot", "delta"])


@st.composite
def known_claims(draw: st.DrawFn) -> tuple[Claim, ...]:
    listed = draw(st.lists(st.sampled_from(MBIS), unique=True))
    return tuple(
        Claim(mbi, 1, line, NOW - timedelta(days=7), absences=draw(st.integers(0, 2)), ended=draw(st.booleans()))
        for line, mbi in enumerate(sorted(listed), start=2)
    )


@st.composite
def deliveries(draw: st.DrawFn, modes: st.SearchStrategy[str] = MODES) -> DeliveredPanel:
    present = draw(SETS)
    removed = draw(SETS) - present
    return DeliveredPanel(
        delivery=2,
        evidence_at=NOW,
        mode=draw(modes),
        present={mbi: line for line, mbi in enumerate(sorted(present), start=2)},
        removed={mbi: line for line, mbi in enumerate(sorted(removed), start=20)},
        protected=draw(SETS),
        removals_count=draw(st.booleans()),
    )


def find_ended(claims: tuple[Claim, ...]) -> set[str]:
    return {claim.mbi for claim in claims if claim.ended}


@given(known_claims(), deliveries(st.just("delta")), LIMITS)
@STEADY
def test_a_delta_ends_only_what_it_removes_by_name(known: tuple[Claim, ...], delta: DeliveredPanel, limit: int) -> None:
    folded = fold_delivery(known, delta, limit)
    assert find_ended(folded) - find_ended(known) <= set(delta.removed)
    silent = fold_delivery(known, replace(delta, removed={}), limit)
    assert find_ended(silent) <= find_ended(known)


@given(known_claims(), deliveries(), LIMITS)
@STEADY
def test_nobody_recognised_in_a_faulty_row_and_nobody_at_all_in_a_doubtful_file_is_let_go(
    known: tuple[Claim, ...], delivered: DeliveredPanel, limit: int
) -> None:
    ended = find_ended(fold_delivery(known, delivered, limit)) - find_ended(known)
    assert not ended & delivered.protected
    assert delivered.removals_count or not ended


@given(known_claims(), deliveries(), LIMITS)
@STEADY
def test_everybody_listed_is_claimed_on_this_evidence(
    known: tuple[Claim, ...], delivered: DeliveredPanel, limit: int
) -> None:
    folded = {claim.mbi: claim for claim in fold_delivery(known, delivered, limit)}
    for mbi, line in delivered.present.items():
        assert folded[mbi] == Claim(mbi, delivered.delivery, line, delivered.evidence_at)


@given(known_claims(), deliveries(), LIMITS)
@STEADY
def test_no_claim_is_lost_or_invented_and_none_grows_younger_unlisted(
    known: tuple[Claim, ...], delivered: DeliveredPanel, limit: int
) -> None:
    folded = fold_delivery(known, delivered, limit)
    before = {claim.mbi: claim for claim in known}
    assert [claim.mbi for claim in folded] == sorted({claim.mbi for claim in folded})
    assert (
        before.keys() <= {c.mbi for c in folded} <= before.keys() | delivered.present.keys() | delivered.removed.keys()
    )
    for claim in folded:
        if not claim.ended and claim.mbi not in delivered.present:
            assert claim.evidence_at == before[claim.mbi].evidence_at


@given(known_claims(), deliveries(st.just("snapshot")))
@STEADY
def test_the_same_snapshot_twice_changes_nothing_once_its_absences_have_counted(
    known: tuple[Claim, ...], snapshot: DeliveredPanel
) -> None:
    once = fold_delivery(known, snapshot, 1)
    assert fold_delivery(once, snapshot, 1) == once


@given(known_claims(), deliveries(), LIMITS)
@STEADY
def test_the_same_delivery_twice_never_changes_who_is_listed(
    known: tuple[Claim, ...], delivered: DeliveredPanel, limit: int
) -> None:
    once = fold_delivery(known, delivered, limit)
    twice = fold_delivery(once, delivered, limit)
    listed = [claim for claim in twice if claim.mbi in delivered.present]
    assert listed == [claim for claim in once if claim.mbi in delivered.present]
    assert find_ended(once) <= find_ended(twice)


@given(known_claims(), LIMITS)
@STEADY
def test_absence_ends_a_claim_after_exactly_so_many_snapshots_in_a_row(known: tuple[Claim, ...], limit: int) -> None:
    claims = tuple(replace(claim, absences=0, ended=False) for claim in known)
    for n in range(1, limit + 1):
        claims = fold_delivery(claims, DeliveredPanel(n + 1, NOW, "snapshot", {}, {}), limit)
        assert find_ended(claims) == ({c.mbi for c in claims} if n == limit else set())


@given(known_claims(), deliveries(), LIMITS)
@STEADY
def test_a_listing_in_between_starts_the_count_anew(
    known: tuple[Claim, ...], delivered: DeliveredPanel, limit: int
) -> None:
    claims = fold_delivery(known, replace(delivered, removals_count=True, mode="snapshot"), limit)
    seen = delivered.present.keys() | delivered.protected
    assert not [c.mbi for c in claims if c.mbi in seen and c.absences and not c.ended]


@given(known_claims(), deliveries(), deliveries(), LIMITS)
@STEADY
def test_what_rests_on_a_later_delivery_is_not_undone_by_one_that_was_held_for_a_while(
    known: tuple[Claim, ...], late: DeliveredPanel, newest: DeliveredPanel, limit: int
) -> None:
    newest = replace(newest, delivery=3, evidence_at=NOW + timedelta(days=1))
    in_order = fold_delivery(known, newest, limit)
    afterwards = {claim.mbi: claim for claim in fold_delivery(in_order, late, limit)}
    for claim in in_order:
        if claim.delivery == newest.delivery:
            assert afterwards[claim.mbi] == claim


@given(st.dictionaries(st.sampled_from(["clinic", "hospital", "payer"]), known_claims()))
@STEADY
def test_feeds_united_never_cancel_one_another(by_feed: dict[str, tuple[Claim, ...]]) -> None:
    by_feed = {
        feed: tuple(replace(claim, delivery=number) for claim in claims)
        for number, (feed, claims) in enumerate(by_feed.items(), start=1)
    }
    panel = build_panel("3905293015", by_feed)
    every = [claim for claims in by_feed.values() for claim in claims]
    assert panel.wanted.keys() == {claim.mbi for claim in every if not claim.ended}
    assert panel.ended.keys() == {claim.mbi for claim in every} - panel.wanted.keys()
    assert set(panel.wanted.values()) | set(panel.ended.values()) <= set(every)
    turned = build_panel("3905293015", {feed: by_feed[feed] for feed in reversed(by_feed)})
    assert (turned.wanted, turned.ended) == (panel.wanted, panel.ended)


RENAMES = st.dictionaries(st.sampled_from(MBIS[:4]), st.sampled_from(MBIS[4:]), max_size=4)


def name_patients(numbers: Iterable[str], renames: Mapping[str, str]) -> set[str]:
    return {renames.get(mbi, mbi) for mbi in numbers}


@given(known_claims(), deliveries(), LIMITS, RENAMES)
@STEADY
def test_a_patient_is_there_when_listed_and_gone_when_removed_under_any_number(
    known: tuple[Claim, ...], delivered: DeliveredPanel, limit: int, renames: dict[str, str]
) -> None:
    claims = fold_delivery(known, delivered, limit, renames)
    wanted = set(build_panel("3905293015", {"ehr": claims}, Numbers(renames)).wanted)
    listed = name_patients(delivered.present, renames)
    assert listed <= wanted
    if delivered.removals_count:
        protected = name_patients(delivered.protected, renames)
        assert not wanted & name_patients(delivered.removed, renames) - listed - protected


@given(known_claims(), deliveries(), LIMITS, RENAMES)
@STEADY
def test_a_changed_number_alone_writes_nothing(
    known: tuple[Claim, ...], delivered: DeliveredPanel, limit: int, renames: dict[str, str]
) -> None:
    plain = replace(delivered, removed={}, protected=frozenset())
    assert fold_delivery(known, plain, limit, renames) == fold_delivery(known, plain, limit)
    kept = {claim.mbi for claim in fold_delivery(known, delivered, limit, renames)}
    assert kept <= {claim.mbi for claim in known} | delivered.present.keys() | delivered.removed.keys()
