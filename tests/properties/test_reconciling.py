"""Whatever rosters and Groups there are: plans converge, attest only on fresh claims and remove only what is ours."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.attribution import Status, is_active, judge
from service.domain.change import Change, ChangeKind, PlannedPatient, keep_plain
from service.domain.errors import InvalidInput
from service.domain.guards import Exposure, hold_changes
from service.domain.plan import Plan, draw_baselines, fingerprint_plan, read_plan, write_plan
from service.domain.policy import GuardLimits, Policy
from service.domain.reconcile import Observed, Reconciliation, build_overwrite, reconcile
from service.domain.roster import Claim, Panel, build_panel
from tests.properties.dpc_model import LASTS, CallRefused, Dpc, Row

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
MBIS = [f"1S00E00AA{n:02d}" for n in range(9)]
NPIS = ["1234567893", "2323232225", "3905293015"]
STEADY = settings(derandomize=True, max_examples=80, deadline=None)
ORDER = [
    ChangeKind.REGISTER,
    ChangeKind.CREATE,
    ChangeKind.REMOVE,
    ChangeKind.ADD,
    ChangeKind.REINSTATE,
    ChangeKind.RENEW,
]


@dataclass(frozen=True)
class World:
    """One situation: what the feeds say, what DPC holds, who could be registered, and the policy."""

    panels: tuple[Panel, ...]
    dpc: Dpc
    described_patients: frozenset[str]
    described_practitioners: frozenset[str]
    policy: Policy

    def observe(self) -> Observed:
        return self.dpc.observe(self.described_patients, self.described_practitioners)

    def reconcile(self, now: datetime = NOW) -> Reconciliation:
        return reconcile(self.panels, self.observe(), now, self.policy)


AGES = st.sampled_from([0, 1, 3, 34, 35, 36, 80]).map(lambda days: timedelta(days=days))
ENDS = st.sampled_from([-200, -3, -1, 0, 1, 14, 15, 16, 40, 89, 90])


@st.composite
def claims(draw: st.DrawFn) -> tuple[Claim, ...]:
    listed = draw(st.lists(st.sampled_from(MBIS), unique=True))
    return tuple(
        Claim(mbi, draw(st.integers(1, 3)), line, NOW - draw(AGES), ended=draw(st.booleans()))
        for line, mbi in enumerate(listed, start=2)
    )


@st.composite
def rows(draw: st.DrawFn) -> Row:
    end = NOW + timedelta(days=draw(ENDS))
    return Row(end - LASTS, end, inactive=end <= NOW and draw(st.booleans()))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    policy = Policy(patient_limit=draw(st.integers(1, 12)), call_size=draw(st.integers(1, 5)))
    known = draw(st.frozensets(st.sampled_from(MBIS)))
    dpc = Dpc(policy.patient_limit, patients={mbi: f"patient-{mbi}" for mbi in sorted(known)})
    for npi in draw(st.lists(st.sampled_from(NPIS), unique=True)):
        dpc.practitioners[npi] = f"practitioner-{npi}"
        if draw(st.booleans()):
            stored = st.sampled_from(sorted(dpc.patients.values())) if known else st.nothing()
            dpc.rosters[npi] = draw(st.dictionaries(stored, rows()))
            dpc.owned |= {(patient_id, npi) for patient_id in dpc.rosters[npi] if draw(st.booleans())}
    panels = tuple(
        build_panel(npi, draw(st.dictionaries(st.sampled_from(["clinic", "hospital"]), claims())))
        for npi in draw(st.lists(st.sampled_from(NPIS), unique=True))
    )
    return World(
        panels,
        dpc,
        draw(st.frozensets(st.sampled_from(MBIS))),
        draw(st.frozensets(st.sampled_from(NPIS))),
        policy,
    )


@given(worlds())
@STEADY
def test_a_plan_that_was_applied_leaves_nothing_to_do(world: World) -> None:
    apply(world, world.reconcile())
    assert world.reconcile().changes == ()


@given(worlds())
@STEADY
def test_a_plan_that_broke_off_anywhere_is_completed_by_the_next_one(world: World) -> None:
    changes = world.reconcile().changes
    for change in changes[: len(changes) // 2]:
        world.dpc.send(change, NOW)
    apply(world, world.reconcile())
    assert world.reconcile().changes == ()


@given(worlds(), st.integers(1, 120))
@STEADY
def test_the_following_days_need_renewals_and_no_change_of_mind(world: World, days: int) -> None:
    apply(world, world.reconcile())
    later = NOW + timedelta(days=days)
    kinds = {change.kind for change in world.reconcile(later).changes}
    assert kinds <= {ChangeKind.RENEW, ChangeKind.REINSTATE}


@given(worlds())
@STEADY
def test_the_same_situation_gives_the_same_plan_in_whatever_order_it_is_told(world: World) -> None:
    observed = world.observe()
    turned = replace(
        observed,
        groups={
            npi: replace(g, attributions=g.attributions[::-1])
            for npi, g in sorted(observed.groups.items(), reverse=True)
        },
    )
    first = reconcile(world.panels, observed, NOW, world.policy)
    panels = [replace(panel, wanted=dict(sorted(panel.wanted.items(), reverse=True))) for panel in world.panels]
    second = reconcile(panels[::-1], turned, NOW, world.policy)
    assert first.changes == second.changes
    assert set(first.left_out) == set(second.left_out)


@given(worlds())
@STEADY
def test_dpc_refuses_no_call_of_a_plan(world: World) -> None:
    for change in world.reconcile().changes:
        assert 0 < change.n <= world.policy.call_size
        world.dpc.send(change, NOW)


@given(worlds())
@STEADY
def test_only_pairs_with_a_fresh_claim_are_attested(world: World) -> None:
    fresh = {
        (mbi, panel.npi)
        for panel in world.panels
        for mbi, claim in panel.wanted.items()
        if NOW - claim.evidence_at <= world.policy.evidence_max_age
    }
    attested = {(p.mbi, c.npi) for c in world.reconcile().changes if c.kind.is_attested for p in c.patients}
    assert attested <= fresh


@given(worlds())
@STEADY
def test_only_what_is_ours_active_and_ended_by_its_feeds_is_removed(world: World) -> None:
    observed = world.observe()
    may_go = {
        (a.mbi, panel.npi)
        for panel in world.panels
        for a in (observed.groups[panel.npi].attributions if panel.npi in observed.groups else ())
        if a.owned and a.mbi in panel.ended and a.mbi not in panel.wanted and judge(a, NOW) is Status.ACTIVE
    }
    removed = {(p.mbi, c.npi) for c in world.reconcile().changes if c.kind is ChangeKind.REMOVE for p in c.patients}
    assert removed <= may_go
    assert not removed or any(panel.wanted for panel in world.panels)


@given(worlds())
@STEADY
def test_changes_come_in_the_order_in_which_they_must_be_sent(world: World) -> None:
    kinds = [ORDER.index(change.kind) for change in world.reconcile().changes]
    assert kinds == sorted(kinds)


@given(worlds())
@STEADY
def test_no_group_ever_grows_beyond_the_limit(world: World) -> None:
    before = {npi: len(roster) for npi, roster in world.dpc.rosters.items()}
    apply(world, world.reconcile())
    for npi, roster in world.dpc.rosters.items():
        assert len(roster) <= max(world.policy.patient_limit, before.get(npi, 0))


@given(worlds())
@STEADY
def test_each_pair_meets_one_change_at_most_and_nobody_both_changes_and_is_left_out(world: World) -> None:
    result = world.reconcile()
    changed = [(p.mbi, c.npi) for c in result.changes if c.npi for p in c.patients]
    assert len(changed) == len(set(changed))
    left_out = [(item.mbi, item.npi) for item in result.left_out]
    assert len(left_out) == len(set(left_out))
    assert not set(changed) & set(left_out)


@given(worlds())
@STEADY
def test_every_wanted_pair_is_in_order_changed_or_left_out_by_name(world: World) -> None:
    result, observed = world.reconcile(), world.observe()
    spoken_of = {(p.mbi, c.npi) for c in result.changes for p in c.patients} | {(i.mbi, i.npi) for i in result.left_out}
    for panel in world.panels:
        group = observed.groups.get(panel.npi)
        shown = group.by_mbi() if group else {}
        for mbi in panel.wanted:
            in_order = mbi in shown and shown[mbi].end_at - NOW > world.policy.renew_within and not shown[mbi].inactive
            assert in_order is not ((mbi, panel.npi) in spoken_of)


@given(worlds())
@STEADY
def test_only_those_are_registered_who_are_then_attested(world: World) -> None:
    changes = world.reconcile().changes
    attested = [c for c in changes if c.kind.is_attested]
    registered = [p.mbi for c in changes if c.kind is ChangeKind.REGISTER for p in c.patients]
    introduced = [npi for c in changes for npi in c.practitioners]
    assert set(registered) <= {p.mbi for c in attested for p in c.patients} & world.described_patients
    assert set(introduced) <= {c.npi for c in attested} & world.described_practitioners
    assert len(registered) == len(set(registered))
    assert len(introduced) == len(set(introduced))


@given(worlds())
@STEADY
def test_a_plan_is_read_back_as_it_was_kept(world: World) -> None:
    observed, result = world.observe(), world.reconcile()
    free, held = hold_changes(result.changes, measure(observed), GuardLimits(), "lakeside", {}, conceal=keep_plain)
    plan = Plan("lakeside", NOW, draw_baselines(free, observed.groups), free, held, result.left_out, ("Be warned.",))
    read = read_plan(json.loads(json.dumps(write_plan(plan))))
    assert read == plan
    assert fingerprint_plan(read, keep_plain) == fingerprint_plan(plan, keep_plain)


TIGHT = GuardLimits(
    removals_floor=0,
    group_removals_hold=10,
    group_removals_stop=40,
    organization_removals_hold=30,
    organization_removals_stop=60,
    adds_floor=0,
    group_adds_hold=20,
    group_adds_stop=80,
)


@given(worlds(), st.sampled_from([GuardLimits(), TIGHT]), st.integers(0, 2), st.integers(0, 5))
@STEADY
def test_guards_drop_no_change_and_double_none(world: World, limits: GuardLimits, people: int, lately: int) -> None:
    changes, observed = world.reconcile().changes, world.observe()
    exposure = replace(measure(observed), recently_removed=dict.fromkeys(observed.groups, lately))
    _, first = hold_changes(changes, exposure, limits, "lakeside", {}, conceal=keep_plain)
    released = {held.fingerprint: people for held in first}
    free, held = hold_changes(changes, exposure, limits, "lakeside", released, conceal=keep_plain)
    kept = [id(c) for c in free] + [id(c) for h in held for c in h.changes]
    assert sorted(kept) == sorted(id(c) for c in changes)
    assert list(free) == [c for c in changes if id(c) in {id(f) for f in free}]
    assert all(h.level.people_needed > people for h in held)
    assert all(c.kind in (ChangeKind.REMOVE, ChangeKind.ADD, ChangeKind.REINSTATE) for h in held for c in h.changes)


COUNTS = st.tuples(st.integers(1, 12), st.integers(0, 12), st.integers(0, 5))


@given(st.dictionaries(st.sampled_from(NPIS), COUNTS, min_size=1), st.sampled_from([GuardLimits(), TIGHT]))
@STEADY
def test_no_group_loses_all_its_active_patients_or_a_fifth_of_many_on_the_word_of_one_person(
    counts: dict[str, tuple[int, int, int]], limits: GuardLimits
) -> None:
    active = {npi: n for npi, (n, _, _) in counts.items()}
    lately = {npi: n for npi, (_, _, n) in counts.items()}
    changes = [build_removal(npi, min(n, active[npi])) for npi, (_, n, _) in counts.items() if n]
    exposure = Exposure(active, lately)
    _, first = hold_changes(changes, exposure, limits, "lakeside", {}, conceal=keep_plain)
    free, _ = hold_changes(
        changes, exposure, limits, "lakeside", {held.fingerprint: 1 for held in first}, conceal=keep_plain
    )
    for change in free:
        npi = change.npi or ""
        gone, base = change.n + lately[npi], active[npi] + lately[npi]
        assert change.n < active[npi]
        assert gone <= limits.removals_floor or 100 * gone <= limits.group_removals_stop * base


@given(worlds(), st.sampled_from(NPIS))
@STEADY
def test_an_overwrite_lists_fresh_claims_only_and_converges_too(world: World, npi: str) -> None:
    panel = next((p for p in world.panels if p.npi == npi), Panel(npi, {}, {}))
    try:
        result = build_overwrite(panel, world.observe(), NOW, world.policy)
    except InvalidInput:
        return
    *registrations, overwrite = result.changes
    assert {c.kind for c in registrations} <= {ChangeKind.REGISTER}
    assert overwrite.kind is ChangeKind.OVERWRITE
    for patient in overwrite.patients:
        assert NOW - panel.wanted[patient.mbi].evidence_at <= world.policy.evidence_max_age
    apply(world, result)
    again = reconcile([panel], world.observe(), NOW, world.policy)
    assert again.changes == ()


GRAY, MOSS = NPIS[:2]
KNOWN, STRANGER = (PlannedPatient(mbi, None, 1, 2) for mbi in MBIS[:2])
REFUSED = {
    "a patient who is not registered": Change(ChangeKind.ADD, GRAY, (STRANGER,)),
    "a second Group": Change(ChangeKind.CREATE, GRAY, (KNOWN,)),
    "a practitioner without Group": Change(ChangeKind.ADD, MOSS, (KNOWN,)),
    "a practitioner who is not registered": Change(ChangeKind.CREATE, NPIS[2], (KNOWN,)),
    "a removal of somebody who never was attributed": Change(ChangeKind.REMOVE, GRAY, (KNOWN,)),
    "one patient too many": Change(ChangeKind.ADD, GRAY, (KNOWN,)),
    "an overwrite with one patient too many": Change(ChangeKind.OVERWRITE, GRAY, (KNOWN, STRANGER)),
}


@pytest.mark.parametrize("why", REFUSED)
def test_the_model_refuses_what_dpc_refuses_or_else_these_properties_would_prove_nothing(why: str) -> None:
    dpc = Dpc(
        limit=1,
        practitioners={GRAY: "practitioner-gray", MOSS: "practitioner-moss"},
        patients={KNOWN.mbi: "patient-known"},
        rosters={GRAY: {"patient-other": Row(NOW - LASTS, NOW, inactive=True)}},
    )
    if why == "an overwrite with one patient too many":
        dpc.patients[STRANGER.mbi] = "patient-stranger"
    before = deepcopy(dpc)
    with pytest.raises(CallRefused):
        dpc.send(REFUSED[why], NOW)
    assert dpc == before


def build_removal(npi: str, n: int) -> Change:
    patients = (PlannedPatient(f"1S00E00AA{place:02d}", f"patient-{place}", 1, place) for place in range(n))
    return Change(ChangeKind.REMOVE, npi, tuple(patients))


def apply(world: World, result: Reconciliation) -> None:
    for change in result.changes:
        world.dpc.send(change, NOW)


def measure(observed: Observed) -> Exposure:
    return Exposure({npi: sum(is_active(a, NOW) for a in g.attributions) for npi, g in observed.groups.items()}, {})
