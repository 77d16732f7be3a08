"""CMS's sample roster: exactly the pairs whose patients are described become attributions, and once is enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from practice import OPERATOR, VERA, Practice

from service.workflows.plans import PlanView
from service.workflows.reconcile import reconcile_organization
from service.workflows.report import build_report

FILES = ("provider_bundle.json", "patient_bundle-dpr.json", "test_associations-dpr.csv")
PANEL_SIZES = {"1232125215": 44, "2323232225": 28, "1234329724": 25, "1232131239": 3}


@pytest.fixture
def plan(practice: Practice, shared: Path) -> Iterator[PlanView]:
    """The plan from CMS's three files."""
    for name in FILES:
        assert practice.deliver((shared / "dpc" / "samples" / "v1" / name).read_bytes()).state == "accepted"
    yield practice.draw_some()


def count_active(practice: Practice) -> dict[str, int]:
    """Active attributions by practitioner, as DPC itself answers them."""
    return {npi: len(mbis) for npi, mbis in practice.read_active().items()}


def test_the_plan_takes_a_hundred_pairs_and_names_why_eighty_four_are_left_out(plan: PlanView) -> None:
    assert plan.head.counts["add"] == 100
    assert plan.head.counts["create"] == 4
    assert Counter(row.rule for row in plan.left_out) == {"demographics_missing": 84}


def test_exactly_a_hundred_pairs_become_active_in_four_groups(practice: Practice, plan: PlanView) -> None:
    practice.apply(practice.sign(plan))
    assert count_active(practice) == PANEL_SIZES
    assert sum(PANEL_SIZES.values()) == 100


def test_nothing_is_sent_before_the_plan_is_signed(practice: Practice, plan: PlanView) -> None:
    assert practice.find_writes() == []
    assert count_active(practice) == {}


def test_one_attestation_is_spoken_for_each_group(practice: Practice, plan: PlanView) -> None:
    report = practice.apply(practice.sign(plan))
    assert report.attestations == 4
    assert sorted(e["patients"] for e in practice.find_writes()) == [3, 25, 28, 44]
    assert all(e["provenance"] for e in practice.find_writes())


def test_a_second_reconcile_costs_one_token_and_three_reads_and_finds_nothing(
    practice: Practice, plan: PlanView
) -> None:
    practice.apply(practice.sign(plan))
    before = practice.count_log()
    report = reconcile_organization(practice.rt, "lakeside", actor=OPERATOR)
    assert report.outcome == "nothing"
    assert practice.find_calls(before) == ["POST /Token/auth", "GET /Practitioner", "GET /Patient", "GET /Group"]
    assert count_active(practice) == PANEL_SIZES


def test_the_exceptions_report_lists_the_eighty_four(practice: Practice, plan: PlanView) -> None:
    practice.apply(practice.sign(plan))
    rows = build_report(practice.rt, "lakeside", "exceptions", VERA).rows
    assert Counter(row[2] for row in rows) == {"demographics_missing": 84}
