"""The rules of the domain strung together as the verbs do it, against the model of DPC, for any sequence of events.

What the practice may attest and remove is told by an oracle that knows only the events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import ClassVar

from evidence_oracle import Accepted, Decision, Limits, Oracle
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from service.domain.attribution import is_active
from service.domain.authorisation import DECISION_LASTS, SIGN_OFF_LASTS, narrow_registrations
from service.domain.change import Change, ChangeKind, keep_plain
from service.domain.departing import doubt_removals
from service.domain.expiry import is_evidence_fresh
from service.domain.feeds import FeedSettings
from service.domain.guards import Exposure, HeldChanges, hold_changes
from service.domain.intake import Effect, FileFacts, Verdict, judge_delivery
from service.domain.plan import Plan, draw_baselines, fingerprint_plan
from service.domain.policy import GuardLimits, Policy
from service.domain.reconcile import Observed, reconcile
from service.domain.renames import MbiChange, Numbers, find_mistaken, resolve_renames
from service.domain.roster import Claim, DeliveredPanel, Panel, build_panel, fold_delivery, fold_redelivery
from service.domain.series import is_made_after
from tests.properties.dpc_model import LASTS, Dpc, Row, list_pairs
from tests.properties.rosters_by_lot import AGES, LISTED, MBIS, MODES, NOW, NPIS, REMOVED, SPARE, TOLD, Feed, File

GUARDS = GuardLimits(
    removals_floor=0,
    group_removals_hold=10,
    group_removals_stop=30,
    organization_removals_hold=10,
    organization_removals_stop=40,
    adds_floor=4,
)
POLICY = Policy(patient_limit=14, call_size=5, guards=GUARDS)
ABSENCES = 2
SETTINGS = FeedSettings()


class Practice(RuleBasedStateMachine):
    """One organisation with three feeds, two practitioners and twelve patients."""

    reached: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.now, self.serial = NOW, 0
        self.feeds = {name: Feed() for name in MODES}
        self.told: list[MbiChange] = []
        self.held: list[File] = []
        self.suspended: list[File] = []
        self.dpc = Dpc(POLICY.patient_limit)
        self.plan: Plan | None = None
        self.signed: tuple[str, datetime] | None = None
        self.oracle = Oracle(
            Limits(GUARDS.removals_floor, GUARDS.group_removals_hold, GUARDS.group_removals_stop),
            Limits(GUARDS.removals_floor, GUARDS.organization_removals_hold, GUARDS.organization_removals_stop),
            reached=self.reached,
        )
        self.released: dict[str, dict[str, datetime]] = {}

    @initialize()
    def begin(self) -> None:
        """Ten patients of each practitioner are at DPC."""
        self.deliver("ehr", dict.fromkeys(NPIS, frozenset(MBIS[:10])), {}, frozenset(), 0, None, [])
        self.live_through_a_night([], 0)

    # Files

    @rule(
        name=st.sampled_from(["ehr", "ehr", "clinic", "changes"]),
        listed=LISTED,
        removed=REMOVED,
        protected=st.frozensets(st.sampled_from(MBIS), max_size=1),
        blind=st.sampled_from([0, 0, 0, 1]),
        age=AGES,
        told=TOLD,
    )
    def deliver(
        self,
        name: str,
        listed: dict[str, frozenset[str]],
        removed: dict[str, frozenset[str]],
        protected: frozenset[str],
        blind: int,
        age: int | None,
        told: list[tuple[str, str]],
    ) -> None:
        as_of_at = None if age is None else self.now - timedelta(days=age)
        is_delta = MODES[name] == "delta"
        self.serial += 1
        self.take(File(self.serial, name, self.now, as_of_at, listed, removed if is_delta else {}, protected, blind,
                       tuple(told) if is_delta else ()))  # fmt: skip

    @rule(missing=st.lists(st.frozensets(st.sampled_from(MBIS[:10]), max_size=3), min_size=2, max_size=2))
    def let_two_days_pass_without_them(self, missing: list[frozenset[str]]) -> None:
        """What an ordinary feed does: a roster a day, as of now, for everybody; two of them end whom both lack."""
        listed = {npi: frozenset(MBIS[:10]) - gone for npi, gone in zip(NPIS, missing, strict=True)}
        for _ in range(ABSENCES):
            self.now += timedelta(days=1)
            self.deliver("ehr", listed, {}, frozenset(), 0, None, [])

    @rule(listed=st.frozensets(st.sampled_from(MBIS), max_size=2), removed=REMOVED, told=TOLD)
    def send_changes(
        self, listed: frozenset[str], removed: dict[str, frozenset[str]], told: list[tuple[str, str]]
    ) -> None:
        """A few who came, a few who went, and now and then a new number."""
        self.deliver("changes", {NPIS[0]: listed}, removed, frozenset(), 0, None, told)

    @rule(former=st.sampled_from(MBIS[10:]), new=st.sampled_from(SPARE[1:]))
    def remove_before_the_change_is_told(self, former: str, new: str) -> None:
        """Somebody goes under a number of which nobody knows yet whose it is."""
        npi, nobody = NPIS[0], frozenset[str]()
        self.deliver("changes", {npi: frozenset({former})}, {}, nobody, 0, None, [])
        self.deliver("changes", {}, {npi: frozenset({new})}, nobody, 0, None, [])
        self.deliver("changes", {npi: nobody}, {}, nobody, 0, None, [(former, new)])
        self.live_through_a_night([], 0)

    @precondition(lambda self: any(feed.accepted for feed in self.feeds.values()))
    @rule(name=st.sampled_from(["ehr", "clinic"]), listed=LISTED, twice=st.booleans())
    def send_again(self, name: str, listed: dict[str, frozenset[str]], twice: bool) -> None:
        """The same once more, or another file of the same date."""
        if self.feeds[name].accepted:
            last = self.feeds[name].accepted[-1]
            self.serial += 1
            again = replace(last, serial=self.serial, received_at=self.now, as_of_at=last.evidence_at)
            self.take(again if twice else replace(again, listed=listed))

    def take(self, file: File) -> None:
        """Judge a file and let it count, wait or be refused."""
        facts = self.gather(file)
        history = self.feeds[file.feed].tell_history(file)
        judgement = judge_delivery(facts, history, SETTINGS)
        self.reached[f"file {judgement.verdict.value}"] += 1
        if judgement.verdict is Verdict.ACCEPTED:
            self.accept(file)
        elif judgement.verdict is Verdict.HELD:
            self.held.append(file)

    def accept(self, file: File) -> None:
        doubt = doubt_removals(self.gather(file), "none", file.blind, SETTINGS)
        self.tell_changes(file)
        self.fold(file, removals_count=doubt is None)
        if doubt:
            self.suspended.append(file)

    def tell_changes(self, file: File) -> None:
        """Of several words on one number the last one counts, whoever comes late; it may contradict those before."""
        told = [MbiChange(*pair, file.serial) for pair in file.told if pair[0] != pair[1]]
        self.told += [
            one for one in told if not any(o.former == one.former and o.delivery > one.delivery for o in self.told)
        ]
        self.told.sort(key=lambda change: change.delivery)
        self.oracle.renamed = {(former, new) for former, new in {c.former: c.new for c in self.told}.items()}

    @precondition(lambda self: self.held)
    @rule(place=st.integers(0, 9), accepts=st.booleans())
    def decide_file(self, place: int, accepts: bool) -> None:
        file = self.held.pop(place % len(self.held))
        if accepts:
            self.reached["file released"] += 1
            self.accept(file)

    @precondition(lambda self: self.suspended)
    @rule()
    def let_removals_count(self) -> None:
        self.fold(self.suspended.pop(), removals_count=True)

    def gather(self, file: File) -> FileFacts:
        is_snapshot = MODES[file.feed] == "snapshot"
        effect = Effect()
        for npi in file.npis:
            claimed = self.name_claimed(self.feeds[file.feed].claims.get(npi, ()))
            ended = claimed - self.name_claimed(self.fold_one(file, npi, removals_count=True))
            listed = self.name_patients(file.listed.get(npi, ()))
            absent = claimed - listed - self.name_patients(file.protected) if is_snapshot else set()
            effect += Effect(len(claimed), len(listed), len(listed - claimed), len(absent), len(ended))
        return FileFacts(
            file_error=None,
            data_rows=file.rows,
            present=file.rows + len(file.told),
            removed=sum(map(len, file.removed.values())),
            errors=file.blind,
            received_at=file.received_at,
            as_of_at=file.as_of_at,
            is_snapshot=is_snapshot and file.rows > 0,
            patients=file.rows,
            effect=effect,
        )

    def name_claimed(self, claims: Iterable[Claim]) -> set[str]:
        return self.name_patients(claim.mbi for claim in claims if not claim.ended)

    def name_patients(self, numbers: Iterable[str]) -> set[str]:
        renames = resolve_renames(self.told)
        return {renames.get(mbi, mbi) for mbi in numbers}

    def fold(self, file: File, *, removals_count: bool) -> None:
        feed = self.feeds[file.feed]
        folded = {npi: self.fold_one(file, npi, removals_count=removals_count) for npi in file.npis}
        replaces = self.is_replacing(file)
        if not replaces:
            feed.before = feed.before if feed.folded[-1:] == [file] else dict(feed.claims)
        elif removals_count:  # the file that is replaced is as if it had never been
            self.reached["file replaced"] += 1
            ours = {one.serial for one in takewhile(lambda one: one.as_of_at == file.as_of_at, reversed(feed.folded))}
            self.oracle.accepted = [
                replace(
                    a,
                    pairs=frozenset(p for p in a.pairs if p[0] not in file.listed),
                    whole=a.whole - file.listed.keys(),
                )
                if a.serial in ours
                else a
                for a in self.oracle.accepted
            ]
        feed.claims.update(folded)
        if file not in feed.accepted:
            feed.accepted.append(file)
        feed.folded = [*(one for one in feed.folded if one is not file), file]
        counts = removals_count and not file.protected
        removed = frozenset((npi, mbi) for npi, mbis in file.removed.items() for mbi in mbis if counts)
        whole = frozenset(file.listed if MODES[file.feed] == "snapshot" and counts and not file.blind else ())
        self.oracle.accepted.append(Accepted(file.serial, file.evidence_at, file.pairs, file.feed, removed, whole))

    def fold_one(self, file: File, npi: str, *, removals_count: bool) -> tuple[Claim, ...]:
        feed = self.feeds[file.feed]
        known = feed.claims.get(npi, ())
        delivered = DeliveredPanel(
            file.serial,
            file.evidence_at,
            MODES[file.feed],
            {mbi: line for line, mbi in enumerate(sorted(file.listed.get(npi, ())), start=2)},
            dict.fromkeys(file.removed.get(npi, ()), 99),
            file.protected,
            removals_count,
            missed_by=self.count_missed(file, npi),
        )
        if self.is_replacing(file):
            return fold_redelivery(known, feed.before.get(npi, ()), delivered, ABSENCES, resolve_renames(self.told))
        return fold_delivery(known, delivered, ABSENCES, resolve_renames(self.told))

    def count_missed(self, file: File, npi: str) -> int:
        """Count the rosters without a doubt that came to count before a file, although they were made after it."""
        others = [o for o in self.feeds[file.feed].accepted if o is not file and npi in o.npis and not o.blind]
        return len(
            {o.evidence_at for o in others if MODES[o.feed] == "snapshot" and is_made_after(o.place, file.place)}
        )

    def is_replacing(self, file: File) -> bool:
        folded = self.feeds[file.feed].folded
        is_last = bool(folded) and folded[-1].as_of_at == file.as_of_at and folded[-1] is not file
        return MODES[file.feed] == "snapshot" and file.as_of_at is not None and is_last

    # Plans

    @rule()
    def draw(self) -> None:
        observed = self.look()
        result = reconcile(self.list_panels(), observed, self.now, POLICY)
        free, held = self.guard(result.changes, observed)
        free = narrow_registrations(free)
        baselines = draw_baselines(free, observed.groups)
        self.plan = Plan("lakeside", self.now, baselines, free, held, result.left_out)
        self.signed = None
        self.check(self.plan, observed)
        self.reached["plan with held removals"] += any(h.rule.startswith("removals") for h in held)

    @precondition(lambda self: self.plan is not None)
    @rule()
    def sign(self) -> None:
        assert self.plan is not None
        self.signed = fingerprint_plan(self.plan, keep_plain), self.now

    @precondition(lambda self: self.plan is not None and self.plan.held)
    @rule(place=st.integers(0, 9), person=st.sampled_from(["ruth", "vera"]))
    def decide_changes(self, place: int, person: str) -> None:
        assert self.plan is not None
        held = self.plan.held[place % len(self.plan.held)]
        until = self.now + DECISION_LASTS
        self.released.setdefault(held.fingerprint, {})[person] = until
        self.oracle.decisions.append(Decision(list_pairs(held.changes), person, until))

    @precondition(lambda self: self.plan is not None and self.signed is not None)
    @rule()
    def apply(self) -> None:
        """Send a plan unless its signature, DPC, the rosters or the guards no longer carry it."""
        assert self.plan is not None and self.signed is not None
        plan, (fingerprint, signed_at) = self.plan, self.signed
        self.plan = self.signed = None
        observed = self.look()
        is_approved = fingerprint == fingerprint_plan(plan, keep_plain) and self.now - signed_at <= SIGN_OFF_LASTS
        if not is_approved or plan.baselines != draw_baselines(plan.changes, observed.groups):
            return
        if not self.is_supported(plan.changes) or self.guard(plan.changes, observed)[1]:
            return
        self.check(plan, observed)
        removals = list_pairs(c for c in plan.changes if c.kind is ChangeKind.REMOVE and not c.is_rename)
        self.oracle.remove(removals, count_active(observed, self.now), self.now)
        mistaken = {mbi for others in find_mistaken(self.told).values() for mbi in others}
        self.reached["removed a mistaken number"] += any(mbi in mistaken for _, mbi in removals)
        for change in plan.changes:
            for pair in list_pairs([change]) if change.kind.is_attested else ():
                self.oracle.attest(pair, self.now)
            self.dpc.send(change, self.now)

    def check(self, plan: Plan, observed: Observed) -> None:
        """Assert of a plan, before it is signed and before it is sent, that everything in it may be done.

        Nobody whom we attested is forgotten either: the plan keeps them, or lets them go, or says what it waits for.
        """
        sent = [change for change in plan.changes if change.kind.touches_group]
        assert not list_pairs(sent) & list_pairs(c for held in plan.held for c in held.changes)
        for pair in list_pairs(change for change in sent if change.kind.is_attested):
            self.oracle.check_evidence(pair, self.now)
        removals = [change for change in sent if change.kind is ChangeKind.REMOVE]
        renames = list_pairs(change for change in removals if change.is_rename)
        assert renames <= self.oracle.owned
        assert {mbi for _, mbi in renames} <= {former for former, _ in self.oracle.renamed}
        others = list_pairs(change for change in removals if not change.is_rename)
        self.oracle.check_removals(others, count_active(observed, self.now), self.now)
        assert not self.oracle.owned & {(o.npi, o.mbi) for o in plan.left_out if o.rule == "not_on_roster"}
        self.reached["removed a former number"] += len(renames)
        self.reached["left because it is not ours"] += any(one.rule == "not_ours" for one in plan.left_out)

    @rule(people=st.lists(st.sampled_from(["ruth", "vera"]), max_size=2), hours=st.sampled_from([0, 0, 0, 12, 30]))
    def live_through_a_night(self, people: list[str], hours: int) -> None:
        """A plan is drawn; people let go what waits, it is drawn anew, signed, and applied some time later."""
        self.draw()
        assert self.plan is not None
        for place, _ in enumerate(self.plan.held):
            for person in people:
                self.decide_changes(place, person)
        self.draw()
        self.sign()
        self.now += timedelta(hours=hours)
        self.apply()

    def guard(
        self, changes: tuple[Change, ...], observed: Observed
    ) -> tuple[tuple[Change, ...], tuple[HeldChanges, ...]]:
        released = {f: sum(until > self.now for until in people.values()) for f, people in self.released.items()}
        active = {n: sum(is_active(a, self.now) for a in g.attributions) for n, g in observed.groups.items()}
        since = self.now - GUARDS.memory
        lately = Counter(npi for at, (npi, _) in self.oracle.removed if at >= since)
        return hold_changes(changes, Exposure(active, lately), GUARDS, "lakeside", released, keep_plain)

    def is_supported(self, changes: tuple[Change, ...]) -> bool:
        panels = {panel.npi: panel for panel in self.list_panels()}
        for change in changes:
            panel = panels.get(change.npi or "", Panel("", {}, {}))
            for patient in change.patients if change.npi else ():
                claim = panel.wanted.get(patient.mbi)
                if change.kind is ChangeKind.REMOVE and patient.mbi not in panel.ended:
                    return False
                if change.kind.is_attested and not (claim and is_evidence_fresh(claim, self.now, POLICY)):
                    return False
        return True

    def list_panels(self) -> list[Panel]:
        numbers = Numbers(resolve_renames(self.told), find_mistaken(self.told))
        return [
            build_panel(npi, {name: feed.claims.get(npi, ()) for name, feed in self.feeds.items()}, numbers)
            for npi in NPIS
        ]

    def look(self) -> Observed:
        return self.dpc.observe([*MBIS, *SPARE], NPIS)

    # The rest of the world

    @rule(days=st.sampled_from([1, 1, 2, 8, 36, 80]))
    def pass_time(self, days: int) -> None:
        self.now += timedelta(days=days)

    @precondition(lambda self: self.dpc.rosters)
    @rule(npi=st.sampled_from(NPIS), mbi=st.sampled_from(MBIS[9:]))
    def attest_elsewhere(self, npi: str, mbi: str) -> None:
        """Somebody else adds a patient to one of our Groups, past us; they come to our roster and leave it again."""
        if npi in self.dpc.rosters and len(self.dpc.rosters[npi]) < POLICY.patient_limit:
            self.dpc.patients.setdefault(mbi, f"patient-{mbi}")
            self.dpc.rosters[npi].setdefault(f"patient-{mbi}", Row(self.now, self.now + LASTS))
            self.deliver("changes", {npi: frozenset({mbi})}, {}, frozenset(), 0, None, [])
            self.live_through_a_night([], 0)
            self.deliver("changes", {}, {npi: frozenset({mbi})}, frozenset(), 0, None, [])


def count_active(observed: Observed, now: datetime) -> Counter[str]:
    return Counter({npi: sum(is_active(a, now) for a in g.attributions) for npi, g in observed.groups.items()})
