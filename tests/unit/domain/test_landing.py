"""What became of a call whose answer was lost, judged by what DPC shows afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.domain.attribution import Attribution, Group
from service.domain.change import ChangeKind
from service.domain.landing import Landing, judge_landing

SENT = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
BEFORE = SENT + timedelta(days=12)
ATTESTED = [kind for kind in ChangeKind if kind.is_attested]

SHOWN = {
    "ninety days from the sending": (timedelta(days=90), False, Landing.LANDED),
    "89 days from the sending": (timedelta(days=89), False, Landing.LANDED),
    "a second less than 89 days": (timedelta(days=89, seconds=-1), False, Landing.NOT_LANDED),
    "the end from before": (timedelta(days=12), False, Landing.NOT_LANDED),
    "a new end, but inactive": (timedelta(days=90), True, Landing.NOT_LANDED),
}


@pytest.mark.parametrize("kind", ATTESTED)
@pytest.mark.parametrize("shown", SHOWN)
def test_an_attestation_landed_when_the_patient_is_active_for_89_days_or_more(shown: str, kind: ChangeKind) -> None:
    end_in, inactive, landing = SHOWN[shown]
    group = build_group(("ann", end_in, inactive))
    assert judge_landing(kind, ["ann"], group, {"ann": BEFORE}, SENT) is landing
    assert judge_landing(kind, ["ann"], group, {}, SENT) is landing


def test_an_end_that_did_not_move_is_no_witness_even_when_it_is_far_away() -> None:
    """Attested an hour before by another call: the end is far enough away, but it is not this call's doing."""
    group = build_group(("ann", timedelta(days=90, hours=-1), False))
    before = {"ann": SENT + timedelta(days=90, hours=-1)}
    assert judge_landing(ChangeKind.RENEW, ["ann"], group, before, SENT) is Landing.NOT_LANDED
    moved = {"ann": SENT + timedelta(days=90, hours=-1, seconds=-1)}
    assert judge_landing(ChangeKind.RENEW, ["ann"], group, moved, SENT) is Landing.LANDED


@pytest.mark.parametrize("kind", ATTESTED)
def test_an_attestation_of_somebody_who_is_not_shown_did_not_land(kind: ChangeKind) -> None:
    assert judge_landing(kind, ["ann"], build_group(), {}, SENT) is Landing.NOT_LANDED
    assert judge_landing(kind, ["ann"], None, {}, SENT) is Landing.NOT_LANDED


def test_a_removal_landed_when_the_patient_is_inactive_or_gone() -> None:
    inactive, active = ("ann", timedelta(0), True), ("ann", timedelta(days=12), False)
    assert judge_landing(ChangeKind.REMOVE, ["ann"], build_group(inactive), {}, SENT) is Landing.LANDED
    assert judge_landing(ChangeKind.REMOVE, ["ann"], build_group(), {}, SENT) is Landing.LANDED
    assert judge_landing(ChangeKind.REMOVE, ["ann"], None, {}, SENT) is Landing.LANDED
    assert judge_landing(ChangeKind.REMOVE, ["ann"], build_group(active), {}, SENT) is Landing.NOT_LANDED


def test_an_attribution_that_ran_out_by_itself_was_not_removed_by_the_call() -> None:
    over = ("ann", timedelta(hours=-1), False)
    assert judge_landing(ChangeKind.REMOVE, ["ann"], build_group(over), {}, SENT) is Landing.NOT_LANDED


@pytest.mark.parametrize("kind", [ChangeKind.ADD, ChangeKind.REMOVE])
def test_a_call_that_took_effect_for_some_only_is_named_so_that_a_person_must_know(kind: ChangeKind) -> None:
    if kind is ChangeKind.ADD:
        group = build_group(("ann", timedelta(days=90), False))
    else:
        group = build_group(("ann", timedelta(0), True), ("bob", timedelta(days=12), False))
    assert judge_landing(kind, ["ann", "bob"], group, {}, SENT) is Landing.PARTLY


@pytest.mark.parametrize("kind", ChangeKind)
def test_a_call_that_names_nobody_never_counts_as_landed(kind: ChangeKind) -> None:
    """Its patients have no id at DPC that we know of, so it can not have been sent."""
    assert judge_landing(kind, [], build_group(("ann", timedelta(days=90), False)), {}, SENT) is Landing.NOT_LANDED


def test_what_others_did_to_other_patients_says_nothing() -> None:
    group = build_group(
        ("ann", timedelta(days=90), False), ("cay", timedelta(days=12), False), ("dee", timedelta(0), True)
    )
    assert judge_landing(ChangeKind.ADD, ["ann"], group, {}, SENT) is Landing.LANDED
    assert judge_landing(ChangeKind.ADD, ["cay"], group, {}, SENT) is Landing.NOT_LANDED


def build_group(*rows: tuple[str, timedelta, bool]) -> Group:
    return Group(
        "3905293015",
        "group",
        tuple(
            Attribution(patient_id, None, SENT - timedelta(days=30), SENT + end_in, inactive)
            for patient_id, end_in, inactive in rows
        ),
    )
