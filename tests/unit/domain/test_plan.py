"""The plan: what its fingerprint binds, how it is kept and read back, and how its changes are counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.domain.attribution import Attribution, Group
from service.domain.change import LEFT_OUT_SENTENCES, Change, ChangeKind, LeftOut, PlannedPatient, keep_plain
from service.domain.guards import HeldChanges, Level
from service.domain.plan import (
    Plan,
    count_changes,
    digest_group,
    draw_baselines,
    fingerprint_plan,
    read_plan,
    write_plan,
)

DRAWN = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
GRAY, MOSS = "3905293015", "2323232225"
ANN = PlannedPatient("1S00E00AA00", "patient-ann", 7, 12, DRAWN + timedelta(days=12))
BOB = PlannedPatient("1S00E00AA01", None, 7, 13)
CAY = PlannedPatient("1S00E00AA02", "patient-cay", 6, 3, DRAWN + timedelta(days=70))
REGISTER = Change(ChangeKind.REGISTER, None, (BOB,))
PRACTITIONER = Change(ChangeKind.REGISTER, None, (), practitioners=(MOSS,))
ADD = Change(ChangeKind.ADD, GRAY, (BOB,))
RENEW = Change(ChangeKind.RENEW, GRAY, (ANN,))
HELD = HeldChanges(
    "removals-per-group", Level.HARD_STOP, GRAY, "All go.", (Change(ChangeKind.REMOVE, GRAY, (CAY,)),), "ab" * 32
)
PLAN = Plan(
    "lakeside",
    DRAWN,
    {GRAY: "11" * 32, MOSS: "22" * 32},
    (PRACTITIONER, REGISTER, ADD, RENEW),
    (HELD,),
    (LeftOut(GRAY, CAY.mbi, "not_ours"), LeftOut(MOSS, None, "two_groups")),
    ("The Group is nearly full.",),
)


def with_patient(**changed: Any) -> Plan:
    renew = replace(RENEW, patients=(replace(ANN, **changed),))
    return replace(PLAN, changes=(*PLAN.changes[:3], renew))


def with_renewal(**changed: Any) -> Plan:
    return replace(PLAN, changes=(*PLAN.changes[:3], replace(RENEW, **changed)))


OTHER_PLANS = {
    "organisation": replace(PLAN, organization_id="hillside"),
    "time of drawing": replace(PLAN, drawn_at=DRAWN + timedelta(seconds=1)),
    "one baseline": replace(PLAN, baselines={**PLAN.baselines, GRAY: "33" * 32}),
    "one baseline fewer": replace(PLAN, baselines={GRAY: "11" * 32}),
    "baselines exchanged": replace(PLAN, baselines={GRAY: "22" * 32, MOSS: "11" * 32}),
    "one change fewer": replace(PLAN, changes=PLAN.changes[:3]),
    "one change more": replace(PLAN, changes=(*PLAN.changes, RENEW)),
    "order of changes": replace(PLAN, changes=PLAN.changes[::-1]),
    "kind of a change": with_renewal(kind=ChangeKind.REINSTATE),
    "practitioner of a change": with_renewal(npi=MOSS),
    "one patient more": with_renewal(patients=(ANN, BOB)),
    "no patient": with_renewal(patients=()),
    "another patient": with_patient(mbi="1S00E00AA09"),
    "another patient at DPC": with_patient(patient_id="patient-dee"),
    "patient not yet registered": with_patient(patient_id=None),
    "delivery of the evidence": with_patient(delivery=8),
    "line of the evidence": with_patient(line=13),
    "period end": with_patient(end_at=DRAWN + timedelta(days=12, seconds=1)),
    "no period end": with_patient(end_at=None),
    "practitioner to be registered": replace(
        PLAN, changes=(replace(PRACTITIONER, practitioners=(GRAY,)), *PLAN.changes[1:])
    ),
    "nothing held": replace(PLAN, held=()),
    "something else held": replace(PLAN, held=(replace(HELD, fingerprint="cd" * 32),)),
}


@pytest.mark.parametrize("what", OTHER_PLANS)
def test_the_fingerprint_changes_with(what: str) -> None:
    assert fingerprint_plan(OTHER_PLANS[what], keep_plain) != fingerprint_plan(PLAN, keep_plain)


def test_no_two_of_these_plans_share_a_fingerprint() -> None:
    assert len({fingerprint_plan(plan, keep_plain) for plan in OTHER_PLANS.values()}) == len(OTHER_PLANS)


def test_the_same_plan_has_the_same_fingerprint_however_its_baselines_are_ordered() -> None:
    turned = replace(PLAN, baselines=dict(sorted(PLAN.baselines.items(), reverse=True)))
    assert fingerprint_plan(turned, keep_plain) == fingerprint_plan(PLAN, keep_plain)
    assert len(fingerprint_plan(PLAN, keep_plain)) == 64


def test_a_plan_that_was_kept_as_json_is_read_back_whole() -> None:
    read = read_plan(json.loads(json.dumps(write_plan(PLAN))))
    assert read == PLAN
    assert fingerprint_plan(read, keep_plain) == fingerprint_plan(PLAN, keep_plain)


def test_an_empty_plan_is_read_back_too() -> None:
    plan = Plan("lakeside", DRAWN, {}, (), (), ())
    assert read_plan(json.loads(json.dumps(write_plan(plan)))) == plan


Damage = Callable[[dict[str, Any]], object]
DAMAGES: dict[str, Damage] = {
    "no organisation": lambda p: p.pop("organization"),
    "a time without zone": lambda p: p.update(drawn_at="2026-03-02T08:30:00"),
    "baselines as a list": lambda p: p.update(baselines=[]),
    "changes as an object": lambda p: p.update(changes={}),
    "a change that is a word": lambda p: p.update(changes=["renew"]),
    "an unknown kind": lambda p: p["changes"][2].update(kind="force"),
    "patients that are no list": lambda p: p["changes"][2].update(patients="everybody"),
    "a patient of three parts": lambda p: p["changes"][2].update(patients=[["1S00E00AA00", None, 7]]),
    "no kind": lambda p: p["changes"][2].pop("kind"),
    "an unknown level": lambda p: p["held"][0].update(level="maybe"),
    "left out that is no list": lambda p: p.update(left_out=7),
    "a pair left out without rule": lambda p: p.update(left_out=[[GRAY, None]]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_no_plan_is_not_read_as_one(damage: str) -> None:
    written = json.loads(json.dumps(write_plan(PLAN)))
    DAMAGES[damage](written)
    with pytest.raises((KeyError, TypeError, ValueError)):
        read_plan(written)


def test_a_plan_knows_whether_anything_would_be_sent_and_whether_it_overwrites() -> None:
    assert not PLAN.is_empty
    assert replace(PLAN, changes=()).is_empty
    assert not PLAN.is_overwrite
    assert replace(PLAN, changes=(REGISTER, Change(ChangeKind.OVERWRITE, GRAY, (ANN,)))).is_overwrite


def test_changes_are_counted_in_groups_for_creations_and_overwrites_and_in_people_for_all_else() -> None:
    changes = (
        PRACTITIONER,
        REGISTER,
        Change(ChangeKind.CREATE, MOSS, (ANN, BOB)),
        ADD,
        RENEW,
        Change(ChangeKind.REMOVE, GRAY, (CAY, ANN, BOB)),
        Change(ChangeKind.OVERWRITE, GRAY, (ANN, BOB)),
    )
    assert count_changes(changes) == {
        "register": 2,
        "create": 1,
        "remove": 3,
        "add": 3,
        "reinstate": 0,
        "renew": 1,
        "overwrite": 1,
    }
    assert set(count_changes(())) == {kind.value for kind in ChangeKind}


ROW = Attribution("patient-ann", ANN.mbi, DRAWN - timedelta(days=78), DRAWN + timedelta(days=12), False)
GROUP = Group(GRAY, "group", (ROW, replace(ROW, patient_id="patient-bob")))

OTHER_GROUPS = {
    "another Group": replace(GROUP, group_id="other"),
    "no Group": replace(GROUP, group_id=None),
    "another practitioner": replace(GROUP, npi=MOSS),
    "a patient gone": replace(GROUP, attributions=(ROW,)),
    "a patient more": replace(GROUP, attributions=(*GROUP.attributions, replace(ROW, patient_id="patient-cay"))),
    "another start": replace(
        GROUP, attributions=(replace(ROW, start_at=DRAWN - timedelta(days=77)), GROUP.attributions[1])
    ),
    "another end": replace(GROUP, attributions=(replace(ROW, end_at=DRAWN), GROUP.attributions[1])),
}


@pytest.mark.parametrize("what", OTHER_GROUPS)
def test_the_baseline_changes_with(what: str) -> None:
    assert digest_group(OTHER_GROUPS[what]) != digest_group(GROUP)


def test_the_baseline_overlooks_the_order_a_lagging_flag_and_what_only_we_know() -> None:
    assert digest_group(replace(GROUP, attributions=GROUP.attributions[::-1])) == digest_group(GROUP)
    told = tuple(replace(a, inactive=True, owned=True, mbi=None) for a in GROUP.attributions)
    assert digest_group(replace(GROUP, attributions=told)) == digest_group(GROUP)


def test_baselines_cover_every_group_that_changes_touch_the_absent_ones_included() -> None:
    changes = (REGISTER, RENEW, Change(ChangeKind.CREATE, MOSS, (BOB,)))
    assert draw_baselines(changes, {GRAY: GROUP, "1111111112": GROUP}) == {
        GRAY: digest_group(GROUP),
        MOSS: digest_group(Group(MOSS, None)),
    }


def test_a_patient_value_stands_in_no_text_form_of_a_plan() -> None:
    for value in (ANN, RENEW, PLAN.left_out[0], ROW, GROUP):
        assert ANN.mbi not in repr(value)
        assert CAY.mbi not in repr(value)


def test_every_rule_that_leaves_a_pair_out_has_a_sentence_for_people() -> None:
    assert set(LEFT_OUT_SENTENCES) == {
        "demographics_missing",
        "former_number",
        "practitioner_undescribed",
        "stale_evidence",
        "over_limit",
        "not_ours",
        "not_on_roster",
        "nothing_desired",
        "two_groups",
        "lost_by_overwrite",
    }
    assert all(sentence.endswith(".") for sentence in LEFT_OUT_SENTENCES.values())
