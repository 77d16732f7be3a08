"""Plans as people read them: a diff per practitioner, what is held and why, what was left out and why."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from service.domain.change import LEFT_OUT_SENTENCES, Change
from service.domain.identifiers import mask_mbi
from service.domain.people import Action, Actor, check_may
from service.domain.plan import Plan, read_plan
from service.runtime import Runtime
from service.storage import deliveries, patients, plans, practitioners
from service.storage.connection import Connection
from service.storage.sealing import OrganizationKeys
from service.workflows.access import note_access
from service.workflows.holds import HoldView, view_hold

MOST_PLANS = 500


@dataclass(frozen=True, slots=True)
class PlanHead:
    """A plan without its changes; `counts` by kind of change."""

    id: str
    number: int
    state: str
    fingerprint: str
    drawn_at: datetime
    drawn_by: str
    counts: Mapping[str, int]
    held_n: int
    left_out_n: int
    is_overwrite: bool = False


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One patient of one change, with the place in the delivery that supports it."""

    kind: str
    masked_mbi: str
    patient_ref: str | None
    feed_id: str | None
    delivery_id: str | None
    delivery_number: int
    line: int
    end_at: datetime | None
    held: bool


@dataclass(frozen=True, slots=True)
class PanelDiff:
    """The changes of one practitioner; `npi` is None for patients and practitioners to be registered."""

    npi: str | None
    name: str | None
    rows: tuple[DiffRow, ...]
    practitioners: tuple[str, ...] = ()

    def count(self, *kinds: str) -> int:
        """Answer how many rows are of these kinds."""
        return sum(row.kind in kinds for row in self.rows)


@dataclass(frozen=True, slots=True)
class LeftOutRow:
    """A pair without change, the rule, and the rule in one sentence."""

    npi: str
    masked_mbi: str | None
    rule: str
    sentence: str


@dataclass(frozen=True, slots=True)
class SignOffView:
    """Who answered for the plan, when and why; `is_standing` when a standing authorisation did."""

    person: str
    reason: str
    signed_at: datetime
    is_standing: bool


@dataclass(frozen=True, slots=True)
class PlanView:
    """A whole plan for reading and signing."""

    head: PlanHead
    practitioners: tuple[PanelDiff, ...]
    holds: tuple[HoldView, ...]
    left_out: tuple[LeftOutRow, ...]
    sign_offs: tuple[SignOffView, ...]
    warnings: tuple[str, ...]
    costs_from_at: datetime | None


def find_plans(rt: Runtime, organization_id: str, *, after: int | None = None, limit: int = 50) -> list[PlanHead]:
    """Answer plans newest first, those with a number below `after`; at most 500."""
    with rt.database.read() as connection:
        found = plans.find_plans(connection, organization_id, after=after, limit=min(limit, MOST_PLANS))
    return [view_head(plan) for plan in found]


def load_plan_view(rt: Runtime, organization_id: str, plan_id: str, actor: Actor) -> PlanView:
    """Answer one plan with all it holds; the look is recorded in the access log. Raises NotFound."""
    check_may(actor, Action.READ_ROSTERS, organization_id)
    view = view_plan(rt, organization_id, plan_id)
    with rt.database.begin() as connection:
        rows = sum(len(diff.rows) for diff in view.practitioners)
        note_access(rt, connection, organization_id, actor, "read-plan", plan_id, rows)
    return view


def load_plan_body(rt: Runtime, organization_id: str, plan_id: str) -> Plan:
    """Answer the plan itself as a value of the rules; raises NotFound."""
    keys = rt.load_keys(organization_id)
    with rt.database.read() as connection:
        return read_plan(json.loads(plans.load_plan_body(connection, keys, organization_id, plan_id)))


def view_head(plan: plans.Plan) -> PlanHead:
    """Answer a stored plan's head as it is shown."""
    counts = {kind: n for kind, n in plan.counts.items() if kind not in ("held", "left_out")}
    return PlanHead(
        plan.id,
        plan.number,
        plan.state,
        plan.fingerprint,
        plan.drafted_at,
        plan.drafted_by,
        counts,
        plan.counts.get("held", 0),
        plan.counts.get("left_out", 0),
        plan.overwrite,
    )


def view_plan(rt: Runtime, organization_id: str, plan_id: str) -> PlanView:
    """Answer one plan as it is shown, without recording the look (for the step that drew it)."""
    keys = rt.load_keys(organization_id)
    with rt.database.read() as connection:
        stored = plans.load_plan(connection, organization_id, plan_id)
        plan = read_plan(json.loads(plans.load_plan_body(connection, keys, organization_id, plan_id)))
        fingerprints = {held.fingerprint for held in plan.held}
        return PlanView(
            head=view_head(stored),
            practitioners=_view_diffs(connection, keys, organization_id, plan),
            holds=tuple(
                view_hold(connection, organization_id, hold, rt.now())
                for hold in plans.find_holds(connection, organization_id)
                if hold.fingerprint in fingerprints and hold.plan_id
            ),
            left_out=tuple(
                LeftOutRow(i.npi, mask_mbi(i.mbi) if i.mbi else None, i.rule, LEFT_OUT_SENTENCES[i.rule])
                for i in plan.left_out
            ),
            sign_offs=tuple(
                SignOffView(s.person, s.reason, s.signed_at, s.authorisation_id is not None)
                for s in plans.find_sign_offs(connection, organization_id, plan_id)
            ),
            warnings=plan.warnings,
            costs_from_at=_find_cost(plan),
        )


def _find_cost(plan: Plan) -> datetime | None:
    """Answer the first end of an attribution that the plan would renew: the day on which waiting starts to cost."""
    ends = [p.end_at for c in plan.changes if c.kind == "renew" for p in c.patients if p.end_at]
    return min(ends, default=None)


def _view_diffs(
    connection: Connection, keys: OrganizationKeys, organization_id: str, plan: Plan
) -> tuple[PanelDiff, ...]:
    marked = [(change, False) for change in plan.changes]
    marked += [(change, True) for held in plan.held for change in held.changes]
    everybody = {p.mbi for change, _ in marked for p in change.patients}
    refs = {m: row.id for m, row in patients.find_patients_by_mbi(connection, keys, organization_id, everybody).items()}
    sources = _find_sources(connection, organization_id, (change for change, _ in marked))
    named = practitioners.find_practitioners(connection, organization_id)
    grouped: dict[str | None, list[DiffRow]] = defaultdict(list)
    new_practitioners: list[str] = []
    for change, is_held in marked:
        new_practitioners.extend(change.practitioners)
        grouped[change.npi].extend(_view_rows(change, is_held, refs, sources))
    diffs = []
    for npi in sorted(grouped, key=lambda n: n or ""):
        known = named.get(npi or "")
        name = " ".join(part for part in (known.given, known.family) if part) if known else None
        diffs.append(PanelDiff(npi, name or None, tuple(grouped[npi]), () if npi else tuple(new_practitioners)))
    return tuple(diffs)


def _view_rows(
    change: Change, is_held: bool, refs: Mapping[str, str], sources: Mapping[int, tuple[str, str]]
) -> Iterable[DiffRow]:
    for patient in change.patients:
        feed_id, delivery_id = sources.get(patient.delivery, (None, None))
        yield DiffRow(
            change.kind.value,
            mask_mbi(patient.mbi),
            refs.get(patient.mbi),
            feed_id,
            delivery_id,
            patient.delivery,
            patient.line,
            patient.end_at,
            is_held,
        )


def _find_sources(
    connection: Connection, organization_id: str, changes: Iterable[Change]
) -> dict[int, tuple[str, str]]:
    numbers = {p.delivery for change in changes for p in change.patients}
    found = {n: deliveries.find_by_number(connection, organization_id, n) for n in numbers}
    return {n: (d.feed_id, d.id) for n, d in found.items() if d}
